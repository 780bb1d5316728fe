"""The incidents of a thing's place: its stays, each with what is known and judged of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from patrolvision.incidents.hand import unbroken
from patrolvision.incidents.identity import incident_id
from patrolvision.incidents.judgement import Verdict, judged, verdict_of
from patrolvision.incidents.lifecycle import Life, Sight, Visit, lives, visits_of
from patrolvision.incidents.places import place_of
from patrolvision.incidents.settings import FusionSettings
from patrolvision.types import (
    Category,
    Finding,
    GeoPoint,
    HandDecision,
    Incident,
    IncidentStatus,
    Look,
)

Rejudge = Callable[[Sequence[Finding], GeoPoint], Finding | None]


@dataclass(frozen=True, slots=True, eq=False)
class Thing:
    """The findings of one thing by time, and its place."""

    findings: tuple[Finding, ...]
    place: GeoPoint  # from its own sights only
    aligned: GeoPoint  # from all sights around, for those who judge

    @property
    def category(self) -> Category:
        """The category of all its findings."""
        return self.findings[0].category


def chains_of(
    category: Category,
    things: Sequence[Thing],
    looks: Sequence[Look],
    settings: FusionSettings,
    rejudge: Rejudge | None,
    decisions: Sequence[HandDecision] = (),
) -> list[list[Incident]]:
    """For each thing its incidents by time: one for each stay, under the looks over its place."""
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
        _chain(thing, seen, settings, rejudge, decisions)
        for thing, seen in zip(things, visits, strict=True)
    ]


def _chain(
    thing: Thing,
    visits: Sequence[Visit],
    settings: FusionSettings,
    rejudge: Rejudge | None,
    decisions: Sequence[HandDecision],
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
    about = [d for d in decisions if d.category == thing.category]
    stays = unbroken(lives(sights, visits, category), ids, about)
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
        previous = chain[-1].id if chain else None
        chain.append(_incident(findings, place, life, verdict, previous))
    return chain


def _incident(
    findings: Sequence[Finding],
    place: GeoPoint,
    life: Life,
    verdict: Verdict,
    previous_incident_id: str | None,
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
    frames: dict[str, int] = {}
    for o in seen:
        frames[o.class_name] = frames.get(o.class_name, 0) + o.frames
    return Incident(
        id=incident_id(findings[0].category, seen[0].id),
        category=findings[0].category,
        kind=verdict.kind,
        status=status,
        class_name=verdict.class_name or max(sorted(frames), key=frames.__getitem__),
        place=place,
        first_seen=min(o.first_seen for o in seen),
        last_seen=max(o.last_seen for o in seen),
        observation_ids=tuple(o.id for o in seen),
        mission_ids=missions,
        zone_id=verdict.zone_id,
        score=verdict.score,
        priority=verdict.priority,
        previous_incident_id=previous_incident_id,
        removed_at=removed_at,
        evidence=evidence,
    )
