"""Parking: vehicles of one pass against the zones of the kerb.

The claim needs P(in a prohibition that binds this vehicle now, and in no bay) × P(standing). Much
of it makes a case, a doubtful share goes to review, a vehicle within its grace time is watched, and
so is one whose class alone excuses it. The rest is nobody's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC
from math import erf, exp, log, pi, sqrt
from typing import Any, Literal

from patrolvision.rules.classes import accused_otherwise
from patrolvision.rules.findings import finding_id
from patrolvision.rules.queues import creeping, is_queueing
from patrolvision.rules.settings import RULE_VERSION, RuleSettings
from patrolvision.rules.verdicts import Span, StandingVehicle, Verdict, judge
from patrolvision.rules.zone_map import ZoneMap
from patrolvision.types import VEHICLE_CLASSES, Finding, Observation


def standing_probability(
    speed_mps: float | None, sigma_mps: float | None, settings: RuleSettings
) -> float | None:
    """Probability that a vehicle of this measured speed stands; None if the speed is unknown.

    Bayes' rule with standing_prior for a speed of zero against one spread evenly from creep_mps
    to traffic_mps, the measured magnitude being a folded normal of sigma.
    """
    if speed_mps is None:
        return None
    sigma = max(sigma_mps if sigma_mps is not None else settings.speed_sigma_mps, 0.05)
    speed = abs(speed_mps)
    standing = 2.0 * exp(-0.5 * (speed / sigma) ** 2) / (sigma * sqrt(2.0 * pi))
    low, high = settings.creep_mps, settings.traffic_mps
    share = _below((high - speed) / sigma) - _below((low - speed) / sigma)
    moving = max(share / (high - low), 1e-12)
    odds = settings.standing_prior / (1.0 - settings.standing_prior) * standing / moving
    return odds / (1.0 + odds)


def _below(z: float) -> float:
    return 0.5 * (1.0 + erf(z / sqrt(2.0)))


@dataclass(frozen=True, slots=True)
class ParkingRule:
    """Vehicles against the zones of the kerb, one pass at a time."""

    zones: ZoneMap
    settings: RuleSettings = field(default_factory=RuleSettings)

    def findings(self, observations: Sequence[Observation]) -> list[Finding]:
        """Claims about the vehicles among the observations, in their order.

        Give the observations of a pass together: a queue shows only beside its neighbours.
        """
        vehicles = [o for o in observations if o.class_name in VEHICLE_CLASSES]
        creepers = creeping(vehicles, self.settings)
        found = (self._finding(v, creepers.get(v.mission_id, ())) for v in vehicles)
        return [finding for finding in found if finding is not None]

    def _finding(self, seen: Observation, creepers: Sequence[Observation]) -> Finding | None:
        p_standing = standing_probability(seen.speed_mps, seen.speed_sigma_mps, self.settings)
        span = (seen.first_seen, seen.last_seen)
        vehicle = StandingVehicle(seen.class_name, seen.place, (span,), p_standing)
        verdict = judge(vehicle, self.zones, self.settings)
        if verdict is None or verdict.is_unproved_warning:
            return self._witness(vehicle, seen)
        queueing = verdict.kind != "watch" and is_queueing(
            seen, creepers, verdict.zone.area, self.settings
        )
        if queueing:
            verdict = judge(replace(vehicle, queueing=True), self.zones, self.settings) or verdict
        return Finding(
            id=finding_id("illegal_parking", seen.id),
            category="illegal_parking",
            kind=verdict.kind,
            observation=seen,
            score=verdict.probability,
            zone_id=verdict.zone.zone_id,
            priority=priority(verdict),
            evidence=evidence(verdict, self.zones, (span,), queueing),
        )

    def _witness(self, vehicle: StandingVehicle, seen: Observation) -> Finding | None:
        """A watch without any weight over one whose class is not meant here, but another is.

        Other sights may take it for that other class: this one has to be there to contradict.
        """
        verdict = accused_otherwise(vehicle, self.zones, self.settings)
        if verdict is None:
            return None
        why = evidence(replace(verdict, kind="watch", probability=0.0), self.zones, vehicle.spans)
        del why["grace_s"]  # no dwell makes a case of it
        return Finding(
            id=finding_id("illegal_parking", seen.id),
            category="illegal_parking",
            kind="watch",
            observation=seen,
            score=0.0,
            zone_id=verdict.zone.zone_id,
            evidence=why,
        )


def priority(verdict: Verdict) -> Literal["normal", "urgent"]:
    """urgent for a case or a doubt in a fire lane."""
    alarm = verdict.zone.priority == "fire_lane" and verdict.kind in ("enforce", "review")
    return "urgent" if alarm else "normal"


def evidence(
    verdict: Verdict, zones: ZoneMap, spans: Sequence[Span], queueing: bool = False
) -> dict[str, Any]:
    """Why the rule says so, as JSON values: rule and zone versions, probabilities, times."""
    zone = verdict.zone
    p = min(max(verdict.p_place, 1e-4), 1.0 - 1e-4)
    return {
        "rule": zone.rule,
        "rule_version": RULE_VERSION,
        "zones_version": zones.version,
        "zone_id": zone.zone_id,
        "phase": zone.phase,
        "zone_grace_s": zone.grace_s,
        "grace_s": verdict.needs_dwell_s,  # longer than the zone's where standing is to be proved
        "dwell_s": verdict.dwell_s,
        "first_seen": min(first for first, _ in spans).astimezone(UTC).isoformat(),
        "last_seen": max(last for _, last in spans).astimezone(UTC).isoformat(),
        "probability": round(verdict.probability, 4),
        "p_place": round(verdict.p_place, 4),
        "p_standing": round(verdict.p_standing, 4),
        "log_odds_place": round(log(p / (1.0 - p)), 3),
        "queueing": queueing,
    }
