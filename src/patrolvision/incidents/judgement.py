"""What all findings about one thing say together: its kind, score, zone and priority."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt
from statistics import NormalDist
from typing import Any, Literal

from patrolvision.incidents.settings import CategorySettings
from patrolvision.types import Finding, IncidentKind

STRENGTH: tuple[IncidentKind, ...] = ("watch", "warning", "review", "enforce")
PRIORITIES: tuple[Literal["normal", "high", "urgent"], ...] = ("normal", "high", "urgent")
NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the findings say together; evidence holds JSON values."""

    kind: IncidentKind
    score: float
    zone_id: str | None
    priority: Literal["normal", "high", "urgent"]
    evidence: dict[str, Any]
    class_name: str | None = None  # under which it is accused; None: it is not


def judged(findings: Sequence[Finding], settings: CategorySettings) -> Verdict:
    """The verdict over the findings of one stay, in order of time.

    A vehicle watched in its grace time is enforced once consecutive sights of it, none further
    apart than dwell_gap_s, span more than the grace. With several passes, the joint probability
    of lying in the zone decides between enforce and review.
    """
    strongest = max((f.kind for f in findings), key=STRENGTH.index)
    best = max(findings, key=lambda f: f.score)  # the earliest of equals
    evidence: dict[str, Any] = dict(best.evidence)
    evidence["findings"] = len({f.observation.id for f in findings})
    grace_s = _grace_s(findings)
    if strongest == "watch" and grace_s is not None:
        evidence |= {"grace_s": grace_s, "dwell_s": longest_stay_s(findings, settings)}
        if evidence["dwell_s"] > grace_s:
            strongest = "enforce"
    probability = joint_probability(findings)
    if probability is not None:
        evidence["probability"] = round(probability, 6)
        if strongest in ("enforce", "review") and _passes(findings) > 1:
            is_sure = probability >= settings.enforce_probability
            strongest = "enforce" if is_sure else "review"
    score = _score(findings) if probability is None else probability
    zones = [f.zone_id for f in findings if f.zone_id is not None]
    zone = max(sorted(set(zones)), key=zones.count) if zones else None
    priority = max((f.priority for f in findings), key=PRIORITIES.index)
    return Verdict(strongest, round(score, 6), zone, priority, evidence)


def verdict_of(finding: Finding | None, before: Verdict) -> Verdict:
    """The verdict that a rule gave over the whole; watched only, where it has nothing to say."""
    if finding is None:
        return replace(before, kind="watch", score=0.0)
    evidence = {**before.evidence, **finding.evidence}
    name = None if finding.kind == "watch" else finding.observation.class_name
    return Verdict(
        finding.kind, finding.score, finding.zone_id, finding.priority, evidence, class_name=name
    )


def _passes(findings: Sequence[Finding]) -> int:
    return len({f.observation.mission_id for f in findings})


def _grace_s(findings: Sequence[Finding]) -> float | None:
    graces = [float(f.evidence["grace_s"]) for f in findings if "grace_s" in f.evidence]
    return max(graces) if graces else None


def longest_stay_s(findings: Sequence[Finding], settings: CategorySettings) -> float:
    """The longest time over which sights follow each other without a gap above dwell_gap_s."""
    longest, since, until = 0.0, None, None
    for finding in findings:
        seen = finding.observation
        if until is None or (seen.first_seen - until).total_seconds() > settings.dwell_gap_s:
            since, until = seen.first_seen, seen.last_seen
        until = max(until, seen.last_seen)
        if since is not None:
            longest = max(longest, (until - since).total_seconds())
    return longest


def joint_probability(findings: Sequence[Finding]) -> float | None:
    """The probability of lying in the zone from all passes; None where a finding does not say.

    Each pass counts once, with the mean of its normal scores, because its bias is shared; passes
    are independent and add up as sum(z) / sqrt(n) (Stouffer, The American Soldier, 1949): exact
    for a straight edge and equal sigmas.
    """
    scores: dict[str, list[float]] = {}
    for finding in findings:
        if "probability" not in finding.evidence:
            return None
        p = min(max(float(finding.evidence["probability"]), 1e-6), 1 - 1e-6)
        scores.setdefault(finding.observation.mission_id, []).append(NORMAL.inv_cdf(p))
    means = [sum(z) / len(z) for _, z in sorted(scores.items())]
    return NORMAL.cdf(sum(means) / sqrt(len(means)))


def _score(findings: Sequence[Finding]) -> float:
    """One less the chance that every pass was wrong, taking each pass's best finding."""
    best: dict[str, float] = {}
    for finding in findings:
        mission = finding.observation.mission_id
        best[mission] = max(best.get(mission, 0.0), finding.score)
    wrong = 1.0
    for _, score in sorted(best.items()):
        wrong *= 1 - min(score, 0.99)
    return min(1 - wrong, 0.9999) if len(best) > 1 else next(iter(best.values()))
