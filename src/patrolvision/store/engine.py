"""Opening a database, and turning the engines' complaints into one sentence for the user.

SQLite runs in WAL mode with synchronous NORMAL: whatever was committed survives the death of the
process at any instant; a power cut may take back the last commits, never corrupt the file, and the
missions they belonged to are then simply not finished and run again (docs/adr/0004-store.md).
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    InvalidatePoolError,
    NoSuchModuleError,
    SQLAlchemyError,
)
from sqlalchemy.pool import StaticPool

from patrolvision.errors import StoreError
from patrolvision.store import driver

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

BUSY_TIMEOUT_S = 30.0
# Of a process; they are kept open, because a new one begins with no cache and nothing prepared.
CONNECTIONS: dict[str, Any] = {"pool_size": 15, "max_overflow": 0}
FRESH_S = 1.0  # so long after it last served, a connection is not asked whether it is alive
CACHE_KIB = 65_536  # SQLite's own 2 MiB do not hold the inner pages of a million rows' indexes
MAPPED_BYTES = 2**31 - 2**16  # as much of the file as SQLite reads without copying: its own limit
CHECKPOINT_PAGES = 32_000  # 128 MiB: the commit that pays for a checkpoint is one in some 500
WRITING = "patrolvision_writing"
# Who writes asks by keys and cells, in a score of statements that are the same each time, and so
# does who reads the rows of a page: planning them anew costs PostgreSQL more than answering them.
PLANNED_ONCE = "SET LOCAL plan_cache_mode = auto"
# What is asked here takes milliseconds; compiling it, where its cost is guessed too high, takes
# hundreds. A plan for any ranges of places reads whole tables, one for these does not. And a page
# that is read from memory or a solid disk costs about the same wherever it lies: told otherwise,
# PostgreSQL reads a table in its order and sifts, rather than go by the index of what is asked for.
PLANNING = {"jit": "off", "plan_cache_mode": "force_custom_plan", "random_page_cost": "1.1"}

SHARED_OBSERVATION = "refused: an observation may be in one incident of a category only"
SECOND_TICKET = "refused: an incident has one ticket only"
REASONS = {
    "unable to open database file": "cannot be opened: is its folder there, and may you write it?",
    "file is not a database": "is not a database: the file holds something else",
    "database is locked": f"was held by another program for {BUSY_TIMEOUT_S:.0f} s",
    "readonly database": "is read-only: give its file and folder write permission",
    "disk is full": "has no room left: free disk space and run again, nothing half-done was kept",
    "disk I/O error": "cannot be read or written: is the disk full, or failing?",
    "database disk image is malformed": "is damaged: restore it from a copy",
    "UNIQUE constraint failed: incident_observations": SHARED_OBSERVATION,
    "incident_observations_pkey": SHARED_OBSERVATION,
    "UNIQUE constraint failed: tickets.incident_id": SECOND_TICKET,
    "uq_tickets_incident_id": SECOND_TICKET,
}


def engine_of(url: str, *, create: bool = True) -> Engine:
    """An engine for the URL, not yet connected; StoreError if the URL itself cannot work."""
    parsed = _parsed(url)
    backend = parsed.get_backend_name()
    if backend not in ("sqlite", "postgresql"):
        raise StoreError(f"{safe(parsed)}: expected sqlite:///… or postgresql+psycopg://…")
    try:
        return _sqlite(parsed, create) if backend == "sqlite" else _postgresql(parsed)
    except ModuleNotFoundError as error:
        raise StoreError(
            f"{safe(parsed)}: the driver {error.name} is not installed; "
            "install patrolvision with its extra: pip install 'patrolvision[postgres]'"
        ) from error
    except (NoSuchModuleError, TypeError) as error:
        raise StoreError(f"{safe(parsed)}: {_first_line(error)}") from error


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError) as error:
        raise StoreError(
            "the database must be given as an SQLAlchemy URL such as sqlite:///patrol.db or "
            "postgresql+psycopg://user@host/name"
        ) from error


def safe(url: URL) -> str:
    """The URL without its password."""
    return url.render_as_string(hide_password=True)


def _sqlite(url: URL, create: bool) -> Engine:
    path = url.database
    in_memory = path in (None, "", ":memory:")
    in_a_file = not in_memory and not str(path).startswith("file:")
    if in_a_file and not create and not Path(str(path)).is_file():
        raise StoreError(f"{safe(url)}: there is no such database file")
    options: dict[str, Any] = {"connect_args": {"timeout": BUSY_TIMEOUT_S}, **CONNECTIONS}
    if in_memory:
        options = {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
    engine = create_engine(url, **options)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # The driver must not begin transactions by itself: it would begin them too late, at the first
    # write, when what was read before it may already be stale.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    cursor.execute(f"PRAGMA mmap_size = {MAPPED_BYTES}")
    cursor.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writing = connection.get_execution_options().get(WRITING, False)
    driver: Any = connection.connection.driver_connection
    driver.execute("BEGIN IMMEDIATE" if writing else "BEGIN")


def _postgresql(url: URL) -> Engine:
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    engine = create_engine(url, **CONNECTIONS)
    event.listen(engine, "connect", _prepare_postgresql)
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkout", partial(_check_alive, engine))
    return engine


def _note_use(_connection: Any, record: Any) -> None:
    record.info["used_s"] = time.monotonic()


def _check_alive(engine: Engine, connection: Any, record: Any, _fairy: object) -> None:
    """Ask a connection that has rested whether it is alive; a dead one is opened anew.

    An answer takes two connections, one after the other, and a question to each would be a quarter
    of its trips to the server.
    """
    used_s = record.info.get("used_s")
    if used_s is None or time.monotonic() - used_s < FRESH_S:
        return
    try:
        engine.dialect.do_ping(connection)
    except engine.dialect.loaded_dbapi.Error as error:
        raise InvalidatePoolError from error


def _prepare_postgresql(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        for name, value in PLANNING.items():
            cursor.execute(f"SET {name} = {value}")
    connection.commit()


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A connection in a writing transaction: committed when the context ends well."""
    with _turn(engine.url), translated(engine.url), engine.connect() as plain:
        connection = plain.execution_options(**{WRITING: True})
        with connection.begin():
            plan_once(connection)
            yield connection


def plan_once(connection: Connection) -> None:
    """Let PostgreSQL keep its plans for what is asked in the rest of a transaction."""
    if connection.dialect.name == "postgresql":
        driver.executed(connection, PLANNED_ONCE, None)


@contextmanager
def _turn(url: URL) -> Iterator[None]:
    """Wait for one's turn to write into an SQLite file, behind those who came before.

    SQLite's own waiting is a lottery: among many busy writers one may draw blanks until it gives
    up. The kernel keeps this queue, and takes whoever dies out of it.
    """
    in_a_file = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
    if fcntl is None or not in_a_file or str(url.database).startswith("file:"):
        yield
        return
    with ExitStack() as opened:
        with suppress(OSError):  # no room, no permission: SQLite will say so, or manage without
            file = os.open(f"{url.database}-turn", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
            opened.callback(os.close, file)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection in a transaction that sees one state of the database throughout."""
    with translated(engine.url), engine.connect() as plain:
        if engine.name == "postgresql":
            plain = plain.execution_options(isolation_level="REPEATABLE READ")
        with plain.begin():
            yield plain


@contextmanager
def translated(url: URL) -> Iterator[None]:
    """Raise what the engine complains about as StoreError."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise StoreError(f"{safe(url)} {_reason(error)}") from error


def _reason(error: Exception) -> str:
    text = str(getattr(error, "orig", None) or error)
    for complaint, reason in REASONS.items():
        if complaint in text:
            return reason
    return f"refused: {_first_line(text)}"


def _first_line(error: object) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].strip() if lines else type(error).__name__
