"""A ticket's history in a line of its row, for reports.

Revision ID: 0012
Revises: 0011
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from patrolvision.store.lives import kept_line
from patrolvision.store.schema import CanonicalJson, Instant

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

CHUNK = 5000


def upgrade() -> None:
    """Add the column and fill it from the histories that are there."""
    op.add_column("tickets", sa.Column("life", sa.Text()))
    connection = op.get_bind()
    tickets = sa.table("tickets", sa.column("id"), sa.column("life"))
    written = (
        sa.update(tickets)
        .where(tickets.c.id == sa.bindparam("one"))
        .values(life=sa.bindparam("line"))
    )
    changes = sa.table("ticket_changes", sa.column("position"))
    newest = connection.execute(sa.select(sa.func.max(changes.c.position))).scalar() or 0
    for rows in _histories(connection):
        events: dict[str, list[Any]] = {}
        for ticket_id, *event in rows:
            events.setdefault(ticket_id, []).append(event)
        connection.execute(written, [{"one": k, "line": kept_line(e)} for k, e in events.items()])
    # It changes nothing of a ticket, so nobody is to be told.
    connection.execute(sa.delete(changes).where(changes.c.position > newest))


def _histories(connection: sa.Connection) -> Any:
    """The events of some tickets at once, by ticket and in order."""
    events = sa.table(
        "ticket_events",
        sa.column("ticket_id"),
        sa.column("position"),
        sa.column("at", Instant),
        sa.column("state"),
        sa.column("action"),
        sa.column("data", CanonicalJson),
    )
    ids: sa.Select[Any] = (
        sa.select(sa.column("id")).select_from(sa.table("tickets")).order_by(sa.column("id"))
    )
    told = sa.select(*(events.c[n] for n in ("ticket_id", "at", "state", "action", "data")))
    told = told.order_by(events.c.ticket_id, events.c.position)
    last = ""
    while chosen := list(
        connection.execute(ids.where(sa.column("id") > last).limit(CHUNK)).scalars()
    ):
        first, last = chosen[0], chosen[-1]
        yield connection.execute(told.where(events.c.ticket_id.between(first, last))).all()
