"""Tickets that were sent to other Open311 servers: what each answered, and what it says now."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, or_, select, update

from patrolvision.store.neighbour_tables import pushed_requests
from patrolvision.store.schema import tickets

OVER = ("closed", "rejected")
FOLLOWED_FOR = timedelta(days=365)


def pushed(connection: Connection, sink: str, ticket_id: str) -> dict[str, Any] | None:
    """What another server answered when it was sent the ticket, and what was heard since."""
    table = pushed_requests
    mine = select(table).where(table.c.sink == sink, table.c.ticket_id == ticket_id)
    row = connection.execute(mine).mappings().first()
    return None if row is None else dict(row)


def note_pushed(
    connection: Connection,
    sink: str,
    ticket_id: str,
    at: datetime,
    *,
    service_request_id: str | None,
    token: str | None,
) -> None:
    """Keep what another server answered; what it had answered before is replaced."""
    table = pushed_requests
    mine = (table.c.sink == sink) & (table.c.ticket_id == ticket_id)
    values = {"service_request_id": service_request_id, "token": token}
    if not connection.execute(update(table).where(mine).values(**values)).rowcount:
        row = {"sink": sink, "ticket_id": ticket_id, "pushed_at": at, **values}
        connection.execute(insert(table), [row])


def to_be_asked(
    connection: Connection, sink: str, now: datetime, every: timedelta, limit: int
) -> list[str]:
    """Open tickets of which the sink's server was last asked so long ago, the longest first."""
    table = pushed_requests
    old = or_(table.c.asked_at.is_(None), table.c.asked_at <= now - every)
    wanted = (
        select(table.c.ticket_id)
        .select_from(table.join(tickets, tickets.c.id == table.c.ticket_id))
        .where(table.c.sink == sink, old, table.c.pushed_at > now - FOLLOWED_FOR)
        .where(tickets.c.state.not_in(OVER))
        .order_by(table.c.asked_at.is_not(None), table.c.asked_at, table.c.ticket_id)
        .limit(limit)
    )
    return [str(ticket_id) for (ticket_id,) in connection.execute(wanted)]


def note_asked(connection: Connection, sink: str, ticket_id: str, at: datetime) -> None:
    """Remember that the server was asked, whatever it said."""
    table = pushed_requests
    mine = (table.c.sink == sink) & (table.c.ticket_id == ticket_id)
    connection.execute(update(table).where(mine).values(asked_at=at))


def hear(connection: Connection, sink: str, ticket_id: str, said: str) -> bool:
    """Remember what the server says now; False if it is what it said before."""
    table = pushed_requests
    mine = (table.c.sink == sink) & (table.c.ticket_id == ticket_id)
    is_new = or_(table.c.said.is_(None), table.c.said != said)
    return bool(connection.execute(update(table).where(mine, is_new).values(said=said)).rowcount)
