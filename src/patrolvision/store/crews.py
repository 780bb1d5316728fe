"""Crews in every version they had, and where each was last.

What a crew is made of is the office's affair: here it is a JSON object under an id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.dialects import postgresql, sqlite

from patrolvision.store.dispatch_tables import crew_positions, crews
from patrolvision.store.engine import reading, writing
from patrolvision.store.schema import tickets

Record = Mapping[str, Any]
AT_WORK = ("dispatched", "handling", "feedback")


@dataclass(frozen=True, slots=True)
class StoredPosition:
    """Where a crew was at an instant."""

    crew_id: str
    at: datetime
    lat_deg: float
    lon_deg: float


def save_crew(
    engine: Engine, crew_id: str, content: Record, actor: str, at: datetime, *, is_new: bool
) -> int | None:
    """Add a version of a crew; its number, or None if it is there already (new) or not (change).

    The same content again adds nothing.
    """
    with writing(engine) as connection:
        _one_at_a_time(connection)
        last = _versions(connection, crew_id=crew_id)
        if bool(last) == is_new:
            return None
        if last and last[-1]["content"] == dict(content):
            return int(last[-1]["version"])
        number = int(last[-1]["version"]) + 1 if last else 1
        row = {"id": crew_id, "version": number, "since": at, "actor": actor}
        connection.execute(crews.insert(), [{**row, "content": dict(content)}])
        return number


def stored_crews(engine: Engine, as_of: datetime | None = None) -> dict[str, dict[str, Any]]:
    """id -> content of every crew, by id; as it stood just before an instant, if one is given.

    A crew that was set up later is given as it was first: a report of an earlier day may name it,
    because tickets are dated by the footage.
    """
    found: dict[str, dict[str, Any]] = {}
    with reading(engine) as connection:
        for row in _versions(connection):
            if row["id"] not in found or as_of is None or row["since"] < as_of:
                found[row["id"]] = dict(row["content"])
    return found


def save_position(engine: Engine, position: StoredPosition) -> bool:
    """Keep where a crew is; False if something as new is known already."""
    values = {
        "crew_id": position.crew_id,
        "at": position.at,
        "lat_deg": position.lat_deg,
        "lon_deg": position.lon_deg,
    }
    with writing(engine) as connection:
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        statement: Any = insert(crew_positions)
        statement = statement.on_conflict_do_update(
            index_elements=["crew_id"],
            set_={name: statement.excluded[name] for name in ("at", "lat_deg", "lon_deg")},
            where=crew_positions.c.at < statement.excluded.at,
        ).returning(crew_positions.c.crew_id)
        return connection.execute(statement, values).first() is not None


def positions(engine: Engine) -> dict[str, StoredPosition]:
    """crew id -> where it was last."""
    with reading(engine) as connection:
        rows = connection.execute(select(crew_positions)).mappings()
        return {
            row["crew_id"]: StoredPosition(
                row["crew_id"], row["at"], row["lat_deg"], row["lon_deg"]
            )
            for row in rows
        }


def open_tickets(engine: Engine) -> dict[str, int]:
    """assignee -> how many tickets are with it just now."""
    chosen = tickets.c.state.in_(AT_WORK) & tickets.c.assignee.is_not(None)
    counted = select(tickets.c.assignee, func.count()).where(chosen).group_by(tickets.c.assignee)
    with reading(engine) as connection:
        return {str(name): int(count) for name, count in connection.execute(counted)}


def _versions(connection: Connection, crew_id: str | None = None) -> list[Mapping[str, Any]]:
    statement = select(crews).order_by(crews.c.id, crews.c.version)
    if crew_id is not None:
        statement = statement.where(crews.c.id == crew_id)
    return [dict(row) for row in connection.execute(statement).mappings()]


def _one_at_a_time(connection: Connection) -> None:
    # SQLite has one writer at a time; elsewhere two changes of one crew wait for each other.
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("LOCK TABLE crews IN SHARE ROW EXCLUSIVE MODE")
