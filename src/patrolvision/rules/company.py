"""A pass that is told part by part, judged as if it had been told at once.

What is said of one observation depends on what the same pass saw around it: smoke belongs to its
fire, a car to its queue. So what is new is judged beside what the store has of its passes there,
and what the store has is judged again beside what is new.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from patrolvision.ports import StoreTransaction
from patrolvision.rules.rulebook import Rulebook
from patrolvision.types import Finding, Observation


def in_company(
    transaction: StoreTransaction,
    observations: Sequence[Observation],
    findings: Sequence[Finding],
    rules: Rulebook,
) -> tuple[list[Finding], list[Finding]]:
    """What is to be said now, and the stored findings that are to be said no longer.

    findings are what the rules say of the observations alone. The store's findings keep their
    pictures.
    """
    given = {seen.id: seen for seen in observations}
    beside = _around(transaction, observations, given, rules)
    judged = [*given, *(seen.id for seen in beside)]
    stored = {f.id: f for f in transaction.findings_of(judged)}
    found = list(findings)
    if beside:
        # These are judged again, so whatever stands around them has its say as well.
        beyond = _around(transaction, beside, set(judged), rules)
        everyone = sorted([*given.values(), *beside, *beyond], key=lambda o: (o.first_seen, o.id))
        said = {f.observation.id: f for f in rules.findings(everyone)}
        known = {**stored, **{finding.id: finding for finding in findings}}
        pictures = {id: finding.evidence.get("pictures") for id, finding in known.items()}
        again = [said[id] for id in judged if id in said]
        found = [with_pictures(finding, pictures.get(finding.id)) for finding in again]
    kept = {finding.id for finding in found}
    changed = [f for f in found if f.observation.id in given or _differs(f, stored.get(f.id))]
    return changed, [finding for id, finding in stored.items() if id not in kept]


def _around(
    transaction: StoreTransaction,
    observations: Sequence[Observation],
    known: Collection[str],
    rules: Rulebook,
) -> list[Observation]:
    """What else the passes of these observations saw around them."""
    places = [(seen.place.lat_deg, seen.place.lon_deg) for seen in observations]
    missions = sorted({seen.mission_id for seen in observations})
    found = transaction.observations_around(places, rules.company_m, missions)
    return [seen for seen in found if seen.id not in known]


def with_pictures(finding: Finding, pictures: Any) -> Finding:
    """The finding with the pictures that were kept of it before; as it is where None were."""
    if pictures is None:
        return finding
    return replace(finding, evidence={**finding.evidence, "pictures": pictures})


def _differs(finding: Finding, before: Finding | None) -> bool:
    if before is None:
        return True
    said = (finding.kind, finding.score, finding.zone_id, finding.priority, dict(finding.evidence))
    return said != (before.kind, before.score, before.zone_id, before.priority, before.evidence)
