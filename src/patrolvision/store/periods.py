"""What a report of a period is made from: tickets that had to do with it, places, looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, get_args

import numpy as np
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Engine,
    Select,
    bindparam,
    case,
    func,
    select,
    type_coerce,
)

from patrolvision.store import lives, sql, straight
from patrolvision.store.columns import as_lists, first_of
from patrolvision.store.dispatch_tables import approved_reports
from patrolvision.store.engine import reading, writing
from patrolvision.store.schema import incidents, observations, ticket_events, tickets
from patrolvision.types import GridCodes, TicketState
from patrolvision.types.columns import UNKNOWN, FoundTickets, Histories
from patrolvision.types.instants import micros_of

OVER = ("closed", "rejected")
OPEN = tuple(state for state in get_args(TicketState) if state not in OVER)
SLICE = 20_000  # tickets that are read at once
NOTHING: tuple[tuple[Any, ...], ...] = ((),) * 5
_COLUMNS = {
    name: tickets.c[name]
    for name in ("category", "unit_grid", "responsible_grid", "segment", "assignee")
}
_INSTANTS = {name: type_coerce(tickets.c[name], BigInteger) for name in ("due_at", "opened_at")}


def histories_of_period(engine: Engine, start: datetime, end: datetime) -> Iterator[Histories]:
    """Tickets that were there before the end and had something happen, or were open, after start.

    With their whole histories, also what came after the end; each once, in any order.
    """
    for where in _touched(engine, start, end):
        with reading(engine) as connection:
            found = _histories(connection, where)
        if found is not None:
            yield found


def _touched(engine: Engine, start: datetime, end: datetime) -> Iterator[list[ColumnElement[bool]]]:
    """Which tickets, part by part: those opened in the period; before it, open or over since."""
    for part in _slices(engine, None, start):
        yield [*_opened(*part), tickets.c.state.in_(OPEN)]
    over_since = select(ticket_events.c.ticket_id).where(
        ticket_events.c.state.in_(OVER), ticket_events.c.at >= start
    )
    yield [tickets.c.id.in_(over_since), tickets.c.opened_at < start, tickets.c.state.in_(OVER)]
    for part in _slices(engine, start, end):
        yield _opened(*part)


def _opened(begin: datetime, end: datetime) -> list[ColumnElement[bool]]:
    return [tickets.c.opened_at >= begin, tickets.c.opened_at < end]


def _slices(
    engine: Engine, since: datetime | None, until: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """[since, until) in pieces in which some SLICE tickets were opened; None: from the first on."""
    opened = tickets.c.opened_at
    next_begin = select(opened).order_by(opened).limit(1)
    with reading(engine) as connection:
        begin = connection.execute(select(func.min(opened))).scalar()
    begin = begin if begin is None or since is None else max(begin, since)
    while begin is not None and begin < until:
        later = next_begin.where(opened > begin, opened < until).offset(SLICE)
        with reading(engine) as connection:
            after = connection.execute(later).scalar()
        yield begin, until if after is None else after
        begin = after


def _histories(connection: Connection, where: Sequence[ColumnElement[bool]]) -> Histories | None:
    without = case((tickets.c.life.is_(None), tickets.c.id))
    wanted = {**_COLUMNS, **_INSTANTS, "without": without}
    found, lines = as_lists(connection, wanted, where, tickets.c.life)
    if not lines:
        return None
    missing = found["without"]
    told = _told(connection, [one for one in missing if one is not None])
    return lives.histories(
        {name: found[name] for name in _COLUMNS},
        due_us=[UNKNOWN if due is None else due for due in found["due_at"]],
        opened_us=found["opened_at"],
        lines=[line or told[one] for line, one in zip(lines, missing, strict=True)],
    )


def _told(connection: Connection, ids: Sequence[str]) -> dict[str, str]:
    """The lives of tickets whose rows do not hold them."""
    events = sql.events_of(connection, ids) if ids else {}
    return {one: lives.line_of(map(lives.event_of, events[one])) for one in ids}


def sightings(
    engine: Engine,
    since: datetime,
    until: datetime,
    covers: Callable[[GridCodes], bool] | None = None,
) -> Iterator[FoundTickets]:
    """Tickets opened in [since, until) that were not rejected just before until, by opening and id.

    Parts of others are left out; covers: also those in other grids. The place is that of the
    founding observation, the incident's earliest, which is the first of its list: unlike the
    ticket's it does not move when more is seen.
    """
    with reading(engine) as connection:
        rejected = set(connection.execute(_rejected_before(since, until)).scalars())
    for begin, end in _slices(engine, since, until):
        asked = {"begin": micros_of(begin), "end": micros_of(end)}
        with reading(engine) as connection:
            rows = straight.fetched(connection, _founded(engine.name, covers is not None), asked)
        if covers is not None:
            rows = [row for row in rows if covers(GridCodes(*row[5:]))]
        ids, category, found_us, lat_deg, lon_deg, *_ = zip(*rows, strict=True) if rows else NOTHING
        found = FoundTickets(
            ids, category, np.array(found_us, np.int64), np.array(lat_deg), np.array(lon_deg)
        )
        yield found if rejected.isdisjoint(ids) else found.without(rejected)


def _rejected_before(since: datetime, until: datetime) -> Select[Any]:
    """Tickets opened since then whose last event before until rejected them."""
    later = ticket_events.alias("later")
    last = (
        select(func.max(later.c.position))
        .where(later.c.ticket_id == ticket_events.c.ticket_id, later.c.at < until)
        .correlate(ticket_events)
    )
    return select(ticket_events.c.ticket_id).where(
        ticket_events.c.state == "rejected",
        ticket_events.c.at >= since,
        ticket_events.c.at < until,
        ticket_events.c.position == last.scalar_subquery(),
    )


@lru_cache(maxsize=4)
def _founded(dialect: str, with_codes: bool) -> Select[Any]:
    founding = first_of(incidents.c.observation_ids, dialect)
    held = tickets.join(incidents, incidents.c.id == tickets.c.incident_id)
    codes = [tickets.c[name] for name in ("unit_grid", "responsible_grid", "segment")]
    places = (
        func.coalesce(observations.c[name], tickets.c[name]) for name in ("lat_deg", "lon_deg")
    )
    return (
        select(tickets.c.id, tickets.c.category, _INSTANTS["opened_at"], *places)
        .add_columns(*(codes if with_codes else ()))
        .select_from(held.outerjoin(observations, observations.c.id == founding))
        .where(_INSTANTS["opened_at"] >= bindparam("begin", type_=BigInteger))
        .where(_INSTANTS["opened_at"] < bindparam("end", type_=BigInteger))
        .where(tickets.c.parent.is_(None))
        .order_by(tickets.c.opened_at, tickets.c.id)
    )


def codes_of(engine: Engine, ids: Sequence[str]) -> dict[str, GridCodes]:
    """ticket id -> where it lies, of those that there are."""
    with reading(engine) as connection:
        found = sql.select_in(connection, tickets, tickets.c.id, ids)
    return {
        row["id"]: GridCodes(row["unit_grid"], row["responsible_grid"], row["segment"])
        for row in found
    }


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
