"""The statements, each built once, that the transaction and the store share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    Table,
    bindparam,
    delete,
    literal,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite

from patrolvision.store import rows, schema
from patrolvision.types import MissionRecord, Ticket

CHUNK = 500  # ids in one statement: well below every engine's limit of parameters
RANGES = 60  # of cells in one statement
PAGE = 1000  # rows in one reading transaction of a listing


def upsert(connection: Connection, table: Table, found: Sequence[rows.Row]) -> set[str]:
    """Insert or replace by id the rows that differ from what is stored; the ids of those."""
    wanted = {row["id"]: row for row in found}
    if not wanted:
        return set()
    statement = _upsert(table, connection.dialect.name)
    return set(connection.execute(statement, list(wanted.values())).scalars())


def insert_new(connection: Connection, table: Table, found: Sequence[rows.Row]) -> set[str]:
    """Insert the rows whose id is not stored; the ids of those."""
    wanted = {row["id"]: row for row in reversed(found)}  # of two with one id the first counts
    if not wanted:
        return set()
    statement = _insert_new(table, connection.dialect.name)
    return set(connection.execute(statement, list(reversed(wanted.values()))).scalars())


def _insert(table: Table, dialect: str) -> Any:
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


@lru_cache(maxsize=64)
def _insert_new(table: Table, dialect: str) -> Any:
    statement = _insert(table, dialect).on_conflict_do_nothing(index_elements=["id"])
    return statement.returning(table.c.id)


@lru_cache(maxsize=64)
def _upsert(table: Table, dialect: str) -> Any:
    statement = _insert(table, dialect)
    values = {column.name: statement.excluded[column.name] for column in table.c}
    values.pop("id")
    differs = or_(*(table.c[name].is_distinct_from(value) for name, value in values.items()))
    statement = statement.on_conflict_do_update(index_elements=["id"], set_=values, where=differs)
    return statement.returning(table.c.id)


def select_in(
    connection: Connection, table: Table, column: Column[Any], keys: Sequence[str]
) -> list[rows.Stored]:
    """Rows of the table whose column holds one of the keys."""
    found: list[rows.Stored] = []
    for start in range(0, len(keys), CHUNK):
        parameters = {"keys": list(keys[start : start + CHUNK])}
        found += connection.execute(_in(table, column), parameters).mappings().all()
    return found


def delete_in(connection: Connection, column: Column[Any], values: Sequence[str]) -> None:
    """Delete the rows of the column's table that hold any of the values."""
    for start in range(0, len(values), CHUNK):
        chosen = column.in_(values[start : start + CHUNK])
        connection.execute(delete(column.table).where(chosen))


@lru_cache(maxsize=64)
def _in(table: Table, column: Column[Any]) -> Select[Any]:
    return select(table).where(column.in_(bindparam("keys", expanding=True)))


def select_ranges(
    connection: Connection,
    statement: Callable[[int], Select[Any]],
    ranges: Sequence[tuple[int, int]],
    **parameters: str,
) -> list[rows.Stored]:
    """Rows that the statement finds in inclusive ranges of cells."""
    bounds = range_bounds(ranges) | parameters
    return list(connection.execute(statement(len(ranges)), bounds).mappings())


def range_bounds(ranges: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """The parameters of in_ranges."""
    bounds = {f"first_{k}": first for k, (first, _) in enumerate(ranges)}
    return bounds | {f"last_{k}": last for k, (_, last) in enumerate(ranges)}


def in_ranges(column: Column[Any], count: int) -> ColumnElement[bool]:
    """Whether the column lies in one of so many inclusive ranges."""
    return or_(
        *(column.between(bindparam(f"first_{k}"), bindparam(f"last_{k}")) for k in range(count))
    )


@lru_cache(maxsize=64)
def incidents_in(count: int) -> Select[Any]:
    """Incidents of a category in so many ranges of cells."""
    table = schema.incidents
    return (
        select(table)
        .where(table.c.category == bindparam("category"))
        .where(in_ranges(table.c.cell, count))
    )


@lru_cache(maxsize=64)
def looks_in(count: int) -> Select[Any]:
    """Looks that cover a cell in so many ranges of wide cells."""
    cells, table = schema.look_cells, schema.looks
    ids = select(cells.c.look_id).where(in_ranges(cells.c.cell, count))
    return select(table).where(table.c.id.in_(ids))


def events_of(connection: Connection, ticket_ids: Sequence[str]) -> dict[str, list[rows.Row]]:
    """ticket id -> the rows of its history, in order."""
    table = schema.ticket_events
    events: dict[str, list[rows.Row]] = {}
    found = select_in(connection, table, table.c.ticket_id, ticket_ids)
    for row in sorted(found, key=lambda row: int(row["position"])):
        events.setdefault(row["ticket_id"], []).append(dict(row))
    return events


def tickets_of_rows(connection: Connection, found: Sequence[rows.Stored]) -> list[Ticket]:
    """Tickets of rows, with their histories, in the order of the rows."""
    events = events_of(connection, [row["id"] for row in found])
    return [rows.ticket(row, events[row["id"]]) for row in found]


def mission(connection: Connection, mission_id: str) -> MissionRecord | None:
    """The record of a mission that is over."""
    table = schema.missions
    found = select_in(connection, table, table.c.id, [mission_id])
    return rows.mission(found[0]) if found else None


def pages(
    read: Callable[[Select[Any]], list[rows.Stored]],
    table: Table,
    order: Sequence[str],
    where: Sequence[ColumnElement[bool]] = (),
    size: int = PAGE,
) -> Iterator[list[rows.Stored]]:
    """Rows page by page in the order of a unique tuple of columns; no transaction stays open."""
    columns = [table.c[name] for name in order]
    statement = select(table).where(*where).order_by(*columns).limit(size)
    page = read(statement)
    while page:
        yield page
        if len(page) < size:
            return
        last = [literal(page[-1][column.name], column.type) for column in columns]
        page = read(statement.where(tuple_(*columns) > tuple_(*last)))


def equal(table: Table, **wanted: str | None) -> list[ColumnElement[bool]]:
    """One condition for each column that is to have a value; None asks for nothing."""
    return [table.c[name] == value for name, value in wanted.items() if value is not None]
