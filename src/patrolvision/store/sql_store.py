"""The store that wiring opens: SQLite in a file by default, PostgreSQL for many writers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Select, Table, func, select

from patrolvision.store import hand_tables, migrate, rows, schema, sql
from patrolvision.store.engine import engine_of, reading, writing
from patrolvision.store.office_transaction import OfficeTransaction
from patrolvision.store.sealing import KEY_FILE, Seals
from patrolvision.types import (
    Finding,
    HandDecision,
    Incident,
    Look,
    MissionRecord,
    Observation,
    OutboxMessage,
    Ticket,
)
from patrolvision.types.instants import micros_of

BY_FIRST_SEEN = ("first_seen", "id")
CONTENT = (
    schema.observations,
    schema.findings,
    schema.incidents,
    schema.tickets,
    schema.ticket_events,
    schema.looks,
    hand_tables.hand_decisions,
)


def open_store(url: str, *, create: bool = True) -> SqlStore:
    """The store behind an SQLAlchemy URL, with its schema brought up to date.

    create=False refuses an SQLite file that is not there, for commands that only read. StoreError
    when it cannot be opened, is held by somebody else, or is newer than this program.
    """
    engine = engine_of(url, create=create)
    try:
        migrate.bring_up_to_date(engine)
    except BaseException:
        engine.dispose()
        raise
    return SqlStore(engine)


class SqlStore:
    """ports.IncidentStore; may be used from several threads, but is not carried to other processes.

    seals hold the keys of its secrets: of a file beside an SQLite file, unless others are set.
    A process that gets a mission opens its own store from the URL.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        is_file = engine.name == "sqlite" and engine.url.database not in (None, "", ":memory:")
        self.seals = Seals(file=self.folder / KEY_FILE, makes_key=True) if is_file else Seals()

    @property
    def engine(self) -> Engine:
        """For modules of this folder that ask more of the database: reading(engine), writing()."""
        return self._engine

    @property
    def folder(self) -> Path:
        """Where pictures lie unless told otherwise: beside an SQLite file, else here."""
        database = self._engine.url.database if self._engine.name == "sqlite" else None
        return Path(database).parent if database and database != ":memory:" else Path()

    @contextmanager
    def transaction(self) -> Iterator[OfficeTransaction]:
        """All or nothing; serialised against other writers around the same places.

        SQLite: against every other writer, from its first statement on. PostgreSQL: against those
        who claim places nearby. StoreError when the database refuses; nothing is kept then.
        """
        with writing(self._engine) as connection:
            yield OfficeTransaction(connection)

    def observations(
        self, *, mission_id: str | None = None, class_name: str | None = None
    ) -> Iterator[Observation]:
        """All observations, or those of a mission or class, by first_seen and id."""
        where = sql.equal(schema.observations, mission_id=mission_id, class_name=class_name)
        for page in sql.pages(self._read, schema.observations, BY_FIRST_SEEN, where):
            yield from map(rows.observation, page)

    def incidents(
        self, *, category: str | None = None, status: str | None = None, kind: str | None = None
    ) -> Iterator[Incident]:
        """All incidents, or those of a category, status and kind, by first_seen and id."""
        where = sql.equal(schema.incidents, category=category, status=status, kind=kind)
        for page in sql.pages(self._read, schema.incidents, BY_FIRST_SEEN, where):
            yield from map(rows.incident, page)

    def tickets(self, *, category: str | None = None, state: str | None = None) -> Iterator[Ticket]:
        """All tickets, or those of a category and state, by first history time and id."""
        where = sql.equal(schema.tickets, category=category, state=state)
        for page in sql.pages(self._read, schema.tickets, ("opened_at", "id"), where):
            with reading(self._engine) as connection:
                tickets = sql.tickets_of_rows(connection, page)
            yield from tickets

    def looks_since(self, at: datetime) -> Iterator[Look]:
        """Looks that end at or after the instant, by start and id."""
        where = [schema.looks.c.end_at >= at]
        for page in sql.pages(self._read, schema.looks, ("start_at", "id"), where):
            yield from map(rows.look, page)

    def findings_of(self, observation_ids: Sequence[str]) -> dict[str, Finding]:
        """observation id -> its finding, for those that have one."""
        table = schema.findings
        with reading(self._engine) as connection:
            wanted = sorted(set(observation_ids))
            found = sql.select_in(connection, table, table.c.observation_id, wanted)
            seen = sql.select_in(connection, schema.observations, schema.observations.c.id, wanted)
        observations = {row["id"]: rows.observation(row) for row in seen}
        return {
            row["observation_id"]: rows.finding(row, observations[row["observation_id"]])
            for row in found
        }

    def hand_decisions(self) -> list[HandDecision]:
        """All merges and splits by hand, also those taken back, by time and id."""
        with reading(self._engine) as connection:
            return hand_tables.read(connection)

    def messages(self) -> Iterator[OutboxMessage]:
        """All messages of the outbox, in the order in which they were put there."""
        for page in sql.pages(self._read, schema.outbox, ("position",)):
            yield from map(rows.message, page)

    def mission(self, mission_id: str) -> MissionRecord | None:
        """What is known of a mission that is over; None if it never ended."""
        with reading(self._engine) as connection:
            return sql.mission(connection, mission_id)

    def counts(self) -> dict[str, int]:
        """Rows of each table, by its name."""
        with reading(self._engine) as connection:
            return {
                table.name: _count(connection, table) for table in schema.metadata.sorted_tables
            }

    def digest(self) -> str:
        """SHA-256 over every observation, finding, incident, ticket, event and look.

        Two stores with the same content have the same digest, whatever the engine and the order of
        writing; when a mission ended and what waits in the outbox do not count.
        """
        content = hashlib.sha256()
        with reading(self._engine) as connection:
            for table in CONTENT:
                content.update(f"{table.name}\n".encode())
                for row in connection.execute(_in_order(table)).mappings():
                    content.update(schema.canonical_json(_plain(row)).encode())
        return content.hexdigest()

    def close(self) -> None:
        """Release the connections."""
        self._engine.dispose()

    def _read(self, statement: Select[Any]) -> list[rows.Stored]:
        with reading(self._engine) as connection:
            return list(connection.execute(statement).mappings())


def _count(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def _in_order(table: Table) -> Select[Any]:
    return select(table).order_by(*table.primary_key.columns)


def _plain(row: rows.Stored) -> rows.Row:
    return {k: micros_of(v) if isinstance(v, datetime) else v for k, v in row.items()}
