"""A street whose kerb has rules with traps, and the vehicles at it; built like city.py's cities.

Each section of kerb carries one rule; every vehicle's truth says whether it is illegal and whether
its sights can prove that. Vehicles that must not be ticketed are the larger part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from patrolvision.geo.geodesy import offset
from patrolvision.simulate.city import City, Thing
from patrolvision.types import GeoPoint, Look, Observation

HOUR_S = 3600.0
GRACE_S = 300.0
TRAPS = ("bay", "hours", "warning", "exempt", "free", "moving", "queue")
OFFENCES = ("no_stopping", "no_parking")


@dataclass(frozen=True, slots=True)
class KerbSettings:
    """How long the street is and how well it is seen; distances in metres, times in seconds."""

    seed: int = 0
    sections: int = 180
    section_length_m: float = 24.0
    kerb_width_m: float = 3.0
    lane_offset_m: float = 5.0  # from the kerb's centre line to that of the lane beside it
    passes: int = 8
    gnss_sigma_m: float = 0.5
    own_sigma_m: float = 0.33
    detection_probability: float = 0.95
    start: datetime = datetime(2026, 5, 3, 23, tzinfo=UTC)  # Monday 07:00 in Shanghai
    lat_deg: float = 22.84
    lon_deg: float = 113.23


def build_kerb(settings: KerbSettings) -> City:
    """The street of these settings; the same settings make the same street."""
    rng = np.random.default_rng(settings.seed)
    kinds = [*OFFENCES, *OFFENCES, *TRAPS]
    rules = [kinds[k] for k in rng.integers(len(kinds), size=settings.sections)]
    things = [_vehicle(k, rule, settings, rng) for k, rule in enumerate(rules)]
    observations: list[Observation] = []
    looks: list[Look] = []
    truth: dict[str, str | None] = {}
    for number in range(settings.passes):
        start_s = (0.3 + 9.0 * number / settings.passes + 0.5 * rng.random()) * HOUR_S
        looks.append(_look(number, start_s, settings))
        shift = rng.normal(0, settings.gnss_sigma_m, 2)
        for thing, rule in zip(things, rules, strict=True):
            seen = _sight(number, start_s, shift, thing, rule, settings, rng)
            if seen is not None:
                observations.append(seen)
                truth[seen.id] = thing.id
    verdicts = {
        thing.id: _verdict(thing, rule, [o for o in observations if truth[o.id] == thing.id])
        for thing, rule in zip(things, rules, strict=True)
    }
    zones = [zone for k, rule in enumerate(rules) for zone in _zones(k, rule, settings)]
    return City(tuple(observations), tuple(looks), tuple(things), truth, tuple(zones), verdicts)


def _vehicle(k: int, rule: str, settings: KerbSettings, rng: np.random.Generator) -> Thing:
    """A vehicle in the middle of section k: at the kerb, or in the lane where it moves or waits."""
    since = float(rng.uniform(0, 3)) * HOUR_S
    until = since + float(rng.uniform(3, 6)) * HOUR_S
    if rule == "hours":  # the ban holds from 17:00 to 19:00 only: long after the last pass
        until = min(until, 9.5 * HOUR_S)
    if rule in ("moving", "queue"):  # whoever is in the lane is another one on the next pass
        since, until = 0.0, 12 * HOUR_S
    north = settings.lane_offset_m if rule in ("moving", "queue") else 0.0
    east = (k + 0.5) * settings.section_length_m + float(rng.uniform(-3, 3))
    class_name = "truck" if rule == "exempt" else "car"
    return Thing(f"{rule}-{k}", class_name, east, north + float(rng.normal(0, 0.15)), since, until)


def _sight(
    number: int,
    start_s: float,
    shift: np.ndarray[Any, Any],
    thing: Thing,
    rule: str,
    settings: KerbSettings,
    rng: np.random.Generator,
) -> Observation | None:
    at = start_s + thing.east_m / 7.0
    is_there = thing.since_s <= at < thing.until_s
    if rule in ("moving", "queue"):
        is_there = bool(rng.random() < 0.4)
    if not is_there or rng.random() > settings.detection_probability:
        return None
    wander = rng.uniform(-6, 6) if rule in ("moving", "queue") else 0.0
    place = np.array([thing.east_m + wander, thing.north_m]) + shift
    place = place + rng.normal(0, settings.own_sigma_m, 2)
    lat, lon = offset(settings.lat_deg, settings.lon_deg, place[0], place[1])
    speed = {"moving": rng.uniform(3, 9), "queue": rng.uniform(0.0, 1.5)}.get(rule, 0.0)
    first_seen = settings.start + timedelta(seconds=at)
    total = settings.gnss_sigma_m**2 + settings.own_sigma_m**2
    return Observation(
        id=f"k{number}-{thing.id}",
        mission_id=f"k{number}",
        stream_id="car0",
        class_name=thing.class_name,
        first_seen=first_seen,
        last_seen=first_seen + timedelta(seconds=2),
        place=GeoPoint(float(lat), float(lon), total * np.eye(2)),
        confidence=0.9,
        frames=10,
        speed_mps=abs(float(speed + rng.normal(0, 0.15))),
        speed_sigma_mps=0.2,
    )


def _verdict(thing: Thing, rule: str, seen: Sequence[Observation]) -> dict[str, Any]:
    """Whether the vehicle is illegal, and whether its sights can prove it."""
    is_illegal = rule in OFFENCES
    span_s = 0.0
    if seen:
        first, last = min(o.first_seen for o in seen), max(o.last_seen for o in seen)
        span_s = (last - first).total_seconds()
    is_provable = bool(seen) and (rule == "no_stopping" or span_s > GRACE_S)
    return {"rule": rule, "illegal": is_illegal, "provable": is_illegal and is_provable}


def _look(number: int, start_s: float, settings: KerbSettings) -> Look:
    length = settings.sections * settings.section_length_m
    ring = ((-20.0, -12.0), (length + 20, -12.0), (length + 20, 15.0), (-20.0, 15.0))
    places = [offset(settings.lat_deg, settings.lon_deg, e, n) for e, n in ring]
    return Look(
        id=f"k{number}-s0",
        mission_id=f"k{number}",
        start=settings.start + timedelta(seconds=start_s),
        end=settings.start + timedelta(seconds=start_s + length / 7.0),
        classes=frozenset({"litter", "fire", "car", "truck"}),
        polygon=tuple((float(lat), float(lon)) for lat, lon in places),
        detection_probability=settings.detection_probability,
    )


def _zones(k: int, rule: str, settings: KerbSettings) -> list[dict[str, Any]]:
    """The zones of section k as GeoJSON features; a bay lies inside a ban and wins over it."""
    ban: dict[str, Any] = {"rule": "no_parking", "grace_s": GRACE_S, "timezone": "Asia/Shanghai"}
    properties = {
        "no_stopping": [{"rule": "no_stopping", "timezone": "Asia/Shanghai"}],
        "no_parking": [ban],
        "bay": [ban, {"rule": "parking_allowed"}],
        "hours": [ban | {"hours": "Mo-Fr 17:00-19:00"}],
        "warning": [ban | {"phase": "warning"}],
        "exempt": [ban | {"exempt_classes": ["truck"]}],
        "free": [],
        "moving": [ban],
        "queue": [ban],
    }[rule]
    low, high = k * settings.section_length_m + 2, (k + 1) * settings.section_length_m - 2
    half = settings.kerb_width_m / 2
    ring = [(low, -half), (high, -half), (high, half), (low, half), (low, -half)]
    places = [offset(settings.lat_deg, settings.lon_deg, e, n) for e, n in ring]
    outline = [[float(lon), float(lat)] for lat, lon in places]
    return [
        {
            "type": "Feature",
            "properties": {"zone_id": f"z{k}-{number}"} | fields,
            "geometry": {"type": "Polygon", "coordinates": [outline]},
        }
        for number, fields in enumerate(properties)
    ]
