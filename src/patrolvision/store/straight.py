"""Statements that SQLAlchemy compiles once; SQLite's driver then gets their text straight.

A transaction of fusion is a score of small statements, and the layers between cost several times
what SQLite itself needs for one. PostgreSQL, which waits for a network, is asked through them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Select, Table
from sqlalchemy.dialects import sqlite

from patrolvision.store import arrays
from patrolvision.store.rows import Row

SQLITE = sqlite.dialect(paramstyle="named")
Convert = Callable[[Any], Any]
Statement = Any  # of SQLAlchemy: the same object each time, for its text is kept by it


def fetched(
    connection: Connection, statement: Statement, parameters: Mapping[str, Any]
) -> Sequence[Any]:
    """Rows as the driver yields them; the statement's columns must need no conversion."""
    if connection.dialect.name != "sqlite":
        return connection.execute(statement, dict(parameters)).all()
    text, fixed = _text(statement, ())
    found: list[Any] = _driver(connection).execute(text, {**fixed, **parameters}).fetchall()
    return found


def fetched_of(
    connection: Connection, table: Table, statement: Select[Any], parameters: Mapping[str, Any]
) -> list[Row]:
    """Rows of a statement that selects this table whole, with the types of its columns."""
    if connection.dialect.name != "sqlite":
        return [dict(row) for row in connection.execute(statement, dict(parameters)).mappings()]
    names, converted = _from_driver(table)
    found = [
        dict(zip(names, row, strict=True)) for row in fetched(connection, statement, parameters)
    ]
    for name, convert in converted:
        for row in found:
            row[name] = convert(row[name])
    return found


def returned(connection: Connection, statement: Statement, found: Sequence[Row]) -> set[str]:
    """The ids that an insert returns, row by row; all rows must have the same columns."""
    if connection.dialect.name != "sqlite":
        return set(connection.execute(statement, list(found)).scalars())
    text, fixed = _text(statement, tuple(found[0]))
    execute = _driver(connection).execute
    ids: set[str] = set()
    for row in _to_driver(statement.table, found):
        ids.update(id for (id,) in execute(text, {**fixed, **row}))
    return ids


def insert(connection: Connection, table: Table, found: Sequence[Row]) -> None:
    """Insert rows that are not there; all must have the same columns."""
    if connection.dialect.name != "sqlite":
        arrays.added(connection, table, found)
        return
    text, _ = _text(_inserting(table), tuple(found[0]))
    _driver(connection).executemany(text, _to_driver(table, found))


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection


@lru_cache(maxsize=1024)
def _text(statement: Statement, names: tuple[str, ...]) -> tuple[str, Row]:
    """The statement in SQL, with the values that are part of it."""
    compiled = statement.compile(dialect=SQLITE, column_keys=list(names) or None)
    return str(compiled), {k: v for k, v in compiled.params.items() if v is not None}


@lru_cache(maxsize=64)
def _inserting(table: Table) -> Any:
    return table.insert()


@lru_cache(maxsize=64)
def _from_driver(table: Table) -> tuple[tuple[str, ...], list[tuple[str, Convert]]]:
    processors = (
        (c.name, c.type.dialect_impl(SQLITE).result_processor(SQLITE, None)) for c in table.c
    )
    return tuple(c.name for c in table.c), [(n, p) for n, p in processors if p is not None]


@lru_cache(maxsize=64)
def _conversions(table: Table) -> list[tuple[str, Convert]]:
    processors = ((c.name, c.type.dialect_impl(SQLITE).bind_processor(SQLITE)) for c in table.c)
    return [(name, process) for name, process in processors if process is not None]


def _to_driver(table: Table, found: Sequence[Row]) -> list[Row]:
    """Copies of the rows with the values that the driver stores."""
    there = [(name, convert) for name, convert in _conversions(table) if name in found[0]]
    copies = [dict(row) for row in found]
    for name, convert in there:
        for row in copies:
            row[name] = convert(row[name])
    return copies
