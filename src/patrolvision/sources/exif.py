"""What a photo says of itself: EXIF and DJI's XMP -> a raw fix, a focal length, an instant."""

from __future__ import annotations

import logging
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import exifread
from exifread.core import exceptions

from patrolvision.errors import MediaError
from patrolvision.sources.fixes import RawFix

_XMP_HEAD = 512 * 1024
_XMP_ATTRIBUTE = re.compile(r'drone-dji:(\w+)\s*=\s*"([^"]*)"')
_XMP_ELEMENT = re.compile(r"<drone-dji:(\w+)>([^<]*)</drone-dji:\1>")
_XMP_FIELDS: Mapping[str, str] = {
    "RelativeAltitude": "alt_takeoff_m",
    "AbsoluteAltitude": "alt_msl_m",
    "GimbalYawDegree": "gimbal_heading_deg",
    "GimbalPitchDegree": "gimbal_pitch_deg",
    "GimbalRollDegree": "gimbal_roll_deg",
    "FlightYawDegree": "heading_deg",
    "FlightPitchDegree": "pitch_deg",
    "FlightRollDegree": "roll_deg",
}
_SPEED_UNITS = {"K": 1 / 3.6, "M": 1609.344 / 3600.0, "N": 1852.0 / 3600.0}
_UERE_M = 2.5  # one sigma per unit of DOP, open sky, single frequency
# What exifread lets out of a damaged file.
_DAMAGE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    TypeError,
    ValueError,
    exceptions.ExifError,
    struct.error,
)
_MAGNETIC_SIGMA_DEG = 10.0  # a phone's compass, with the declination left in


@dataclass(frozen=True, slots=True)
class PhotoFacts:
    """fix is what the photo says of place and angles; at is None where no field tells the time.

    focal_35mm_mm is the focal length on a 43.27 mm diagonal; is_drone where DJI's fields are there.
    """

    fix: RawFix
    at: datetime | None
    focal_35mm_mm: float | None
    focal_px: float | None
    is_drone: bool


def read_facts(path: Path, timezone: tzinfo) -> PhotoFacts:
    """The photo's own facts; local times without an offset are taken in the zone given."""
    try:
        with path.open("rb") as file:
            head = file.read(_XMP_HEAD)
            file.seek(0)
            logging.getLogger("exifread").setLevel(logging.CRITICAL)  # what it says is raised too
            tags: Mapping[str, Any] = exifread.process_file(file, details=False)
    except OSError as error:
        raise MediaError(f"{path.name}: cannot be read ({error.strerror or error})") from error
    except _DAMAGE as error:
        raise MediaError(f"{path.name}: its EXIF data is damaged ({error})") from error
    dji = _dji(head)
    at = _instant(tags, timezone)
    return PhotoFacts(
        fix=_fix(tags, dji, at),
        at=at,
        focal_35mm_mm=_number(tags, "EXIF FocalLengthIn35mmFilm") or None,
        focal_px=_positive(dji.get("CalibratedFocalLength")),
        is_drone="GimbalPitchDegree" in dji or "RelativeAltitude" in dji,
    )


def _dji(head: bytes) -> dict[str, str]:
    text = head.decode("latin-1")
    return dict(_XMP_ATTRIBUTE.findall(text)) | dict(_XMP_ELEMENT.findall(text))


def _fix(tags: Mapping[str, Any], dji: Mapping[str, str], at: datetime | None) -> RawFix:
    values: dict[str, float | None] = {"alt_msl_m": _number(tags, "GPS GPSAltitude")}
    values["speed_mps"] = _speed(tags)
    values["course_deg"] = _number(tags, "GPS GPSTrack")
    values["heading_deg"] = _number(tags, "GPS GPSImgDirection")
    if values["heading_deg"] is not None and _text(tags, "GPS GPSImgDirectionRef") == "M":
        values["sigma_heading_deg"] = _MAGNETIC_SIGMA_DEG
    dop = _number(tags, "GPS GPSDOP")
    values["sigma_position_m"] = _UERE_M * dop if dop else None
    values |= {
        name: v for key, name in _XMP_FIELDS.items() if (v := _float(dji.get(key))) is not None
    }
    lat = _angle(tags, "GPS GPSLatitude", "S")
    lon = _angle(tags, "GPS GPSLongitude", "W")
    if lat is None or lon is None:
        lat, lon = _float(dji.get("GpsLatitude")), _float(dji.get("GpsLongitude"))
    problem = "no fix" if _text(tags, "GPS GPSStatus") == "V" else None
    return RawFix(lat, lon, at, None, values, problem)


def _text(tags: Mapping[str, Any], name: str) -> str:
    return str(tags[name]).strip(" \0") if name in tags else ""


def _float(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _positive(text: str | None) -> float | None:
    value = _float(text)
    return value if value and value > 0 else None


def _number(tags: Mapping[str, Any], name: str) -> float | None:
    numbers = _numbers(tags, name)
    return numbers[0] if numbers else None


def _numbers(tags: Mapping[str, Any], name: str) -> list[float]:
    values = getattr(tags.get(name), "values", None)
    try:
        return [float(value) for value in values] if isinstance(values, list) else []
    except (TypeError, ValueError, ZeroDivisionError):
        return []


def _angle(tags: Mapping[str, Any], name: str, negative: str) -> float | None:
    parts = _numbers(tags, name)
    if not parts:
        return None
    degrees = sum(part / 60.0**i for i, part in enumerate(parts[:3]))
    return -degrees if _text(tags, f"{name}Ref").upper() == negative else degrees


def _speed(tags: Mapping[str, Any]) -> float | None:
    speed = _number(tags, "GPS GPSSpeed")
    return (
        None if speed is None else speed * _SPEED_UNITS.get(_text(tags, "GPS GPSSpeedRef"), 1 / 3.6)
    )


def _instant(tags: Mapping[str, Any], timezone: tzinfo) -> datetime | None:
    """The camera's time with its offset, else the receiver's UTC, else the camera's in the zone."""
    text = _text(tags, "EXIF DateTimeOriginal") or _text(tags, "Image DateTime")
    try:
        local = datetime.strptime(text, "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007 its zone comes below
    except ValueError:
        local = None
    if local is not None:
        fraction = _text(tags, "EXIF SubSecTimeOriginal")
        local += timedelta(seconds=float(f"0.{fraction}") if fraction.isdigit() else 0.0)
    offset = _text(tags, "EXIF OffsetTimeOriginal") or _text(tags, "EXIF OffsetTime")
    if local is not None and re.fullmatch(r"[+-]\d\d:\d\d", offset):
        return datetime.fromisoformat(f"{local.isoformat()}{offset}")
    return _receiver_time(tags) or (None if local is None else local.replace(tzinfo=timezone))


def _receiver_time(tags: Mapping[str, Any]) -> datetime | None:
    clock = _numbers(tags, "GPS GPSTimeStamp")
    try:
        day = datetime.strptime(_text(tags, "GPS GPSDate"), "%Y:%m:%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    if len(clock) != 3:
        return None
    return day + timedelta(hours=clock[0], minutes=clock[1], seconds=clock[2])
