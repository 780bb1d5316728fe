"""Statements that SQLAlchemy compiles once; the driver then gets their text straight.

A transaction of fusion is a score of small statements, and the layers between cost several times
what SQLite itself needs for one. Reading from PostgreSQL goes past most of them as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Select, Table
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql.psycopg import dialect as psycopg_dialect

from patrolvision.store import arrays, driver
from patrolvision.store.rows import Row

SQLITE = sqlite.dialect(paramstyle="named")
BY_POSITION = sqlite.dialect(paramstyle="qmark")
PSYCOPG = psycopg_dialect()  # type: ignore[no-untyped-call]
Convert = Callable[[Any], Any]
Statement = Any  # of SQLAlchemy: the same object each time, for its text is kept by it


def fetched(
    connection: Connection, statement: Statement, parameters: Mapping[str, Any]
) -> Sequence[Any]:
    """Rows as the driver yields them; the statement's columns must need no conversion."""
    if connection.dialect.name != "sqlite":
        text, fixed = _psycopg_text(statement)
        return driver.fetched(connection, text, {**fixed, **parameters})
    text, fixed = _text(statement)
    found: list[Any] = _driver(connection).execute(text, {**fixed, **parameters}).fetchall()
    return found


def fetched_of(
    connection: Connection, table: Table, statement: Select[Any], parameters: Mapping[str, Any]
) -> list[Row]:
    """Rows of a statement that selects this table whole, with the types of its columns."""
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
    text, names = _positional(statement, tuple(found[0]))
    execute = _driver(connection).execute
    ids: set[str] = set()
    for row in _to_driver(statement.table, names, found):
        ids.update([id for (id,) in execute(text, row)])
    return ids


def insert(connection: Connection, table: Table, found: Sequence[Row]) -> None:
    """Insert rows that are not there; all must have the same columns."""
    if connection.dialect.name != "sqlite":
        arrays.added(connection, table, found)
        return
    text, names = _positional(_inserting(table), tuple(found[0]))
    _driver(connection).executemany(text, _to_driver(table, names, found))


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection


@lru_cache(maxsize=1024)
def _text(statement: Statement) -> tuple[str, Row]:
    """The statement in SQL, with the values that are part of it."""
    return _compiled(statement, SQLITE)


@lru_cache(maxsize=256)
def _positional(statement: Statement, names: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """An insert of these columns in SQL, and their order in it."""
    compiled = statement.compile(dialect=BY_POSITION, column_keys=list(names))
    return str(compiled), tuple(compiled.positiontup)


@lru_cache(maxsize=1024)
def _psycopg_text(statement: Statement) -> tuple[str, Row]:
    return _compiled(statement, PSYCOPG)


def _compiled(statement: Statement, dialect: Any) -> tuple[str, Row]:
    compiled = statement.compile(dialect=dialect)
    if "__[POSTCOMPILE" in str(compiled):  # a list of values, each to be a parameter
        whole = {"render_postcompile": True}
        compiled = statement.compile(dialect=dialect, compile_kwargs=whole)
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
def _conversions(table: Table) -> dict[str, Convert]:
    processors = ((c.name, c.type.dialect_impl(SQLITE).bind_processor(SQLITE)) for c in table.c)
    return {name: process for name, process in processors if process is not None}


def _to_driver(table: Table, names: Sequence[str], found: Sequence[Row]) -> list[tuple[Any, ...]]:
    """The values of the columns named, row by row, as the driver stores them."""
    conversions = _conversions(table)
    columns: list[list[Any]] = []
    for name in names:
        values = [row[name] for row in found]
        convert = conversions.get(name)
        columns.append(values if convert is None else [convert(value) for value in values])
    return list(zip(*columns, strict=True))
