"""What changed, in the order in which it was written: the feed of a live page, and heartbeats.

A position is given when a row is written and seen when its transaction ends, so that a lower one
may appear after a higher one. A reader therefore looks back over LATE, and tells everything at
least once; who comes back with the last position he heard of is told again what he may have missed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from patrolvision.store.engine import reading, writing
from patrolvision.store.map_tables import heartbeats, ticket_changes

LATE = timedelta(seconds=30)  # no transaction that changes tickets takes longer
KEPT = timedelta(days=7)
MOST = 2000  # changes in one look


@dataclass(frozen=True, slots=True)
class Change:
    """A ticket is not as it was."""

    position: int
    ticket_id: str
    at: datetime


@dataclass(slots=True)
class Follower:
    """The memory of one reader of the feed, from a position on."""

    low: int
    told: set[int] = field(default_factory=set)

    @staticmethod
    def from_now(connection: Connection) -> Follower:
        """A reader who has heard everything so far; what is being written now he will hear."""
        follower = Follower(_before(connection, newest_position(connection)))
        found = select(ticket_changes.c.position).where(ticket_changes.c.position > follower.low)
        follower.told = set(connection.execute(found).scalars())
        return follower

    @staticmethod
    def after(connection: Connection, position: int) -> Follower:
        """A reader who had heard of a position before he went away."""
        return Follower(_before(connection, position), {position})

    def look(self, connection: Connection) -> list[Change]:
        """What is new, by position; at most MOST, the rest with the next look."""
        table = ticket_changes
        later = select(table).where(table.c.position > self.low).order_by(table.c.position)
        limit = MOST + len(self.told)
        found = [Change(**row) for row in connection.execute(later.limit(limit)).mappings()]
        new = [change for change in found if change.position not in self.told]
        self.told |= {change.position for change in new}
        if found:
            settled = found[-1].at - LATE
            self.low = max((c.position for c in found if c.at < settled), default=self.low)
            self.told = {position for position in self.told if position > self.low}
        return new


def _before(connection: Connection, position: int) -> int:
    """The newest position that was written well before this one."""
    table = ticket_changes
    at = connection.execute(select(table.c.at).where(table.c.position == position)).scalar()
    if at is None:
        return position
    earlier = select(func.max(table.c.position)).where(table.c.at < at - LATE)
    return int(connection.execute(earlier).scalar() or 0)


def oldest_position(connection: Connection) -> int:
    """The oldest change that is still kept; 0 where none is."""
    return int(connection.execute(select(func.min(ticket_changes.c.position))).scalar() or 0)


def newest_position(connection: Connection) -> int:
    """The newest change; 0 where there was none yet."""
    return int(connection.execute(select(func.max(ticket_changes.c.position))).scalar() or 0)


def forget_changes(engine: Engine, now: datetime) -> int:
    """Delete what is older than KEPT, but the newest; how many."""
    table = ticket_changes
    with writing(engine) as connection:
        newest = newest_position(connection)
        old = (table.c.at < now - KEPT) & (table.c.position < newest)
        return connection.execute(delete(table).where(old)).rowcount


def beat(engine: Engine, name: str, at: datetime, detail: Mapping[str, Any]) -> None:
    """Say that somebody is at work, and on what."""
    with writing(engine) as connection:
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        statement: Any = insert(heartbeats)
        values = {column: statement.excluded[column] for column in ("at", "detail")}
        statement = statement.on_conflict_do_update(index_elements=["name"], set_=values)
        connection.execute(statement, {"name": name, "at": at, "detail": dict(detail)})


def beats(engine: Engine) -> dict[str, tuple[datetime, Mapping[str, Any]]]:
    """name -> when it last said so, and what it said."""
    with reading(engine) as connection:
        found = connection.execute(select(heartbeats)).mappings().all()
    return {row["name"]: (row["at"], row["detail"]) for row in found}


def still(engine: Engine, name: str) -> None:
    """Take a name off: it has ended as it should."""
    with writing(engine) as connection:
        connection.execute(delete(heartbeats).where(heartbeats.c.name == name))
