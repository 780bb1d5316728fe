"""Observations of one litter heap and one car in a no-stopping zone, as lines of JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

LAT, LON = 22.84, 113.23
LITTER = (LAT + 0.0002, LON)  # 22 m north of the car, outside the zone
CAR = (LAT, LON)
DEGREE_M = 111_000.0
EAST_M = DEGREE_M * 0.9216  # cos 22.84°


def line(name: str, mission: str, class_name: str, at: str, **fields: object) -> dict[str, Any]:
    """An observation of two seconds; fields replace or add."""
    lat, lon = CAR if class_name == "car" else LITTER
    record: dict[str, Any] = {
        "id": name, "mission_id": mission, "stream_id": "car1", "class": class_name,
        "first_seen": f"2026-05-04T{at}:00+08:00", "last_seen": f"2026-05-04T{at}:02+08:00",
        "lat_deg": lat, "lon_deg": lon, "cov_en_m2": [[0.5, 0.0], [0.0, 0.5]],
        "confidence": 0.9, "frames": 12,
        "speed_mps": 0.0 if class_name == "car" else None,
        "speed_sigma_mps": 0.2 if class_name == "car" else None,
    }  # fmt: skip
    return record | fields


def two_passes() -> list[dict[str, Any]]:
    """The heap and the car, each seen by two passes half an hour apart, half a metre aside."""
    aside = 0.5 / DEGREE_M
    return [
        line("p1-1", "p1", "car", "08:00"),
        line("p1-2", "p1", "litter", "08:00"),
        line("p2-1", "p2", "car", "08:30", lat_deg=CAR[0] + aside),
        line("p2-2", "p2", "litter", "08:30", lat_deg=LITTER[0] + aside),
    ]


def write_lines(path: Path, records: list[Any]) -> Path:
    """One JSON text a line; a str stands as it is."""
    texts = [r if isinstance(r, str) else json.dumps(r) for r in records]
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return path


def _box(half_east_m: float, half_north_m: float) -> dict[str, Any]:
    e, n = half_east_m / EAST_M, half_north_m / DEGREE_M
    lat, lon = CAR
    ring = [[lon - e, lat - n], [lon + e, lat - n], [lon + e, lat + n], [lon - e, lat + n]]
    return {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}


def write_zone(path: Path, **properties: Any) -> Path:
    """A no-stopping zone of 30 m by 10 m around the car; properties replace or add."""
    lane = {"zone_id": "lane", "rule": "no_stopping"} | properties
    return _collection(path, [(_box(15, 5), lane)])


def write_grids(path: Path) -> Path:
    """One unit cell and one responsible cell over both, and a road through the car's place."""
    lat, lon = CAR
    road = {"type": "LineString", "coordinates": [[lon - 0.001, lat], [lon + 0.001, lat]]}
    return _collection(
        path,
        [
            (_box(100, 100), {"layer": "unit", "code": "U-1"}),
            (_box(200, 200), {"layer": "responsible", "code": "R-1"}),
            (road, {"layer": "segment", "code": "S-1"}),
        ],
    )


def _collection(path: Path, shapes: list[tuple[dict[str, Any], dict[str, Any]]]) -> Path:
    features = [{"type": "Feature", "geometry": g, "properties": p} for g, p in shapes]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path
