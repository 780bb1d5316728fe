"""Which id an incident has: tickets hang on it, so it outlives what fusion learns later."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from hashlib import sha256

from patrolvision.types import Incident


def incident_id(category: str, observation_id: str, attempt: int = 0) -> str:
    """The id of the incident whose earliest sight is this observation."""
    text = f"{category}|{observation_id}" + (f"|{attempt}" if attempt else "")
    return "inc-" + sha256(text.encode()).hexdigest()[:16]


def with_lasting_ids(
    chains: Sequence[Sequence[Incident]], held: Sequence[Incident], taken: Collection[str] = ()
) -> list[Incident]:
    """The incidents under the ids of those they continue; of the held, also those merged away.

    No other is given an id that is taken.
    """
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
    continued: set[int] = set()
    for h, k in sorted(shared, key=lambda key: (-shared[key], key)):
        if h not in continued and k not in heir:
            heir[k] = h
            continued.add(h)
    names = _names(fresh, held, heir, taken)
    by_first_name = {incident.id: name for incident, name in zip(fresh, names, strict=True)}
    result: list[Incident] = []
    for k, (incident, name) in enumerate(zip(fresh, names, strict=True)):
        previous = incident.previous_incident_id
        new = incident
        if name != incident.id or previous is not None:
            renamed = previous and by_first_name[previous]
            new = replace(incident, id=name, previous_incident_id=renamed)
        if k not in heir:
            result.append(new)
            continue
        old = held[heir[k]]
        if old.status == "dismissed":
            new = replace(new, status="dismissed", removed_at=old.removed_at)
        if _content(new) != _content(old):
            result.append(new)
    for h, old in enumerate(held):
        if h not in continued:
            into = max((key for key in shared if key[0] == h), key=lambda key: shared[key])[1]
            result.append(_merged_away(old, names[into]))
    return result


def _names(
    fresh: Sequence[Incident],
    held: Sequence[Incident],
    heir: dict[int, int],
    others: Collection[str],
) -> list[str]:
    taken = {*others, *(incident.id for incident in held)}
    names: list[str] = []
    for k, incident in enumerate(fresh):
        name, attempt = incident.id, 0
        if k in heir:
            name = held[heir[k]].id
        else:
            while name in taken:
                attempt += 1
                name = incident_id(incident.category, incident.observation_ids[0], attempt)
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
