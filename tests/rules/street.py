"""A street that a person can draw: zones in metres around one corner, and things put onto it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from patrolvision.geo.geodesy import offset
from patrolvision.rules.zones import ZoneMap, load_zones
from patrolvision.types import GeoPoint, Observation

LAT, LON = 22.84, 113.23
MONDAY_8 = datetime.fromisoformat("2026-05-11T08:00:00+08:00")


def lonlat(east_m: float, north_m: float) -> list[float]:
    lat, lon = offset(LAT, LON, east_m, north_m)
    return [float(lon), float(lat)]


def rectangle(west: float, south: float, east: float, north: float) -> dict[str, Any]:
    corners = [(west, south), (east, south), (east, north), (west, north), (west, south)]
    return {"type": "Polygon", "coordinates": [[lonlat(*corner) for corner in corners]]}


def feature(geometry: Any, **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def write(path: Path, *features: Any) -> Path:
    path.write_bytes(orjson.dumps({"type": "FeatureCollection", "features": list(features)}))
    return path


def zone_map(path: Path, *features: Any) -> ZoneMap:
    return load_zones(write(path, *features), timezone="Asia/Shanghai")


def place(east_m: float, north_m: float, sigma_m: float = 0.3) -> GeoPoint:
    lon, lat = lonlat(east_m, north_m)
    return GeoPoint(lat, lon, np.eye(2) * sigma_m**2)


def seen(
    east_m: float = 0.0,
    north_m: float = 0.0,
    *,
    sigma_m: float = 0.3,
    id: str = "o1",
    class_name: str = "car",
    at: datetime = MONDAY_8,
    lasts_s: float = 2.0,
    speed_mps: float | None = 0.1,
    confidence: float = 0.8,
    frames: int = 10,
    size_m2: float | None = None,
) -> Observation:
    return Observation(
        id=id,
        mission_id="m1",
        stream_id="car1",
        class_name=class_name,
        first_seen=at,
        last_seen=at + timedelta(seconds=lasts_s),
        place=place(east_m, north_m, sigma_m),
        confidence=confidence,
        frames=frames,
        speed_mps=speed_mps,
        speed_sigma_mps=None if speed_mps is None else 0.4,
        size_m2=size_m2,
    )


def held(zones: ZoneMap, where: GeoPoint, at: datetime) -> dict[str, float]:
    """zone_id -> probability of the true place lying in it, for the zones then in force."""
    hits = (hit for hit in zones.hits(where) if hit.zone.force_at(at) == "open")
    return {hit.zone.zone_id: hit.probability for hit in hits}
