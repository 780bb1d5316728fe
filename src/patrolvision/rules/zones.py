"""Zones from GeoJSON: what is wrong is named by file, zone and field, and never half used."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import date
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args
from zoneinfo import ZoneInfo

import numpy as np
import orjson
import shapely
from shapely.geometry import shape

from patrolvision.errors import ConfigError
from patrolvision.geo.datum import in_wgs84
from patrolvision.rules.contradictions import contradictions
from patrolvision.rules.hours import ALWAYS, is_valid, with_holidays
from patrolvision.rules.spread import metres_per_degree
from patrolvision.rules.zone_map import Phase, Zone, ZoneHit, ZoneMap, ZoneRule
from patrolvision.types import VEHICLE_CLASSES
from patrolvision.types.identity import LONGEST_NAME, is_name

__all__ = ["Zone", "ZoneHit", "ZoneMap", "load_zones", "read_zones", "zones_of"]

Holidays = Mapping[str, Collection[date]]  # by timezone
_RULES = get_args(ZoneRule)
_NONE: Holidays = MappingProxyType({})
_PHASES = get_args(Phase)
_DEFAULT_GRACE_S = {"no_parking": 300.0}
_ROAD_CLASSES = VEHICLE_CLASSES | {"bicycle"}
WIDEST_DEG = 10.0  # of a zone that crosses 180 degrees; wider, it is the world
_PRIORITIES = ("", "normal", "fire_lane")


class _ZoneError(Exception):
    """Why one feature is refused."""


def load_zones(path: Path, timezone: str = "UTC", holidays: Holidays = _NONE) -> ZoneMap:
    """The zones of a GeoJSON file; timezone is for those that name none.

    holidays: by timezone, the public holidays of its zones beside those that are known anyway.

    Raises ConfigError naming file, zone and field for the first zone that is wrong.
    """
    zones, problems = read_zones(path, timezone, holidays)
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise ConfigError(problems[0] + more)
    return zones


def read_zones(
    path: Path, timezone: str = "UTC", holidays: Holidays = _NONE
) -> tuple[ZoneMap, list[str]]:
    """The good zones of a file, and one sentence for each that is refused.

    Raises ConfigError only if the file as a whole cannot be used.
    """
    return zones_of(_read(path), str(path), timezone, holidays)


def zones_of(
    content: bytes,
    path: str,
    timezone: str = "UTC",
    holidays: Holidays = _NONE,
) -> tuple[ZoneMap, list[str]]:
    """The same of a file's content; path is what complaints call it."""
    features = _features(content, path)
    _check_timezone(timezone, f"{path}: the default timezone")
    zones: dict[str, Zone] = {}
    problems: list[str] = []
    for index, feature in enumerate(features):
        try:
            zone = _zone(feature, timezone)
            days = holidays.get(zone.timezone, ())
            zone = replace(zone, hours=with_holidays(zone.hours, days))
            _refuse_duplicate(zone, zones)
        except _ZoneError as why:
            problems.append(f"{path}: {_name(feature, index)}: {why}")
        else:
            zones[zone.zone_id] = zone
    for bad, other, what in contradictions(list(zones.values())):
        said = f"contradicts zone {other!r}: the same place and hours with {what}"
        problems.append(f"{path}: zone {bad!r}: {said}")
        zones.pop(bad, None)
        zones.pop(other, None)
    version = hashlib.sha256(content).hexdigest()[:12]
    return ZoneMap(zones.values(), version), problems


def _read(path: Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: the zones cannot be read ({error.strerror})") from error


def _features(content: bytes, path: str) -> list[Any]:
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"{path}: zones must be GeoJSON, but it is not JSON ({error})") from error
    if not isinstance(document, dict) or document.get("type") != "FeatureCollection":
        raise ConfigError(f"{path}: zones must be a GeoJSON FeatureCollection")
    try:
        features = in_wgs84(document).get("features")
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from error
    if not isinstance(features, list):
        raise ConfigError(f"{path}: features must be a list")
    return features


def _name(feature: Any, index: int) -> str:
    properties = feature.get("properties") if isinstance(feature, dict) else None
    zone_id = properties.get("zone_id") if isinstance(properties, dict) else None
    return f"zone {zone_id!r}" if isinstance(zone_id, str) and zone_id else f"feature {index}"


def _zone(feature: Any, timezone: str) -> Zone:
    if not isinstance(feature, dict) or not isinstance(feature.get("properties"), dict):
        raise _ZoneError("properties are missing")
    properties: Mapping[str, Any] = feature["properties"]
    zone_id = _text(properties, "zone_id", None)
    if not is_name(zone_id):
        expected = f"1 to {LONGEST_NAME} characters, none of control"
        raise _ZoneError(f"zone_id must have {expected}, found {zone_id[:60]!r}")
    rule = _one_of(properties, "rule", None, _RULES)
    valid_from, valid_to = _date(properties, "valid_from"), _date(properties, "valid_to")
    if valid_from and valid_to and valid_to < valid_from:
        raise _ZoneError(f"valid_to {valid_to} lies before valid_from {valid_from}")
    return Zone(
        zone_id=zone_id,
        rule=rule,  # type: ignore[arg-type]  # _one_of has checked it
        area=_area(feature.get("geometry"), properties),
        hours=_hours(properties),
        timezone=_timezone(properties, timezone),
        names_timezone=bool(properties.get("timezone")),
        vehicle_classes=_classes(properties, "vehicle_classes", VEHICLE_CLASSES),
        exempt_classes=_classes(properties, "exempt_classes", frozenset()),
        grace_s=_number(properties, "grace_s", _DEFAULT_GRACE_S.get(rule, 0.0), minimum=0.0),
        valid_from=valid_from,
        valid_to=valid_to,
        phase=_one_of(properties, "phase", "enforce", _PHASES),  # type: ignore[arg-type]
        priority=_one_of(properties, "priority", "", _PRIORITIES) or None,
    )


def _refuse_duplicate(zone: Zone, zones: Mapping[str, Zone]) -> None:
    if zone.zone_id in zones:
        raise _ZoneError("zone_id is used twice")


def _text(properties: Mapping[str, Any], field: str, default: str | None) -> str:
    value = properties.get(field)
    if value is None and default is not None:
        return default
    if not isinstance(value, str) or (not value and default is None):
        raise _ZoneError(f"{field} must be a text, found {value!r}")
    return value


def _one_of(
    properties: Mapping[str, Any], field: str, default: str | None, known: tuple[str, ...]
) -> str:
    value = _text(properties, field, default)
    if value not in known:
        raise _ZoneError(
            f"{field} must be one of {', '.join(filter(None, known))}, found {value!r}"
        )
    return value


def _number(properties: Mapping[str, Any], field: str, default: float, minimum: float) -> float:
    value = properties.get(field)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= minimum:
        raise _ZoneError(f"{field} must be a number from {minimum:g} on, found {value!r}")
    return float(value)


def _date(properties: Mapping[str, Any], field: str) -> date | None:
    value = properties.get(field)
    if value is None:
        return None
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise _ZoneError(f"{field} must be a date like 2026-05-04, found {value!r}") from None


def _hours(properties: Mapping[str, Any]) -> str:
    text = _text(properties, "hours", ALWAYS)
    if not is_valid(text):
        raise _ZoneError(f"hours must be in opening_hours syntax, found {text!r}")
    return text


def _check_timezone(name: str, where: str) -> None:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ConfigError(f"{where} must be an IANA name, found {name!r}") from None


def _timezone(properties: Mapping[str, Any], default: str) -> str:
    name = _text(properties, "timezone", default)
    try:
        _check_timezone(name, "timezone")
    except ConfigError as why:
        raise _ZoneError(str(why)) from None
    return name


def _classes(properties: Mapping[str, Any], field: str, default: frozenset[str]) -> frozenset[str]:
    value = properties.get(field)
    if value is None:
        return default
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise _ZoneError(f"{field} must be a list of classes, found {value!r}")
    unknown = sorted(set(value) - _ROAD_CLASSES)
    if unknown:
        known = ", ".join(sorted(_ROAD_CLASSES))
        raise _ZoneError(f"{field} must be among {known}, found {unknown[0]!r}")
    return frozenset(value)


def _area(geometry: Any, properties: Mapping[str, Any]) -> shapely.Geometry:
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if kind not in ("Polygon", "MultiPolygon", "LineString"):
        raise _ZoneError(
            f"geometry must be a Polygon, a MultiPolygon or a LineString with width_m, found {kind}"
        )
    area = _shape(geometry)
    _check_coordinates(area)
    if kind == "LineString":
        area = _widened(area, properties)
    if not area.is_valid:
        raise _ZoneError(f"geometry: {shapely.is_valid_reason(area)}")
    if area.is_empty or area.area <= 0.0:
        raise _ZoneError("geometry: it has no area")
    area = _cut_at_the_date_line(area)
    shapely.prepare(area)
    return area


def _shape(geometry: Mapping[str, Any]) -> shapely.Geometry:
    try:
        return shapely.force_2d(shape(geometry))
    except (ValueError, TypeError, KeyError, IndexError, shapely.errors.ShapelyError) as error:
        raise _ZoneError(f"geometry: its coordinates cannot be read ({error})") from None


def _check_coordinates(area: shapely.Geometry) -> None:
    xy = shapely.get_coordinates(area)
    if len(xy) == 0 or not np.isfinite(xy).all():
        raise _ZoneError("geometry: its coordinates are missing or not finite")
    lon, lat = abs(xy[:, 0]).max(), abs(xy[:, 1]).max()
    if lat > 90.0:
        raise _ZoneError(
            f"geometry: latitude must lie in [-90, 90], found {lat:g} (lon, lat order?)"
        )
    if lon > 180.0:
        raise _ZoneError(f"geometry: longitude must lie in [-180, 180], found {lon:g}")


def _cut_at_the_date_line(area: shapely.Geometry) -> shapely.Geometry:
    """The area in two parts if it crosses 180 degrees, as RFC 7946, 3.1.9, wants it drawn.

    Drawn as one it seems to go round the globe the other way; a zone that is meant to is left.
    """
    eastward = shapely.transform(area, lambda xy: xy + np.where(xy < 0.0, [360.0, 0.0], 0.0))
    west, south, east, north = eastward.bounds
    before = area.bounds[2] - area.bounds[0]
    if area.geom_type != "Polygon" or before <= 180.0 or not 0.0 < east - west < WIDEST_DEG:
        return area
    here = shapely.clip_by_rect(eastward, west, south, 180.0, north)
    there = shapely.clip_by_rect(eastward, 180.0, south, east, north)
    return shapely.union(here, shapely.transform(there, lambda xy: xy - [360.0, 0.0]))


def _widened(line: shapely.Geometry, properties: Mapping[str, Any]) -> shapely.Geometry:
    """The strip of width_m around the line, ends cut flat, built in metres and put back."""
    width_m = _number(properties, "width_m", 0.0, minimum=0.0)
    if width_m <= 0.0:
        raise _ZoneError("width_m must be given and > 0 for a LineString")
    if not line.is_valid or all(a == b for a, b in pairwise(line.coords)):
        raise _ZoneError("geometry: the line has no length")
    origin = shapely.get_coordinates(line)[0]
    north, east = metres_per_degree(float(origin[1]))
    metres = shapely.transform(line, lambda xy: (xy - origin) * (east, north))
    strip = metres.buffer(width_m / 2.0, cap_style="flat", join_style="round")
    return shapely.transform(strip, lambda xy: xy / (east, north) + origin)
