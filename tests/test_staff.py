"""Accounts and keys from the command line."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from helpers.office_people import fresh_store
from patrolvision.api import credentials
from patrolvision.cli import main
from patrolvision.store.accounts import SqlAccounts
from patrolvision.store.sql_store import open_store


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(credentials, "COST_LOG2", 8)
    fresh_store(tmp_path).close()
    return f"sqlite:///{tmp_path / 'patrol.db'}"


def run(monkeypatch: pytest.MonkeyPatch, *words: str, given: str = "") -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(given))
    return main(list(words))


def test_an_account_is_added_listed_and_disabled(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add = ("users", "add", "Rita", "--role", "reviewer", "--area", "440605", "--db", url)
    assert run(monkeypatch, *add, given="a long password\n") == 0
    assert run(monkeypatch, *add, given="a long password\n") == 2
    assert "there is an account 'rita' already" in capsys.readouterr().err
    assert run(monkeypatch, "users", "list", "--db", url) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["name"], shown["role"], shown["areas"]) == ("rita", "reviewer", ["440605"])
    assert "password" not in shown
    store = open_store(url)
    accounts = SqlAccounts(store.engine)
    assert credentials.is_password("a long password", accounts.password("rita"))
    assert run(monkeypatch, "users", "disable", "rita", "--db", url) == 0
    assert accounts.password("rita") is None
    assert run(monkeypatch, "users", "disable", "nobody", "--db", url) == 2
    store.close()


@pytest.mark.parametrize("password", ["short", "", "rita-rita-rita"])
def test_a_password_that_is_no_good_is_refused(
    url: str, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    words = ("users", "add", "rita-rita-rita", "--db", url)
    assert run(monkeypatch, *words, given=password + "\n") == 2


def test_a_key_is_shown_once_and_ends_when_revoked(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add = ("keys", "add", "car 7", "--scope", "heartbeat", "--db", url)
    assert run(monkeypatch, *add) == 0
    whole = capsys.readouterr().out.strip()
    parts = credentials.split_key(whole)
    assert parts is not None
    store = open_store(url)
    found = SqlAccounts(store.engine).key(parts[0])
    assert found is not None
    assert found[1] == credentials.sha256(parts[1])
    assert run(monkeypatch, "keys", "list", "--db", url) == 0
    assert parts[1] not in capsys.readouterr().out
    assert run(monkeypatch, "keys", "revoke", parts[0], "--db", url) == 0
    assert SqlAccounts(store.engine).key(parts[0]) is None
    assert run(monkeypatch, "keys", "revoke", parts[0], "--db", url) == 2
    assert run(monkeypatch, "keys", "add", "x", "--scope", "everything", "--db", url) == 2
    assert run(monkeypatch, "keys", "add", "x", "--db", url) == 2
    store.close()
