"""Litter: how big, how sure, how urgent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from patrolvision.geo.geodesy import distance_m
from patrolvision.rules.findings import finding_id, seen_score
from patrolvision.rules.settings import RULE_VERSION, RuleSettings
from patrolvision.rules.zone_map import ZoneMap
from patrolvision.types import Finding, FloatArray, IncidentKind, Observation

LitterKind = Literal["piece", "heap", "large_heap", "unknown"]
_SEVERITY: dict[LitterKind, int] = {"unknown": 1, "piece": 1, "heap": 2, "large_heap": 3}


def litter_kind(size_m2: float | None, settings: RuleSettings) -> LitterKind:
    """A single piece, a heap or a large heap by its area on the ground; unknown without one."""
    if size_m2 is None:
        return "unknown"
    if size_m2 >= settings.large_heap_m2:
        return "large_heap"
    return "heap" if size_m2 >= settings.heap_m2 else "piece"


@dataclass(frozen=True, slots=True)
class LitterRule:
    """Litter outside the zones where nothing is reported.

    The score is the confidence that it is real (`seen_score`); it alone decides between case,
    review and nothing. Size sets severity (1 piece, 2 heap, 3 large heap) and priority. What burns
    is the fire's case: litter that a pass saw within burning_radius_m of a fire is only watched, so
    that nobody takes it for gone; what is left when the fire is out, a later pass will see.
    """

    zones: ZoneMap
    settings: RuleSettings = field(default_factory=RuleSettings)

    def findings(self, observations: Sequence[Observation]) -> list[Finding]:
        """Claims about the litter among the observations, in their order."""
        litter = [o for o in observations if o.class_name == "litter"]
        burning = self._burning(litter, [o for o in observations if self._is_fire(o)])
        found = (self._finding(seen, seen.id in burning) for seen in litter)
        return [finding for finding in found if finding is not None]

    def _finding(self, seen: Observation, burns: bool) -> Finding | None:
        score = seen_score(seen)
        if score < self.settings.litter_review or self._is_ignored(seen):
            return None
        kind: IncidentKind = "enforce" if score >= self.settings.litter_enforce else "review"
        kind = "watch" if burns else kind
        size = litter_kind(seen.size_m2, self.settings)
        return Finding(
            id=finding_id("litter", seen.id),
            category="litter",
            kind=kind,
            observation=seen,
            score=score,
            priority="high" if size == "large_heap" else "normal",
            evidence={
                "rule": "litter",
                "rule_version": RULE_VERSION,
                "kind": size,
                "size_m2": None if seen.size_m2 is None else round(seen.size_m2, 3),
                "severity": _SEVERITY[size],
                "frames": seen.frames,
                "confidence": round(seen.confidence, 4),
            },
        )

    def _is_fire(self, seen: Observation) -> bool:
        is_sure = seen_score(seen) >= self.settings.fire_enforce
        return seen.class_name == "fire" and is_sure and seen.frames >= self.settings.fire_frames

    def _burning(self, litter: Sequence[Observation], fires: Sequence[Observation]) -> set[str]:
        """The ids of the litter that burns in a fire of its own pass."""
        found: set[str] = set()
        by_mission = _by_mission(litter)
        for mission_id, burning in _by_mission(fires).items():
            beside = by_mission.get(mission_id, [])
            (lat, lon), (fire_lat, fire_lon) = _places(beside), _places(burning)
            apart = distance_m(fire_lat, fire_lon, lat[:, None], lon[:, None])
            near = np.flatnonzero((apart <= self.settings.burning_radius_m).any(axis=1))
            found |= {beside[k].id for k in near}
        return found

    def _is_ignored(self, seen: Observation) -> bool:
        p = self.zones.probability_of("ignore", seen.place, seen.last_seen)
        return p >= self.settings.p_zone


def _by_mission(observations: Sequence[Observation]) -> dict[str, list[Observation]]:
    found: dict[str, list[Observation]] = {}
    for seen in observations:
        found.setdefault(seen.mission_id, []).append(seen)
    return found


def _places(observations: Sequence[Observation]) -> tuple[FloatArray, FloatArray]:
    places = [(seen.place.lat_deg, seen.place.lon_deg) for seen in observations]
    lat, lon = np.array(places, np.float64).reshape(-1, 2).T
    return lat, lon
