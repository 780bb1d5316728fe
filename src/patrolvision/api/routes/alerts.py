"""Fires as CAP 1.2 alerts, for whoever fetches instead of being told."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import Response
from pydantic import BaseModel

from patrolvision import records
from patrolvision.api.problems import Problem
from patrolvision.api.security import Office, Principal, reader
from patrolvision.config import CapEntry, load_neighbours
from patrolvision.neighbours import CapPictures
from patrolvision.relay.cap import CATEGORY, Alert, CapSender, alert_at, alert_xml, alerts
from patrolvision.relay.cap_sink import MEDIA_TYPE
from patrolvision.relay.requests import CLOSED_STATES, OPEN_STATES
from patrolvision.store.citizens import requested, tickets_named
from patrolvision.store.engine import reading
from patrolvision.types import Ticket

SPAN = timedelta(days=30)


class ShownAlert(BaseModel):
    """The newest alert about one fire."""

    id: str
    ticket_id: str
    sent: str
    status: Literal["Draft", "Actual"]
    msg_type: Literal["Alert", "Update", "Cancel"]
    url: str


def router(office: Office) -> APIRouter:
    """GET /alerts and GET /alerts/{id}.cap."""
    routes = APIRouter(prefix="/api/v1", tags=["neighbours"])
    anybody = Depends(reader(office))
    entry = CapEntry()
    if office.settings.neighbours is not None:
        entry = load_neighbours(office.settings.neighbours).cap or entry
    sender = CapSender(entry.sender, entry.sender_name, entry.contact, entry.web)
    pictures = CapPictures(office.store, office.media, entry.web)

    @routes.get("/alerts")
    def listed(
        limit: Annotated[int, Query(ge=1, le=1000)] = 100, who: Principal = anybody
    ) -> list[ShownAlert]:
        """The newest alert about each fire of the last 30 days, the newest fire first."""
        now = office.clock()
        with reading(office.store.engine) as connection:
            fires = requested(
                connection,
                now - SPAN,
                now,
                categories=[CATEGORY],
                states=[*OPEN_STATES, *CLOSED_STATES],
                limit=limit,
            )
        return [_shown(ticket) for ticket in fires if who.covers(ticket.grid)]

    @routes.get(
        "/alerts/{alert_id}.cap",
        response_class=Response,
        responses={200: {"content": {MEDIA_TYPE: {}}, "description": "a CAP 1.2 alert"}},
    )
    def one(
        alert_id: Annotated[str, Path(max_length=200, pattern=r"^[\w-]+(\.\d{1,6})?$")],
        who: Principal = anybody,
    ) -> Response:
        """The alert with this identifier, or the newest one about the ticket with this id."""
        ticket_id, _, position = alert_id.partition(".")
        with reading(office.store.engine) as connection:
            ticket = tickets_named(connection, [ticket_id]).get(ticket_id)
        record = None if ticket is None else _record(ticket, position)
        found = None if record is None else alert_at(record, len(record["history"]) - 1)
        if record is not None and not position:
            found = next(reversed(alerts(record)), None)
        if ticket is None or record is None or found is None or not who.covers(ticket.grid):
            raise Problem(404, f"there is no alert {alert_id!r}")
        content = alert_xml(record, found, sender, pictures(ticket_id))
        return Response(content, media_type=MEDIA_TYPE)

    return routes


def _record(ticket: Ticket, position: str) -> dict[str, Any] | None:
    """The ticket's record, its history up to the position; None where there is none."""
    record = records.ticket_to_record(ticket)
    if position and int(position) >= len(record["history"]):
        return None
    if position:
        record["history"] = record["history"][: int(position) + 1]
    return record


def _shown(ticket: Ticket) -> ShownAlert:
    newest: Alert = alerts(records.ticket_to_record(ticket))[-1]
    return ShownAlert(
        id=newest.identifier,
        ticket_id=ticket.id,
        sent=newest.sent,
        status=newest.status,
        msg_type=newest.msg_type,
        url=f"/api/v1/alerts/{newest.identifier}.cap",
    )
