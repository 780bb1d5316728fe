"""Findings for the tests, placed in metres around one spot."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from patrolvision.geo.geodesy import offset
from patrolvision.types import Category, Finding, GeoPoint, Look, Observation

START = datetime(2026, 5, 4, 8, tzinfo=UTC)
LAT_DEG, LON_DEG = 22.84, 113.23
CLASS: dict[Category, str] = {"litter": "litter", "illegal_parking": "car", "open_fire": "fire"}


def at(east_m: float, north_m: float) -> tuple[float, float]:
    lat, lon = offset(LAT_DEG, LON_DEG, east_m, north_m)
    return float(lat), float(lon)


def finding(
    id: str,
    mission: str,
    east_m: float = 0.0,
    north_m: float = 0.0,
    *,
    after_s: float = 0.0,
    lasts_s: float = 2.0,
    category: Category = "litter",
    class_name: str | None = None,
    bias_sigma_m: float | None = 2.0,
    own_sigma_m: float = 0.9,
    **more: object,
) -> Finding:
    lat, lon = at(east_m, north_m)
    bias = (bias_sigma_m or 2.0) ** 2 * np.eye(2)
    seen = Observation(
        id=id,
        mission_id=mission,
        stream_id="car1",
        class_name=class_name or CLASS[category],
        first_seen=START + timedelta(seconds=after_s),
        last_seen=START + timedelta(seconds=after_s + lasts_s),
        place=GeoPoint(lat, lon, bias + own_sigma_m**2 * np.eye(2)),
        confidence=0.8,
        frames=10,
        bias_cov_en_m2=None if bias_sigma_m is None else bias,
    )
    fields: dict[str, object] = {"kind": "enforce", "score": 0.8} | more
    return Finding(id=f"f-{id}", category=category, observation=seen, **fields)  # type: ignore[arg-type]


def look(id: str, mission: str, after_s: float, p: float = 0.9, half_m: float = 20.0) -> Look:
    ring = [(-half_m, -half_m), (half_m, -half_m), (half_m, half_m), (-half_m, half_m)]
    return Look(
        id=id,
        mission_id=mission,
        start=START + timedelta(seconds=after_s),
        end=START + timedelta(seconds=after_s + 10),
        classes=frozenset({"litter", "car", "fire"}),
        polygon=tuple(at(*corner) for corner in ring),
        detection_probability=p,
    )
