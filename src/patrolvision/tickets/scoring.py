"""Points by replaceable rules: what a measure earns, from none at worst to all at best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from patrolvision.tickets.categories import ANY, ScoreRule


def points(rule: ScoreRule, measured: float) -> float:
    """Points for a measured value, linear between worst and best, never outside 0 … all."""
    share = (measured - rule.worst) / (rule.best - rule.worst)
    return rule.points * min(max(share, 0.0), 1.0)


def score(
    rules: Sequence[ScoreRule], kind: str, measures: Mapping[str, float | None]
) -> float | None:
    """The points of one row of a report in percent of those that could be had.

    A measure that is not known counts neither way; None if no rule could be applied.
    """
    fitting = [
        (rule, value)
        for rule in _for_kind(rules, kind)
        if (value := measures.get(rule.measure)) is not None
    ]
    possible = sum(rule.points for rule, _ in fitting)
    if possible <= 0.0:
        return None
    return round(100.0 * sum(points(rule, value) for rule, value in fitting) / possible, 1)


def _for_kind(rules: Sequence[ScoreRule], kind: str) -> list[ScoreRule]:
    """The rules of the kind; one of its own replaces the one for all of the same name."""
    own = {rule.rule for rule in rules if rule.applies_to == kind}
    return [
        rule
        for rule in rules
        if rule.applies_to == kind or (rule.applies_to == ANY and rule.rule not in own)
    ]
