"""Findings and looks in, incidents out: one for each hazard, however often and by whomever seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from patrolvision.incidents.alignment import things_of
from patrolvision.incidents.identity import incident_id, with_lasting_ids
from patrolvision.incidents.judgement import Verdict, judged, verdict_of
from patrolvision.incidents.lifecycle import Life, Sight, Visit, lives, visits_of
from patrolvision.incidents.neighbourhood import (
    Neighbourhood,
    connected_findings,
    findings_under,
    looks_over,
)
from patrolvision.incidents.places import aligned_places, place_of, sightings_of
from patrolvision.incidents.settings import FusionSettings
from patrolvision.types import (
    Category,
    Finding,
    GeoPoint,
    Incident,
    IncidentStatus,
    Look,
)

Rejudge = Callable[[Sequence[Finding], GeoPoint], Finding | None]
CATEGORIES: tuple[Category, ...] = ("litter", "illegal_parking", "open_fire")


@dataclass(frozen=True, slots=True, eq=False)
class _Thing:
    """The findings of one thing by time, and its place."""

    findings: tuple[Finding, ...]
    place: GeoPoint  # from its own sights only
    aligned: GeoPoint  # from all sights around, for those who judge

    @property
    def category(self) -> Category:
        """The category of all its findings."""
        return self.findings[0].category


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
    parts = connected_findings(list(seeds.values()), near, settings)
    things = [thing for part in parts for thing in _things(part, settings, rejudge)]
    over = looks_over([(t.place.lat_deg, t.place.lon_deg) for t in things], looks, near)
    observation_ids = sorted({f.observation.id for thing in things for f in thing.findings})
    held = near.incidents_with(observation_ids)
    changed: list[Incident] = []
    for category in CATEGORIES:
        chosen = [thing for thing in things if thing.category == category]
        if chosen:
            chains = _chains(category, chosen, over, settings, rejudge)
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


def _chains(
    category: Category,
    things: Sequence[_Thing],
    looks: Sequence[Look],
    settings: FusionSettings,
    rejudge: Rejudge | None,
) -> list[list[Incident]]:
    places = [(thing.place.lat_deg, thing.place.lon_deg) for thing in things]
    visits = visits_of(
        [lat for lat, _ in places],
        [lon for _, lon in places],
        [thing.place.sigma_m for thing in things],
        [frozenset(f.observation.class_name for f in thing.findings) for thing in things],
        looks,
        settings.of(category),
    )
    return [
        _chain(thing, seen, settings, rejudge) for thing, seen in zip(things, visits, strict=True)
    ]


def _things(
    part: Sequence[Finding], settings: FusionSettings, rejudge: Rejudge | None
) -> list[_Thing]:
    """The things in a connected part, by their earliest sight."""
    claims: dict[tuple[str, Category], list[Finding]] = {}
    for finding in part:
        claims.setdefault((finding.observation.id, finding.category), []).append(finding)
    sightings = sightings_of([c[0] for c in claims.values()], settings)
    label = things_of(sightings, settings.alignment)
    _, label = np.unique(label, return_inverse=True)
    aligned = aligned_places(label, sightings, part[0].observation.place) if rejudge else None
    groups: dict[int, list[Finding]] = {}
    for findings, of in zip(claims.values(), label, strict=True):
        groups.setdefault(int(of), []).extend(findings)
    things: list[_Thing] = []
    for of, members in groups.items():
        seen = {f.observation.id: f.observation for f in members}
        place = place_of(list(seen.values()), settings.alignment)
        things.append(_Thing(tuple(members), place, aligned[of] if aligned else place))
    return things


def _chain(
    thing: _Thing, visits: Sequence[Visit], settings: FusionSettings, rejudge: Rejudge | None
) -> list[Incident]:
    """The incidents of one thing's place: its stays in order, each linked to the one before."""
    category = settings.of(thing.category)
    seen = {f.observation.id: f.observation for f in thing.findings}
    ids = list(seen)
    sights = [
        Sight(o.first_seen.timestamp(), o.last_seen.timestamp(), o.mission_id)
        for o in seen.values()
    ]
    chain: list[Incident] = []
    stays = lives(sights, visits, category)
    for life in stays:
        chosen = {ids[k] for k in life.sights}
        findings = [f for f in thing.findings if f.observation.id in chosen]
        place = thing.place
        if len(chosen) < len(seen):
            place = place_of([seen[id] for id in ids if id in chosen], settings.alignment)
        verdict = judged(findings, category)
        if rejudge is not None and thing.category == "illegal_parking":
            best = thing.aligned if len(stays) == 1 else place
            verdict = verdict_of(rejudge(findings, best), verdict)
        incident = _incident(findings, place, life, verdict)
        chain.append(replace(incident, previous_incident_id=chain[-1].id if chain else None))
    return chain


def _incident(
    findings: Sequence[Finding], place: GeoPoint, life: Life, verdict: Verdict
) -> Incident:
    seen = list({f.observation.id: f.observation for f in findings}.values())
    missions = tuple(sorted({o.mission_id for o in seen}))
    status: IncidentStatus = "existing" if len(missions) > 1 else "new"
    removed_at = None
    if life.removed_at is not None:
        status, removed_at = "removed", datetime.fromtimestamp(life.removed_at, UTC)
    evidence = {**verdict.evidence, "missed_passes": life.missed}
    if removed_at is not None:
        evidence["removal"] = "looks" if life.is_proved else "time"
    classes = [o.class_name for o in seen for _ in range(o.frames)]
    return Incident(
        id=incident_id(findings[0].category, seen[0].id),
        category=findings[0].category,
        kind=verdict.kind,
        status=status,
        class_name=max(sorted(set(classes)), key=classes.count),
        place=place,
        first_seen=min(o.first_seen for o in seen),
        last_seen=max(o.last_seen for o in seen),
        observation_ids=tuple(o.id for o in seen),
        mission_ids=missions,
        zone_id=verdict.zone_id,
        score=verdict.score,
        priority=verdict.priority,
        removed_at=removed_at,
        evidence=evidence,
    )
