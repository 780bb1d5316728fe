"""Merges and splits by hand: what a person said stands, whatever is fused before or after.

A decision names groups of observations: each group is one thing, and no two of them are. It is kept
as said, and every solution obeys it, so that the order of arrival cannot undo it; a person can. Of
two decisions that contradict each other the later one holds.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256

import numpy as np

from patrolvision.errors import ConfigError
from patrolvision.incidents.association import IntArray
from patrolvision.incidents.lifecycle import Life
from patrolvision.types import Finding, FloatArray, HandDecision, Incident


def merge(
    one: Incident, other: Incident, *, actor: str, at: datetime, note: str = ""
) -> HandDecision:
    """The decision that two incidents are one thing; ConfigError if they cannot be."""
    if one.id == other.id:
        raise ConfigError(f"merge: {one.id} is named twice")
    if one.category != other.category:
        raise ConfigError(
            f"merge: {one.id} is {one.category} and {other.id} is {other.category}; "
            "only incidents of one category can be one"
        )
    for incident in (one, other):
        if not incident.observation_ids:
            raise ConfigError(f"merge: {incident.id} holds no observation any more")
    group = tuple(sorted({*one.observation_ids, *other.observation_ids}))
    return _decision(one, (group,), actor, at, note)


def split(
    incident: Incident,
    observation_ids: Collection[str],
    *,
    actor: str,
    at: datetime,
    note: str = "",
) -> HandDecision:
    """The decision that these observations of an incident show another thing than the rest."""
    chosen, held = set(observation_ids), set(incident.observation_ids)
    if not chosen or (strange := sorted(chosen - held)):
        found = ", ".join(strange) if chosen else "none"
        raise ConfigError(f"split: expected observations of {incident.id}, found {found}")
    if chosen == held:
        raise ConfigError(f"split: at least one observation must stay with {incident.id}")
    groups = tuple(sorted(chosen)), tuple(sorted(held - chosen))
    return _decision(incident, groups, actor, at, note)


def undone(decision: HandDecision, *, actor: str, at: datetime) -> HandDecision:
    """The decision taken back."""
    return replace(decision, undone_at=at, undone_by=actor)


def _decision(
    incident: Incident, groups: tuple[tuple[str, ...], ...], actor: str, at: datetime, note: str
) -> HandDecision:
    text = "|".join([incident.category, *(",".join(group) for group in groups)])
    id = "hand-" + sha256(text.encode()).hexdigest()[:16]
    return HandDecision(id, incident.category, groups, actor, at, note)


def named(decision: HandDecision) -> list[str]:
    """The observations that a decision is about."""
    return [o for group in decision.groups for o in group]


def bonds(
    findings: Sequence[Finding], decisions: Sequence[HandDecision]
) -> tuple[IntArray, IntArray]:
    """Pairs of findings that must be solved together, because one decision is about both."""
    pairs: list[tuple[int, int]] = []
    if decisions:
        at = {(f.category, f.observation.id): k for k, f in enumerate(findings)}
        for decision in decisions:
            keys = [(decision.category, o) for o in named(decision)]
            found = sorted(at[key] for key in keys if key in at)
            pairs += [(found[0], k) for k in found[1:]]
    i, j = np.array(pairs, np.int64).reshape(-1, 2).T
    return i, j


def obeyed(
    label: IntArray,
    claims: Sequence[tuple[str, str]],
    xy: FloatArray,
    decisions: Sequence[HandDecision],
) -> IntArray:
    """Labels (N,) of sightings after the decisions, the latest last.

    claims (N,) are (category, observation id), xy (N, 2) their places. What a split does not name
    stays with the nearer of the groups that it was one thing with.
    """
    at = {claim: k for k, claim in enumerate(claims)}
    label = label.copy()
    for decision in sorted(decisions, key=lambda d: (d.at, d.id)):
        members = [[at.get((decision.category, o), -1) for o in g] for g in decision.groups]
        groups = [np.array([k for k in group if k >= 0], np.int64) for group in members]
        groups = [group for group in groups if len(group)]
        before = label.copy()
        for group in groups:
            label[group] = label.max() + 1
        for thing in sorted({int(of) for group in groups for of in before[group]}):
            near = [group for group in groups if (before[group] == thing).any()]
            centres = np.array([xy[group].mean(axis=0) for group in near])
            for k in np.flatnonzero((before == thing) & (label == thing)):
                label[k] = label[near[int(((centres - xy[k]) ** 2).sum(axis=1).argmin())][0]]
    return label


def unbroken(
    stays: Sequence[Life], observation_ids: Sequence[str], decisions: Sequence[HandDecision]
) -> list[Life]:
    """The stays of one thing, joined where somebody said that it was there all the time."""
    joined = list(stays)
    for group in (set(group) for decision in decisions for group in decision.groups):
        holding = [
            k
            for k, stay in enumerate(joined)
            if any(observation_ids[s] in group for s in stay.sights)
        ]
        if len(holding) > 1:
            first, last = holding[0], holding[-1]
            sights = tuple(s for stay in joined[first : last + 1] for s in stay.sights)
            joined[first : last + 1] = [replace(joined[last], sights=sights)]
    return joined
