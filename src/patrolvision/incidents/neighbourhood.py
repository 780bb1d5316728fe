"""What a new finding or look can change: the connected sightings around it, and nothing else.

Sightings are linked when their covariances allow one thing and no more than the longest gap lies
between them. The incidents of a connected part are a function of its sightings and the looks over
it, so solving whole parts anew gives the same state in whatever order they arrived.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from math import cos, floor, radians
from types import MappingProxyType
from typing import Protocol

import numpy as np

from patrolvision.geo.geodesy import local_en
from patrolvision.incidents.association import (
    IntArray,
    chi2,
    components,
    inverse,
    pairs_within,
)
from patrolvision.incidents.hand import bonds, named
from patrolvision.incidents.settings import AlignmentSettings, FusionSettings
from patrolvision.types import Finding, FloatArray, HandDecision, Incident, Look

CELL_M = 300.0  # not far below context_m: neighbouring questions overlap
LOOK_CELL_M = 200.0
FEW = 16  # findings that are asked about one by one; more of them cell by cell
SLACK_M = 0.1  # between a distance along the ground and one in the plane around a part
METRES_PER_DEG = 111_320.0


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

    def hand_decisions(self) -> list[HandDecision]:
        """What persons decided about which observations are one thing, and did not take back."""

    def incidents_with(self, observation_ids: Sequence[str]) -> list[Incident]:
        """Incidents that hold any of these observations."""

    def looks_around(self, places: Sequence[tuple[float, float]], radius_m: float) -> list[Look]:
        """Looks whose bounding box comes within the radius of any of the places."""


def _cell(lat_deg: float, lon_deg: float, size_m: float) -> tuple[int, int]:
    row = floor(lat_deg * METRES_PER_DEG / size_m)
    return row, floor(lon_deg * METRES_PER_DEG * _narrowing(row, size_m) / size_m)


def _narrowing(row: int, size_m: float) -> float:
    return max(cos(radians((row + 0.5) * size_m / METRES_PER_DEG)), 0.01)


def _centre(cell: tuple[int, int], size_m: float) -> tuple[float, float]:
    lat = (cell[0] + 0.5) * size_m / METRES_PER_DEG
    lon = (cell[1] + 0.5) * size_m / METRES_PER_DEG / _narrowing(cell[0], size_m)
    return lat, lon


def connected_findings(
    seeds: Sequence[Finding],
    near: Neighbourhood,
    settings: FusionSettings,
    decisions: Sequence[HandDecision] = (),
) -> list[list[Finding]]:
    """The connected parts that hold a seed, complete; each by time and id, the parts likewise.

    What one of the decisions is about belongs together as well.

    Seeds need not be stored yet; a seed stands for a stored finding of the same id.
    """
    own = {finding.id for finding in seeds}
    known = {finding.id: finding for finding in seeds}
    asked = _Asked(near, settings.alignment, decisions)
    while True:
        findings = ordered(known.values())
        pairs = links(findings, settings), bonds(findings, decisions)
        i, j = (np.concatenate(ends) for ends in zip(*pairs, strict=True))
        label = components(len(findings), i, j)
        live = {label[k] for k, finding in enumerate(findings) if finding.id in own}
        parts: dict[int, list[Finding]] = {}
        for k, finding in enumerate(findings):
            if label[k] in live:
                parts.setdefault(int(label[k]), []).append(finding)
        found = asked.around([f for part in parts.values() for f in part], known)
        if not found:
            return list(parts.values())
        known |= {finding.id: finding for finding in found}


class _Asked:
    """The questions of one search for connected findings, none of them asked twice."""

    def __init__(
        self,
        near: Neighbourhood,
        settings: AlignmentSettings,
        decisions: Sequence[HandDecision],
    ) -> None:
        self._near = near
        self._decisions = decisions
        self._settings = settings
        self._findings: set[str] = set()
        self._cells: set[tuple[int, int]] = set()

    def around(self, findings: Sequence[Finding], known: Collection[str]) -> list[Finding]:
        """What is stored, not known, and could be linked to any of the findings not asked about."""
        fresh = [f for f in findings if f.id not in self._findings]
        self._findings |= {f.id for f in fresh}
        return [*self._decided_with(fresh, known), *self._close_to(fresh, known)]

    def _decided_with(self, fresh: Sequence[Finding], known: Collection[str]) -> list[Finding]:
        if not self._decisions:
            return []
        seen = {(f.category, f.observation.id) for f in fresh}
        about = (d for d in self._decisions if any((d.category, o) in seen for o in named(d)))
        others = sorted({o for decision in about for o in named(decision)})
        found = self._near.findings_of(others) if others else []
        return [f for f in found if f.id not in known]

    def _close_to(self, fresh: Sequence[Finding], known: Collection[str]) -> list[Finding]:
        if len(fresh) <= FEW:
            return self._linked_to(fresh, known)
        cells = {_cell_of(f) for f in fresh} - self._cells
        self._cells |= cells
        radius = 0.75 * CELL_M + max(self._settings.max_link_m, self._settings.context_m)
        centres = [_centre(cell, CELL_M) for cell in sorted(cells)]
        return self._near.findings_around(centres, radius, known=known)

    def _linked_to(self, few: Sequence[Finding], known: Collection[str]) -> list[Finding]:
        places = [(f.observation.place.lat_deg, f.observation.place.lon_deg) for f in few]
        missions = sorted({f.observation.mission_id for f in few})
        close, wide = self._settings.max_link_m + SLACK_M, self._settings.context_m + SLACK_M
        found = self._near.findings_around(places, close, known=known)
        fellows = self._near.findings_around(places, wide, known=known, missions=missions)
        return [*found, *fellows]


def _cell_of(finding: Finding) -> tuple[int, int]:
    place = finding.observation.place
    return _cell(place.lat_deg, place.lon_deg, CELL_M)


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """Findings by the time of their first sight, then by observation and id."""
    return sorted(findings, key=lambda f: (f.observation.first_seen, f.observation.id, f.id))


def links(findings: Sequence[Finding], settings: FusionSettings) -> tuple[IntArray, IntArray]:
    """The pairs i < j of findings that influence each other.

    Either they may be one thing, or they are neighbours in one pass and so share its shift.
    """
    xy, cov, start, end = arrays(findings)
    alignment = settings.alignment
    category = np.array([f.category for f in findings])
    extent = np.array([settings.of(f.category).extent_sigma_m for f in findings])
    max_gap = np.array([settings.of(f.category).max_gap_s for f in findings])
    i, j = pairs_within(xy, xy, alignment.max_link_m)
    keep = (i < j) & (category[i] == category[j])
    keep &= np.maximum(start[i] - end[j], start[j] - end[i]) <= max_gap[i]
    i, j = i[keep], j[keep]
    total = cov[i] + cov[j] + (2 * extent[i] ** 2)[:, None, None] * np.eye(2)
    one = chi2(xy[i] - xy[j], inverse(total)) <= alignment.gate_chi2
    missions: dict[str, int] = {}
    mission = [missions.setdefault(f.observation.mission_id, len(missions)) for f in findings]
    strip = np.stack([xy[:, 0] + 1e7 * np.array(mission), xy[:, 1]], axis=-1)
    m, n = pairs_within(strip, strip, alignment.context_m)
    return np.concatenate([i[one], m[m < n]]), np.concatenate([j[one], n[m < n]])


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
    settings: FusionSettings,
    known: Mapping[str, Finding] = MappingProxyType({}),
) -> list[Finding]:
    """The findings inside the looks' bounding boxes, stored or known."""
    boxes = [(np.min(look.polygon, axis=0), np.max(look.polygon, axis=0)) for look in looks]
    cells: set[tuple[int, int]] = set()
    for low, high in boxes:
        south, north = (_cell(corner[0], 0.0, CELL_M)[0] for corner in (low, high))
        for row in range(south, north + 1):
            lat = _centre((row, 0), CELL_M)[0]
            first, last = (_cell(lat, lon, CELL_M)[1] for lon in (low[1], high[1]))
            cells |= {(row, column) for column in range(first, last + 1)}
    centres = [_centre(cell, CELL_M) for cell in sorted(cells)]
    found = [*known.values(), *near.findings_around(centres, 0.75 * CELL_M, known=known)]
    places = np.array([(f.observation.place.lat_deg, f.observation.place.lon_deg) for f in found])
    inside = np.zeros(len(found), bool)
    for low, high in boxes if found else ():
        inside |= ((places >= low) & (places <= high)).all(axis=1)
    return [finding for finding, is_inside in zip(found, inside, strict=True) if is_inside]


def looks_over(
    places: Iterable[tuple[float, float]], new: Sequence[Look], near: Neighbourhood
) -> list[Look]:
    """Every look, stored or new, that may cover one of these places, by time and id."""
    found = {look.id: look for look in new}
    cells = sorted({_cell(lat, lon, LOOK_CELL_M) for lat, lon in places})
    centres = [_centre(cell, LOOK_CELL_M) for cell in cells]
    for look in near.looks_around(centres, 0.75 * LOOK_CELL_M):
        found.setdefault(look.id, look)
    return sorted(found.values(), key=lambda look: (look.start, look.id))
