"""The seven steps over HTTP: which moves there are, and making one."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from patrolvision import desk
from patrolvision.api import answers, queries, schemas
from patrolvision.api.acting import (
    IdempotencyKey,
    IfMatch,
    Once,
    Replay,
    act_of,
    refusals,
    version_of,
)
from patrolvision.api.problems import Problem
from patrolvision.api.routes.tickets import whole_ticket
from patrolvision.api.security import Office, Principal, check_area, reader, requires
from patrolvision.store.engine import reading
from patrolvision.store.office_reads import ticket_and_incident
from patrolvision.tickets.workflow import MAX_PARTS, moves_from, why_not

Short = Annotated[str, Field(min_length=1, max_length=200, pattern=queries.NO_CONTROL)]
NO_NUL = r"^[^\x00]*$"
NOT_HERE = {"attach": "POST its picture to /pictures"}


class Offer(BaseModel):
    """A move that leads on from the ticket's state, and whether the caller may make it."""

    action: str
    to_state: str
    label_en: str
    label_zh: str
    needs: list[str]
    allowed: bool
    why_not: str | None


class MoveBody(BaseModel):
    """A move and what it needs; picture_ids name pictures that the ticket has."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"action": "dispatch", "assignee": "crew-1"}]},
    )

    action: Short
    note: Annotated[str, Field(max_length=2000, pattern=NO_NUL)] = ""
    cause: Short | None = None
    assignee: Short | None = None
    picture_ids: Annotated[list[Short], Field(max_length=20)] = []
    into: Short | None = None
    parts: Annotated[int, Field(ge=2, le=MAX_PARTS)] | None = None


def router(office: Office) -> APIRouter:
    """GET and POST /tickets/{id}/moves."""
    router = APIRouter(prefix="/api/v1", tags=["moves"])
    anybody = Depends(reader(office))
    worker = Depends(requires(office, "reviewer", "dispatcher", "crew"))

    @router.get("/tickets/{ticket_id}/moves")
    def moves(ticket_id: queries.Id, who: Principal = anybody) -> list[Offer]:
        """The moves that the table has from here; `why_not` says what stands in the way."""
        with reading(office.store.engine) as connection:
            found = ticket_and_incident(connection, ticket_id)
        if found is None:
            raise Problem(404, f"there is no ticket {ticket_id}")
        ticket, incident = found
        check_area(who, ticket.grid)
        act = act_of(office, who, "look")
        facts = desk.facts_of(office.rules, ticket, incident, act)
        offers = []
        for move in moves_from(ticket.state):
            obstacle = why_not(ticket, move, act, facts)
            offers.append(
                Offer(
                    action=move.action,
                    to_state=move.to_state or ticket.state,
                    label_en=move.label_en,
                    label_zh=move.label_zh,
                    needs=list(move.needs),
                    allowed=obstacle is None,
                    why_not=obstacle,
                )
            )
        return offers

    @router.post(
        "/tickets/{ticket_id}/moves",
        responses={200: {"model": schemas.WholeTicket, "headers": answers.ETAG}},
    )
    def move(
        ticket_id: queries.Id,
        body: MoveBody,
        request: Request,
        if_match: IfMatch = None,
        key: IdempotencyKey = None,
        who: Principal = worker,
    ) -> Response:
        """Make a move; the ticket as it is then. 409 says that the table does not have it now."""
        if body.action in NOT_HERE:
            raise Problem(422, f"action: {NOT_HERE[body.action]}")
        once = Once(office, who, request, key, body.model_dump())
        data: dict[str, Any] = {"picture_ids": body.picture_ids} if body.picture_ids else {}
        given = body.model_dump(include={"note", "cause", "assignee", "into", "parts"})
        act = act_of(office, who, body.action, data=data, **given)
        try:
            with refusals():
                changed = desk.perform(
                    office.store,
                    office.rules,
                    ticket_id,
                    act,
                    version=version_of(if_match),
                    before=once.look,
                    after=lambda tx, ticket: once.keep(tx, {"ticket_id": ticket.id}, 200),
                )
        except Replay:
            changed = None
        else:
            if changed is None:
                raise Problem(404, f"there is no ticket {ticket_id}")
        found = whole_ticket(office, ticket_id)
        return answers.body(found, ETag=f'"{found["version"]}"')

    return router
