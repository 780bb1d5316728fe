"""What a new finding can change: the clusters around it, solved district by district.

A cluster is what may be one thing at all: findings linked, one to the next, by covariances and
times that allow it, or by a person's decision. It belongs to the district of its first finding, and
is solved there beside everything within CONTEXT of that district which shares passes with it: these
tell each other's shifts. So the incidents of a cluster are a function of the findings of its
surroundings, in whatever order they arrived, and a finding changes nothing beyond them, however
large the city is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from patrolvision.geo.districts import districts_at, districts_within
from patrolvision.incidents.association import BoolArray, IntArray, components
from patrolvision.incidents.hand import bonds, named
from patrolvision.incidents.links import Linked
from patrolvision.incidents.neighbourhood import CELL_M, Neighbourhood, cell_of, centre_of
from patrolvision.incidents.settings import AlignmentSettings, FusionSettings
from patrolvision.types import Finding, HandDecision

CONTEXT_M = 150.0  # around a district; the claims of the store reach further
FEW = 2048  # findings that are asked about one by one; more of them cell by cell
SLACK_M = 0.1  # between a distance along the ground and one in the plane around a part


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """Findings (N,) to be solved together, by time.

    cluster (N,): only findings of one number may be one thing. is_own (N,): the answer about this
    one is taken from here; the others are context.
    """

    findings: tuple[Finding, ...]
    cluster: IntArray
    is_own: BoolArray


def problems_of(
    seeds: Sequence[Finding],
    near: Neighbourhood,
    settings: FusionSettings,
    decisions: Sequence[HandDecision] = (),
) -> list[Problem]:
    """All that must be solved anew when these findings are new or changed.

    Seeds, one for each id, need not be stored yet; a seed stands for a stored finding of its id.
    """
    linked = Linked(settings)
    linked.add(seeds)
    asked = _Asked(near, settings.alignment, decisions)
    while True:
        region = _Region(linked, len(seeds), decisions)
        found = asked.around([linked.findings[k] for k in region.live], linked.ids)
        if not found:
            near.hold(region.districts.tolist())
            return list(region.problems())
        linked.add(found)


class _Region:
    """The districts that seeds (the first findings of linked) touch, and what lies there."""

    def __init__(self, linked: Linked, seeds: int, decisions: Sequence[HandDecision]) -> None:
        self._linked = linked
        count = len(linked.findings)
        bound = bonds(linked.findings, decisions)
        self._one = tuple(np.concatenate(ends) for ends in zip(linked.one, bound, strict=True))
        self._cluster = components(count, *self._one)
        self._is_seed = np.arange(count) < seeds
        lat, lon = linked.places
        self._within = districts_within(lat, lon, CONTEXT_M)
        is_seeded = np.isin(self._cluster, self._cluster[self._is_seed])
        self.districts = np.unique(self._within[is_seeded])
        inside = np.isin(self._within, self.districts).any(axis=1)
        self._is_allowed = np.isin(self._cluster, self._cluster[inside])
        i, j = self._links(self._is_allowed)
        label = components(count, i, j)
        is_live = self._is_allowed & np.isin(label, label[self._is_seed])
        self.live = np.flatnonzero(is_live).tolist()  # what the seeds can reach

    def _links(self, chosen: BoolArray) -> tuple[IntArray, IntArray]:
        pairs = (self._one, self._linked.fellows)
        i, j = (np.concatenate(ends) for ends in zip(*pairs, strict=True))
        both = chosen[i] & chosen[j]
        return i[both], j[both]

    def problems(self) -> Iterator[Problem]:
        """What each district has to solve, connected part by connected part."""
        linked, order = self._linked, self._linked.order()
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        first = np.full(len(order), len(order))
        np.minimum.at(first, self._cluster, rank)
        home = districts_at(*linked.places)[order]  # by rank
        owner = home[np.minimum(first[self._cluster], len(order) - 1)]
        for district in self.districts:
            is_member = (self._within == district).any(axis=1) & self._is_allowed
            is_member |= self._is_allowed & (owner == district)
            label = components(len(order), *self._links(is_member))
            wanted = is_member & np.isin(label, label[self._is_seed & is_member])
            wanted &= np.isin(label, label[is_member & (owner == district)])
            chosen = order[wanted[order]]
            by_part = np.argsort(label[chosen], kind="stable")
            bounds = np.flatnonzero(np.diff(label[chosen][by_part])) + 1
            for part in np.split(chosen[by_part], bounds) if len(chosen) else ():
                yield Problem(
                    tuple(linked.findings[k] for k in part.tolist()),
                    self._cluster[part],
                    owner[part] == district,
                )


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
        found = [*self._decided_with(fresh, known), *self._close_to(fresh, known)]
        return list({finding.id: finding for finding in found}.values())

    def _decided_with(self, fresh: Sequence[Finding], known: Collection[str]) -> list[Finding]:
        if not self._decisions:
            return []
        seen = {(f.category, f.observation.id) for f in fresh}
        about = (d for d in self._decisions if any((d.category, o) in seen for o in named(d)))
        others = sorted({o for decision in about for o in named(decision)})
        found = self._near.findings_of(others) if others else []
        return [f for f in found if f.id not in known]

    def _close_to(self, fresh: Sequence[Finding], known: Collection[str]) -> list[Finding]:
        if not fresh:
            return []
        if len(fresh) <= FEW:
            return self._linked_to(fresh, known)
        cells = {cell_of(f) for f in fresh} - self._cells
        self._cells |= cells
        radius = 0.75 * CELL_M + max(self._settings.max_link_m, self._settings.context_m)
        centres = [centre_of(cell, CELL_M) for cell in sorted(cells)]
        return self._near.findings_around(centres, radius, known=known) if centres else []

    def _linked_to(self, few: Sequence[Finding], known: Collection[str]) -> list[Finding]:
        places = [(f.observation.place.lat_deg, f.observation.place.lon_deg) for f in few]
        missions = sorted({f.observation.mission_id for f in few})
        close, wide = self._settings.max_link_m + SLACK_M, self._settings.context_m + SLACK_M
        found = self._near.findings_around(places, close, known=known)
        fellows = self._near.findings_around(places, wide, known=known, missions=missions)
        return [*found, *fellows]
