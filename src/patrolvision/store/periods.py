"""What a report of a period is made from: tickets that had to do with it, places, looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, get_args

from sqlalchemy import Engine, Select, and_, exists, func, or_, select

from patrolvision.store import rows, sql
from patrolvision.store.dispatch_tables import approved_reports
from patrolvision.store.engine import reading, writing
from patrolvision.store.schema import (
    incident_observations,
    looks,
    observations,
    ticket_events,
    tickets,
)
from patrolvision.types import Look, Ticket, TicketState

OVER = ("closed", "rejected")
STATES = get_args(TicketState)


def tickets_of_period(engine: Engine, start: datetime, end: datetime) -> Iterator[Ticket]:
    """Tickets that were there before the end and had something happen, or were open, after start.

    By opening and id, with their whole histories, also what came after the end.
    """
    # Naming all states lets the index on (state, at) be used.
    touched = select(ticket_events.c.ticket_id).where(
        ticket_events.c.state.in_(STATES), ticket_events.c.at >= start
    )
    lives_on = or_(tickets.c.state.not_in(OVER), tickets.c.id.in_(touched))
    where = [tickets.c.opened_at < end, lives_on]

    def read(statement: Select[Any]) -> list[rows.Stored]:
        with reading(engine) as connection:
            return list(connection.execute(statement).mappings())

    for page in sql.pages(read, tickets, ("opened_at", "id"), where):
        with reading(engine) as connection:
            found = sql.tickets_of_rows(connection, page)
        yield from found


def founding_places(
    engine: Engine, since: datetime, until: datetime
) -> Iterator[Mapping[str, Any]]:
    """ticket_id, category, found_at, codes and the place of the founding observation.

    Of tickets opened in [since, until) that were not rejected just before until, parts of others
    left out. The founding observation is the incident's earliest: unlike the ticket's place it
    does not move when more is seen. By opening and id.
    """
    earlier = ticket_events.alias("earlier")
    before = (
        select(func.max(earlier.c.position))
        .where(earlier.c.ticket_id == tickets.c.id, earlier.c.at < until)
        .correlate(tickets)
    )
    was_rejected = exists().where(
        ticket_events.c.ticket_id == tickets.c.id,
        ticket_events.c.position == before.scalar_subquery(),
        ticket_events.c.state == "rejected",
    )
    rank = func.row_number().over(
        partition_by=tickets.c.id, order_by=(observations.c.first_seen, observations.c.id)
    )
    member = and_(
        incident_observations.c.incident_id == tickets.c.incident_id,
        incident_observations.c.category == tickets.c.category,
    )
    seen = observations.c.id == incident_observations.c.observation_id
    lat, lon = observations.c.lat_deg, observations.c.lon_deg
    ranked = (
        select(
            tickets.c.id.label("ticket_id"),
            tickets.c.category,
            tickets.c.opened_at.label("found_at"),
            tickets.c.unit_grid,
            tickets.c.responsible_grid,
            tickets.c.segment,
            func.coalesce(lat, tickets.c.lat_deg).label("lat_deg"),
            func.coalesce(lon, tickets.c.lon_deg).label("lon_deg"),
            rank.label("rank"),
        )
        .select_from(tickets.outerjoin(incident_observations, member).outerjoin(observations, seen))
        .where(tickets.c.opened_at >= since, tickets.c.opened_at < until)
        .where(tickets.c.parent.is_(None), ~was_rejected)
        .subquery()
    )
    first = select(ranked).where(ranked.c.rank == 1)
    first = first.order_by(ranked.c.found_at, ranked.c.ticket_id)
    with reading(engine) as connection:
        yield from map(dict, connection.execute(first).mappings())


def looks_of_period(engine: Engine, start: datetime, end: datetime) -> Iterator[Look]:
    """Looks that begin in [start, end), by start and id."""

    def read(statement: Select[Any]) -> list[rows.Stored]:
        with reading(engine) as connection:
            return list(connection.execute(statement).mappings())

    where = [looks.c.start_at >= start, looks.c.start_at < end]
    for page in sql.pages(read, looks, ("start_at", "id"), where):
        yield from map(rows.look, page)


def keep_report(
    engine: Engine, name: str, content_of: Callable[[int], str], actor: str, at: datetime
) -> int:
    """Keep a report as it is from now on; the number of this revision of it, from 1.

    content_of gives the text under its number; the revisions before are kept as well.
    """
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("LOCK TABLE approved_reports IN SHARE ROW EXCLUSIVE MODE")
        mine = approved_reports.c.name.startswith(f"{name} r", autoescape=True)
        count = select(func.count()).select_from(approved_reports).where(mine)
        revision = int(connection.execute(count).scalar_one()) + 1
        row = {"name": f"{name} r{revision:06}", "at": at, "actor": actor}
        connection.execute(approved_reports.insert(), [{**row, "content": content_of(revision)}])
        return revision


def kept_report(engine: Engine, name: str) -> str | None:
    """The newest revision of a report that was kept; None if there is none."""
    table = approved_reports
    newest = select(table.c.content).where(table.c.name.startswith(f"{name} r", autoescape=True))
    with reading(engine) as connection:
        return connection.execute(newest.order_by(table.c.name.desc()).limit(1)).scalar()
