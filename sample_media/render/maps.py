"""The map side, as GeoJSON: zones, grids, the planted truth, and what must raise no ticket."""

import numpy as np
from layout import BIN_ID, BIN_XY, FIRE_ID, FIRE_SIZE, FIRE_XY, LITTER, PARKED_CARS
from passes import PASSES
from place import wgs84_from_street


def _lonlat(points_xy: list[tuple[float, float]]) -> list[list[float]]:
    lat, lon = wgs84_from_street(*np.array(points_xy, float).T)
    return [[round(o, 9), round(a, 9)] for a, o in zip(lat.tolist(), lon.tolist(), strict=True)]


def _box(x0: float, y0: float, x1: float, y1: float) -> dict:
    # On this street x, y (left) is turned, not mirrored, against east, north: the ring stays
    # anticlockwise, as RFC 7946 wants it.
    ring = _lonlat([(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)])
    return {"type": "Polygon", "coordinates": [ring]}


def _collection(features: list[tuple[dict, dict]]) -> dict:
    return {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "properties": properties, "geometry": geometry}
            for properties, geometry in features
        ],
    }


def zones() -> dict:
    return _collection(
        [
            (
                {
                    "zone_id": "fire-lane-1",
                    "rule": "no_stopping",
                    "priority": "fire_lane",
                    "grace_s": 0,
                    "description": "fire engines' lane before a gate",
                },
                _box(32.5, -5.8, 44.5, -3.2),
            ),
            (
                {"zone_id": "bays-right-1", "rule": "parking_allowed"},
                _box(2, -5.6, 26, -3.35),
            ),
            (
                {"zone_id": "bays-left-1", "rule": "parking_allowed"},
                _box(8, 3.35, 14, 5.6),
            ),
            (
                {
                    "zone_id": "evening-left-1",
                    "rule": "no_parking",
                    "hours": "Mo-Fr 17:00-19:00",
                    "timezone": "Asia/Shanghai",
                    "grace_s": 300,
                    "description": "does not apply in the morning: legal-09 stands here",
                },
                _box(26, 3.2, 32, 5.8),
            ),
            (
                {
                    "zone_id": "new-rule-left-1",
                    "rule": "no_stopping",
                    "phase": "warning",
                    "valid_from": "2026-05-01",
                    "description": "warning phase: legal-11 stands here, at most a warning",
                },
                _box(56, 3.2, 62, 5.8),
            ),
        ]
    )


def grids() -> dict:
    features = []
    for row, y0 in enumerate((-50, 0)):
        for column, x0 in enumerate((-50, 0, 50, 100)):
            number = row * 4 + column + 1
            features.append(
                (
                    {
                        "layer": "unit",
                        "code": f"440605001003-{number:02d}",
                        "name": f"Sample unit grid {number}",
                        "level": "unit",
                    },
                    _box(x0, y0, x0 + 50, y0 + 50),
                )
            )
    features.append(
        (
            {
                "layer": "responsible",
                "code": "440605001003-R1",
                "name": "Sample responsible grid",
                "level": "village",
                "owner": "crew-1",
            },
            _box(-50, -50, 150, 50),
        )
    )
    features.append(
        (
            {
                "layer": "segment",
                "code": "440605001003-S1",
                "name": "Sample street",
                "level": "segment",
                "owner": "road-chief-1",
            },
            {"type": "LineString", "coordinates": _lonlat([(-50, 0), (150, 0)])},
        )
    )
    return _collection(features)


def _point(x: float, y: float) -> dict:
    return {"type": "Point", "coordinates": _lonlat([(x, y)])[0]}


def truth() -> dict:
    """The planted things; the point is the middle of what touches the ground."""
    seen_in = list(PASSES)
    words = {"heap": "bags and boxes in a heap", "group": "two bags, a box and bottles"}
    things = [
        ({"id": p.id, "category": "litter", "description": words[p.kind], "size_m": p.size_m}, p)
        for p in LITTER
    ]
    things += [
        (
            {
                "id": car.id,
                "category": "illegal_parking",
                "description": "a white saloon car in the fire lane",
                "size_m": 4.4,
            },
            car,
        )
        for car in PARKED_CARS
        if car.id.startswith("parking")
    ]
    features = [(what | {"seen_in": seen_in}, _point(at.x, at.y)) for what, at in things]
    fire = {
        "id": FIRE_ID,
        "category": "open_fire",
        "description": "a burning heap of wood at the kerb",
        "size_m": FIRE_SIZE,
        "seen_in": seen_in,
    }
    return _collection([*features, (fire, _point(*FIRE_XY))])


def distractors() -> dict:
    """What must raise no ticket: legally parked cars and a closed bin."""
    reasons = {
        "legal-01": "in a bay",
        "legal-02": "in a bay",
        "legal-08": "in a bay",
        "legal-09": "in a no-parking zone outside its hours",
        "legal-11": "in a zone in its warning phase: a warning is right, a ticket is not",
    }
    features = [
        (
            {"id": car.id, "class": "car", "why": reasons.get(car.id, "in no zone")},
            _point(car.x, car.y),
        )
        for car in PARKED_CARS
        if car.id.startswith("legal")
    ]
    features.append(({"id": BIN_ID, "class": "bin", "why": "a closed bin"}, _point(*BIN_XY)))
    return _collection(features)
