"""What happens to a ticket by itself, because its incident changed: the loop that closes itself.

An incident that later looks prove gone proposes verification; one that is seen again after the crew
reported back, or after closing, sends the ticket back to work; one that a new analysis withdraws
takes its ticket with it, and brings it back when an analysis confirms it again. So does a vehicle
that most sights say is of a class its rule does not bind. Only what the office has taken up gets a
proposal into its history: an untouched ticket stays a function of what was seen, in whatever order
it was told (`proposal` shows its proposal all the same).

Every act follows from ticket and incident alone, so that settling again does nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np

from patrolvision.geo.geodesy import distance_m
from patrolvision.tickets.office import AUTOMATIC, Grid, deserves_ticket, ticket_id, updated
from patrolvision.tickets.workflow import MOVES, Act, Facts, done, is_confirmed, is_proved_gone
from patrolvision.types import GeoPoint, Incident, Ticket

TAKEN_UP = frozenset({"filed", "dispatched", "handling", "feedback", "verified"})
ALARMING = frozenset({"open_fire"})  # whose place others act on while the ticket is open
MOVED_M = 10.0  # no less is worth another alert
SMALLEST_SIGMA_M = 4.0  # below it the circle of an alert stays the same
SAID_TO_BE_DONE = frozenset({"report_back", "verify"})


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the program suggests to the reviewer, since when, and the pictures that show it."""

    kind: Literal["verify", "send_back"]
    at: datetime
    before: str | None = None
    after: str | None = None


def followed(ticket: Ticket, incident: Incident, grid: Grid | None = None) -> Ticket:
    """The ticket after its incident changed; the same object if that changes nothing for it."""
    act = _act(ticket, incident)
    moved = ticket if act is None else done(ticket, act)
    changed = updated(moved, incident, grid)
    told = _relocated(ticket, changed, incident)
    return changed if told is None else done(changed, told)


def removed_at(incident: Incident | None) -> datetime | None:
    """When looks found it gone; None if it is there, or if only time has passed."""
    if incident is None or incident.status != "removed":
        return None
    return incident.removed_at if incident.evidence.get("removal") == "looks" else None


def proposal(
    ticket: Ticket, incident: Incident | None, pictures: Mapping[str, str] | None = None
) -> Proposal | None:
    """What is suggested now; pictures are ids by kind (before, after), where there are any."""
    gone = removed_at(incident)
    if ticket.state not in (*TAKEN_UP, "reported") or gone is None:
        return None
    if not is_proved_gone(ticket, Facts(removed_at=gone)):
        return None
    known = pictures or {}
    return Proposal("verify", gone, known.get("before"), known.get("after"))


def _act(ticket: Ticket, incident: Incident) -> Act | None:
    if incident.status == "dismissed" or _is_contradicted(ticket, incident):
        return _withdrawn(ticket, incident)
    if ticket.state == "rejected":
        return _brought_back(ticket, incident)
    if incident.status == "removed":
        return _proposed(ticket, incident)
    return _seen_again(ticket, incident)


def _is_contradicted(ticket: Ticket, incident: Incident) -> bool:
    """Whether most sights say a class that the rule does not bind, and nobody has acted yet."""
    untouched = ticket.state == "reported" and all(e.actor == AUTOMATIC for e in ticket.history)
    share = incident.evidence.get("class_share", 1.0)
    return untouched and incident.kind == "watch" and share < 0.5


def _automatic(ticket: Ticket, action: str, at: datetime, note: str = "", **more: Any) -> Act:
    # What is derived from footage may be older than what the office did meanwhile.
    return Act(action, AUTOMATIC, max(at, ticket.history[-1].at), note=note, **more)


def _withdrawn(ticket: Ticket, incident: Incident) -> Act | None:
    if ("reject", ticket.state) not in MOVES:
        return None
    into = incident.evidence.get("merged_into")
    if into is None or ticket.parent is not None:
        note = "a new analysis does not confirm it"
        return _automatic(ticket, "reject", incident.last_seen, note)
    note = f"is the same as incident {into}"
    return _automatic(ticket, "merge", incident.last_seen, note, into=ticket_id(str(into)))


def _brought_back(ticket: Ticket, incident: Incident) -> Act | None:
    last = ticket.history[-1]
    by_itself = last.actor == AUTOMATIC and last.action in ("reject", "merge", "")
    if not by_itself or not deserves_ticket(incident):
        return None
    note = "a new analysis confirms it again"
    return _automatic(ticket, "reopen", incident.last_seen, note)


def _proposed(ticket: Ticket, incident: Incident) -> Act | None:
    gone = removed_at(incident)
    if gone is None or ticket.state not in TAKEN_UP:
        return None
    if not is_proved_gone(ticket, Facts(removed_at=gone)):
        return None
    data = {"kind": "verify", "at": gone.isoformat()}
    known = [e.data.get("at") for e in ticket.history if e.action == "propose"]
    if data["at"] in known:
        return None
    return _automatic(ticket, "propose", gone, "a later look sees nothing", data=data)


def _relocated(before: Ticket, after: Ticket, incident: Incident) -> Act | None:
    """That a fire which people were told of is not where they were told, or is known otherwise."""
    heard_of = after.state in TAKEN_UP or (after.state == "reported" and is_confirmed(after))
    if after.category not in ALARMING or not heard_of:
        return None
    told = next((e.data for e in reversed(after.history) if e.action == "relocate"), None)
    was = before.place if told is None else _place_of(told)
    is_at = after.place
    apart_m = float(distance_m(was.lat_deg, was.lon_deg, is_at.lat_deg, is_at.lon_deg))
    ratio = max(is_at.sigma_m, SMALLEST_SIGMA_M) / max(was.sigma_m, SMALLEST_SIGMA_M)
    if apart_m <= max(MOVED_M, was.sigma_m) and 0.5 < ratio < 2.0:
        return None
    data = {"lat_deg": is_at.lat_deg, "lon_deg": is_at.lon_deg, "sigma_m": is_at.sigma_m}
    note = f"its place is {apart_m:.0f} m from where it was told, known to {is_at.sigma_m:.0f} m"
    return _automatic(after, "relocate", incident.last_seen, note, data=data)


def _place_of(told: Mapping[str, Any]) -> GeoPoint:
    cov = np.eye(2) * float(told["sigma_m"]) ** 2
    return GeoPoint(float(told["lat_deg"]), float(told["lon_deg"]), cov)


def _seen_again(ticket: Ticket, incident: Incident) -> Act | None:
    said = SAID_TO_BE_DONE if ticket.state in ("feedback", "verified") else {"close"}
    if ticket.state not in ("feedback", "verified", "closed"):
        return None
    done_at = next((e.at for e in reversed(ticket.history) if e.action in said), None)
    if done_at is None or incident.last_seen <= done_at:
        return None
    data = {"kind": "send_back", "at": incident.last_seen.isoformat()}
    action = "reopen" if ticket.state == "closed" else "send_back"
    return _automatic(ticket, action, incident.last_seen, "a later pass still sees it", data=data)
