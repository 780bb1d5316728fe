"""Which incident becomes a ticket, and how the ticket follows it until the office takes it up."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime
from typing import Literal, Protocol

import numpy as np

from patrolvision.tickets.workflow import OVER
from patrolvision.types import GridCodes, Incident, Ticket, TicketEvent

Priority = Literal["normal", "high", "urgent"]
URGENCY: tuple[Priority, ...] = ("normal", "high", "urgent")
AUTOMATIC = "patrolvision"  # the actor of what nobody did by hand


class Grid(Protocol):
    """What knows the administrative codes of a place, such as grids.GridIndex."""

    def codes_at(self, lat_deg: float, lon_deg: float) -> GridCodes:
        """The three codes; None for each that covers nothing here."""


def deserves_ticket(incident: Incident) -> bool:
    """Whether the office is to hear of it: an enforced rule is or was broken.

    What a later look proved gone has its ticket too, to be verified: fusing five days at once must
    leave the same tickets as fusing each day in its evening.
    """
    return incident.kind == "enforce" and incident.status != "dismissed"


def ticket_for(incident: Incident, grid: Grid | None, *, at: datetime) -> Ticket | None:
    """The incident's new ticket, reported at the instant given; None if it deserves none.

    The id is derived from the incident's, so that the same incident never gets a second ticket.
    """
    if not deserves_ticket(incident):
        return None
    return _raised(incident, grid, AUTOMATIC, at)


def ticket_by_hand(incident: Incident, grid: Grid | None, actor: str, at: datetime) -> Ticket:
    """The ticket of an incident that no rule enforces but a person has confirmed."""
    return _raised(incident, grid, actor, at)


def updated(ticket: Ticket, incident: Incident, grid: Grid | None = None) -> Ticket:
    """The ticket after its incident moved or became more urgent; the same object if neither.

    Urgency only rises. The grid codes follow the place only while the ticket is reported: later a
    crew may be on its way. What is closed or rejected stays as it was.
    """
    if ticket.state in OVER or not deserves_ticket(incident):
        return ticket
    priority = max(ticket.priority, _priority(incident), key=URGENCY.index)
    has_moved = not _same_place(ticket, incident)
    if not has_moved and priority == ticket.priority:
        return ticket
    follows = has_moved and grid is not None and ticket.state == "reported"
    codes = _codes(incident, grid) if follows else ticket.grid
    return replace(ticket, place=incident.place, priority=priority, grid=codes)


def ticket_id(incident_id: str) -> str:
    """The id of the one ticket that an incident can have."""
    return "t-" + hashlib.blake2b(incident_id.encode(), digest_size=8).hexdigest()


def _raised(incident: Incident, grid: Grid | None, actor: str, at: datetime) -> Ticket:
    return Ticket(
        id=ticket_id(incident.id),
        incident_id=incident.id,
        category=incident.category,
        state="reported",
        priority=_priority(incident),
        place=incident.place,
        grid=_codes(incident, grid),
        history=(TicketEvent(at=at, state="reported", actor=actor, action="raise"),),
    )


def _priority(incident: Incident) -> Priority:
    # A rule gives a blocked fire lane its urgency; a fire is urgent whatever a rule says.
    return "urgent" if incident.category == "open_fire" else incident.priority


def _codes(incident: Incident, grid: Grid | None) -> GridCodes:
    place = incident.place
    return GridCodes() if grid is None else grid.codes_at(place.lat_deg, place.lon_deg)


def _same_place(ticket: Ticket, incident: Incident) -> bool:
    ours, theirs = ticket.place, incident.place
    same_point = (ours.lat_deg, ours.lon_deg) == (theirs.lat_deg, theirs.lon_deg)
    return same_point and np.array_equal(ours.cov_en_m2, theirs.cov_en_m2)
