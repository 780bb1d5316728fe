"""Statements that SQLAlchemy compiles once; the driver then gets their text straight.

A transaction of fusion is a score of small statements, and the layers between cost several times
what SQLite itself needs for one. Reading from PostgreSQL goes past most of them as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Select, Table
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql.psycopg import dialect as psycopg_dialect

from patrolvision.store import arrays, driver
from patrolvision.store.rows import Row
from patrolvision.store.schema import (
    CanonicalJson,
    Instant,
    canonical_json,
    instant_or_none,
    json_or_none,
    micros_or_none,
)

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
    converted = ((c.name, _read(c.type)) for c in table.c)
    return tuple(c.name for c in table.c), [(n, p) for n, p in converted if p is not None]


def _read(kind: Any) -> Convert | None:
    """What makes a value of the driver's; the two types of schema.py without their layers."""
    known: dict[type, Convert] = {Instant: instant_or_none, CanonicalJson: json_or_none}
    return known.get(type(kind)) or kind.dialect_impl(SQLITE).result_processor(SQLITE, None)


def _written(kind: Any) -> Convert | None:
    known: dict[type, Convert] = {Instant: micros_or_none, CanonicalJson: canonical_json}
    return known.get(type(kind)) or kind.dialect_impl(SQLITE).bind_processor(SQLITE)


@lru_cache(maxsize=256)
def _taking(table: Table, names: Sequence[str]) -> tuple[Any, list[tuple[int, Convert]]]:
    """What takes the columns named from a row, and which of these are to be converted."""
    converted = [(k, _written(table.c[name].type)) for k, name in enumerate(names)]
    return itemgetter(*names), [(k, convert) for k, convert in converted if convert is not None]


def _to_driver(table: Table, names: Sequence[str], found: Sequence[Row]) -> list[list[Any]]:
    """The values of the columns named, row by row, as the driver stores them."""
    take, converted = _taking(table, names)
    told = [list(take(row)) for row in found]
    for k, convert in converted:
        for values in told:
            values[k] = convert(values[k])
    return told
