"""The statements, each built once, that the transaction and the store share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

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
from sqlalchemy.dialects import sqlite

from patrolvision.store import arrays, rows, schema, straight
from patrolvision.types import MissionRecord, Ticket

CHUNK = 512  # ids in one statement: well below every engine's limit of parameters
RANGES = 64  # of cells in one statement
NOTHING = (1, 0)  # a range that holds no cell
FEW = 4  # rows that are inserted one by one, without asking first which of them are there
PAGE = 1000  # rows in one reading transaction of a listing


class Written(NamedTuple):
    """The ids of the rows that were written."""

    changed: set[str]  # all that differed from what was stored
    fresh: set[str]  # of these, those of which nothing was stored, so that nothing refers to them


def upsert(connection: Connection, table: Table, found: Sequence[rows.Row]) -> set[str]:
    """Insert or replace by id the rows that differ from what is stored; the ids of those."""
    return written(connection, table, found).changed


def written(connection: Connection, table: Table, found: Sequence[rows.Row]) -> Written:
    """The same; and which of them were new, as far as the engine says so: PostgreSQL does not."""
    wanted = {row["id"]: row for row in found}
    if not wanted:
        return Written(set(), set())
    if connection.dialect.name == "postgresql":
        return Written(arrays.upserted(connection, table, list(wanted.values())), set())
    fresh = insert_new(connection, table, list(wanted.values()))
    old = [row for id, row in wanted.items() if id not in fresh]
    changed = straight.returned(connection, _upsert(table), old) if old else set()
    return Written(changed | fresh, fresh)


def _known_ids(connection: Connection, table: Table, ids: Sequence[str]) -> set[str]:
    """Those of the ids that are stored."""
    found: set[str] = set()
    for count, some in asked_keys(connection, ids):
        found |= {id for (id,) in straight.fetched(connection, _ids_in(table, count), some)}
    return found


@lru_cache(maxsize=64)
def _ids_in(table: Table, count: int) -> Select[Any]:
    return select(table.c.id).where(one_of(table.c.id, count))


def insert_new(connection: Connection, table: Table, found: Sequence[rows.Row]) -> set[str]:
    """Insert the rows whose id is not stored; the ids of those."""
    wanted = {row["id"]: row for row in reversed(found)}  # of two with one id the first counts
    if not wanted:
        return set()
    if connection.dialect.name == "postgresql":
        return arrays.added_new(connection, table, list(reversed(wanted.values())))
    found = list(reversed(wanted.values()))
    if len(found) < FEW:
        return straight.returned(connection, _insert_new(table), found)
    known = _known_ids(connection, table, list(wanted))
    fresh = [row for row in found if row["id"] not in known]
    if fresh:
        straight.insert(connection, table, fresh)
    return {row["id"] for row in fresh}


@lru_cache(maxsize=64)
def _insert_new(table: Table) -> Any:
    statement = sqlite.insert(table).on_conflict_do_nothing(index_elements=["id"])
    return statement.returning(table.c.id)


@lru_cache(maxsize=64)
def _upsert(table: Table) -> Any:
    statement = sqlite.insert(table)
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
    for count, some in asked_keys(connection, keys):
        found += straight.fetched_of(connection, table, _in(table, column, count), some)
    return found


def asked_keys(connection: Connection, keys: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """What one_of is to be built for, and its parameters, for each statement that it takes."""
    size = CHUNK if connection.dialect.name == "sqlite" else max(len(keys), 1)
    for start in range(0, len(keys), size):
        yield all_keys(connection, keys[start : start + size])


def all_keys(connection: Connection, keys: Sequence[str]) -> tuple[int, dict[str, Any]]:
    """The same for a single statement.

    Where they are no array, their number is a power of two, the last repeated, so that few
    statements serve all numbers.
    """
    if connection.dialect.name == "postgresql":
        return 0, {"keys": list(keys)}
    count = 1 << (len(keys) - 1).bit_length()
    return count, {f"key_{k}": keys[min(k, len(keys) - 1)] for k in range(count)}


def one_of(column: ColumnElement[Any], count: int) -> ColumnElement[bool]:
    """Whether the column holds one of so many keys; 0: of an array of them."""
    if count == 0:
        return arrays.among(column, "keys", "postgresql")
    return column.in_([bindparam(f"key_{k}") for k in range(count)])


def delete_in(connection: Connection, column: Column[Any], values: Sequence[str]) -> None:
    """Delete the rows of the column's table that hold any of the values."""
    for start in range(0, len(values), CHUNK):
        chosen = column.in_(values[start : start + CHUNK])
        connection.execute(delete(column.table).where(chosen))


@lru_cache(maxsize=512)
def _in(table: Table, column: Column[Any], count: int) -> Select[Any]:
    return select(table).where(one_of(column, count))


def select_ranges(
    connection: Connection,
    table: Table,
    statement: Callable[[int], Select[Any]],
    ranges: Sequence[tuple[int, int]],
    **parameters: str,
) -> list[rows.Row]:
    """Rows of the table that the statement finds in inclusive ranges of cells."""
    found: list[rows.Row] = []
    for count, bounds in asked_ranges(connection, ranges):
        found += straight.fetched_of(connection, table, statement(count), bounds | parameters)
    return found


def asked_ranges(
    connection: Connection, ranges: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """What in_ranges is to be built for, and its parameters, for each statement that it takes."""
    cells = arrays.cells_of(connection, ranges)
    if cells is not None:
        yield 0, cells
        return
    for start in range(0, len(ranges), RANGES):
        some = list(ranges[start : start + RANGES])
        count = 1 << (len(some) - 1).bit_length()  # so that few statements serve all numbers
        yield count, range_bounds(some + [NOTHING] * (count - len(some)))


def range_bounds(ranges: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """The parameters of in_ranges."""
    bounds = {f"first_{k}": first for k, (first, _) in enumerate(ranges)}
    return bounds | {f"last_{k}": last for k, (_, last) in enumerate(ranges)}


def in_ranges(column: Column[Any], count: int) -> ColumnElement[bool]:
    """Whether the column lies in one of so many inclusive ranges; 0: is one of arrays.cells_of."""
    if count == 0:
        return arrays.in_cells(column)
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
