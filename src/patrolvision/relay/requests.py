"""A ticket as an Open311 service request: what the public may know of it, and in which words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from patrolvision.relay.services import Service
from patrolvision.types import Ticket

OPEN_STATES = ("reported", "filed", "dispatched", "handling", "feedback", "verified")
CLOSED_STATES = ("closed", "rejected")
STATES = {"open": OPEN_STATES, "closed": CLOSED_STATES}
NOTES = {
    "reported": "Received, waits to be checked.",
    "filed": "Checked and filed.",
    "dispatched": "Given to a crew.",
    "handling": "A crew is working on it.",
    "feedback": "The crew says it is solved.",
    "verified": "Seen to be solved.",
    "closed": "Solved and verified.",
    "rejected": "Closed without action.",
}
MERGED = "Goes on under another request: {into}."
MAX_DESCRIPTION = 4000


def is_public(ticket: Ticket, reports: Sequence[Mapping[str, Any]], service: Service) -> bool:
    """Whether the request may be shown: a claim that only citizens made waits for a person."""
    if service.type != "batch" or is_verified(ticket):
        return True
    return not any(not report["joined"] for report in reports)


def is_verified(ticket: Ticket) -> bool:
    """Whether a person or the office has decided on it."""
    return ticket.state != "reported" or any(e.action == "confirm" for e in ticket.history)


def _unread(service: Service, is_reported: bool) -> str:
    """What is published while nobody has looked at what was written, if anything was."""
    return f"{service.name}, {'reported by a citizen' if is_reported else 'seen by a patrol'}."


def service_request(
    ticket: Ticket,
    service: Service,
    reports: Sequence[Mapping[str, Any]] = (),
    *,
    extended: bool = True,
) -> dict[str, Any]:
    """The value of one request of GET requests.

    reports: those that went to the ticket, the earliest first, each with description, address and
    media_url; what citizens wrote is shown once the ticket is verified.
    """
    told = reports[0] if reports and is_verified(ticket) else {}
    born, last = ticket.history[0].at, ticket.history[-1].at
    record: dict[str, Any] = {
        "service_request_id": ticket.id,
        "status": "closed" if ticket.state in CLOSED_STATES else "open",
        "status_notes": status_notes(ticket),
        "service_name": service.name,
        "service_code": service.code,
        "description": told.get("description") or _unread(service, bool(reports)),
        "agency_responsible": ticket.grid.responsible_grid,
        "service_notice": None,
        "requested_datetime": w3(born),
        "updated_datetime": w3(last),
        "expected_datetime": None if ticket.due_at is None else w3(ticket.due_at),
        "address": told.get("address"),
        "address_id": ticket.grid.unit_grid,
        "zipcode": None,
        "lat": round(float(ticket.place.lat_deg), 7),
        "long": round(float(ticket.place.lon_deg), 7),
        "media_url": _public_address(told.get("media_url")),
    }
    if extended:
        record["extended_attributes"] = _extended(ticket, len(reports))
    return record


def _public_address(url: str | None) -> str | None:
    """An address elsewhere; our own pictures are for those who sign in."""
    return url if url is not None and url.startswith(("http://", "https://")) else None


def status_notes(ticket: Ticket) -> str:
    """One sentence on where the ticket stands, with the cause where it was rejected."""
    last = next((e for e in reversed(ticket.history) if e.state == ticket.state), None)
    if ticket.merged_into is not None and ticket.state == "rejected":
        return MERGED.format(into=ticket.merged_into)
    return outcome(ticket.state, None if last is None else last.data.get("cause"))


def outcome(state: str, cause: str | None = None) -> str:
    """What a citizen is told of a state; cause: the code of why it was rejected."""
    note = NOTES[state]
    is_named = state == "rejected" and cause
    return f"{note[:-1]}: {str(cause).replace('_', ' ')}." if is_named else note


def _extended(ticket: Ticket, reports: int) -> dict[str, Any]:
    steps = [{"at": w3(event.at), "state": event.state} for event in ticket.history]
    return {
        "state": ticket.state,
        "number": ticket.number,
        "priority": ticket.priority,
        "sigma_m": round(ticket.place.sigma_m, 1),
        "reports": reports,
        "merged_into": ticket.merged_into,
        "history": steps,
    }


def w3(at: datetime) -> str:
    """The W3C form of an instant, in UTC, to the second."""
    return at.astimezone(UTC).isoformat(timespec="seconds")
