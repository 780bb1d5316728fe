"""GPX tracks (any version, with the usual extensions) in, and out again."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

import gpxpy
import gpxpy.gpx

from patrolvision.errors import TelemetryError
from patrolvision.sources.fixes import RawFix, RawLog, TelemetryLog

FORMAT = "gpx"
_EXTENSIONS = {
    "speed": "speed_mps",
    "course": "course_deg",
    "heading": "heading_deg",
    "heading_deg": "heading_deg",
    "pitch_deg": "pitch_deg",
    "roll_deg": "roll_deg",
    "height_m": "height_m",
    "alt_takeoff_m": "alt_takeoff_m",
    "gimbal_heading_deg": "gimbal_heading_deg",
    "gimbal_pitch_deg": "gimbal_pitch_deg",
    "gimbal_roll_deg": "gimbal_roll_deg",
}
_OWN_FIELDS = tuple(name for name in _EXTENSIONS if "_" in name)
_TPX = "http://www.garmin.com/xmlschemas/TrackPointExtension/v2"
_OWN = "urn:patrolvision:telemetry:1"
_POINT_END = "</trkpt>"
_UNREADABLE = (gpxpy.gpx.GPXException, ElementTree.ParseError, ValueError, TypeError)
_UERE_M = 2.5  # one sigma per unit of HDOP, open sky, single frequency


def looks_like_gpx(text: str) -> bool:
    """Whether the text is XML with a gpx root."""
    return text.lstrip().startswith("<") and "<gpx" in text


def parse(path: Path, text: str) -> RawLog:
    """Every track point (route points where there is no track); times without a zone are UTC."""
    logging.getLogger("gpxpy.parser").setLevel(logging.CRITICAL)  # it prints what it also raises
    problems = {}
    try:
        document = gpxpy.parse(text)
    except _UNREADABLE as error:
        try:
            document, problems = gpxpy.parse(_mended(text)), {"cut off at the end": 1}
        except _UNREADABLE:
            raise TelemetryError(f"{path.name}: not a readable GPX file ({error})") from error
    fixes = tuple(_fix(point) for point in _points(document))
    return RawLog(FORMAT, fixes, "trkpt lat/lon/time", problems)


def _mended(text: str) -> str:
    """A file that its recorder did not finish: up to its last whole point, and ended.

    ValueError where there is no whole point, or what stands before it is no XML.
    """
    end = text.rindex(_POINT_END) + len(_POINT_END)
    kept, is_open = text[text.index("<") : end], list[str]()
    reader = expat.ParserCreate()
    reader.StartElementHandler = lambda name, attributes: is_open.append(name)
    reader.EndElementHandler = lambda name: is_open.pop()
    try:
        reader.Parse(kept.encode("utf-8"), False)
    except expat.ExpatError as error:
        raise ValueError(str(error)) from error
    return kept + "".join(f"</{name}>" for name in reversed(is_open))


def _points(document: Any) -> Iterator[Any]:
    points = [p for track in document.tracks for part in track.segments for p in part.points]
    yield from points or [p for route in document.routes for p in route.points]


def _fix(point: Any) -> RawFix:
    at = point.time
    if at is not None and at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    values: dict[str, float | None] = {
        "alt_msl_m": point.elevation,
        "speed_mps": getattr(point, "speed", None),
        "course_deg": getattr(point, "course", None),
        "sigma_position_m": _UERE_M * point.horizontal_dilution
        if point.horizontal_dilution
        else None,
    }
    for name, text in _leaves(point.extensions):
        field = _EXTENSIONS.get(name)
        if field and values.get(field) is None:
            values[field] = _number(text)
    problem = "no fix" if point.type_of_gpx_fix == "none" else None
    return RawFix(point.latitude, point.longitude, at, None, values, problem)


def _leaves(elements: Any) -> Iterator[tuple[str, str]]:
    for element in elements:
        for leaf in element.iter():
            yield str(leaf.tag).rsplit("}", 1)[-1].lower(), leaf.text or ""


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def log_to_gpx(log: TelemetryLog) -> str:
    """The log as GPX 1.1: speed and course as Garmin's extension, our own angles as another."""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<gpx version="1.1" creator="patrolvision" xmlns="http://www.topografix.com/GPX/1/1"'
        f' xmlns:gpxtpx="{_TPX}" xmlns:pv="{_OWN}">',
        "<trk><trkseg>",
    ]
    lines += [_trkpt(sample) for sample in log.samples]
    return "\n".join([*lines, "</trkseg></trk>", "</gpx>", ""])


def _trkpt(sample: Any) -> str:
    parts = [f'<trkpt lat="{sample.lat_deg:.9f}" lon="{sample.lon_deg:.9f}">']
    if sample.alt_msl_m is not None:
        parts.append(f"<ele>{sample.alt_msl_m:.3f}</ele>")
    parts.append(f"<time>{sample.at.astimezone(UTC).isoformat().replace('+00:00', 'Z')}</time>")
    extensions = _garmin(sample) + "".join(
        f"<pv:{name}>{getattr(sample, name):.4f}</pv:{name}>"
        for name in _OWN_FIELDS
        if getattr(sample, name) is not None
    )
    if extensions:
        parts.append(f"<extensions>{extensions}</extensions>")
    return "".join([*parts, "</trkpt>"])


def _garmin(sample: Any) -> str:
    inside = "".join(
        f"<gpxtpx:{name}>{value:.4f}</gpxtpx:{name}>"
        for name, value in (("speed", sample.speed_mps), ("course", sample.course_deg))
        if value is not None
    )
    opening, closing = "<gpxtpx:TrackPointExtension>", "</gpxtpx:TrackPointExtension>"
    return f"{opening}{inside}{closing}" if inside else ""
