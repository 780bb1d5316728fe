"""What was looked at by day: sheets made of looks, and how often a day's looks changed.

Sheets are no content: each can be made again from the looks of its day and the office's map.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table

from patrolvision.store.office_tables import Position
from patrolvision.store.schema import Id, metadata

# Rows are added, never changed, so that no two writers wait for each other; the sum of a day's only
# grows, but for rows of one day that are joined into one.
look_changes = Table(
    "look_changes",
    metadata,
    Column("position", Position, primary_key=True),
    Column("day", BigInteger, nullable=False),  # since 1970, UTC
    Column("changes", BigInteger, nullable=False),
    Index("ix_look_changes_day", "day"),
)

look_sheets = Table(
    "look_sheets",
    metadata,
    Column("grids", Id, primary_key=True),  # the hash of the map
    Column("day", BigInteger, primary_key=True, autoincrement=False),
    Column("part", Id, primary_key=True),
    Column("version", BigInteger, nullable=False),  # the changes that it knows of
    Column("ends_at", BigInteger, nullable=False),  # of the day's looks the last end
    Column("content", LargeBinary, nullable=False),
)
