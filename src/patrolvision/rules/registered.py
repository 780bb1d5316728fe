"""Hazards that a registry names: how sure, how often seen, at which hours; the rest is fusion's.

What the house's own rules know (kerbs, smoke over a fire) has no part here: a registered class is a
thing that is a hazard wherever it stands, outside zones where nothing is reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from patrolvision.errors import ConfigError
from patrolvision.rules.findings import finding_id, seen_score
from patrolvision.rules.hours import ALWAYS, is_valid, state_at
from patrolvision.rules.settings import RuleSettings
from patrolvision.rules.zone_map import ZoneMap
from patrolvision.types import Finding, IncidentKind, Look, Observation


@dataclass(frozen=True, slots=True)
class Registered:
    """One class of an algorithm: from which score it counts, and in which hours."""

    class_name: str
    category: str
    algorithm: str  # name@version
    owner: str
    review: float = 0.25
    enforce: float = 0.6
    frames: int = 2
    priority: Literal["normal", "high", "urgent"] = "normal"
    hours: str = ALWAYS
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        if not is_valid(self.hours):
            raise ConfigError(
                f"algorithm {self.algorithm}: hours must be in opening_hours syntax, such as "
                f"Mo-Fr 08:00-18:00, got {self.hours!r}"
            )

    def is_on(self, seen: Observation) -> bool:
        """Whether the thing was seen in the algorithm's hours; hours in doubt count."""
        place = seen.place.lat_deg, seen.place.lon_deg
        return state_at(self.hours, self.timezone, *place, seen.last_seen) != "closed"

    def is_looked_for(self, look: Look) -> bool:
        """Whether all of a look lies in the algorithm's hours; hours in doubt do not count."""
        corner = look.polygon[0]
        instants = (look.start, look.end)
        return all(state_at(self.hours, self.timezone, *corner, at) == "open" for at in instants)


@dataclass(frozen=True, slots=True)
class RegisteredRule:
    """Claims about registered classes.

    The score is the confidence that the thing is real (`seen_score`); enforce needs its least score
    and frames, review its own; below it there is no finding.
    """

    zones: ZoneMap
    hazards: tuple[Registered, ...]
    settings: RuleSettings = field(default_factory=RuleSettings)

    def findings(self, observations: Sequence[Observation]) -> list[Finding]:
        """Claims about the registered things among the observations, in their order."""
        known = {hazard.class_name: hazard for hazard in self.hazards}
        mine = [o for o in observations if o.class_name in known]
        found = (self._finding(seen, known[seen.class_name]) for seen in mine)
        return [finding for finding in found if finding is not None]

    def _finding(self, seen: Observation, hazard: Registered) -> Finding | None:
        score = seen_score(seen)
        if score < hazard.review or not hazard.is_on(seen) or self._is_ignored(seen):
            return None
        sure = score >= hazard.enforce and seen.frames >= hazard.frames
        kind: IncidentKind = "enforce" if sure else "review"
        return Finding(
            id=finding_id(hazard.category, seen.id),
            category=hazard.category,
            kind=kind,
            observation=seen,
            score=score,
            priority=hazard.priority,
            evidence={
                "rule": "registered",
                "rule_version": hazard.algorithm,
                "owner": hazard.owner,
                "kind": seen.class_name,
                "frames": seen.frames,
                "confidence": round(seen.confidence, 4),
            },
        )

    def _is_ignored(self, seen: Observation) -> bool:
        p = self.zones.probability_of("ignore", seen.place, seen.last_seen)
        return p >= self.settings.p_zone
