"""Fire and smoke over time: what persists is a fire, what flashes once is a question.

Flicker and growth would need the pictures; what an observation carries is how many frames saw the
thing, over which time, and how surely. A flame in too few frames goes to review, at the top of the
list all the same. Smoke alone is never more than a question; beside a fire it makes it surer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from patrolvision.geo.geodesy import distance_m
from patrolvision.rules.findings import finding_id, seen_score
from patrolvision.rules.settings import RULE_VERSION, RuleSettings
from patrolvision.rules.zone_map import ZoneMap
from patrolvision.types import Finding, IncidentKind, Observation

SMOKE_WEIGHT = 0.5  # half of smoke's own score counts for the fire beside it


@dataclass(frozen=True, slots=True)
class FireRule:
    """Open fires and smoke outside permitted fire places and ignored zones; always urgent.

    Score of a fire: 1 − (1 − s)(1 − w·s_smoke), s being `seen_score` and s_smoke that of the surest
    smoke of the same pass within smoke_radius_m and smoke_window_s. enforce needs fire_enforce,
    fire_frames and fire_span_s; a doubtful or smoking place is review. Smoke that rises from a fire
    of its own pass is that fire's evidence and no claim of its own.
    """

    zones: ZoneMap
    settings: RuleSettings = field(default_factory=RuleSettings)

    def findings(self, observations: Sequence[Observation]) -> list[Finding]:
        """Claims about fire and smoke among the observations, in their order."""
        fires, smoke = (self._by_mission(observations, name) for name in ("fire", "smoke"))
        found: list[Finding | None] = []
        for seen in observations:
            if seen.class_name == "fire":
                found.append(self._finding(seen, smoke.get(seen.mission_id, ())))
            elif seen.class_name == "smoke" and not self._rises(seen, fires):
                found.append(self._finding(seen, ()))
        return [finding for finding in found if finding is not None]

    def _by_mission(
        self, observations: Sequence[Observation], class_name: str
    ) -> dict[str, list[Observation]]:
        grouped: dict[str, list[Observation]] = {}
        for seen in observations:
            if seen.class_name == class_name and seen_score(seen) >= self.settings.fire_review:
                grouped.setdefault(seen.mission_id, []).append(seen)
        return grouped

    def _rises(self, smoke: Observation, fires: Mapping[str, Sequence[Observation]]) -> bool:
        """Whether a fire that the same pass saw makes this smoke: it is the fire's evidence."""
        return any(self._belongs(smoke, fire) for fire in fires.get(smoke.mission_id, ()))

    def _finding(self, seen: Observation, smoke: Sequence[Observation]) -> Finding | None:
        is_fire = seen.class_name == "fire"
        support = self._support(seen, smoke) if is_fire else 0.0
        score = 1.0 - (1.0 - seen_score(seen)) * (1.0 - SMOKE_WEIGHT * support)
        p_permitted = self._p_permitted(seen)
        if score < self.settings.fire_review or p_permitted >= self.settings.p_zone:
            return None
        persists = self._persists(seen)
        sure = is_fire and persists and score >= self.settings.fire_enforce
        kind: IncidentKind = "enforce" if sure else "review"
        return Finding(
            id=finding_id("open_fire", seen.id),
            category="open_fire",
            kind=kind,
            observation=seen,
            score=score,
            priority="urgent" if is_fire else "high",
            evidence=_evidence(seen, support, p_permitted, persists),
        )

    def _persists(self, seen: Observation) -> bool:
        span_s = (seen.last_seen - seen.first_seen).total_seconds()
        return seen.frames >= self.settings.fire_frames and span_s >= self.settings.fire_span_s

    def _p_permitted(self, seen: Observation) -> float:
        permitted = self.zones.probability_of("fire_ok", seen.place, seen.last_seen)
        return max(permitted, self.zones.probability_of("ignore", seen.place, seen.last_seen))

    def _support(self, fire: Observation, smoke: Sequence[Observation]) -> float:
        near = (seen_score(s) for s in smoke if self._belongs(s, fire))
        return max(near, default=0.0)

    def _belongs(self, smoke: Observation, fire: Observation) -> bool:
        window = timedelta(seconds=self.settings.smoke_window_s)
        apart = distance_m(
            fire.place.lat_deg, fire.place.lon_deg, smoke.place.lat_deg, smoke.place.lon_deg
        )
        return (
            smoke.first_seen - window <= fire.last_seen
            and fire.first_seen - window <= smoke.last_seen
            and float(apart) <= self.settings.smoke_radius_m
        )


def _evidence(
    seen: Observation, support: float, p_permitted: float, persists: bool
) -> dict[str, Any]:
    return {
        "rule": "open_fire",
        "rule_version": RULE_VERSION,
        "kind": seen.class_name,
        "frames": seen.frames,
        "span_s": (seen.last_seen - seen.first_seen).total_seconds(),
        "persists": persists,
        "confidence": round(seen.confidence, 4),
        "smoke_support": round(support, 4),
        "p_permitted": round(p_permitted, 4),
    }
