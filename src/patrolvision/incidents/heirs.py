"""What becomes of incidents that nothing is left of, since what was said of them was taken back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from patrolvision.geo.geodesy import distance_m
from patrolvision.types import Incident

SAME_PLACE_M = 1.5  # between two analyses of one recording, beside their stated errors


def inherited(changed: Sequence[Incident], bereft: Sequence[Incident]) -> list[Incident]:
    """The changed incidents, and those that nothing is left of.

    One that is said again in the same place under new observations keeps its id, because a ticket
    may hang on it; the others are dismissed.
    """
    result = {incident.id: incident for incident in changed}
    for old in bereft:
        heirs = [i for i in result.values() if _stands_where(i, old)]
        if heirs:
            heir = min(heirs, key=lambda i: (_apart_m(i, old), i.id))
            del result[heir.id]
            result[old.id] = replace(heir, id=old.id)
        else:
            evidence = {**old.evidence, "withdrawn": True}
            result[old.id] = replace(old, status="dismissed", observation_ids=(), evidence=evidence)
    return list(result.values())


def _stands_where(new: Incident, old: Incident) -> bool:
    reach_m = SAME_PLACE_M + 2.0 * (new.place.sigma_m + old.place.sigma_m)
    is_same = new.category == old.category and set(new.mission_ids) == set(old.mission_ids)
    return is_same and bool(new.observation_ids) and _apart_m(new, old) <= reach_m


def _apart_m(a: Incident, b: Incident) -> float:
    return float(distance_m(a.place.lat_deg, a.place.lon_deg, b.place.lat_deg, b.place.lon_deg))
