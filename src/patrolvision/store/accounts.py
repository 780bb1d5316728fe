"""Who works in the office, with which password, session and key; what they failed at.

Secrets come in as hashes only: nothing in these tables opens a door.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, Table, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from patrolvision.errors import CallError, StoreError
from patrolvision.store import rows
from patrolvision.store.engine import reading, writing
from patrolvision.store.office_tables import accounts, api_keys, facts, login_failures, sessions

SETUP = "setup_sha256"


@dataclass(frozen=True, slots=True)
class Account:
    """A person: role, areas (prefixes of grid codes, none: everywhere) and crew."""

    name: str
    role: str
    areas: tuple[str, ...]
    crew: str | None
    created_at: datetime
    disabled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """An open session; csrf is what its writes have to carry."""

    account: Account
    csrf: str
    seen_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A program's or device's key, without its secret."""

    id: str
    name: str
    role: str | None
    scopes: tuple[str, ...]
    areas: tuple[str, ...]
    device: str | None
    created_at: datetime
    created_by: str
    revoked_at: datetime | None = None
    used_at: datetime | None = None


def _account(row: rows.Stored) -> Account:
    names = ("name", "role", "crew", "created_at", "disabled_at")
    return Account(areas=tuple(row["areas"]), **{name: row[name] for name in names})


def _key(row: rows.Stored) -> ApiKey:
    kept = {name: row[name] for name in ApiKey.__slots__ if name not in ("scopes", "areas")}
    return ApiKey(scopes=tuple(row["scopes"]), areas=tuple(row["areas"]), **kept)


class SqlAccounts:
    """Accounts, sessions, keys and failed attempts; may be used from several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, account: Account, password: str, *, first: bool = False) -> None:
        """Store an account with its password's hash; CallError if the name is taken.

        first: only if there is none yet, and the set-up token is used up by it.
        """
        row = {name: getattr(account, name) for name in Account.__slots__}
        row |= {"areas": list(account.areas), "password": password}
        try:
            with writing(self._engine) as connection:
                if first:
                    used = connection.execute(delete(facts).where(facts.c.name == SETUP))
                    taken = connection.execute(select(accounts.c.name).limit(1)).first()
                    if used.rowcount != 1 or taken is not None:
                        raise CallError("the office is set up already")
                connection.execute(insert(accounts), row)
        except StoreError as error:
            if isinstance(error.__cause__, IntegrityError):
                raise CallError(f"name: there is an account {account.name!r} already") from error
            raise

    def change(self, name: str, values: Mapping[str, Any]) -> Account | None:
        """The account with these columns changed, its sessions ended; None if there is none."""
        with writing(self._engine) as connection:
            if values:
                chosen = update(accounts).where(accounts.c.name == name)
                connection.execute(chosen.values(**values))
                connection.execute(delete(sessions).where(sessions.c.account == name))
        return self.find(name)

    def find(self, name: str) -> Account | None:
        """The account of this name."""
        row = self._one(accounts, "name", name)
        return None if row is None else _account(row)

    def password(self, name: str) -> str | None:
        """The stored hash of an account that may sign in."""
        row = self._one(accounts, "name", name)
        return None if row is None or row["disabled_at"] is not None else str(row["password"])

    def all(self) -> list[Account]:
        """All accounts by name."""
        with reading(self._engine) as connection:
            found = connection.execute(select(accounts).order_by(accounts.c.name)).mappings()
            return [_account(row) for row in found]

    def is_empty(self) -> bool:
        """Whether nobody has an account yet."""
        with reading(self._engine) as connection:
            return connection.execute(select(accounts.c.name).limit(1)).first() is None

    def expect_setup(self, token_sha256: str) -> bool:
        """Remember the token that makes the first account; False if there are accounts."""
        with writing(self._engine) as connection:
            if connection.execute(select(accounts.c.name).limit(1)).first() is not None:
                return False
            connection.execute(delete(facts).where(facts.c.name == SETUP))
            connection.execute(insert(facts), {"name": SETUP, "value": token_sha256})
        return True

    def setup_sha256(self) -> str | None:
        """Hash of the token that is waited for."""
        row = self._one(facts, "name", SETUP)
        return None if row is None else str(row["value"])

    def open_session(
        self, session_id: str, name: str, csrf: str, at: datetime, expires_at: datetime
    ) -> None:
        """Store a session under the hash of its token; what has expired goes."""
        row = {"id": session_id, "account": name, "csrf": csrf, "created_at": at}
        with writing(self._engine) as connection:
            connection.execute(delete(sessions).where(sessions.c.expires_at < at))
            connection.execute(insert(sessions), {**row, "seen_at": at, "expires_at": expires_at})

    def session(self, session_id: str) -> Session | None:
        """The session, with its account as it is now; None if there is none."""
        joined = select(accounts, sessions.c.csrf, sessions.c.seen_at, sessions.c.expires_at)
        wanted = joined.join(sessions, sessions.c.account == accounts.c.name)
        with reading(self._engine) as connection:
            found = connection.execute(wanted.where(sessions.c.id == session_id)).mappings().first()
        if found is None or found["disabled_at"] is not None:
            return None
        return Session(_account(found), found["csrf"], found["seen_at"], found["expires_at"])

    def touch_session(self, session_id: str, at: datetime) -> None:
        """Note that the session is used."""
        with writing(self._engine) as connection:
            chosen = update(sessions).where(sessions.c.id == session_id)
            connection.execute(chosen.values(seen_at=at))

    def close_session(self, session_id: str) -> None:
        """End a session."""
        with writing(self._engine) as connection:
            connection.execute(delete(sessions).where(sessions.c.id == session_id))

    def attempt(self, subjects: Sequence[str], at: datetime, window: timedelta) -> dict[str, int]:
        """Count one more attempt of each subject; how many there were in the window, this one too.

        Counted before the password is looked at, so that attempts at once do not slip through.
        """
        counts: dict[str, int] = {}
        with writing(self._engine) as connection:
            old = login_failures.c.since < at - window
            connection.execute(delete(login_failures).where(old))
            for subject in sorted(subjects):
                row = {"subject": subject, "count": 1, "since": at}
                connection.execute(_one_more(connection.dialect.name), row)
                chosen = login_failures.c.subject == subject
                found = connection.execute(select(login_failures.c.count).where(chosen))
                counts[subject] = int(found.scalar_one())
        return counts

    def forgive(self, subject: str, shared: Sequence[str]) -> None:
        """Forget the attempts of a subject; of those that it shares only the one that was right."""
        table = login_failures
        with writing(self._engine) as connection:
            connection.execute(delete(table).where(table.c.subject == subject))
            one_less = update(table).where(table.c.subject.in_(shared), table.c.count > 0)
            connection.execute(one_less.values(count=table.c.count - 1))

    def add_key(self, key: ApiKey, secret_sha256: str) -> None:
        """Store a key with the hash of its secret."""
        row = {name: getattr(key, name) for name in ApiKey.__slots__}
        row |= {"scopes": list(key.scopes), "areas": list(key.areas)}
        with writing(self._engine) as connection:
            connection.execute(insert(api_keys), {**row, "secret_sha256": secret_sha256})

    def key(self, key_id: str) -> tuple[ApiKey, str] | None:
        """A key that is not revoked, and the hash of its secret."""
        row = self._one(api_keys, "id", key_id)
        if row is None or row["revoked_at"] is not None:
            return None
        return _key(row), str(row["secret_sha256"])

    def all_keys(self) -> list[ApiKey]:
        """All keys, the revoked ones too, by time and id."""
        with reading(self._engine) as connection:
            wanted = select(api_keys).order_by(api_keys.c.created_at, api_keys.c.id)
            return [_key(row) for row in connection.execute(wanted).mappings()]

    def revoke_key(self, key_id: str, at: datetime) -> bool:
        """End a key; False if there is none that works."""
        with writing(self._engine) as connection:
            chosen = update(api_keys).where(api_keys.c.id == key_id)
            working = chosen.where(api_keys.c.revoked_at.is_(None))
            return connection.execute(working.values(revoked_at=at)).rowcount == 1

    def touch_key(self, key_id: str, at: datetime) -> None:
        """Note that a key is used."""
        with writing(self._engine) as connection:
            chosen = update(api_keys).where(api_keys.c.id == key_id)
            connection.execute(chosen.values(used_at=at))

    def _one(self, table: Table, column: str, value: str) -> rows.Stored | None:
        with reading(self._engine) as connection:
            wanted = select(table).where(table.c[column] == value)
            return connection.execute(wanted).mappings().first()


def _one_more(dialect: str) -> Any:
    more = postgresql.insert if dialect == "postgresql" else sqlite.insert
    counted = {"count": login_failures.c.count + 1}
    return more(login_failures).on_conflict_do_update(index_elements=["subject"], set_=counted)
