"""All rules of the house as one."""

from __future__ import annotations

from collections.abc import Sequence

from patrolvision.ports import Rule
from patrolvision.rules.fire import FireRule
from patrolvision.rules.litter import LitterRule
from patrolvision.rules.parking import ParkingRule, evidence
from patrolvision.rules.settings import RuleSettings
from patrolvision.rules.verdicts import Span, StandingVehicle, Verdict, judge
from patrolvision.rules.zone_map import ZoneMap
from patrolvision.types import Finding, GeoPoint, Observation


class Rulebook:
    """Litter, parking and fire over one map of zones; itself a Rule."""

    def __init__(self, zones: ZoneMap | None = None, settings: RuleSettings | None = None) -> None:
        self.zones = zones if zones is not None else ZoneMap()
        self.settings = settings or RuleSettings()
        self._rules: tuple[Rule, ...] = (
            LitterRule(self.zones, self.settings),
            ParkingRule(self.zones, self.settings),
            FireRule(self.zones, self.settings),
        )

    def findings(self, observations: Sequence[Observation]) -> list[Finding]:
        """The claims these observations support, in the order of the observations.

        Give the observations of a pass together: smoke and queues show only beside neighbours.
        """
        found = {f.observation.id: f for rule in self._rules for f in rule.findings(observations)}
        return [found[o.id] for o in observations if o.id in found]

    def judge_vehicle(
        self,
        class_name: str,
        place: GeoPoint,
        spans: Sequence[Span],
        p_standing: float | None,
    ) -> tuple[Verdict, dict[str, object]] | None:
        """The verdict on a fused vehicle with its evidence; None if no zone says anything of it.

        spans: (first, last) of each of its sights; p_standing: the surest of its passes, None if
        none knew its speed. Sights further apart than the grace time prove the dwell.
        """
        vehicle = StandingVehicle(class_name, place, tuple(spans), p_standing)
        verdict = judge(vehicle, self.zones, self.settings)
        if verdict is None:
            return None
        return verdict, evidence(verdict, self.zones, spans)
