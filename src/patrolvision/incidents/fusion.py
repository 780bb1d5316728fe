"""Findings and looks in, incidents out: one for each hazard, however often and by whomever seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from patrolvision.incidents.alignment import things_of
from patrolvision.incidents.districts import Problem, problems_of
from patrolvision.incidents.hand import obeyed
from patrolvision.incidents.identity import with_lasting_ids
from patrolvision.incidents.neighbourhood import (
    Memberships,
    Neighbourhood,
    findings_under,
    looks_over,
)
from patrolvision.incidents.places import aligned_places, places_of, sightings_of
from patrolvision.incidents.settings import FusionSettings
from patrolvision.incidents.stays import Rejudge, Thing, chains_of
from patrolvision.types import (
    HAZARDS,
    Category,
    Finding,
    GeoPoint,
    HandDecision,
    Incident,
    Look,
)


def absorb(
    findings: Sequence[Finding],
    near: Neighbourhood,
    settings: FusionSettings | None = None,
    looks: Sequence[Look] = (),
    rejudge: Rejudge | None = None,
) -> list[Incident]:
    """The incidents that these findings and looks make or change, by first_seen and id.

    findings and looks may be stored already or not. The resulting state depends only on the set of
    everything absorbed, not on order or repetition; only the ids remember history, because tickets
    hang on them: an incident keeps its id as long as it keeps most of its observations. An incident
    that was merged into another comes back dismissed, without observations, evidence.merged_into
    naming the other. Of two findings of one id the later in the sequence counts.

    rejudge, if given, decides the kind, score and zone of each vehicle from all its findings and
    its aligned place (Rulebook.rejudged); where it answers None the incident is only watched.
    Without it the findings' own probabilities are combined (judgement.judged).
    """
    settings = settings or FusionSettings()
    seeds = {f.id: f for f in findings}
    for finding in _touched(seeds, looks, near):
        seeds.setdefault(finding.id, finding)
    if not seeds:
        return []
    decisions = near.hand_decisions()
    groups, held_before = _solved(seeds, near, settings, rejudge, decisions)
    things = _things(groups, settings)
    over = looks_over([(t.place.lat_deg, t.place.lon_deg) for t in things], looks, near)
    held = near.incidents_with(sorted({o for group in groups for o in group.observation_ids}))
    taken = {incident_id for _, incident_id in held_before}
    changed: list[Incident] = []
    for category in dict.fromkeys((*HAZARDS, *(thing.category for thing in things))):
        chosen = [thing for thing in things if thing.category == category]
        if chosen:
            chains = chains_of(category, chosen, over, settings, rejudge, decisions)
            of_it = [i for i in held if i.category == category]
            changed += with_lasting_ids(chains, of_it, taken)
    return sorted(changed, key=lambda incident: (incident.first_seen, incident.id))


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """The findings of one thing by time; aligned is its place for those who judge, if known."""

    findings: tuple[Finding, ...]
    aligned: GeoPoint | None

    @property
    def category(self) -> Category:
        return self.findings[0].category

    @property
    def observation_ids(self) -> frozenset[str]:
        return frozenset(f.observation.id for f in self.findings)


def _things(groups: Sequence[_Group], settings: FusionSettings) -> list[Thing]:
    """The groups with the places that their own sights give them."""
    if not groups:
        return []
    seen = [{f.observation.id: f.observation for f in group.findings} for group in groups]
    places = places_of([list(of.values()) for of in seen], settings.alignment)
    return [
        Thing(group.findings, place, group.aligned or place)
        for group, place in zip(groups, places, strict=True)
    ]


def _touched(
    seeds: Mapping[str, Finding], looks: Sequence[Look], near: Neighbourhood
) -> list[Finding]:
    """Stored findings under the looks, and those that shared an incident with a seed before."""
    found = findings_under(looks, near, seeds) if looks else []
    claims = {(f.category, f.observation.id) for f in seeds.values()}
    return [*found, *_fellows(_held(claims, near), claims, near)]


def _held(claims: set[tuple[str, str]], near: Neighbourhood) -> Memberships:
    """The incidents that hold any of these (category, observation id), with all that they hold."""
    held = near.memberships(sorted({o for _, o in claims}))
    return {
        (category, incident_id): observation_ids
        for (category, incident_id), observation_ids in held.items()
        if any((category, o) in claims for o in observation_ids)
    }


def _fellows(held: Memberships, claims: set[tuple[str, str]], near: Neighbourhood) -> list[Finding]:
    """The findings that incidents hold beside these (category, observation id)."""
    members = {(category, o) for (category, _), found in held.items() for o in found} - claims
    about = near.findings_of(sorted({o for _, o in members})) if members else []
    return [f for f in about if (f.category, f.observation.id) in members]


def _solved(
    seeds: Mapping[str, Finding],
    near: Neighbourhood,
    settings: FusionSettings,
    rejudge: Rejudge | None,
    decisions: Sequence[HandDecision],
) -> tuple[list[_Group], Memberships]:
    """The things to be told anew, by their earliest sight, and the incidents that held theirs.

    Told anew is what holds a seed, what no single incident holds as it is, and every
    vehicle that is judged at a place that depends on its surroundings.
    """
    wanted = dict(seeds)
    while True:
        problems = problems_of(list(wanted.values()), near, settings, decisions)
        groups = [g for p in problems for g in _groups(p, settings, rejudge, decisions)]
        claims = {(g.category, o) for g in groups for o in g.observation_ids}
        held = _held(claims, near)
        strangers = [f for f in _fellows(held, claims, near) if f.id not in wanted]
        if not strangers:
            break
        wanted |= {finding.id: finding for finding in strangers}
    settled = _settled(groups, held, near)
    chosen = [
        group
        for group in groups
        if any(f.id in wanted for f in group.findings)
        or (rejudge is not None and group.category == "illegal_parking")
        or (group.category, group.observation_ids) not in settled
    ]
    chosen.sort(key=lambda g: (g.findings[0].observation.first_seen, g.findings[0].id))
    return chosen, held


def _settled(
    groups: Sequence[_Group], held: Memberships, near: Neighbourhood
) -> set[tuple[str, frozenset[str]]]:
    """What a single incident holds of the things, and nothing else: it says what there is to say.

    An incident that ended, or follows another, may belong to a chain that is no longer one.
    """
    things = {(group.category, group.observation_ids) for group in groups}
    alike = [found for (category, _), found in held.items() if (category, found) in things]
    incidents = near.incidents_with(sorted(min(found) for found in alike if found))
    return {
        (i.category, frozenset(i.observation_ids))
        for i in incidents
        if i.removed_at is None and i.previous_incident_id is None
    }


def _groups(
    problem: Problem,
    settings: FusionSettings,
    rejudge: Rejudge | None,
    decisions: Sequence[HandDecision],
) -> list[_Group]:
    """The things of a problem's own clusters."""
    claims: dict[tuple[str, Category], list[int]] = {}
    for k, finding in enumerate(problem.findings):
        claims.setdefault((finding.observation.id, finding.category), []).append(k)
    first = np.array([members[0] for members in claims.values()])
    sightings = sightings_of([problem.findings[k] for k in first.tolist()], settings)
    label, sightings = things_of(sightings, settings.alignment)
    _, label = np.unique(label + (label.max() + 1) * problem.cluster[first], return_inverse=True)
    label = obeyed(label, [(c, o) for o, c in claims], sightings.xy, decisions)
    _, label = np.unique(label, return_inverse=True)
    origin = problem.findings[0].observation.place
    is_judged = rejudge is not None and any(c == "illegal_parking" for _, c in claims)
    aligned = aligned_places(label, sightings, origin) if is_judged else None
    groups: dict[int, list[Finding]] = {}
    for members, of in zip(claims.values(), label.tolist(), strict=True):
        if problem.is_own[members[0]]:
            groups.setdefault(of, []).extend(problem.findings[k] for k in members)
    return [
        _Group(tuple(findings), aligned[of] if aligned else None) for of, findings in groups.items()
    ]
