"""The dashboard's figures: what there is, what came in, what was solved, where it recurs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Connection, Integer, cast, func, select, type_coerce

from patrolvision.store import pyramid
from patrolvision.store.office_tables import verdicts
from patrolvision.store.schema import ticket_events, tickets
from patrolvision.store.ticket_filters import OPEN, TicketFilter, sifting
from patrolvision.types.instants import EPOCH, MICROSECOND, micros_of

QUARTER_US = 900 * 1_000_000  # every zone's midnight lies on a quarter of an hour
HOT = 3  # times in the same place
PLACES = 20


def kinds(connection: Connection, areas: Sequence[str]) -> dict[tuple[str, str, str], int]:
    """(category, state, priority) -> tickets, in areas."""
    if not areas:
        return pyramid.totals(connection)
    columns = (tickets.c.category, tickets.c.state, tickets.c.priority)
    counted = select(*columns, func.count()).where(*_within(areas)).group_by(*columns)
    return {(row[0], row[1], row[2]): row[3] for row in connection.execute(counted)}


def opened(
    connection: Connection, since: datetime, areas: Sequence[str]
) -> list[tuple[datetime, str, int]]:
    """(quarter of an hour, category, tickets that were opened in it)."""
    quarter = type_coerce(tickets.c.opened_at, BigInteger) // QUARTER_US
    columns = (quarter.label("quarter"), tickets.c.category)
    counted = select(*columns, func.count().label("n")).where(tickets.c.opened_at >= since)
    found = connection.execute(counted.where(*_within(areas)).group_by(*columns))
    return [
        (EPOCH + int(row.quarter) * QUARTER_US * MICROSECOND, row.category, row.n) for row in found
    ]


def closed(connection: Connection, since: datetime, areas: Sequence[str]) -> dict[str, Any]:
    """How many were closed since, how many of them in time, and their median time to closing."""
    at = type_coerce(ticket_events.c.at, BigInteger)
    due, begun = (type_coerce(tickets.c[name], BigInteger) for name in ("due_at", "opened_at"))
    joined = ticket_events.join(tickets, tickets.c.id == ticket_events.c.ticket_id)
    wanted = (
        select(
            (at - begun).label("took"),
            cast(func.coalesce(due, micros_of(EPOCH + timedelta(days=400_000))) >= at, Integer),
        )
        .select_from(joined)
        .where(ticket_events.c.state == "closed", ticket_events.c.at >= since)
        .where(tickets.c.state == "closed", *_within(areas))
    )
    rows = sorted((int(took), bool(in_time)) for took, in_time in connection.execute(wanted))
    if not rows:
        return {"count": 0, "in_time": 0, "in_time_rate": None, "median_hours": None}
    in_time = sum(is_in_time for _, is_in_time in rows)
    return {
        "count": len(rows),
        "in_time": in_time,
        "in_time_rate": in_time / len(rows),
        "median_hours": rows[len(rows) // 2][0] / 3.6e9,
    }


def overdue(connection: Connection, now: datetime, areas: Sequence[str]) -> int:
    """Open tickets whose deadline has passed."""
    late = (tickets.c.state.in_(OPEN)) & (tickets.c.due_at < now)
    return int(connection.execute(select(func.count()).where(late, *_within(areas))).scalar_one())


def false_alarms(connection: Connection, since: datetime) -> dict[str, Any]:
    """What the reviewers said since."""
    counted = select(verdicts.c.verdict, func.count()).where(verdicts.c.at >= since)
    said = {row[0]: row[1] for row in connection.execute(counted.group_by(verdicts.c.verdict))}
    total = sum(said.values())
    false = said.get("false", 0)
    return {"verdicts": total, "false": false, "rate": false / total if total else None}


def hot_spots(
    connection: Connection, since: datetime, areas: Sequence[str]
) -> list[dict[str, Any]]:
    """Places (cells of 0.001°) where one category was opened HOT times or more since."""
    count = func.count().label("n")
    columns = (tickets.c.cell, tickets.c.category)
    places = (
        func.avg(tickets.c.lat_deg).label("lat_deg"),
        func.avg(tickets.c.lon_deg).label("lon_deg"),
        func.min(tickets.c.segment).label("segment"),
    )
    wanted = select(*columns, count, *places).where(tickets.c.opened_at >= since)
    wanted = wanted.where(*_within(areas)).group_by(*columns).having(count >= HOT)
    ranked = wanted.order_by(count.desc(), tickets.c.cell, tickets.c.category).limit(PLACES)
    return [
        {
            "category": row["category"],
            "count": row["n"],
            "lat_deg": row["lat_deg"],
            "lon_deg": row["lon_deg"],
            "segment": row["segment"],
        }
        for row in connection.execute(ranked).mappings()
    ]


def _within(areas: Sequence[str]) -> list[Any]:
    return sifting(TicketFilter(areas=tuple(areas))) if areas else []
