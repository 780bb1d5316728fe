"""The review queue: what waits for a person's word, giving it, and reading what was said."""

from __future__ import annotations

from dataclasses import replace
from itertools import zip_longest
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy import Connection

from patrolvision import desk, records
from patrolvision.api import answers, queries
from patrolvision.api.acting import IdempotencyKey, Once, Replay, act_of, refusals
from patrolvision.api.intake import Layers
from patrolvision.api.problems import Problem
from patrolvision.api.routes.moves import Short
from patrolvision.api.routes.tickets import picture, shown
from patrolvision.api.security import Office, Principal, reader, requires
from patrolvision.api.territory import Territory
from patrolvision.store.engine import reading
from patrolvision.store.office_reads import pictures_of, ticket_rows
from patrolvision.store.pages import RowPlace
from patrolvision.store.queue import (
    FIRST,
    place_of,
    places_of,
    unjudged_incidents,
    unjudged_tickets,
    verdict_page,
)
from patrolvision.types import GridCodes, Incident, Verdict

Json = dict[str, Any]
MOST = 1000  # waiting ones that are looked through for somebody's areas


class VerdictBody(BaseModel):
    """A person's word; a false one names its cause."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"verdict": "false", "cause": "reflection_or_shadow"}]},
    )

    verdict: Literal["confirmed", "false"]
    cause: Short | None = None


class Judged(BaseModel):
    """What came of a verdict; a doubtful incident that is false has no ticket."""

    incident_id: str
    ticket_id: str | None
    state: str | None
    version: int | None


class ShownVerdict(BaseModel):
    """A verdict, with what retraining has to know of it."""

    id: str
    incident_id: str
    ticket_id: str | None
    category: str
    class_name: str
    verdict: Literal["confirmed", "false"]
    cause: str | None
    actor: str
    at: AwareDatetime
    model_releases: list[str]
    observation_ids: list[str]


class ShownCause(BaseModel):
    """A cause for rejecting; category * fits every one."""

    category: str
    code: str
    false_alarm: bool
    label_en: str
    label_zh: str
    source: str


def router(office: Office) -> APIRouter:
    """GET /queue, POST /tickets/{id}/verdict, GET /verdicts, GET /causes."""
    router = APIRouter(prefix="/api/v1", tags=["verdicts"])
    anybody = Depends(reader(office))
    judge = Depends(requires(office, "reviewer", "dispatcher"))
    layers, territory = Layers(office), Territory(office)

    @router.get("/queue", response_model=list[Json])
    def queue(
        who: Principal = anybody, limit: Annotated[int, Query(ge=1, le=200)] = 50
    ) -> Response:
        """Tickets and doubtful incidents that nobody has judged, most urgent first.

        A ticket is as GET /tickets shows it, an incident as GET /incidents, both with pictures.
        """
        with reading(office.store.engine) as connection:
            return answers.body(_queue(connection, who, limit, territory))

    @router.post("/tickets/{ticket_id}/verdict")
    def verdict(
        ticket_id: queries.Id,
        body: VerdictBody,
        request: Request,
        key: IdempotencyKey = None,
        who: Principal = judge,
    ) -> Judged:
        """Confirm a ticket or reject it as false; the id may be that of a doubtful incident."""
        once = Once(office, who, request, key, body.model_dump())
        act = act_of(office, who, "verdict", cause=body.cause)
        try:
            with refusals():
                found = desk.judge(
                    office.store,
                    replace(office.rules, grid=layers.now()[1]),
                    ticket_id,
                    body.verdict,
                    act,
                    before=once.look,
                    after=lambda tx, judged: once.keep(tx, _judged(judged).model_dump(), 200),
                )
        except Replay as replay:
            return Judged(**replay.body)
        if found is None:
            raise Problem(404, f"there is no ticket or incident {ticket_id}")
        return _judged(found)

    @router.get("/verdicts", responses=answers.listed(ShownVerdict, "verdicts, oldest first"))
    def verdicts(
        request: Request,
        who: Principal = anybody,
        since: queries.Since = None,
        category: queries.Word | None = None,
        limit: queries.Limit = 100,
        cursor: queries.Cursor = None,
    ) -> Response:
        """What people said of detections, oldest first: the lesson for the next model."""
        place = queries.row_place(cursor, "verdicts")
        after = None if place is None else (place.value or 0, place.id)
        with reading(office.store.engine) as connection:
            found = verdict_page(connection, limit, after=after, since=since, category=category)
            about = places_of(connection, [one.incident_id for one in found] if who.areas else [])
        his = {name for name, at in about.items() if territory.covers(who, *at)}
        more = None
        if len(found) == limit:
            more = queries.next_cursor("verdicts", RowPlace(*place_of(found[-1])))
        shown_ones = [_shown(one) for one in found if not who.areas or one.incident_id in his]
        return answers.page(request, shown_ones, "json", more)

    @router.get("/causes")
    def causes(who: Principal = anybody) -> list[ShownCause]:
        """Why a ticket may be rejected, by category."""
        return [
            ShownCause(
                category=cause.category,
                code=cause.code,
                false_alarm=cause.false_alarm,
                label_en=cause.name_en,
                label_zh=cause.name_zh,
                source=cause.source,
            )
            for cause in office.rules.causes
        ]

    return router


def _queue(connection: Connection, who: Principal, limit: int, territory: Territory) -> list[Json]:
    urgent = [one for p in FIRST for one in _tickets(connection, who, p, limit)][:limit]
    normal = _tickets(connection, who, "normal", limit)
    waiting = unjudged_incidents(connection, MOST if who.areas else limit)
    his = [one for one in waiting if territory.covers(who, one.place.lat_deg, one.place.lon_deg)][
        :limit
    ]
    doubtful = [_incident(connection, one) for one in his]
    rest = [one for pair in zip_longest(normal, doubtful) for one in pair if one is not None]
    return [*urgent, *rest][:limit]


def _tickets(connection: Connection, who: Principal, priority: str, limit: int) -> list[Json]:
    # Who is limited to areas is asked of those that lie there, however many lie elsewhere.
    ids = unjudged_tickets(connection, priority, MOST if who.areas else limit)
    items: list[Json] = []
    for one in ticket_rows(connection, ids):
        ticket = one.ticket
        grid = GridCodes(ticket["unit_grid"], ticket["responsible_grid"], ticket["segment"])
        if not who.covers(grid):
            continue
        if len(items) == limit:
            break
        seen = [] if one.incident is None else one.incident["observation_ids"]
        pictures = [picture(kept) for kept in pictures_of(connection, seen)]
        items.append({**shown(one), "pictures": pictures})
    return items


def _incident(connection: Connection, incident: Incident) -> Json:
    pictures = [picture(kept) for kept in pictures_of(connection, incident.observation_ids)]
    record = records.incident_to_record(incident)
    return {**record, "sigma_m": incident.place.sigma_m, "pictures": pictures}


def _judged(found: desk.Judged) -> Judged:
    ticket = found.ticket
    return Judged(
        incident_id=found.incident_id,
        ticket_id=None if ticket is None else ticket.id,
        state=None if ticket is None else ticket.state,
        version=None if ticket is None else ticket.version,
    )


def _shown(verdict: Verdict) -> Json:
    fields = {name: getattr(verdict, name) for name in Verdict.__slots__}
    return ShownVerdict(**fields).model_dump()
