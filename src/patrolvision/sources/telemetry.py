"""One door to every telemetry format; which one a file is, its content says, never its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, tzinfo
from pathlib import Path

from patrolvision.errors import TelemetryError
from patrolvision.geo.datum import wgs84_from_gcj02
from patrolvision.sources import csv_log, dji_srt, gpmf, gpx, klv, nmea
from patrolvision.sources.fixes import RawLog, TelemetryLog, build_log
from patrolvision.sources.gpx import log_to_gpx
from patrolvision.types import Datum

__all__ = ["TelemetryLog", "is_telemetry", "log_to_gpx", "read_inside", "read_telemetry"]

_HEAD = 65536
_MP4_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_TEXT_FORMATS = (
    gpx.looks_like_gpx,
    dji_srt.looks_like_srt,
    nmea.looks_like_nmea,
    csv_log.looks_like_csv,
)
_KNOWN = "DJI SRT, GPX, CSV, NMEA, GPMF or MISB KLV"


def read_telemetry(path: Path, *, timezone: tzinfo = UTC, datum: Datum = "WGS-84") -> TelemetryLog:
    """The samples of any supported file, of a side-car or of a video that carries its own.

    timezone is used where a format writes local times without saying which (SRT, some CSV). datum
    is the file's own, as of recorders that ask a Chinese map service; the samples are in WGS-84.
    Raises TelemetryError naming file and field where nothing usable is found.
    """
    head = _head(path)
    if not head:
        raise TelemetryError(f"{path.name}: the file is empty, expected {_KNOWN}")
    raw = _read_binary(path, head) or _read_text(path, head, timezone)
    if raw is None:
        raise TelemetryError(f"{path.name}: no telemetry found in it, expected {_KNOWN}")
    log = build_log(path, raw)
    return log if datum == "WGS-84" else _in_wgs84(log)


def _in_wgs84(log: TelemetryLog) -> TelemetryLog:
    """A log in GCJ-02 with its samples in WGS-84."""
    lats, lons = wgs84_from_gcj02(
        [sample.lat_deg for sample in log.samples], [sample.lon_deg for sample in log.samples]
    )
    moved = zip(log.samples, lats.tolist(), lons.tolist(), strict=True)
    return replace(log, samples=tuple(replace(s, lat_deg=a, lon_deg=b) for s, a, b in moved))


def read_inside(path: Path) -> TelemetryLog | None:
    """The telemetry a video carries inside (GPMF, KLV); None where it carries none."""
    head = _head(path)
    raw = _read_binary(path, head) if head else None
    return None if raw is None else build_log(path, raw)


def is_telemetry(path: Path) -> bool:
    """Whether the beginning of a file looks like a supported format."""
    head = _head(path)
    if gpmf.looks_like_raw(head) or klv.looks_like_packets(head):
        return True
    text = _decode(head)
    return b"\0" not in head and any(looks_like(text) for looks_like in _TEXT_FORMATS)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD)
    except OSError as error:
        reason = error.strerror or str(error)
        raise TelemetryError(f"{path.name}: cannot be read ({reason})") from error


def _read_binary(path: Path, head: bytes) -> RawLog | None:
    if gpmf.looks_like_raw(head):
        return gpmf.parse_raw(path.read_bytes())
    if klv.looks_like_packets(head):
        return klv.parse_packets(path.read_bytes())
    if head[4:8] in _MP4_BOXES:
        return gpmf.parse_mp4(path)
    if klv.looks_like_transport_stream(head):
        return klv.parse_transport_stream(path)
    return None


def _read_text(path: Path, head: bytes, timezone: tzinfo) -> RawLog | None:
    if b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return None
    text = _decode(path.read_bytes())
    start = text[:_HEAD]
    readers: tuple[Callable[[], RawLog], ...] = (
        lambda: gpx.parse(path, text),
        lambda: dji_srt.parse(path, text, timezone),
        lambda: nmea.parse(path, text),
        lambda: csv_log.parse(path, text, timezone),
    )
    for looks_like, read in zip(_TEXT_FORMATS, readers, strict=True):
        if looks_like(start):
            return read()
    return None


def _decode(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    return data.decode("utf-8-sig", errors="replace")
