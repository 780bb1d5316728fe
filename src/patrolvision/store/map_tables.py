"""The tables behind the map and the live page: counts by tile, what changed, who is at work.

Triggers fill ticket_deltas and ticket_changes, so that no writer can forget to. Both are only ever
appended to by writers: a count kept in one row would make writers of different places wait for each
other, and dead-lock. pyramid.py folds the deltas into ticket_tiles.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Index, Integer, Table

from patrolvision.store.schema import CanonicalJson, Id, Instant, metadata

POSITION = BigInteger().with_variant(Integer, "sqlite")

# Tickets in the tile of a key (quads.key_of), summed place in millionths of a degree.
ticket_tiles = Table(
    "ticket_tiles",
    metadata,
    Column("key", BigInteger, primary_key=True, autoincrement=False),
    Column("category", Id, primary_key=True),
    Column("state", Id, primary_key=True),
    Column("priority", Id, primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("lat_e6", BigInteger, nullable=False),
    Column("lon_e6", BigInteger, nullable=False),
)

# One ticket more (change 1) or less (-1) that ticket_tiles does not know of yet.
ticket_deltas = Table(
    "ticket_deltas",
    metadata,
    Column("position", POSITION, primary_key=True),
    Column("quad", BigInteger, nullable=False),
    Column("category", Id, nullable=False),
    Column("state", Id, nullable=False),
    Column("priority", Id, nullable=False),
    Column("lat_deg", Double, nullable=False),
    Column("lon_deg", Double, nullable=False),
    Column("change", Integer, nullable=False),
)

# What a live page is told: this ticket is not as it was. `at` is when, by the database's clock.
ticket_changes = Table(
    "ticket_changes",
    metadata,
    Column("position", POSITION, primary_key=True),
    Column("ticket_id", Id, nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_ticket_changes_at", "at"),
)

# Whoever is at work says so here: `server`, `stream:<id>` with the instant of its newest frame.
heartbeats = Table(
    "heartbeats",
    metadata,
    Column("name", Id, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("detail", CanonicalJson, nullable=False),
)
