"""All rules of the house as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from patrolvision.ports import Rule
from patrolvision.rules.classes import judge_divided
from patrolvision.rules.fire import FireRule
from patrolvision.rules.hours import ALWAYS
from patrolvision.rules.litter import LitterRule
from patrolvision.rules.parking import ParkingRule, evidence, priority, standing_probability
from patrolvision.rules.registered import Registered, RegisteredRule
from patrolvision.rules.settings import RuleSettings
from patrolvision.rules.verdicts import StandingVehicle
from patrolvision.rules.zone_map import ZoneMap
from patrolvision.types import HAZARDS, Finding, GeoPoint, Look, Observation


class Rulebook:
    """Litter, parking, fire and registered hazards over one map of zones; itself a Rule.

    registered also says in which hours a class counts, the house's own included.
    """

    def __init__(
        self,
        zones: ZoneMap | None = None,
        settings: RuleSettings | None = None,
        registered: Sequence[Registered] = (),
    ) -> None:
        self.zones = zones if zones is not None else ZoneMap()
        self.settings = settings or RuleSettings()
        self._rules: tuple[Rule, ...] = (
            LitterRule(self.zones, self.settings),
            ParkingRule(self.zones, self.settings),
            FireRule(self.zones, self.settings),
            RegisteredRule(
                self.zones,
                tuple(hazard for hazard in registered if hazard.category not in HAZARDS),
                self.settings,
            ),
        )
        self._hours = {h.class_name: h for h in registered if h.hours != ALWAYS}

    def findings(self, observations: Sequence[Observation]) -> list[Finding]:
        """The claims these observations support, in their order; one given twice counts once.

        Give the observations of a pass together: smoke and queues show only beside neighbours.
        """
        if self._hours:
            observations = [o for o in observations if self._is_on(o)]
        found = {f.observation.id: f for rule in self._rules for f in rule.findings(observations)}
        return [found[id] for id in dict.fromkeys(o.id for o in observations) if id in found]

    @property
    def company_m(self) -> float:
        """How far apart two observations of a pass may be, and one change what is said of another.

        Smoke and its fire, a queue, litter that burns.
        """
        known = self.settings
        return max(known.smoke_radius_m, known.queue_gap_m, known.burning_radius_m)

    def _is_on(self, seen: Observation) -> bool:
        hazard = self._hours.get(seen.class_name)
        return hazard is None or hazard.is_on(seen)

    def looks(self, looks: Sequence[Look]) -> list[Look]:
        """The looks, each without the classes whose hours are over: no finding tells of those.

        Else a thing that is not reported at night would be proved gone by the night's patrols. A
        look of nothing that is looked for then is left out.
        """
        if not self._hours:
            return list(looks)
        honest = [replace(look, classes=self._looked_for(look)) for look in looks]
        return [look for look in honest if look.classes]

    def _looked_for(self, look: Look) -> frozenset[str]:
        timed = look.classes & self._hours.keys()
        return look.classes - {name for name in timed if not self._hours[name].is_looked_for(look)}

    def rejudged(self, findings: Sequence[Finding], place: GeoPoint) -> Finding | None:
        """The last finding about one vehicle, judged anew from all its sights and its fused place.

        findings: those about one vehicle from any number of passes, unordered; place: what fusion
        made of theirs. kind, score, zone_id, priority and evidence are those of the whole; its
        observation is the last one of the class under which the vehicle is judged (judge_divided).
        None if no zone says anything of the vehicle any more.
        """
        ordered = sorted(findings, key=lambda f: (f.observation.last_seen, f.id))
        known = [p for f in ordered if (p := self._p_standing(f.observation)) is not None]
        queueing = any(f.evidence.get("queueing") for f in ordered)
        seen = list({f.observation.id: f.observation for f in ordered}.values())
        spans = tuple((o.first_seen, o.last_seen) for o in seen)
        name = seen[-1].class_name
        vehicle = StandingVehicle(name, place, spans, max(known, default=None), queueing)
        held = judge_divided(seen, vehicle, self.zones, self.settings)
        if held is None:
            return None
        verdict, judged = held.verdict, held.vehicle
        last = [f for f in ordered if f.observation.class_name == judged.class_name][-1]
        why = evidence(verdict, self.zones, judged.spans, queueing)
        return replace(
            last,
            kind=verdict.kind,
            score=verdict.probability,
            zone_id=verdict.zone.zone_id,
            priority=priority(verdict),
            evidence={**last.evidence, **why, "class_share": round(held.share, 4)},
        )

    def _p_standing(self, seen: Observation) -> float | None:
        return standing_probability(seen.speed_mps, seen.speed_sigma_mps, self.settings)
