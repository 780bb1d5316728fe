"""Map tiles, the feed of changes, heartbeats, and the indexes of the office's lists.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

from patrolvision.store.quads import quad_of

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
POSITION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
CHUNK = 5000

INDEXES = {
    "observations": (("mission_id", "first_seen", "id"), ("class_name", "first_seen", "id")),
    "incidents": (("cell",), ("status", "first_seen", "id"), ("kind", "first_seen", "id")),
    "ticket_events": (("state", "at", "ticket_id"),),
    "looks": (("mission_id",),),
    "tickets": (
        ("quad",),
        ("state", "due_at", "id"),
        ("state", "opened_at", "id"),
        ("category", "state", "opened_at", "id"),
        ("priority", "state", "opened_at", "id"),
        ("assignee", "opened_at", "id"),
        ("unit_grid", "opened_at", "id"),
        ("responsible_grid", "opened_at", "id"),
        ("segment", "opened_at", "id"),
    ),
}

COLUMNS = "quad, category, state, priority, lat_deg, lon_deg"
ONE_MORE = f"INSERT INTO ticket_deltas ({COLUMNS}, change) VALUES (NEW.quad, NEW.category, NEW.state, NEW.priority, NEW.lat_deg, NEW.lon_deg, 1);"  # noqa: E501, S608
ONE_LESS = f"INSERT INTO ticket_deltas ({COLUMNS}, change) VALUES (OLD.quad, OLD.category, OLD.state, OLD.priority, OLD.lat_deg, OLD.lon_deg, -1);"  # noqa: E501, S608
MOVED = (
    "OLD.quad <> NEW.quad OR OLD.category <> NEW.category OR OLD.state <> NEW.state OR "
    "OLD.priority <> NEW.priority OR OLD.lat_deg <> NEW.lat_deg OR OLD.lon_deg <> NEW.lon_deg"
)
NOW = {
    "sqlite": "CAST((julianday('now') - 2440587.5) * 86400000000.0 AS INTEGER)",
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)",
}


def upgrade() -> None:
    """Create the tables and triggers, and number the tickets that are there."""
    op.add_column(
        "tickets", sa.Column("quad", sa.BigInteger(), nullable=False, server_default=sa.text("0"))
    )
    _create_tables()
    _number_tickets()
    for table, indexes in INDEXES.items():
        for columns in indexes:
            op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))
    dialect = op.get_context().dialect.name
    for name, event, table, condition, body in _triggers(NOW[dialect]):
        if dialect == "sqlite":
            when = f"WHEN {condition} " if condition else ""
            op.execute(
                f"CREATE TRIGGER {name} AFTER {event} ON {table} FOR EACH ROW {when}"
                f"BEGIN {body} END"
            )
        else:
            when = f"WHEN ({condition}) " if condition else ""
            op.execute(
                f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
                f"$$ BEGIN {body} RETURN NULL; END $$"
            )
            op.execute(
                f"CREATE TRIGGER {name} AFTER {event} ON {table} FOR EACH ROW {when}"
                f"EXECUTE FUNCTION {name}()"
            )
    op.execute(f"INSERT INTO ticket_deltas ({COLUMNS}, change) SELECT {COLUMNS}, 1 FROM tickets")  # noqa: S608


def _triggers(now: str) -> tuple[tuple[str, str, str, str, str], ...]:
    # Parts of this file alone are put together here, never a value from outside.
    noticed = "INSERT INTO ticket_changes (ticket_id, at) VALUES (NEW.{}, " + now + ");"  # noqa: S608
    return (
        ("tickets_counted", "INSERT", "tickets", "", ONE_MORE),
        ("tickets_recounted", "UPDATE", "tickets", MOVED, ONE_LESS + " " + ONE_MORE),
        ("tickets_uncounted", "DELETE", "tickets", "", ONE_LESS),
        ("tickets_noticed", "UPDATE", "tickets", "", noticed.format("id")),
        ("ticket_events_noticed", "INSERT", "ticket_events", "", noticed.format("ticket_id")),
    )


def _create_tables() -> None:
    op.create_table(
        "ticket_tiles",
        sa.Column("key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("category", ID, nullable=False),
        sa.Column("state", ID, nullable=False),
        sa.Column("priority", ID, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("lat_e6", sa.BigInteger(), nullable=False),
        sa.Column("lon_e6", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", "category", "state", "priority"),
    )
    op.create_table(
        "ticket_deltas",
        sa.Column("position", POSITION, nullable=False),
        sa.Column("quad", sa.BigInteger(), nullable=False),
        sa.Column("category", ID, nullable=False),
        sa.Column("state", ID, nullable=False),
        sa.Column("priority", ID, nullable=False),
        sa.Column("lat_deg", sa.Double(), nullable=False),
        sa.Column("lon_deg", sa.Double(), nullable=False),
        sa.Column("change", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("position"),
    )
    op.create_table(
        "ticket_changes",
        sa.Column("position", POSITION, nullable=False),
        sa.Column("ticket_id", ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("position"),
    )
    op.create_index("ix_ticket_changes_at", "ticket_changes", ["at"])
    op.create_table(
        "heartbeats",
        sa.Column("name", ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _number_tickets() -> None:
    connection = op.get_bind()
    tickets = sa.table("tickets", *map(sa.column, ("id", "lat_deg", "lon_deg", "quad")))
    select = sa.select(tickets.c.id, tickets.c.lat_deg, tickets.c.lon_deg)
    places = select.order_by(tickets.c.id).limit(CHUNK)
    numbered = (
        sa.update(tickets)
        .where(tickets.c.id == sa.bindparam("one"))
        .values(quad=sa.bindparam("number"))
    )
    found = connection.execute(places).all()
    while found:
        values = [{"one": one, "number": quad_of(lat, lon)} for one, lat, lon in found]
        connection.execute(numbered, values)
        found = connection.execute(places.where(tickets.c.id > found[-1][0])).all()
