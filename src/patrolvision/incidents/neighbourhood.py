"""What fusion asks of a store: what stands and was looked at around places."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from math import cos, floor, radians
from types import MappingProxyType
from typing import Protocol

import numpy as np

from patrolvision.geo.boxes import box_of, lon_in
from patrolvision.geo.geodesy import local_en
from patrolvision.incidents import few
from patrolvision.types import (
    Anchor,
    Finding,
    FloatArray,
    GeoPoint,
    HandDecision,
    Incident,
    Look,
    Observation,
)

CELL_M = 300.0  # not far below context_m: neighbouring questions overlap
LOOK_CELL_M = 200.0
METRES_PER_DEG = 111_320.0


Memberships = Mapping[tuple[str, str], frozenset[str]]  # (category, incident) -> observations


class Neighbourhood(Protocol):
    """The part of ports.StoreTransaction that fusion reads."""

    def findings_around(
        self,
        places: Sequence[tuple[float, float]],
        radius_m: float,
        *,
        known: Collection[str] = (),
        missions: Sequence[str] = (),
    ) -> list[Finding]:
        """Findings within the radius of any of the places, but for those known by id.

        If missions are given, only of these.
        """

    def findings_of(self, observation_ids: Sequence[str]) -> list[Finding]:
        """Findings about these observations."""

    def incidents_around(
        self, places: Sequence[tuple[float, float]], radius_m: float
    ) -> list[Incident]:
        """Incidents of every category within the radius of any of the places."""

    def anchors_around(
        self, place: tuple[float, float], radius_m: float, mission_id: str, *, but: str
    ) -> list[Anchor]:
        """What a mission saw within the radius of a place that another mission saw too.

        By first_seen and id, without the observation named in but; each with its incident's place.
        """

    def hand_decisions(self) -> list[HandDecision]:
        """What persons decided about which observations are one thing, and did not take back."""

    def incidents_with(self, observation_ids: Sequence[str]) -> list[Incident]:
        """Incidents that hold any of these observations."""

    def memberships(self, observation_ids: Sequence[str]) -> Memberships:
        """The incidents that hold any of these observations, each with all that it holds."""

    def hold(self, districts: Collection[int]) -> None:
        """Make sure that nobody else writes in these districts until this is over."""

    def looks_around(self, places: Sequence[tuple[float, float]], radius_m: float) -> list[Look]:
        """Looks whose bounding box comes within the radius of any of the places."""


def _cell(lat_deg: float, lon_deg: float, size_m: float) -> tuple[int, int]:
    row = floor(lat_deg * METRES_PER_DEG / size_m)
    return row, floor(lon_deg * METRES_PER_DEG * _narrowing(row, size_m) / size_m)


def _narrowing(row: int, size_m: float) -> float:
    return max(cos(radians((row + 0.5) * size_m / METRES_PER_DEG)), 0.01)


def centre_of(cell: tuple[int, int], size_m: float) -> tuple[float, float]:
    """lat_deg, lon_deg of the middle of a cell of this size."""
    lat = (cell[0] + 0.5) * size_m / METRES_PER_DEG
    lon = (cell[1] + 0.5) * size_m / METRES_PER_DEG / _narrowing(cell[0], size_m)
    return lat, lon


def cell_of(finding: Finding) -> tuple[int, int]:
    """The cell of CELL_M that holds the finding."""
    place = finding.observation.place
    return _cell(place.lat_deg, place.lon_deg, CELL_M)


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """Findings by the time of their first sight, then by observation and id."""
    return sorted(findings, key=lambda f: (f.observation.first_seen, f.observation.id, f.id))


def anchor_of(seen: Observation, place: GeoPoint) -> Anchor:
    """A sight and where the map has its incident."""
    at, bias = seen.place, seen.bias_cov_en_m2
    return Anchor(
        at.lat_deg,
        at.lon_deg,
        few.matrix_of(at.cov_en_m2),
        None if bias is None else few.matrix_of(bias),
        place.lat_deg,
        place.lon_deg,
        few.matrix_of(place.cov_en_m2),
    )


def arrays(
    findings: Sequence[Finding],
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """xy (N, 2) around the first finding, total cov (N, 2, 2), start and end (N,) in seconds."""
    seen = [finding.observation for finding in findings]
    lat = np.array([o.place.lat_deg for o in seen])
    lon = np.array([o.place.lon_deg for o in seen])
    xy = np.stack(local_en(lat[0], lon[0], lat, lon), axis=-1)
    cov = np.array([o.place.cov_en_m2 for o in seen])
    start = np.array([o.first_seen.timestamp() for o in seen])
    end = np.array([o.last_seen.timestamp() for o in seen])
    return xy, cov, start, end


def findings_under(
    looks: Sequence[Look],
    near: Neighbourhood,
    known: Mapping[str, Finding] = MappingProxyType({}),
) -> list[Finding]:
    """The findings inside the looks' bounding boxes, stored or known."""
    boxes = [box_of(look.polygon) for look in looks]
    cells: set[tuple[int, int]] = set()
    for south, west, north, east in boxes:
        first_row, last_row = (_cell(lat, 0.0, CELL_M)[0] for lat in (south, north))
        for row in range(first_row, last_row + 1):
            lat = centre_of((row, 0), CELL_M)[0]
            first, last = (_cell(lat, lon, CELL_M)[1] for lon in (west, east))
            cells |= {(row, column) for column in range(first, last + 1)}
    middles = (centre_of(cell, CELL_M) for cell in sorted(cells))
    centres = [(lat, lon_in(lon, -180.0)) for lat, lon in middles]
    found = [*known.values(), *near.findings_around(centres, 0.75 * CELL_M, known=known)]
    places = np.array([(f.observation.place.lat_deg, f.observation.place.lon_deg) for f in found])
    inside = np.zeros(len(found), bool)
    for south, west, north, east in boxes if found else ():
        along = (places[:, 1] - west) % 360.0 <= east - west
        inside |= (places[:, 0] >= south) & (places[:, 0] <= north) & along
    return [finding for finding, is_inside in zip(found, inside, strict=True) if is_inside]


def looks_over(
    places: Iterable[tuple[float, float]], new: Sequence[Look], near: Neighbourhood
) -> list[Look]:
    """Every look, stored or new, that may cover one of these places, by time and id."""
    found = {look.id: look for look in new}
    cells = sorted({_cell(lat, lon, LOOK_CELL_M) for lat, lon in places})
    centres = [centre_of(cell, LOOK_CELL_M) for cell in cells]
    for look in near.looks_around(centres, 0.75 * LOOK_CELL_M):
        found.setdefault(look.id, look)
    return sorted(found.values(), key=lambda look: (look.start, look.id))
