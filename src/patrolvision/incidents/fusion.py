"""Findings and looks in, incidents out: one for each hazard, however often and by whomever seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from patrolvision.incidents.alignment import things_of
from patrolvision.incidents.hand import obeyed
from patrolvision.incidents.identity import with_lasting_ids
from patrolvision.incidents.neighbourhood import (
    Neighbourhood,
    connected_findings,
    findings_under,
    looks_over,
)
from patrolvision.incidents.places import aligned_places, place_of, sightings_of
from patrolvision.incidents.settings import FusionSettings
from patrolvision.incidents.stays import Rejudge, Thing, chains_of
from patrolvision.types import HAZARDS, Category, Finding, HandDecision, Incident, Look


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
    for finding in _touched(seeds, looks, near, settings):
        seeds.setdefault(finding.id, finding)
    if not seeds:
        return []
    decisions = near.hand_decisions()
    parts = connected_findings(list(seeds.values()), near, settings, decisions)
    things = [thing for part in parts for thing in _things(part, settings, rejudge, decisions)]
    over = looks_over([(t.place.lat_deg, t.place.lon_deg) for t in things], looks, near)
    observation_ids = sorted({f.observation.id for thing in things for f in thing.findings})
    held = near.incidents_with(observation_ids)
    changed: list[Incident] = []
    for category in dict.fromkeys((*HAZARDS, *(thing.category for thing in things))):
        chosen = [thing for thing in things if thing.category == category]
        if chosen:
            chains = chains_of(category, chosen, over, settings, rejudge, decisions)
            changed += with_lasting_ids(chains, [i for i in held if i.category == category])
    return sorted(changed, key=lambda incident: (incident.first_seen, incident.id))


def _touched(
    seeds: dict[str, Finding],
    looks: Sequence[Look],
    near: Neighbourhood,
    settings: FusionSettings,
) -> list[Finding]:
    """Stored findings under the looks, and those that shared an incident with a seed before."""
    found = findings_under(looks, near, settings, seeds) if looks else []
    own = {f.observation.id for f in seeds.values()}
    held = near.incidents_with(sorted(own))
    others = {o for incident in held for o in incident.observation_ids} - own
    members = {(incident.category, o) for incident in held for o in incident.observation_ids}
    about = near.findings_of(sorted(others)) if others else []
    return [*found, *(f for f in about if (f.category, f.observation.id) in members)]


def _things(
    part: Sequence[Finding],
    settings: FusionSettings,
    rejudge: Rejudge | None,
    decisions: Sequence[HandDecision],
) -> list[Thing]:
    """The things in a connected part, by their earliest sight."""
    claims: dict[tuple[str, Category], list[Finding]] = {}
    for finding in part:
        claims.setdefault((finding.observation.id, finding.category), []).append(finding)
    sightings = sightings_of([c[0] for c in claims.values()], settings)
    label, sightings = things_of(sightings, settings.alignment)
    label = obeyed(label, [(c, o) for o, c in claims], sightings.xy, decisions)
    _, label = np.unique(label, return_inverse=True)
    aligned = aligned_places(label, sightings, part[0].observation.place) if rejudge else None
    groups: dict[int, list[Finding]] = {}
    for findings, of in zip(claims.values(), label, strict=True):
        groups.setdefault(int(of), []).extend(findings)
    things: list[Thing] = []
    for of, members in groups.items():
        seen = {f.observation.id: f.observation for f in members}
        place = place_of(list(seen.values()), settings.alignment)
        things.append(Thing(tuple(members), place, aligned[of] if aligned else place))
    return things
