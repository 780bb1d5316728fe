"""Tickets that are late and may climb: asked for every minute, so found by an index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, Select

from patrolvision.store import rows, sql
from patrolvision.store.engine import reading
from patrolvision.store.schema import tickets
from patrolvision.types import Ticket


def overdue_tickets(
    engine: Engine, states: Sequence[str], now: datetime, below_level: int
) -> Iterator[Ticket]:
    """Tickets in one of the states whose deadline is past and that may climb, by deadline and id.

    below_level: those that stand on this rung or above are left out.
    """

    def read(statement: Select[Any]) -> list[rows.Stored]:
        with reading(engine) as connection:
            return list(connection.execute(statement).mappings())

    late = [tickets.c.due_at < now, tickets.c.level < below_level]
    for state in states:
        where = [tickets.c.state == state, *late]
        for page in sql.pages(read, tickets, ("due_at", "id"), where):
            with reading(engine) as connection:
                found = sql.tickets_of_rows(connection, page)
            yield from found
