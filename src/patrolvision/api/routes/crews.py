"""Crews: who they are, where they are, and which of them may be sent to a ticket."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from patrolvision import rounds, wiring
from patrolvision.api import queries
from patrolvision.api.acting import check_time
from patrolvision.api.problems import Problem
from patrolvision.api.security import (
    Office,
    Principal,
    check_area,
    reader,
    requires,
    requires_scope,
)
from patrolvision.store import crews as stored
from patrolvision.store.engine import reading
from patrolvision.store.office_reads import ticket_and_incident
from patrolvision.tickets.calendar import ALWAYS, weekly_hours
from patrolvision.tickets.categories import Catalogue
from patrolvision.tickets.crews import Candidate, Crew

SCOPE = "position"
Text = Annotated[str, Field(min_length=1, max_length=200, pattern=queries.NO_CONTROL)]
Code = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\w.-]+$")]
Codes = Annotated[list[Text], Field(max_length=100)]
Duty = Annotated[
    str,
    Field(
        max_length=400,
        description="hours of the week on the crew's clock, or 24/7",
        examples=["Mo-Fr 08:00-12:00,14:00-18:00; Sa 09:00-12:00"],
    ),
]


def _duty(text: str) -> str:
    weekly_hours(text)
    return text


def _timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is no IANA time zone such as Asia/Shanghai") from error
    return name


class CrewChange(BaseModel):
    """What is to change of a crew; what is not named stays."""

    model_config = ConfigDict(extra="forbid")

    name: Text | None = None
    skills: Codes | None = None
    areas: Codes | None = None
    duty: Duty | None = None
    timezone: Text | None = None
    contractor: Text | None = None
    phone: Text | None = None
    active: bool | None = None

    @field_validator("duty")
    @classmethod
    def _understood(cls, text: str | None) -> str | None:
        return None if text is None else _duty(text)

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str | None) -> str | None:
        return None if name is None else _timezone(name)


class NewCrew(CrewChange):
    """A crew that is to be sent; areas are prefixes of grid codes, none: everywhere."""

    id: Code
    name: Text
    skills: Codes = []
    areas: Codes = []
    duty: Duty = ALWAYS


class Position(BaseModel):
    """Where a crew is."""

    model_config = ConfigDict(extra="forbid")

    lat_deg: Annotated[float, Field(ge=-90, le=90)]
    lon_deg: Annotated[float, Field(ge=-180, le=180)]
    at: AwareDatetime | None = None  # None: now


class ShownPosition(BaseModel):
    """Where a crew was last; only a fresh position is used to choose whom to send."""

    lat_deg: float
    lon_deg: float
    at: datetime
    is_fresh: bool


class ShownCrew(BaseModel):
    """A crew as it is just now."""

    id: str
    name: str
    skills: list[str]
    areas: list[str]
    duty: str
    timezone: str
    contractor: str | None
    phone: str | None
    active: bool
    on_duty: bool
    open_tickets: int
    position: ShownPosition | None


class ShownCandidate(BaseModel):
    """A crew that may be sent, or why not; distance_m is null without a fresh position."""

    crew: str
    name: str
    distance_m: float | None
    position_at: datetime | None
    open_tickets: int
    phone: str | None
    why_not: str | None


class Kept(BaseModel):
    """Whether a position was newer than the one that was known."""

    new: bool


def all_crews(office: Office) -> list[Crew]:
    """Every crew as it is now, by id."""
    return rounds.crews_of(office.store, office.settings.timezone)


def router(office: Office) -> APIRouter:
    """Crews over the office's store."""
    engine = office.store.engine
    catalogue = wiring.catalogue(office.settings)
    router = APIRouter(prefix="/api/v1", tags=["crews"])

    @router.get("/crews")
    def crews(who: Annotated[Principal, Depends(reader(office))]) -> list[ShownCrew]:
        """Every crew with its duty, its load and where it is."""
        where, load = stored.positions(engine), stored.open_tickets(engine)
        age = timedelta(minutes=catalogue.dispatch_number("position_age_min"))
        return [
            _shown(crew, where.get(crew.id), load.get(crew.id, 0), office.clock(), age)
            for crew in all_crews(office)
        ]

    @router.post("/crews", status_code=201)
    def added(
        new: NewCrew,
        who: Annotated[Principal, Depends(requires(office, "dispatcher", everywhere=True))],
    ) -> ShownCrew:
        """Add a crew; told once more in the same words, it is the same crew."""
        content = {k: v for k, v in new.model_dump().items() if k != "id" and v is not None}
        now = office.clock()
        is_added = stored.save_crew(engine, new.id, content, who.name, now, is_new=True)
        if is_added is None and stored.stored_crews(engine)[new.id] != content:
            raise Problem(409, f"id: there is a crew {new.id} already")
        return _one(office, catalogue, new.id)

    @router.patch("/crews/{crew_id}")
    def changed(
        crew_id: queries.Id,
        change: CrewChange,
        who: Annotated[Principal, Depends(requires(office, "dispatcher", everywhere=True))],
    ) -> ShownCrew:
        """Change a crew; what it was before stays known to the reports of earlier days."""
        known = stored.stored_crews(engine).get(crew_id)
        if known is None:
            raise Problem(404, f"there is no crew {crew_id}")
        content = {**known, **change.model_dump(exclude_unset=True, exclude_none=True)}
        stored.save_crew(engine, crew_id, content, who.name, office.clock(), is_new=False)
        return _one(office, catalogue, crew_id)

    @router.post("/crews/{crew_id}/position")
    def located(
        crew_id: queries.Id,
        position: Position,
        who: Annotated[Principal, Depends(requires_scope(office, SCOPE, "dispatcher", "crew"))],
    ) -> Kept:
        """Say where a crew is: its own people, its device, or the office."""
        if who.role == "crew" and crew_id not in (who.crew, who.name):
            raise Problem(403, f"{who.name} is not of the crew {crew_id}")
        if crew_id not in stored.stored_crews(engine):
            raise Problem(404, f"there is no crew {crew_id}")
        now = office.clock()
        at = position.at or now
        check_time(at, now)
        kept = stored.StoredPosition(crew_id, at, position.lat_deg, position.lon_deg)
        return Kept(new=stored.save_position(engine, kept))

    @router.get("/tickets/{ticket_id}/candidates")
    def fitting(
        ticket_id: queries.Id,
        who: Annotated[Principal, Depends(reader(office))],
        everybody: Annotated[
            bool, Query(alias="all", description="also those who may not be sent, with the reason")
        ] = False,
    ) -> list[ShownCandidate]:
        """Crews on duty with the skill that serve the area: nearest first, then of unknown place.

        A position that is not fresh is not used.
        """
        with reading(engine) as connection:
            known = ticket_and_incident(connection, ticket_id)
        if known is None:
            raise Problem(404, f"there is no ticket {ticket_id}")
        check_area(who, known[0].grid)
        found = rounds.judged(
            known[0],
            all_crews(office),
            rounds.positions_of(office.store),
            office.clock(),
            catalogue,
            stored.open_tickets(engine),
        )
        return [_candidate(one) for one in found if everybody or one.why_not is None]

    return router


def _one(office: Office, catalogue: Catalogue, crew_id: str) -> ShownCrew:
    engine = office.store.engine
    crew = next(crew for crew in all_crews(office) if crew.id == crew_id)
    where, load = stored.positions(engine), stored.open_tickets(engine)
    age = timedelta(minutes=catalogue.dispatch_number("position_age_min"))
    return _shown(crew, where.get(crew_id), load.get(crew_id, 0), office.clock(), age)


def _shown(
    crew: Crew,
    where: stored.StoredPosition | None,
    open_tickets: int,
    now: datetime,
    age: timedelta,
) -> ShownCrew:
    position = None
    if where is not None:
        is_fresh = abs(now - where.at) <= age
        position = ShownPosition(
            lat_deg=where.lat_deg, lon_deg=where.lon_deg, at=where.at, is_fresh=is_fresh
        )
    on_duty = crew.is_on_duty(now)
    return ShownCrew(**asdict(crew), on_duty=on_duty, open_tickets=open_tickets, position=position)


def _candidate(one: Candidate) -> ShownCandidate:
    return ShownCandidate(
        crew=one.crew.id,
        name=one.crew.name,
        distance_m=None if one.distance_m is None else round(one.distance_m, 1),
        position_at=one.position_at,
        open_tickets=one.open_tickets,
        phone=one.crew.phone,
        why_not=one.why_not,
    )
