"""Places that come back: hot spots (three times in 30 days) and the ledger of repeats."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from patrolvision.geo.geodesy import ecef_from_geodetic
from patrolvision.report.period import Period
from patrolvision.types import FloatArray
from patrolvision.types.columns import FoundTickets, IntArray
from patrolvision.types.instants import MICROSECOND, micros_of

HOT_TIMES = 3
HOT_SPAN = timedelta(days=30)
LEDGER_SPAN = timedelta(days=365)
LEDGER_TIMES = 2
USUAL_REACH_M = 25.0  # of a category without a row in the tables
METRES_PER_DEGREE = 110_574.0  # of latitude at the equator, the least there is
MEAN_RADIUS_M = 6371008.8  # of geodesy.distance_m
ROW_STRIDE = 1 << 32  # columns of a row of cells are fewer, at any latitude
FEW = 12  # so many in the cells around are held against each other all at once,
BLOCK = 50_000  # for so many places
SLACK = 1.001  # far more than rounding
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Place:
    """What came back to one place: positions in the sightings, oldest first; the first gave it."""

    members: tuple[int, ...]
    found_us: tuple[int, ...]

    def is_hot_in(self, period: Period) -> bool:
        """Whether at some moment of the period three had been found within the past 30 days."""
        span, start = HOT_SPAN // MICROSECOND, micros_of(period.start)
        return any(
            third - first <= span and first + span >= start
            for first, third in zip(self.found_us, self.found_us[HOT_TIMES - 1 :], strict=False)
        )


def places(sightings: FoundTickets, reach_m: Mapping[str, float]) -> list[Place]:
    """The places that came back at all, in order of the first.

    Each sighting joins the nearest place of its category within reach (by category). In order of
    time, so that what comes later never moves a place.
    """
    of_category: defaultdict[str, list[int]] = defaultdict(list)
    for k, category in enumerate(sightings.category):
        of_category[category].append(k)
    groups: list[list[int]] = []
    for category, members in of_category.items():
        reach = reach_m.get(category, USUAL_REACH_M)
        groups += _places(sightings, np.array(members), reach)
    found_us = sightings.found_us.tolist()
    return [
        Place(tuple(group), tuple([found_us[k] for k in group]))
        for group in sorted(groups)
        if len(group) >= LEDGER_TIMES
    ]


def hot_spots(found: Iterable[Place], sightings: FoundTickets, period: Period) -> list[Place]:
    """The places that were hot in the period, the most frequent first."""
    return ledger((place for place in found if place.is_hot_in(period)), sightings)


def ledger(found: Iterable[Place], sightings: FoundTickets) -> list[Place]:
    """The places, the most frequent first."""
    return sorted(
        found,
        key=lambda p: (-len(p.members), p.found_us[0], sightings.ids[p.members[0]]),
    )


def _places(sightings: FoundTickets, members: IntArray, reach_m: float) -> list[list[int]]:
    """Groups of one category: positions of those near each other; those alone are left out."""
    lat, lon = sightings.lat_deg[members], sightings.lon_deg[members]
    xyz_m = ecef_from_geodetic(lat, lon)
    cells = _Cells(lat, lon, reach_m)
    chord_m = 2 * MEAN_RADIUS_M * math.sin(reach_m / (2 * MEAN_RADIUS_M))
    near = np.flatnonzero(cells.may_have_company(xyz_m, chord_m))
    first_cells = cells.around[near].tolist()
    anchors: defaultdict[int, list[tuple[float, float, float, list[int]]]] = defaultdict(list)
    groups: list[list[int]] = []
    limit, ids = chord_m**2, sightings.ids
    for k, (x, y, z), around, own in zip(
        members[near].tolist(), xyz_m[near].tolist(), first_cells, cells.own[near].tolist(),
        strict=True,
    ):  # fmt: skip
        best: tuple[float, str, list[int]] | None = None
        for start in around:
            for cell in (start, start + 1, start + 2):
                for ax, ay, az, group in anchors.get(cell, ()):
                    apart = (x - ax) ** 2 + (y - ay) ** 2 + (z - az) ** 2
                    if apart <= limit:
                        ranked = (apart, ids[group[0]], group)
                        best = ranked if best is None else min(best, ranked, key=lambda r: r[:2])
        if best is not None:
            best[2].append(k)
            continue
        groups.append([k])
        anchors[own].append((x, y, z, groups[-1]))
    return groups


class _Cells:
    """A grid of cells as wide as the reach: what is in reach lies in a cell or its neighbours.

    own (N,) is the cell of each place; around (N, 3) the first of three neighbours in its row and
    the rows beside.
    """

    def __init__(self, lat_deg: FloatArray, lon_deg: FloatArray, reach_m: float) -> None:
        side = reach_m / METRES_PER_DEGREE
        row = np.floor(lat_deg / side).astype(np.int64)
        rows = row[:, None] + np.array([0, -1, 1])
        # Cells of one row are as wide as the row's own latitude asks for, so neighbours suffice.
        farthest = np.minimum(np.maximum(abs(rows), abs(rows + 1)) * side, 89.9)
        width = side / np.cos(np.radians(farthest))
        cells = rows * ROW_STRIDE + np.floor(lon_deg[:, None] / width).astype(np.int64)
        self.own: IntArray = cells[:, 0]
        self.around: IntArray = cells - 1

    def may_have_company(self, xyz_m: FloatArray, chord_m: float) -> BoolArray:
        """(N,) False for those that surely have no other in reach."""
        order = np.argsort(self.own, kind="stable")
        keys = self.own[order]
        begin, end = np.empty_like(self.around), np.empty_like(self.around)
        begin[order] = np.searchsorted(keys, self.around[order])  # in order: quick to be found
        end[order] = np.searchsorted(keys, self.around[order] + 3)
        count = end - begin
        total = count.sum(axis=1)
        company = np.asarray(total > FEW)
        asked = np.flatnonzero((total > 1) & ~company)
        for start in range(0, len(asked), BLOCK):
            some = asked[start : start + BLOCK]
            n = count[some].ravel()
            one = np.repeat(np.repeat(some, 3), n)
            step = np.arange(len(one)) - np.repeat(np.cumsum(n) - n, n)
            other = order[np.repeat(begin[some].ravel(), n) + step]
            apart = np.sum((xyz_m[one] - xyz_m[other]) ** 2, axis=1)
            company[one[(apart <= (SLACK * chord_m) ** 2) & (one != other)]] = True
        return company
