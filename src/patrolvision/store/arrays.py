"""Many values in one parameter for PostgreSQL: keys asked for as an array, rows written as JSON.

A statement with a parameter for every value of every row is read anew by driver and server each
time, which costs them more than the writing; this one is the same for any number of rows and is
prepared once. A row is a JSON object, which costs a tenth of an array for each column: those are
put together value by value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Double,
    Integer,
    Table,
    Text,
    any_,
    bindparam,
)

from patrolvision.store import driver, rows
from patrolvision.store.schema import CanonicalJson, Instant, canonical_json
from patrolvision.types.instants import micros_of

Names = tuple[str, ...]
MOST_CELLS = 20_000  # of one statement; around a thousand places there are fewer


def among(column: ColumnElement[Any], name: str, dialect: str) -> ColumnElement[bool]:
    """Whether the column holds one of the texts of a parameter, on either engine."""
    if dialect == "postgresql":
        return column == any_(bindparam(name, type_=ARRAY(Text)))
    return column.in_(bindparam(name, expanding=True))


def in_cells(column: Column[Any]) -> ColumnElement[bool]:
    """Whether the column is one of the parameter `cells`; for PostgreSQL."""
    return column == any_(bindparam("cells", type_=ARRAY(BigInteger)))


def cells_of(
    connection: Connection, ranges: Sequence[tuple[int, int]]
) -> dict[str, list[int]] | None:
    """The parameter of in_cells; None where inclusive ranges are to be asked for as such."""
    if connection.dialect.name != "postgresql":
        return None
    if sum(last - first + 1 for first, last in ranges) > MOST_CELLS:
        return None
    return {"cells": [cell for first, last in ranges for cell in range(first, last + 1)]}


def upserted(connection: Connection, table: Table, found: Sequence[rows.Row]) -> set[str]:
    """The ids of those inserted, or replaced because they differ from what is stored."""
    others = [column.name for column in table.c if column.name != "id"]
    values = ", ".join(f"{name} = excluded.{name}" for name in map(_quoted, others))
    differs = " OR ".join(
        f"{table.name}.{name} IS DISTINCT FROM excluded.{name}" for name in map(_quoted, others)
    )
    ending = f"ON CONFLICT (id) DO UPDATE SET {values} WHERE {differs} RETURNING id"
    return _written(connection, table, found, ending)


def added_new(connection: Connection, table: Table, found: Sequence[rows.Row]) -> set[str]:
    """The ids of those inserted, because they were not stored."""
    return _written(connection, table, found, "ON CONFLICT (id) DO NOTHING RETURNING id")


def added(connection: Connection, table: Table, found: Sequence[rows.Row]) -> None:
    """Insert rows, of which none is stored."""
    names = tuple(found[0])
    driver.executed(connection, _statement(table, names, ""), (_records(table, names, found),))


def _written(
    connection: Connection, table: Table, found: Sequence[rows.Row], ending: str
) -> set[str]:
    names = tuple(found[0])
    statement = _statement(table, names, ending)
    written = driver.fetched(connection, statement, (_records(table, names, found),))
    return {id for (id,) in written}


@lru_cache(maxsize=64)
def _statement(table: Table, names: Names, ending: str) -> str:
    columns = ", ".join(map(_quoted, names))
    kinds = ", ".join(f"{_quoted(name)} {_kind(table.c[name])}" for name in names)
    rows_given = f"SELECT * FROM json_to_recordset(%s::json) AS given({kinds})"  # noqa: S608 - names of schema.py
    return f"INSERT INTO {table.name} ({columns}) {rows_given} {ending}"


def _records(table: Table, names: Names, found: Sequence[rows.Row]) -> str:
    """The rows as the database keeps them, in JSON; floats survive exactly."""
    converted = [(str(name), _conversion(table.c[name])) for name in names]
    records = [
        {name: convert(row[name]) if convert else row[name] for name, convert in converted}
        for row in found
    ]
    return orjson.dumps(records).decode()


def _conversion(column: Column[Any]) -> Callable[[Any], Any] | None:
    if isinstance(column.type, CanonicalJson):
        return canonical_json
    if isinstance(column.type, Instant):
        return lambda at: None if at is None else micros_of(at)
    return None


def _kind(column: Column[Any]) -> str:
    if isinstance(column.type, Double):
        return "double precision"
    if isinstance(column.type, (Instant, BigInteger)):
        return "bigint"
    return "integer" if isinstance(column.type, Integer) else "text"


def _quoted(name: str) -> str:
    return f'"{name}"'
