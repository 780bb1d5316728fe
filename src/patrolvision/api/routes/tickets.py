"""GET /tickets and /tickets/{id}: what the desk works on."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict
from pathlib import PurePosixPath
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from patrolvision.api import answers, queries, schemas, shapes
from patrolvision.api.asked import AskedPage, documented
from patrolvision.api.kept import Answer
from patrolvision.api.problems import Problem
from patrolvision.api.security import Office, Principal, check_area, reader
from patrolvision.store.engine import reading
from patrolvision.store.office_reads import (
    TicketRows,
    listed_rows,
    pictures_of,
    ticket_and_incident,
    ticket_rows,
)
from patrolvision.store.ticket_filters import TicketFilter
from patrolvision.store.ticket_pages import page
from patrolvision.tickets.automatic import proposal
from patrolvision.types import GridCodes, TicketEvent

OVERDUE_S = 1.0


def asked_of(request: Request, wanted: TicketFilter) -> Hashable:
    """All that an answer depends on beside the store: the question, and what one may see."""
    return request.url.path, request.url.query, wanted.areas


def holds_s(wanted: TicketFilter) -> float:
    """How long an answer to a filter holds while nothing changes: what is overdue, a second."""
    return float("inf") if wanted.due_before is None else OVERDUE_S


def shown(found: TicketRows) -> shapes.Json:
    """A ticket as lists show it."""
    return shapes.ticket(found.ticket, found.events, found.incident)


def router(office: Office) -> APIRouter:
    """Lists and single tickets over the office's store."""
    engine = office.store.engine
    router = APIRouter(prefix="/api/v1", tags=["tickets"])

    @router.get(
        "/tickets",
        responses=answers.listed(schemas.Ticket, "tickets, in order") | answers.UNCHANGED,
        openapi_extra=documented(AskedPage, answers.IF_NONE_MATCH),
    )
    async def tickets(
        request: Request, who: Annotated[Principal, Depends(reader(office))]
    ) -> Response:
        """Tickets with their histories, a page at a time, in one of four orders."""
        asked = AskedPage.of(request)
        wanted = asked.tickets(who, office.clock())
        after = queries.ticket_place(asked.cursor, asked.sort)

        def built() -> Answer:
            with reading(engine) as connection:
                found = page(connection, wanted, asked.sort, asked.limit, after)
                rows = listed_rows(connection, found.ids)
            following = queries.next_cursor(asked.sort, found.next)
            told = [shapes.listed(*one) for one in rows]
            return answers.paged(request, told, asked.form, following, holds_s(wanted))

        return await office.kept.answer(request, asked_of(request, wanted), built)

    @router.get(
        "/tickets/{ticket_id}",
        responses={200: {"model": schemas.WholeTicket, "headers": answers.ETAG}},
    )
    def ticket(
        ticket_id: queries.Id, who: Annotated[Principal, Depends(reader(office))]
    ) -> Response:
        """One ticket with its incident, its pictures and what a later look proposes."""
        found = whole_ticket(office, ticket_id)
        codes = (found[name] for name in ("unit_grid", "responsible_grid", "segment"))
        check_area(who, GridCodes(*codes))
        return answers.body(found, ETag=f'"{found["version"]}"')

    return router


def whole_ticket(office: Office, ticket_id: str) -> shapes.Json:
    """One ticket as it is answered; 404 where there is none."""
    with reading(office.store.engine) as connection:
        found = ticket_rows(connection, [ticket_id])
        known = ticket_and_incident(connection, ticket_id)
        if not found or known is None:
            raise Problem(404, f"there is no ticket {ticket_id}")
        ticket, incident = known
        seen = [] if incident is None else incident.observation_ids
        pictures = [picture(one) for one in pictures_of(connection, seen)]
    pictures += [_attached(event) for event in ticket.history if event.action == "attach"]
    suggested = proposal(ticket, incident, _sides(pictures))
    told = None if suggested is None else {**asdict(suggested), "at": shapes.iso(suggested.at)}
    return {**shown(found[0]), "pictures": pictures, "proposal": told}


def _attached(event: TicketEvent) -> shapes.Json:
    """A picture that somebody sent."""
    given = event.data
    return {
        "id": given["id"],
        "kind": given["kind"],
        "url": f"/api/v1/evidence/{given['sha256']}.jpg",
        "at": given.get("taken_at") or event.at.isoformat(),
        "lat_deg": given.get("lat_deg"),
        "lon_deg": given.get("lon_deg"),
        "sha256": given["sha256"],
    }


def picture(kept: Mapping[str, Any]) -> shapes.Json:
    """A picture of a finding, as the keeper wrote it; hidden: the share of the thing not shown."""
    name = PurePosixPath(kept["file"]).name
    return {
        "id": kept["sha256"],
        "kind": kept["view"],
        "url": f"/api/v1/evidence/{name}",
        "at": kept["captured_at"],
        "lat_deg": kept.get("lat_deg"),
        "lon_deg": kept.get("lon_deg"),
        "sha256": kept["sha256"],
        "hidden": kept.get("hidden"),
    }


def _sides(pictures: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The picture before and the one after, by id, where there are such."""
    before = next((p["id"] for p in pictures if p["kind"] != "after"), None)
    after = next((p["id"] for p in reversed(pictures) if p["kind"] == "after"), None)
    return {k: v for k, v in {"before": before, "after": after}.items() if v is not None}
