"""Secrets at rest: unreadable in the database, and lost to nobody when the key changes."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from helpers.command_line import in_process
from helpers.office_people import fresh_store, hire, signed_in
from patrolvision import wiring
from patrolvision.api.app import create_app
from patrolvision.api.citizens import Claim, take
from patrolvision.config import NeighboursFile, OfficeSettings
from patrolvision.errors import ConfigError, StoreError
from patrolvision.neighbours import Neighbours, StoredContacts
from patrolvision.relay.services import load_services
from patrolvision.store import SqlStore
from patrolvision.store.citizens import contact_of
from patrolvision.store.engine import reading, writing
from patrolvision.store.sealed_rows import counts, seal_anew
from patrolvision.store.sealing import KEY_FILE, Seals, keys_of, new_key
from patrolvision.store.webhooks import SqlWebhooks, Webhook

AT = datetime(2026, 5, 4, 8, tzinfo=UTC)
SECRET, EMAIL, PHONE = "whsec_QUJDREVGRw==", "ana@city.example", "+86 757 1234"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    opened = fresh_store(tmp_path)
    yield opened
    opened.close()


def hook(name: str = "h1") -> Webhook:
    return Webhook(name, "https://a.example", SECRET, (), (), 0, None, AT)


def fill(store: SqlStore) -> None:
    SqlWebhooks(store.engine, store.seals).add(hook())
    contact = {"email": EMAIL, "phone": PHONE}
    take(store, Claim("r-1", load_services()["litter"], 22.84, 113.23, AT, contact=contact))


def known(store: SqlStore) -> tuple[str | None, dict[str, str] | None]:
    [found] = SqlWebhooks(store.engine, store.seals).all()
    with reading(store.engine) as connection:
        return found.secret, contact_of(connection, "r-1", store.seals)


def on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("patrol.db*"))


def test_nothing_secret_stands_readable_in_the_database(store: SqlStore, tmp_path: Path) -> None:
    fill(store)
    assert known(store) == (SECRET, {"email": EMAIL, "phone": PHONE})
    content = on_disk(tmp_path)
    assert b"https://a.example" in content, "the database is there to be read"
    for secret in (SECRET, EMAIL, PHONE):
        assert secret.encode() not in content
    file = tmp_path / KEY_FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_bytes().splitlines()[-1] not in content


def test_without_the_key_it_is_said_and_nothing_else_stops(
    store: SqlStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fill(store)
    store.seals = Seals((new_key(),))
    with pytest.raises(StoreError, match="sealed with a key that is not among those given"):
        known_contact(store)
    assert SqlWebhooks(store.engine, store.seals).all()[0].secret is None
    told = Neighbours(store, NeighboursFile(), lambda: AT).round()
    assert (told.failed, told.dead) == (1, 0), "the webhook waits for its key"
    assert "sealed with a key that is not there" in caplog.text
    with pytest.raises(Exception, match="replies: a secret is sealed"):
        StoredContacts(store)("r-1")


def known_contact(store: SqlStore) -> dict[str, str] | None:
    with reading(store.engine) as connection:
        return contact_of(connection, "r-1", store.seals)


def test_what_an_older_release_kept_open_is_read_and_then_sealed(
    store: SqlStore, tmp_path: Path
) -> None:
    fill(store)
    with writing(store.engine) as connection:
        connection.execute(text("UPDATE webhooks SET secret = :s"), {"s": SECRET})
        contact = '{"email":"ana@city.example","phone":"+86 757 1234"}'
        connection.execute(text("UPDATE reporters SET contact = :c"), {"c": contact})
    assert known(store) == (SECRET, {"email": EMAIL, "phone": PHONE})
    assert counts(store.engine) == (0, 2)
    assert seal_anew(store.engine, store.seals) == 2
    assert counts(store.engine) == (2, 0)
    assert known(store) == (SECRET, {"email": EMAIL, "phone": PHONE})


def test_the_command_seals_all_under_a_new_key(
    store: SqlStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(store)
    url, file = f"sqlite:///{tmp_path / 'patrol.db'}", tmp_path / KEY_FILE
    [old] = keys_of(file.read_text(), "f")
    assert (
        "2 secrets are sealed, 0 are not"
        in in_process(capsys, "secrets", "status", "--db", url).out
    )
    done = in_process(capsys, "secrets", "rotate", "--db", url)
    assert (done.rc, "2 secrets are sealed anew" in done.out) == (0, True)
    [new] = keys_of(file.read_text(), "f")
    assert new != old
    assert known(store)[0] == SECRET, "a program that runs meanwhile reads the file again"
    store.seals = Seals((old,))
    assert known_is_locked(store)


def known_is_locked(store: SqlStore) -> bool:
    return SqlWebhooks(store.engine, store.seals).all()[0].secret is None


def test_a_rotation_that_was_killed_leaves_every_key_that_is_needed(
    store: SqlStore, tmp_path: Path
) -> None:
    fill(store)
    file = tmp_path / KEY_FILE
    [old] = keys_of(file.read_text(), "f")
    file.write_text(f"{new_key()}\n{old}\n")  # killed before anything was sealed anew
    assert known(store)[0] == SECRET
    seal_anew(store.engine, store.seals)
    assert known(store)[0] == SECRET


def test_keys_of_the_environment_win_and_the_first_seals(
    store: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = new_key(), new_key()
    store.seals = Seals((second,))
    fill(store)
    monkeypatch.setenv("PATROLVISION_SECRETS_KEY", f"{first},{second}")
    again = wiring.store(f"sqlite:///{tmp_path / 'patrol.db'}")
    assert known(again)[0] == SECRET
    seal_anew(again.engine, again.seals)
    store.seals = Seals((first,))
    assert known(store)[0] == SECRET
    again.close()
    monkeypatch.setenv("PATROLVISION_SECRETS_KEY", "short")
    with pytest.raises(ConfigError, match="PATROLVISION_SECRETS_KEY: key 1 must be 32 bytes"):
        wiring.store(f"sqlite:///{tmp_path / 'patrol.db'}")


def test_a_key_file_that_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError, match=r"secrets_key_file: .*k\.txt is not there"):
        wiring.seals(tmp_path / "k.txt")
    assert in_process(capsys, "secrets", "new", "--file", tmp_path / "k.txt").rc == 0
    found = wiring.seals(tmp_path / "k.txt")
    assert found is not None and found.open(found.seal("x")) == "x"
    assert in_process(capsys, "secrets", "new", "--file", tmp_path / "k.txt").rc == 2


def test_without_any_key_webhooks_are_refused_and_contacts_not_kept(
    store: SqlStore, tmp_path: Path
) -> None:
    store.seals = Seals()
    hire(store, "ada", "admin")
    client = signed_in(create_app(store, OfficeSettings(), clock=lambda: AT), store, "ada")
    body = {"url": "https://93.184.216.34/hook"}
    answer = client.post("/api/v1/webhooks", json=body)
    assert answer.status_code == 503
    assert "patrolvision secrets new" in answer.json()["detail"]
    contact = {"email": EMAIL}
    take(store, Claim("r-2", load_services()["litter"], 22.84, 113.23, AT, contact=contact))
    assert EMAIL.encode() not in on_disk(tmp_path)


def test_two_programs_that_need_the_first_key_at_once_make_one(tmp_path: Path) -> None:
    file = tmp_path / KEY_FILE
    one, other = (Seals(file=file, makes_key=True) for _ in range(2))
    assert other.open(one.seal("a")) == "a"
    assert one.open(other.seal("b")) == "b"
    assert len(keys_of(file.read_text(), "f")) == 1
