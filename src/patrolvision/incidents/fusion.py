"""Findings and looks in, incidents out: one for each hazard, however often and by whomever seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256

import numpy as np

from patrolvision.geo.geodesy import local_en, offset
from patrolvision.incidents.alignment import Sightings, things_of
from patrolvision.incidents.association import inverse, times
from patrolvision.incidents.judgement import judged
from patrolvision.incidents.lifecycle import Life, Sight, Visit, lives, visits_of
from patrolvision.incidents.neighbourhood import (
    Neighbourhood,
    arrays,
    connected_findings,
    findings_under,
    looks_over,
)
from patrolvision.incidents.settings import AlignmentSettings, CategorySettings, FusionSettings
from patrolvision.types import (
    Category,
    Finding,
    FloatArray,
    GeoPoint,
    Incident,
    IncidentStatus,
    Look,
    Observation,
)

CATEGORIES: tuple[Category, ...] = ("litter", "illegal_parking", "open_fire")


@dataclass(frozen=True, slots=True, eq=False)
class _Thing:
    """The findings of one thing by time, and its place."""

    findings: tuple[Finding, ...]
    place: GeoPoint

    @property
    def category(self) -> Category:
        """The category of all its findings."""
        return self.findings[0].category


def absorb(
    findings: Sequence[Finding],
    near: Neighbourhood,
    settings: FusionSettings | None = None,
    looks: Sequence[Look] = (),
) -> list[Incident]:
    """The incidents that these findings and looks make or change, by first_seen and id.

    findings and looks may be stored already or not. The resulting state depends only on the set of
    everything absorbed, not on order or repetition; only the ids remember history, because tickets
    hang on them: an incident keeps its id as long as it keeps most of its observations. An incident
    that was merged into another comes back dismissed, without observations, evidence.merged_into
    naming the other. Of two findings of one id the later in the sequence counts.
    """
    settings = settings or FusionSettings()
    seeds = {f.id: f for f in findings}
    for finding in _touched(seeds, looks, near, settings):
        seeds.setdefault(finding.id, finding)
    if not seeds:
        return []
    parts = connected_findings(list(seeds.values()), near, settings)
    things = [thing for part in parts for thing in _things(part, settings)]
    changed: list[Incident] = []
    for category in CATEGORIES:
        chosen = [thing for thing in things if thing.category == category]
        if chosen:
            changed += _solved(category, chosen, looks, near, settings)
    return sorted(changed, key=lambda incident: (incident.first_seen, incident.id))


def _touched(
    seeds: dict[str, Finding],
    looks: Sequence[Look],
    near: Neighbourhood,
    settings: FusionSettings,
) -> list[Finding]:
    """Stored findings under the looks, and those that shared an incident with a seed before."""
    found: list[Finding] = []
    for look in looks:
        for category in CATEGORIES:
            found += findings_under(category, look, near, settings.of(category).look_margin_m)
    for held in near.incidents_with(sorted({f.observation.id for f in seeds.values()})):
        members = set(held.observation_ids)
        radius = settings.alignment.max_link_m + 3 * held.place.sigma_m
        around = near.findings_near(held.category, held.place.lat_deg, held.place.lon_deg, radius)
        found += [f for f in around if f.observation.id in members]
    return found


def _solved(
    category: Category,
    things: Sequence[_Thing],
    looks: Sequence[Look],
    near: Neighbourhood,
    settings: FusionSettings,
) -> list[Incident]:
    places = [(thing.place.lat_deg, thing.place.lon_deg) for thing in things]
    visits = visits_of(
        [lat for lat, _ in places],
        [lon for _, lon in places],
        [thing.place.sigma_m for thing in things],
        [frozenset(f.observation.class_name for f in thing.findings) for thing in things],
        looks_over(places, looks, near),
        settings.of(category),
    )
    chains = [
        _chain(category, thing, seen, settings.of(category), settings.alignment)
        for thing, seen in zip(things, visits, strict=True)
    ]
    observation_ids = sorted({f.observation.id for thing in things for f in thing.findings})
    held = [i for i in near.incidents_with(observation_ids) if i.category == category]
    return _with_lasting_ids(chains, held)


def _things(part: Sequence[Finding], settings: FusionSettings) -> list[_Thing]:
    """The things in a connected part, by their earliest sight."""
    claims: dict[tuple[str, Category], list[Finding]] = {}
    for finding in part:
        claims.setdefault((finding.observation.id, finding.category), []).append(finding)
    label = things_of(_sightings([c[0] for c in claims.values()], settings), settings.alignment)
    groups: dict[int, list[Finding]] = {}
    for findings, of in zip(claims.values(), label, strict=True):
        groups.setdefault(int(of), []).extend(findings)
    return [
        _Thing(
            tuple(members),
            place_of([f.observation for f in members], settings.alignment),
        )
        for members in groups.values()
    ]


def _sightings(part: Sequence[Finding], settings: FusionSettings) -> Sightings:
    xy, cov, start, end = arrays(part)
    seen = [finding.observation for finding in part]
    lives_as = [settings.of(finding.category) for finding in part]
    missions: dict[str, int] = {}
    mission = np.array([missions.setdefault(o.mission_id, len(missions)) for o in seen])
    members: list[list[Observation]] = [[] for _ in missions]
    for o, m in zip(seen, mission, strict=True):
        members[m].append(o)
    bias = np.stack([_bias(of, settings.alignment) for of in members])
    kinds: dict[tuple[str, str], int] = {}
    names = [
        (f.category, _group(f.observation.class_name, s))
        for f, s in zip(part, lives_as, strict=True)
    ]
    group = np.array([kinds.setdefault(name, len(kinds)) for name in names])
    extent = np.array([s.extent_sigma_m for s in lives_as])
    is_told = np.array([o.bias_cov_en_m2 is not None for o in seen])
    told = [
        bias[m] if o.bias_cov_en_m2 is None else o.bias_cov_en_m2
        for o, m in zip(seen, mission, strict=True)
    ]
    own = _positive(cov - np.stack(told)) + (extent**2)[:, None, None] * np.eye(2)
    max_gap_s = np.array([s.max_gap_s for s in lives_as])
    return Sightings(xy, own, bias, mission, group, start, end, max_gap_s, is_told)


def _group(class_name: str, settings: CategorySettings) -> str:
    for group in settings.class_groups:
        if class_name in group:
            return min(group)
    return class_name


def _bias(seen: Sequence[Observation], settings: AlignmentSettings) -> FloatArray:
    """The covariance of a mission's shared shift: as told, else a part of its smallest total."""
    told = [o.bias_cov_en_m2 for o in seen if o.bias_cov_en_m2 is not None]
    if told:
        return np.asarray(np.mean(told, axis=0)) + 1e-6 * np.eye(2)
    smallest = np.linalg.eigvalsh(np.stack([o.place.cov_en_m2 for o in seen])).min()
    return settings.shared_fraction * float(smallest) * np.eye(2)


def _positive(matrices: FloatArray) -> FloatArray:
    """Symmetric (..., 2, 2) matrices with no axis below 0.1 m: a total hardly exceeds its bias."""
    value, vector = np.linalg.eigh(matrices)
    return np.asarray((vector * np.maximum(value, 0.01)[..., None, :]) @ vector.swapaxes(-1, -2))


def place_of(seen: Sequence[Observation], settings: AlignmentSettings) -> GeoPoint:
    """The best place of one thing from all observations of it, with its honest covariance.

    Within a pass the own noises average and the bias stays, once; passes are independent and are
    combined by their inverse covariances (the best linear unbiased estimate).
    """
    lat = np.array([o.place.lat_deg for o in seen])
    lon = np.array([o.place.lon_deg for o in seen])
    xy = np.stack(local_en(lat[0], lon[0], lat, lon), axis=-1)
    members: dict[str, list[int]] = {}
    for k, o in enumerate(seen):
        members.setdefault(o.mission_id, []).append(k)
    numbers = {mission: m for m, mission in enumerate(members)}
    of = np.array([numbers[o.mission_id] for o in seen])
    bias = np.stack([_bias([seen[k] for k in index], settings) for index in members.values()])
    told = [
        b if o.bias_cov_en_m2 is None else o.bias_cov_en_m2
        for o, b in zip(seen, bias[of], strict=True)
    ]
    weight = inverse(_positive(np.stack([o.place.cov_en_m2 for o in seen]) - np.stack(told)))
    info, pull = np.zeros((len(bias), 2, 2)), np.zeros((len(bias), 2))
    np.add.at(info, of, weight)
    np.add.at(pull, of, times(weight, xy))
    cov = inverse(info)
    of_pass = inverse(cov + bias)
    total = inverse(of_pass.sum(axis=0))
    east, north = times(total, times(of_pass, times(cov, pull)).sum(axis=0))
    lat_deg, lon_deg = offset(lat[0], lon[0], east, north)
    return GeoPoint(float(lat_deg), float(lon_deg), total)


def _chain(
    category: Category,
    thing: _Thing,
    visits: Sequence[Visit],
    settings: CategorySettings,
    alignment: AlignmentSettings,
) -> list[Incident]:
    """The incidents of one thing's place: its stays in order, each linked to the one before."""
    seen = {f.observation.id: f.observation for f in thing.findings}
    ids = list(seen)
    sights = [
        Sight(o.first_seen.timestamp(), o.last_seen.timestamp(), o.mission_id)
        for o in seen.values()
    ]
    chain: list[Incident] = []
    for life in lives(sights, visits, settings):
        chosen = {ids[k] for k in life.sights}
        findings = [f for f in thing.findings if f.observation.id in chosen]
        incident = _incident(category, findings, life, settings, alignment)
        chain.append(replace(incident, previous_incident_id=chain[-1].id if chain else None))
    return chain


def _incident(
    category: Category,
    findings: Sequence[Finding],
    life: Life,
    settings: CategorySettings,
    alignment: AlignmentSettings,
) -> Incident:
    seen = list({f.observation.id: f.observation for f in findings}.values())
    missions = tuple(sorted({o.mission_id for o in seen}))
    status: IncidentStatus = "existing" if len(missions) > 1 else "new"
    removed_at = None
    if life.removed_at is not None:
        status, removed_at = "removed", datetime.fromtimestamp(life.removed_at, UTC)
    verdict = judged(findings, settings)
    evidence = {**verdict.evidence, "missed_passes": life.missed}
    if removed_at is not None:
        evidence["removal"] = "looks" if life.is_proved else "time"
    classes = [o.class_name for o in seen for _ in range(o.frames)]
    return Incident(
        id=_id(category, seen[0].id, 0),
        category=category,
        kind=verdict.kind,
        status=status,
        class_name=max(sorted(set(classes)), key=classes.count),
        place=place_of(seen, alignment),
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


def _id(category: str, observation_id: str, attempt: int) -> str:
    text = f"{category}|{observation_id}" + (f"|{attempt}" if attempt else "")
    return "inc-" + sha256(text.encode()).hexdigest()[:16]


def _with_lasting_ids(
    chains: Sequence[Sequence[Incident]], held: Sequence[Incident]
) -> list[Incident]:
    """The incidents under the ids of those they continue; of the held, also those merged away."""
    fresh = [incident for chain in chains for incident in chain]
    holder = {o: k for k, incident in enumerate(fresh) for o in incident.observation_ids}
    shared: dict[tuple[int, int], int] = {}
    held = sorted(held, key=lambda incident: (incident.first_seen, incident.id))
    for h, old in enumerate(held):
        for observation_id in old.observation_ids:
            if observation_id in holder:
                key = (h, holder[observation_id])
                shared[key] = shared.get(key, 0) + 1
    heir: dict[int, int] = {}
    for h, k in sorted(shared, key=lambda key: (-shared[key], key)):
        if h not in heir.values() and k not in heir:
            heir[k] = h
    names = _names(fresh, held, heir)
    by_first_name = {incident.id: name for incident, name in zip(fresh, names, strict=True)}
    result: list[Incident] = []
    for k, (incident, name) in enumerate(zip(fresh, names, strict=True)):
        previous = incident.previous_incident_id
        new = replace(incident, id=name, previous_incident_id=previous and by_first_name[previous])
        if k not in heir:
            result.append(new)
            continue
        old = held[heir[k]]
        if old.status == "dismissed":
            new = replace(new, status="dismissed", removed_at=old.removed_at)
        if _content(new) != _content(old):
            result.append(new)
    for h, old in enumerate(held):
        if h not in heir.values():
            into = max((key for key in shared if key[0] == h), key=lambda key: shared[key])[1]
            result.append(_merged_away(old, names[into]))
    return result


def _names(fresh: Sequence[Incident], held: Sequence[Incident], heir: dict[int, int]) -> list[str]:
    taken = {incident.id for incident in held}
    names: list[str] = []
    for k, incident in enumerate(fresh):
        name, attempt = incident.id, 0
        if k in heir:
            name = held[heir[k]].id
        else:
            while name in taken:
                attempt += 1
                name = _id(incident.category, incident.observation_ids[0], attempt)
        taken.add(name)
        names.append(name)
    return names


def _merged_away(old: Incident, into: str) -> Incident:
    return replace(
        old,
        status="dismissed",
        observation_ids=(),
        mission_ids=(),
        evidence={**old.evidence, "merged_into": into},
    )


def _content(incident: Incident) -> tuple[object, ...]:
    """Everything that an incident says, in a form that compares."""
    place = incident.place
    return (
        incident.id,
        incident.kind,
        incident.status,
        incident.class_name,
        (place.lat_deg, place.lon_deg, place.cov_en_m2.tolist()),
        (incident.first_seen, incident.last_seen, incident.removed_at),
        (incident.observation_ids, incident.mission_ids, incident.previous_incident_id),
        (incident.zone_id, incident.score, incident.priority, dict(incident.evidence)),
    )
