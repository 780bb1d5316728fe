"""A city whose truth is known, as its patrols would have observed it.

Cars drive streets and drones fly blocks; every pass has a GNSS shift of its own, every sight its
own noise. Things are missed, tracks break, false alarms occur, litter is removed and comes back.
The truth stays beside what was observed, so that any way of counting can be scored. One seed, one
city.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from patrolvision.geo.geodesy import offset
from patrolvision.types import FloatArray, GeoPoint, Look, Observation

DAY_S = 86_400.0
DRIFT_STEP_S = 5.0
CLASSES = ("litter", "car", "fire")


@dataclass(frozen=True, slots=True)
class CitySettings:
    """How large the city is, and how badly it is seen; distances in metres, times in seconds."""

    seed: int = 0
    incidents: int = 540
    class_shares: tuple[float, float, float] = (0.6, 0.3, 0.1)  # litter, car, fire
    min_spacing_m: float = 12.0  # between things of one class that stand there at any time
    cars: int = 4
    drones: int = 2
    days: int = 5
    passes_a_day: int = 3
    streets: int = 16
    street_length_m: float = 500.0
    street_spacing_m: float = 60.0
    gnss_sigma_m: float = 2.0  # per axis, one shift a pass
    car_noise_m: float = 0.9
    drone_noise_m: float = 0.9
    drift_s: float | None = None  # the shift wanders within a pass, correlated over this time
    detection_probability: float = 0.9
    stated_probability: float | None = None  # what the looks say; None: the truth
    half_hidden_share: float = 0.0  # of the things, seen half as often as the others
    broken_track_rate: float = 0.05
    twin_rate: float = 0.0  # of the sights, how many are two tracks at once
    false_alarms_a_pass: float = 0.5
    removal_share: float = 0.3
    litter_return_share: float = 0.1
    start: datetime = datetime(2026, 5, 4, tzinfo=UTC)
    lat_deg: float = 22.84
    lon_deg: float = 113.23


@dataclass(frozen=True, slots=True)
class Thing:
    """One stay of one real thing: metres east and north, seconds from the start."""

    id: str
    class_name: str
    east_m: float
    north_m: float
    since_s: float
    until_s: float
    previous: str | None = None


@dataclass(frozen=True, slots=True)
class Pass:
    """One mission: streets driven (or flown over) one after the other."""

    mission_id: str
    stream_id: str
    start_s: float
    speed_mps: float
    reach_m: float
    noise_m: float
    streets: tuple[int, ...]
    shift: tuple[float, float]


@dataclass(frozen=True, slots=True)
class City:
    """What was observed, what was looked at, and the truth: observation id -> thing id or None."""

    observations: tuple[Observation, ...]
    looks: tuple[Look, ...]
    things: tuple[Thing, ...]
    truth: dict[str, str | None]
    zones: tuple[dict[str, Any], ...] = ()  # GeoJSON features
    verdicts: dict[str, dict[str, Any]] = field(default_factory=dict)  # thing id -> what is true


def build_city(settings: CitySettings) -> City:
    """The city of these settings; the same settings make the same city."""
    rng = np.random.default_rng(settings.seed)
    things = _things(settings, rng)
    observations: list[Observation] = []
    looks: list[Look] = []
    truth: dict[str, str | None] = {}
    for patrol in _passes(settings, rng):
        seen, looked, really = _observe(patrol, things, settings, rng)
        observations += seen
        looks += looked
        truth |= really
    return City(tuple(observations), tuple(looks), tuple(things), truth, (_no_stopping(settings),))


def _no_stopping(settings: CitySettings) -> dict[str, Any]:
    """One zone over the whole city, so that every vehicle that stands there is a hazard."""
    margin, side = 100.0, settings.streets * settings.street_spacing_m
    east, north = (-margin, settings.street_length_m + margin), (-margin, side + margin)
    corners = [(east[i], north[j]) for i, j in ((0, 0), (1, 0), (1, 1), (0, 1), (0, 0))]
    places = [offset(settings.lat_deg, settings.lon_deg, e, n) for e, n in corners]
    return {
        "type": "Feature",
        "properties": {"zone_id": "city", "rule": "no_stopping"},
        "geometry": {
            "type": "Polygon",
            "coordinates": [[[float(lon), float(lat)] for lat, lon in places]],
        },
    }


def _things(settings: CitySettings, rng: np.random.Generator) -> list[Thing]:
    end = settings.days * DAY_S
    found: list[Thing] = []
    for class_name, share in zip(CLASSES, settings.class_shares, strict=True):
        number = round(settings.incidents * share)
        for k, (east, north) in enumerate(_places(number, settings, rng)):
            since = float(rng.uniform(0, 0.5 * end)) if rng.random() < 0.6 else 0.0
            is_removed = rng.random() < settings.removal_share
            returns = class_name == "litter" and rng.random() < settings.litter_return_share
            until = end
            if is_removed or returns:
                until = float(rng.uniform(since + 0.2 * (end - since), 0.8 * end))
            thing = Thing(f"{class_name}-{k}", class_name, east, north, since, until)
            found.append(thing)
            back = until + float(rng.uniform(0.8, 1.5)) * DAY_S
            if returns and back < end:
                again = replace(thing, id=thing.id + "-again", since_s=back, until_s=end)
                found.append(replace(again, previous=thing.id))
    return found


def _places(
    number: int, settings: CitySettings, rng: np.random.Generator
) -> list[tuple[float, float]]:
    """Places along the streets, each at least the spacing from the others."""
    chosen = np.zeros((0, 2))
    for _ in range(1000 * number):
        if len(chosen) == number:
            break
        street = rng.integers(settings.streets)
        place = np.array(
            [
                rng.uniform(0, settings.street_length_m),
                street * settings.street_spacing_m + rng.choice([-5.0, 5.0]) + rng.normal(0, 0.7),
            ]
        )
        if (((chosen - place) ** 2).sum(1) >= settings.min_spacing_m**2).all():
            chosen = np.vstack([chosen, place])
    if len(chosen) < number:
        raise ValueError(f"{number} things do not fit {settings.min_spacing_m} m apart")
    return [(float(east), float(north)) for east, north in chosen]


def _passes(settings: CitySettings, rng: np.random.Generator) -> list[Pass]:
    found: list[Pass] = []
    for day in range(settings.days):
        for vehicle in range(settings.cars + settings.drones):
            is_car = vehicle < settings.cars
            stream = f"car{vehicle}" if is_car else f"drone{vehicle - settings.cars}"
            for number in range(settings.passes_a_day):
                hour = 8 + 10 * (number + rng.random()) / settings.passes_a_day
                count = max(1, round(settings.streets * rng.uniform(0.4, 0.8)))
                shift = rng.normal(0, settings.gnss_sigma_m, 2)
                found.append(
                    Pass(
                        mission_id=f"d{day}v{vehicle}p{number}",
                        stream_id=stream,
                        start_s=day * DAY_S + hour * 3600,
                        speed_mps=6.0 if is_car else 9.0,
                        reach_m=15.0 if is_car else 25.0,
                        noise_m=settings.car_noise_m if is_car else settings.drone_noise_m,
                        streets=tuple(int(s) for s in rng.permutation(settings.streets)[:count]),
                        shift=(float(shift[0]), float(shift[1])),
                    )
                )
    return found


def _observe(
    patrol: Pass, things: list[Thing], settings: CitySettings, rng: np.random.Generator
) -> tuple[list[Observation], list[Look], dict[str, str | None]]:
    seen: list[Observation] = []
    looks: list[Look] = []
    truth: dict[str, str | None] = {}
    duration = settings.street_length_m / patrol.speed_mps
    shift_at = _shifts(patrol, len(patrol.streets) * (duration + 20), settings, rng)
    for leg, street in enumerate(patrol.streets):
        start = patrol.start_s + leg * (duration + 20)
        north = street * settings.street_spacing_m
        looks.append(_look(patrol, leg, start, start + duration, north, settings))
        for thing in things:
            at = start + thing.east_m / patrol.speed_mps
            is_there = thing.since_s <= at < thing.until_s
            if not is_there or abs(thing.north_m - north) > patrol.reach_m:
                continue
            if rng.random() < _probability(thing, settings):
                for part in _spans(at, settings, rng):
                    id = f"{patrol.mission_id}-{len(truth)}"
                    truth[id] = thing.id
                    off = shift_at(part[0])
                    where = (thing.east_m + off[0], thing.north_m + off[1])
                    seen.append(
                        _observation(id, patrol, thing.class_name, where, part, settings, rng)
                    )
    for _ in range(rng.poisson(settings.false_alarms_a_pass)):
        id = f"{patrol.mission_id}-{len(truth)}"
        truth[id] = None
        leg = int(rng.integers(len(patrol.streets)))
        east = float(rng.uniform(0, settings.street_length_m))
        at = patrol.start_s + leg * (duration + 20) + east / patrol.speed_mps
        north = patrol.streets[leg] * settings.street_spacing_m + float(rng.uniform(-9, 9))
        class_name = str(rng.choice(CLASSES))
        off = shift_at(at)
        where = (east + off[0], north + off[1])
        seen.append(_observation(id, patrol, class_name, where, (at, at + 0.4), settings, rng))
    return seen, looks, truth


def _probability(thing: Thing, settings: CitySettings) -> float:
    number = int(thing.id.split("-")[1])
    is_hidden = (number * settings.half_hidden_share) % 1 < settings.half_hidden_share
    return settings.detection_probability * (0.5 if is_hidden else 1.0)


def _shifts(
    patrol: Pass, lasts_s: float, settings: CitySettings, rng: np.random.Generator
) -> Callable[[float], tuple[float, float]]:
    """The pass's shift at an instant: constant, or an Ornstein-Uhlenbeck process of its sigma."""
    if settings.drift_s is None:
        return lambda at: patrol.shift
    keep = float(np.exp(-DRIFT_STEP_S / settings.drift_s))
    steps = [np.array(patrol.shift)]
    for _ in range(int(lasts_s / DRIFT_STEP_S) + 2):
        push = rng.normal(0, settings.gnss_sigma_m * np.sqrt(1 - keep * keep), 2)
        steps.append(keep * steps[-1] + push)

    def at_instant(at: float) -> tuple[float, float]:
        east, north = steps[min(int((at - patrol.start_s) / DRIFT_STEP_S), len(steps) - 1)]
        return float(east), float(north)

    return at_instant


def _spans(
    at: float, settings: CitySettings, rng: np.random.Generator
) -> list[tuple[float, float]]:
    """When the thing was seen: one span, or two where the track broke or was followed twice."""
    length = float(rng.uniform(1.5, 3.0))
    if settings.twin_rate and rng.random() < settings.twin_rate:
        return [(at, at + length), (at + 0.2 * length, at + length)]
    if rng.random() >= settings.broken_track_rate:
        return [(at, at + length)]
    cut = float(rng.uniform(0.3, 0.6)) * length
    return [(at, at + cut), (at + cut + 0.3, at + length)]


def _observation(
    id: str,
    patrol: Pass,
    class_name: str,
    where_en_m: tuple[float, float],
    span: tuple[float, float],
    settings: CitySettings,
    rng: np.random.Generator,
) -> Observation:
    east, north = np.array(where_en_m) + rng.normal(0, patrol.noise_m, 2)
    lat, lon = offset(settings.lat_deg, settings.lon_deg, east, north)
    cov: FloatArray = (settings.gnss_sigma_m**2 + patrol.noise_m**2) * np.eye(2)
    return Observation(
        id=id,
        mission_id=patrol.mission_id,
        stream_id=patrol.stream_id,
        class_name=class_name,
        first_seen=settings.start + timedelta(seconds=span[0]),
        last_seen=settings.start + timedelta(seconds=span[1]),
        place=GeoPoint(float(lat), float(lon), cov),
        confidence=float(rng.uniform(0.5, 0.95)),
        frames=max(1, round(5 * (span[1] - span[0]))),
        speed_mps=0.0,
        speed_sigma_mps=0.3,
    )


def _look(
    patrol: Pass, leg: int, start: float, end: float, north: float, settings: CitySettings
) -> Look:
    reach = patrol.reach_m
    east = np.array([-reach, settings.street_length_m + reach])
    corner_e = np.array([east[0], east[1], east[1], east[0]])
    corner_n = north + np.array([-reach, -reach, reach, reach])
    lat, lon = offset(settings.lat_deg, settings.lon_deg, corner_e, corner_n)
    return Look(
        id=f"{patrol.mission_id}-s{leg}",
        mission_id=patrol.mission_id,
        start=settings.start + timedelta(seconds=start),
        end=settings.start + timedelta(seconds=end),
        classes=frozenset(CLASSES),
        polygon=tuple((float(a), float(b)) for a, b in zip(lat, lon, strict=True)),
        detection_probability=settings.stated_probability or settings.detection_probability,
    )
