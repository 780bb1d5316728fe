"""Which state a database is in: equal as long as nothing has been committed, by whichever process.

SQLite counts the commits that others made (PRAGMA data_version, "the data_version value ... changes
whenever another connection commits"); a connection that never writes therefore hears of all. What
a PostgreSQL snapshot sees follows from its text alone (pg_current_snapshot: which transactions
are over), so that equal texts see equal rows.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable
from contextlib import suppress
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from patrolvision.store.engine import translated

STATE = {"sqlite": "PRAGMA data_version", "postgresql": "SELECT pg_current_snapshot()::text"}


class Versions:
    """Tells the state of one database; for all threads of a process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._watching: Any = None
        event.listen(engine, "engine_disposed", lambda _: self.close())

    @property
    def is_instant(self) -> bool:
        """Whether `now` takes microseconds; else a server is asked."""
        return self._engine.name == "sqlite"

    def now(self) -> Hashable:
        """The state that whoever begins to read from now on sees, or a later one."""
        with translated(self._engine.url), self._lock:
            if isinstance(self._engine.pool, StaticPool):
                return object()  # one connection for all: it does not count its own commits
            if self._watching is not None:
                with suppress(DBAPIError):  # of a server that was started anew
                    return self._asked()
            self._watching = self._watcher()
            return self._asked()

    def _watcher(self) -> Any:
        """A connection of its own, so that a look costs a question and no more."""
        taken = self._engine.raw_connection()
        watching: Any = taken.driver_connection
        taken.detach()
        if not self.is_instant:
            watching.autocommit = True
        return watching

    def _asked(self) -> Hashable:
        text = STATE[self._engine.name]
        try:
            found: Hashable = self._watching.execute(text).fetchone()[0]
        except self._engine.dialect.loaded_dbapi.Error as error:
            self._let_go()
            raise DBAPIError(text, None, error) from error
        return found

    def _let_go(self) -> None:
        if self._watching is not None:
            self._watching.close()
            self._watching = None

    def close(self) -> None:
        """Let go of the database."""
        with self._lock:
            self._let_go()
