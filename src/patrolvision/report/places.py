"""Places that come back: hot spots (three times in 30 days) and the ledger of repeats."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from patrolvision.geo.geodesy import distance_m
from patrolvision.report.period import Period

HOT_TIMES = 3
HOT_SPAN = timedelta(days=30)
LEDGER_SPAN = timedelta(days=365)
LEDGER_TIMES = 2
USUAL_REACH_M = 25.0  # of a category without a row in the tables
METRES_PER_DEGREE = 110_574.0  # of latitude at the equator, the least there is


@dataclass(frozen=True, slots=True)
class Sighting:
    """One ticket of a place; the place is that of the founding observation, which never moves."""

    ticket_id: str
    category: str
    found_at: datetime
    lat_deg: float
    lon_deg: float
    unit_grid: str | None = None
    responsible_grid: str | None = None
    segment: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """What came back to one place, oldest first; the place is that of the first."""

    sightings: tuple[Sighting, ...]

    @property
    def first(self) -> Sighting:
        """The one that gave the place."""
        return self.sightings[0]

    def is_hot_in(self, period: Period) -> bool:
        """Whether at some moment of the period three had been found within the past 30 days."""
        times = [s.found_at for s in self.sightings]
        return any(
            third - first <= HOT_SPAN and first + HOT_SPAN >= period.start
            for first, third in zip(times, times[HOT_TIMES - 1 :], strict=False)
        )


def places(sightings: Iterable[Sighting], reach_m: Mapping[str, float]) -> list[Place]:
    """The sightings by place: each joins the nearest place of its category within reach.

    reach_m is by category. In order of time, so that what comes later never moves a place.
    """
    anchors: dict[tuple[str, int, int], list[list[Sighting]]] = defaultdict(list)
    found: list[list[Sighting]] = []
    for sighting in sorted(sightings, key=lambda s: (s.found_at, s.ticket_id)):
        reach = reach_m.get(sighting.category, USUAL_REACH_M)
        near = [
            (_apart_m(group[0], sighting), group[0].ticket_id, group)
            for cell in _cells_around(sighting, reach)
            for group in anchors.get(cell, ())
        ]
        apart_m, _, group = min(near, key=lambda n: n[:2], default=(math.inf, "", []))
        if apart_m <= reach:
            group.append(sighting)
            continue
        group = [sighting]
        found.append(group)
        anchors[_cell(sighting, reach)].append(group)
    return [Place(tuple(group)) for group in found]


def hot_spots(found: Iterable[Place], period: Period) -> list[Place]:
    """The places that were hot in the period, the most frequent first."""
    return sorted((p for p in found if p.is_hot_in(period)), key=_rank)


def ledger(found: Iterable[Place]) -> list[Place]:
    """The places that came back at all, the most frequent first."""
    return sorted((p for p in found if len(p.sightings) >= LEDGER_TIMES), key=_rank)


def _rank(place: Place) -> tuple[int, datetime, str]:
    return -len(place.sightings), place.first.found_at, place.first.ticket_id


def _apart_m(a: Sighting, b: Sighting) -> float:
    return float(distance_m(a.lat_deg, a.lon_deg, b.lat_deg, b.lon_deg))


def _cell(s: Sighting, reach_m: float) -> tuple[str, int, int]:
    side = reach_m / METRES_PER_DEGREE
    # Cells of one row are as wide as the row's own latitude asks for, so that neighbours suffice.
    row = math.floor(s.lat_deg / side)
    return s.category, row, math.floor(s.lon_deg / _width(row, side))


@lru_cache(maxsize=100_000)
def _width(row: int, side: float) -> float:
    farthest = min(max(abs(row), abs(row + 1)) * side, 89.9)
    return side / math.cos(math.radians(farthest))


def _cells_around(s: Sighting, reach_m: float) -> list[tuple[str, int, int]]:
    side = reach_m / METRES_PER_DEGREE
    row = math.floor(s.lat_deg / side)
    return [
        (s.category, r, math.floor(s.lon_deg / _width(r, side)) + step)
        for r in (row - 1, row, row + 1)
        for step in (-1, 0, 1)
    ]
