"""Of which class a vehicle is whose sights disagree: each class is judged, and weighed.

A rule of the kerb may bind cars and not trucks, and a detector takes one for the other. Why the
numbers are what they are: docs/adr/0005-parking-proof.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from patrolvision.rules.findings import seen_score
from patrolvision.rules.settings import RuleSettings
from patrolvision.rules.verdicts import Span, StandingVehicle, Verdict, judge
from patrolvision.rules.zone_map import ZoneMap
from patrolvision.types import VEHICLE_CLASSES, GeoPoint, IncidentKind, Observation

# Nobody takes a motorcycle for one of the others, and fusion never makes one thing of them.
CONFUSED = VEHICLE_CLASSES - {"motorcycle"}
PUBLISHED: tuple[IncidentKind, ...] = ("enforce", "warning", "review")


@dataclass(frozen=True, slots=True)
class Leaning:
    """A vehicle as one of its classes, the share of the evidence for that, and the verdict."""

    vehicle: StandingVehicle
    share: float
    verdict: Verdict


def class_shares(seen: Sequence[Observation]) -> dict[str, float]:
    """What share of the sights says which class, by name: each sight counts with its seen_score.

    Not by frames: a track repeats its mistake, so one long pass would outvote all others.
    """
    weights: dict[str, float] = {}
    for sight in seen:
        weight = max(seen_score(sight), 0.01)
        weights[sight.class_name] = weights.get(sight.class_name, 0.0) + weight
    total = sum(weights.values())
    return {name: weight / total for name, weight in sorted(weights.items())}


def judge_divided(
    seen: Sequence[Observation],
    vehicle: StandingVehicle,
    zones: ZoneMap,
    settings: RuleSettings,
) -> Leaning | None:
    """The strictest verdict that a clear majority of the evidence carries; None if there is none.

    Without one a person decides, if what accuses the vehicle is worth as much as any doubt; else
    it is watched. seen are its sights; whichever of their classes it is taken for replaces its own.
    The share in the answer is that of all classes which carry the verdict, the class the likeliest
    of them.
    """
    leanings = []
    for name, share in class_shares(seen).items():
        spans = _spans_as(name, seen, vehicle.place, zones)
        supposed = replace(vehicle, class_name=name, spans=spans)
        verdict = judge(supposed, zones, settings)
        if verdict is not None:
            leanings.append(Leaning(supposed, share, verdict))
    carried = 0.0
    for kind in PUBLISHED:
        of_kind = [held for held in leanings if held.verdict.kind == kind]
        carried += sum(held.share for held in of_kind)
        if of_kind and carried >= settings.class_majority:
            return replace(_chief(of_kind), share=carried)
    accusing = [held for held in leanings if held.verdict.kind in ("enforce", "review")]
    if accusing:
        probability = sum(held.share * held.verdict.probability for held in accusing)
        doubt: IncidentKind = "review" if probability >= settings.p_review else "watch"
        chief = _chief(accusing)
        verdict = replace(chief.verdict, kind=doubt, probability=probability)
        return replace(chief, share=sum(held.share for held in accusing), verdict=verdict)
    watched = [held for held in leanings if held.verdict.kind == "watch"]
    return _chief(watched) if watched else None


def _spans_as(
    class_name: str, seen: Sequence[Observation], place: GeoPoint, zones: ZoneMap
) -> tuple[Span, ...]:
    """The sights that prove a dwell under this class: none that says a class of other rules.

    An exempt truck may have stood there before the car came.
    """
    alike = [o for o in seen if zones.treats_alike(class_name, o.class_name, place)]
    return tuple((o.first_seen, o.last_seen) for o in alike)


def _chief(leanings: list[Leaning]) -> Leaning:
    return max(leanings, key=lambda held: held.share)  # the first by name of equals


def accused_otherwise(
    vehicle: StandingVehicle, zones: ZoneMap, settings: RuleSettings
) -> Verdict | None:
    """What the kerb would say if the vehicle were of a class it is easily taken for.

    Asked only where a zone nearby tells the two classes apart.
    """
    if vehicle.class_name not in CONFUSED:
        return None
    for name in sorted(CONFUSED - {vehicle.class_name}):
        if zones.treats_alike(vehicle.class_name, name, vehicle.place):
            continue
        verdict = judge(replace(vehicle, class_name=name), zones, settings)
        if verdict is not None and not verdict.is_unproved_warning:
            return verdict
    return None
