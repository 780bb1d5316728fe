"""`patrolvision users`, `keys` and `secrets`: who may enter the office, what seals its secrets."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from patrolvision import wiring
from patrolvision.api import credentials
from patrolvision.config import OfficeSettings, load_office, secret_keys
from patrolvision.errors import EXIT_OK, CallError
from patrolvision.store.accounts import Account, ApiKey, SqlAccounts
from patrolvision.store.audit import AuditLine, SqlAudit
from patrolvision.store.sealed_rows import counts, seal_anew
from patrolvision.store.sealing import KEY_FILE, NO_KEY, Seals, keys_of, new_key, write_keys
from patrolvision.store.sql_store import SqlStore

ACTOR = "command line"
SCOPES = (
    "read", "observations:write", "coverage:write", "heartbeat", "telemetry", "position",
    "open311:write",
)  # fmt: skip


def users(args: argparse.Namespace) -> int:
    """Add, list, disable or change accounts; CallError says what is wrong."""
    store = wiring.store(args.db, create=False)
    try:
        {"add": _add, "list": _list, "disable": _disable, "password": _password}[args.act](
            store, args
        )
    finally:
        store.close()
    return EXIT_OK


def keys(args: argparse.Namespace) -> int:
    """Add, list or revoke API keys; a new key is printed this once."""
    store = wiring.store(args.db, create=False)
    try:
        {"add": _add_key, "list": _list_keys, "revoke": _revoke}[args.act](store, args)
    finally:
        store.close()
    return EXIT_OK


def secrets(args: argparse.Namespace) -> int:
    """Make a key, count what is sealed, or seal everything under a new key."""
    if args.act == "new":
        return _new_key(args.file)
    if args.db is None:
        raise CallError(f"--db: secrets {args.act} needs it")
    settings = OfficeSettings() if args.office is None else load_office(args.office)
    file = args.file or settings.secrets_key_file
    store = wiring.store(args.db, create=False, key_file=file)
    try:
        {"status": _status, "rotate": _rotate}[args.act](store, file)
    finally:
        store.close()
    return EXIT_OK


def _new_key(file: Path | None) -> int:
    if file is None:
        sys.stdout.write(new_key() + "\n")
        return EXIT_OK
    try:
        write_keys(file, [new_key()], is_new=True)
    except FileExistsError as error:
        raise CallError(f"--file {file}: is there already; a new key would lock out") from error
    sys.stdout.write(f"{file} holds a new key: keep a copy of it elsewhere\n")
    return EXIT_OK


def _status(store: SqlStore, file: Path | None) -> None:
    sealed, bare = counts(store.engine)
    said = "there is a key" if store.seals.has_key else NO_KEY
    sys.stdout.write(f"{sealed} secrets are sealed, {bare} are not; {said}\n")


def _rotate(store: SqlStore, file: Path | None) -> None:
    """Seal all under a new key. Killed at any step, the file holds every key that is needed."""
    if secret_keys():
        # The environment is not ours to change: its first key is the new one.
        count = seal_anew(store.engine, store.seals)
        said = "the other keys of PATROLVISION_SECRETS_KEY are needed no more"
    else:
        path = file or store.folder / KEY_FILE
        old = keys_of(_text_of(path), str(path))
        write_keys(path, [new_key(), *old])
        store.seals = Seals(file=path)
        count = seal_anew(store.engine, store.seals)
        write_keys(path, keys_of(_text_of(path), str(path))[:1])
        said = f"{path} holds the new key alone"
    _note(store, "secrets_rotated", str(count))
    sys.stdout.write(f"{count} secrets are sealed anew; {said}\n")


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise CallError(f"{path}: there is no key to be replaced ({error.strerror})") from error


def _add(store: SqlStore, args: argparse.Namespace) -> None:
    name = credentials.account_name(args.name)
    password = _asked(name)
    areas = tuple(args.area or ())
    account = Account(name, args.role, areas, args.crew, datetime.now(UTC))
    SqlAccounts(store.engine).add(account, credentials.password_hash(password))
    _note(store, "account_added", name)
    sys.stdout.write(f"{name} may sign in as {args.role}\n")


def _asked(name: str) -> str:
    """The password, from the terminal or the first line of standard input."""
    if sys.stdin.isatty():
        password = getpass.getpass("password: ")
        if getpass.getpass("once more: ") != password:
            raise CallError("password: the two were not the same")
    else:
        password = sys.stdin.readline().rstrip("\n")
    credentials.check_password(password, name)
    return password


def _list(store: SqlStore, args: argparse.Namespace) -> None:
    _print([asdict(account) for account in SqlAccounts(store.engine).all()])


def _disable(store: SqlStore, args: argparse.Namespace) -> None:
    _change(store, args.name, {"disabled_at": datetime.now(UTC)}, "account_disabled")


def _password(store: SqlStore, args: argparse.Namespace) -> None:
    stored = credentials.password_hash(_asked(credentials.account_name(args.name)))
    values = {"password": stored, "disabled_at": None}
    _change(store, args.name, values, "password_set")


def _change(store: SqlStore, text: str, values: dict[str, Any], action: str) -> None:
    name = credentials.account_name(text)
    if SqlAccounts(store.engine).change(name, values) is None:
        raise CallError(f"name: there is no account {name!r}")
    _note(store, action, name)


def _add_key(store: SqlStore, args: argparse.Namespace) -> None:
    if not args.scope and args.role is None:
        raise CallError("--scope: a key needs a scope or a role")
    if unknown := set(args.scope or ()) - set(SCOPES):
        known = ", ".join(SCOPES)
        raise CallError(f"--scope: expected one of {known}, found {min(unknown)!r}")
    if not args.name:
        raise CallError("name: a key needs a name")
    key_id, whole, secret = credentials.new_key()
    scopes, areas = tuple(sorted(set(args.scope or ()))), tuple(args.area or ())
    now = datetime.now(UTC)
    key = ApiKey(key_id, args.name, args.role, scopes, areas, args.device, now, ACTOR)
    SqlAccounts(store.engine).add_key(key, secret)
    _note(store, "key_added", key_id)
    sys.stdout.write(f"{whole}\n")
    sys.stderr.write("this key is shown once: keep it\n")


def _list_keys(store: SqlStore, args: argparse.Namespace) -> None:
    _print([asdict(key) for key in SqlAccounts(store.engine).all_keys()])


def _revoke(store: SqlStore, args: argparse.Namespace) -> None:
    if not SqlAccounts(store.engine).revoke_key(args.name, datetime.now(UTC)):
        raise CallError(f"id: there is no key {args.name!r} that works")
    _note(store, "key_revoked", args.name)


def _note(store: SqlStore, action: str, subject: str) -> None:
    SqlAudit(store.engine).add(AuditLine(datetime.now(UTC), ACTOR, action, subject))


def _print(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        sys.stdout.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")
