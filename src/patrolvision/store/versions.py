"""Which state a database is in: equal as long as nothing has been committed, by whichever process.

SQLite counts the commits that others made (PRAGMA data_version, "the data_version value ... changes
whenever another connection commits"); a connection that never writes therefore hears of all. What
a PostgreSQL snapshot sees follows from its text alone (pg_current_snapshot: which transactions
are over), so that equal texts see equal rows.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.pool import StaticPool

from patrolvision.store.engine import translated


class Versions:
    """Tells the state of one database; for all threads of a process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._watching: Any = None

    @property
    def is_instant(self) -> bool:
        """Whether `now` takes microseconds; else a server is asked."""
        return self._engine.name == "sqlite"

    def now(self) -> Hashable:
        """The state that whoever begins to read from now on sees, or a later one."""
        with translated(self._engine.url):
            if not self.is_instant:
                with self._engine.connect() as connection:
                    alone = connection.execution_options(isolation_level="AUTOCOMMIT")
                    return str(alone.exec_driver_sql("SELECT pg_current_snapshot()").scalar())
            if isinstance(self._engine.pool, StaticPool):
                return object()  # one connection for all: it does not count its own commits
            with self._lock:
                if self._watching is None:
                    taken = self._engine.raw_connection()
                    self._watching = taken.driver_connection
                    taken.detach()
                found: Hashable = self._watching.execute("PRAGMA data_version").fetchone()[0]
                return found

    def close(self) -> None:
        """Let go of the database."""
        with self._lock:
            if self._watching is not None:
                self._watching.close()
                self._watching = None
