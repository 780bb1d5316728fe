"""An office with people in it, for the tests of its routes."""

from __future__ import annotations

import base64
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from fastapi import FastAPI
from fastapi.testclient import TestClient

from patrolvision.api import credentials
from patrolvision.store.accounts import Account, ApiKey, SqlAccounts
from patrolvision.store.sql_store import SqlStore, open_store

PASSWORD = "correct horse battery"
CHEAP_LOG2 = 8  # of scrypt, which is slow on purpose
START = datetime(2026, 5, 4, 8, tzinfo=UTC)


@dataclass
class Clock:
    """A clock that stands until it is moved."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def go(self, **by: float) -> None:
        """Move on, by minutes=…, hours=…."""
        self.now += timedelta(**by)


@cache
def _empty() -> bytes:
    """A migrated, empty database file: migrating anew for every test takes a second each."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "p.db"
        open_store(f"sqlite:///{path}").close()
        return path.read_bytes()


def fresh_store(folder: Path) -> SqlStore:
    """A new, empty store patrol.db in the folder."""
    path = folder / "patrol.db"
    path.write_bytes(_empty())
    return open_store(f"sqlite:///{path}")


def hire(store: SqlStore, name: str, role: str, *areas: str, crew: str | None = None) -> None:
    """Give somebody an account with PASSWORD."""
    salt = b"0123456789abcdef"
    digest = credentials._scrypt(PASSWORD, salt, CHEAP_LOG2, 8, 1)
    parts = [base64.b64encode(part).decode() for part in (salt, digest)]
    stored = "$".join(["scrypt", str(CHEAP_LOG2), "8", "1", *parts])
    SqlAccounts(store.engine).add(Account(name, role, areas, crew, START), stored)


def signed_in(app: FastAPI, store: SqlStore, name: str, *, hours: float = 12.0) -> TestClient:
    """A browser with a session of the account, which sends its CSRF token."""
    token, csrf = credentials.new_token(), credentials.new_token()
    until = START + timedelta(hours=hours)
    SqlAccounts(store.engine).open_session(credentials.sha256(token), name, csrf, START, until)
    return TestClient(app, cookies={"pv_session": token}, headers={"X-CSRF-Token": csrf})


def key(store: SqlStore, *scopes: str, role: str | None = None, areas: tuple[str, ...] = ()) -> str:
    """A whole API key."""
    key_id, whole, secret = credentials.new_key()
    made = ApiKey(key_id, f"k{key_id}", role, scopes, areas, None, START, "test")
    SqlAccounts(store.engine).add_key(made, secret)
    return whole
