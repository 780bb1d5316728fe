"""A citizen's report becomes part of a case: it joins one within reach, or makes a candidate.

A report within reach (metres and time of the service's table) of a known incident confirms it.
Otherwise it becomes an observation like any other, with the honest error of a phone's position, and
is taken in: fusion finds it when a patrol comes by. Its incident is one to be reviewed, and its
ticket, reported, waits for a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from patrolvision.geo.geodesy import distance_m
from patrolvision.pipeline import Judged, take_in
from patrolvision.relay.services import Service
from patrolvision.rules.findings import finding_id
from patrolvision.rules.rulebook import Rulebook
from patrolvision.store.citizens import CitizenReport, add_report, report_of
from patrolvision.store.sql_store import SqlStore
from patrolvision.store.transaction import SqlTransaction
from patrolvision.tickets.announcements import announcements
from patrolvision.tickets.grids import GridIndex
from patrolvision.tickets.office import ticket_by_hand
from patrolvision.tickets.workflow import OVER
from patrolvision.types import Finding, GeoPoint, Incident, Observation, PictureNote, Ticket

STREAM = "open311"
CITIZEN = "a citizen"  # the actor of a ticket that somebody asked for


@dataclass(frozen=True, slots=True)
class Claim:
    """What a citizen says: token is derived from it, so that saying it again changes nothing."""

    token: str
    service: Service
    lat_deg: float
    lon_deg: float
    received_at: datetime
    description: str | None = None
    address: str | None = None
    media_url: str | None = None
    attributes: Mapping[str, Any] | None = None
    contact: Mapping[str, str] | None = None
    pictures: tuple[Mapping[str, Any], ...] = ()  # as incidents name theirs, already made private


def take(
    store: SqlStore,
    claim: Claim,
    *,
    rules: Rulebook | None = None,
    grids: GridIndex | None = None,
) -> CitizenReport:
    """The report as it is kept, with the ticket that it went to; once, however often it is told.

    rules and grids are those in force, as for every other observation.
    """
    with store.transaction() as transaction:
        transaction.claim([(claim.lat_deg, claim.lon_deg)])
        if (known := report_of(transaction.connection, claim.token)) is not None:
            return known
        case = _within_reach(transaction, claim)
        joined = case is not None
        if case is None:
            case = _settled(transaction, claim, rules, grids)
            joined = len(case.observation_ids) > 1
        ticket = transaction.tickets_of([case.id]).get(case.id)
        if ticket is None:
            ticket = _candidate(transaction, case, claim, grids)
        report = CitizenReport(
            id=claim.token,
            received_at=claim.received_at,
            service_code=claim.service.code,
            incident_id=case.id,
            ticket_id=ticket.id,
            lat_deg=claim.lat_deg,
            lon_deg=claim.lon_deg,
            joined=joined,
            description=claim.description,
            address=claim.address,
            media_url=claim.media_url or _address_of(claim),
            attributes=claim.attributes,
        )
        add_report(transaction.connection, report, claim.contact, store.seals)
        at, subject = claim.received_at, report.ticket_id
        hashes = [str(picture["sha256"]) for picture in claim.pictures]
        transaction.note_pictures([PictureNote(h, "kept", at, subject, CITIZEN) for h in hashes])
    return report


def _address_of(claim: Claim) -> str | None:
    """Where the picture that was sent along can be seen."""
    return f"/api/v1/evidence/{claim.pictures[0]['sha256']}.jpg" if claim.pictures else None


def _within_reach(transaction: SqlTransaction, claim: Claim) -> Incident | None:
    """The nearest incident that stands there still and whose ticket is not over."""
    service, here = claim.service, (claim.lat_deg, claim.lon_deg)
    near = transaction.incidents_near(service.category, *here, service.reach_m)
    oldest = claim.received_at - timedelta(seconds=service.reach_s)
    standing = [i for i in near if i.status in ("new", "existing") and i.last_seen >= oldest]
    tickets = transaction.tickets_of([incident.id for incident in standing])
    open_ones = [i for i in standing if _is_open(i, tickets.get(i.id))]
    return min(open_ones, key=lambda i: (_apart_m(i.place, claim), i.id), default=None)


def _is_open(incident: Incident, ticket: Ticket | None) -> bool:
    return incident.kind != "watch" if ticket is None else ticket.state not in OVER


def _apart_m(place: GeoPoint, claim: Claim) -> float:
    return float(distance_m(place.lat_deg, place.lon_deg, claim.lat_deg, claim.lon_deg))


def _settled(
    transaction: SqlTransaction, claim: Claim, rules: Rulebook | None, grids: GridIndex | None
) -> Incident:
    seen = observation_of(claim)
    judged = Judged((seen,), (finding_of(seen, claim),))
    take_in(transaction, judged, rules=rules, grids=grids)  # claims the same place once more
    [case] = transaction.incidents_with([seen.id])
    return case


def observation_of(claim: Claim) -> Observation:
    """What the citizen saw, as a pass of its own."""
    name = f"citizen-{claim.token}"
    cov = np.eye(2) * claim.service.sigma_m**2
    return Observation(
        id=name,
        mission_id=name,
        stream_id=STREAM,
        class_name=claim.service.class_name,
        first_seen=claim.received_at,
        last_seen=claim.received_at,
        place=GeoPoint(claim.lat_deg, claim.lon_deg, cov),
        confidence=claim.service.confidence,
        frames=1,
    )


def finding_of(seen: Observation, claim: Claim) -> Finding:
    """The claim that follows: to be reviewed, whatever it is; no word of the citizen is in it."""
    service = claim.service
    evidence: dict[str, Any] = {"rule": "citizen", "service_code": service.code}
    if claim.pictures:
        evidence["pictures"] = [{**p, "mission_id": seen.mission_id} for p in claim.pictures]
    return Finding(
        id=finding_id(service.category, seen.id),
        category=service.category,
        kind="review",
        observation=seen,
        score=service.confidence,
        evidence=evidence,
    )


def _candidate(
    transaction: SqlTransaction, case: Incident, claim: Claim, grids: GridIndex | None
) -> Ticket:
    """The ticket of an incident that deserves none yet by itself: a person will decide."""
    at = max(claim.received_at, case.last_seen)
    ticket = ticket_by_hand(case, grids, CITIZEN, at)
    transaction.save_tickets([ticket])
    transaction.enqueue(announcements([(ticket, 0)]))
    return ticket
