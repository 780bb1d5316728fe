"""Opening: migrations, versions, and one sentence where a database cannot be used."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, event

from patrolvision.errors import StoreError
from patrolvision.store import SqlStore, engine, migrate, open_store, schema
from patrolvision.types import GeoPoint, Observation

T0 = datetime(2026, 5, 4, tzinfo=UTC)
FORK = multiprocessing.get_context("fork")  # no store is open when a test forks


def observation(name: str) -> Observation:
    place = GeoPoint(22.84, 113.23, np.eye(2))
    return Observation(name, "m" * 2000, "car1", "litter", T0, T0, place, 0.8, 3)


def add(store: SqlStore, *names: str) -> int:
    with store.transaction() as tx:
        return tx.add_observations([observation(name) for name in names])


def sql(path: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def test_the_migrations_build_exactly_the_tables_of_the_schema(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'p.db'}"
    open_store(url).close()
    raw = create_engine(url)
    with raw.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []
    raw.dispose()


def indexes_in(url: str) -> dict[str, str]:
    raw = create_engine(url)
    with raw.connect() as connection:
        found = connection.exec_driver_sql(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        ).all()
    raw.dispose()
    return {name: " ".join(statement.split()) for name, statement in found}


def test_the_migrations_build_the_indexes_of_the_schema_with_their_conditions(
    tmp_path: Path,
) -> None:
    url, plain = f"sqlite:///{tmp_path / 'p.db'}", f"sqlite:///{tmp_path / 'plain.db'}"
    open_store(url).close()
    made = create_engine(plain)
    schema.metadata.create_all(made)
    made.dispose()
    assert indexes_in(url) == indexes_in(plain)


def test_who_holds_what_outlives_the_change_of_its_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "p.db"
    with monkeypatch.context() as before:
        before.setattr(migrate, "SCHEMA_VERSION", "0013")
        open_store(f"sqlite:///{path}").close()
    held = [("litter", "o2", "i1"), ("litter", "o1", "i1"), ("open_fire", "o1", "i2")]
    sql(path, *(f"INSERT INTO incident_observations VALUES {row}" for row in held))
    store = open_store(f"sqlite:///{path}")
    with store.transaction() as tx:
        found = tx.memberships(["o1"])
    store.close()
    assert found == {
        ("litter", "i1"): frozenset({"o1", "o2"}),
        ("open_fire", "i2"): frozenset({"o1"}),
    }


def test_the_program_s_schema_version_is_the_newest_migration() -> None:
    assert ScriptDirectory(str(migrate.MIGRATIONS)).get_heads() == [migrate.SCHEMA_VERSION]


def test_opening_again_keeps_what_is_there(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'p.db'}"
    store = open_store(url)
    add(store, "o1")
    store.close()
    again = open_store(url, create=False)
    assert again.counts()["observations"] == 1
    again.close()


def test_a_store_in_memory_works_and_ends_with_it() -> None:
    store = open_store("sqlite://")
    assert add(store, "o1") == 1
    assert [o.id for o in store.observations()] == ["o1"]
    store.close()


def test_a_newer_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "p.db"
    open_store(f"sqlite:///{path}").close()
    sql(path, "UPDATE alembic_version SET version_num = '9999'")
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"9999, newer .* upgrade patrolvision, or name another"):
        open_store(f"sqlite:///{path}")
    assert path.read_bytes() == before


def test_somebody_else_s_tables_are_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "p.db"
    sql(path, "CREATE TABLE incidents (x)", "INSERT INTO incidents VALUES (1)")
    with pytest.raises(StoreError, match="already exists"):
        open_store(f"sqlite:///{path}")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
    assert tables == [("incidents",)]


def test_what_is_not_there_is_not_made_by_a_reader(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no such database file"):
        open_store(f"sqlite:///{tmp_path / 'typo.db'}", create=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "must be given as an SQLAlchemy URL"),
        ("", "must be given as an SQLAlchemy URL"),
        ("mysql://u@h/d", "expected sqlite:///"),
        ("postgresql+nodriver://u:secret@h/d", "nodriver"),
        ("sqlite:////nowhere/at/all/p.db", "is its folder there"),
        ("sqlite:////tmp", "cannot be opened"),
        (
            "postgresql+psycopg://u:secret@127.0.0.1:1/d?connect_timeout=2",
            r"u:\*\*\*@127.0.0.1:1/d",
        ),
    ],
)
def test_what_cannot_be_opened_is_named_without_its_password(url: str, words: str) -> None:
    if url.startswith("postgresql+psycopg"):
        pytest.importorskip("psycopg", reason="pip install 'patrolvision[postgres]'")
    with pytest.raises(StoreError, match=words) as refused:
        open_store(url)
    assert "secret" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "p.db"
    path.write_bytes(b"These are my holiday notes. " * 100)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="is not a database"):
        open_store(f"sqlite:///{path}")
    assert path.read_bytes() == before


@pytest.mark.parametrize("kept", [100, 4096, 20_000])
def test_a_truncated_database_is_called_damaged(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "p.db"
    open_store(f"sqlite:///{path}").close()
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(StoreError, match="is damaged"):
        open_store(f"sqlite:///{path}")


def test_a_read_only_database_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "p.db"
    open_store(f"sqlite:///{path}").close()
    store = open_store(f"sqlite:///file:{path}?mode=ro&uri=true")
    with pytest.raises(StoreError, match="is read-only"):
        add(store, "o1")
    assert list(store.observations()) == []
    store.close()


def test_a_writer_that_never_lets_go_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_S", 0.05)
    store = open_store(f"sqlite:///{tmp_path / 'p.db'}")
    with contextlib.closing(sqlite3.connect(tmp_path / "p.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="held by another program"):
            add(store, "o1")
    assert add(store, "o1") == 1
    store.close()


def test_a_full_disk_stops_the_writer_and_keeps_what_was_whole(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'p.db'}"
    store = open_store(url)
    add(store, "o1")
    before = store.counts(), store.digest()
    pages = 4 + int((tmp_path / "p.db").stat().st_size / 4096)
    event.listen(
        store._engine, "checkout", lambda raw, *_: raw.execute(f"PRAGMA max_page_count = {pages}")
    )
    with pytest.raises(StoreError, match="no room left"):
        add(store, *(f"many{k}" for k in range(500)))
    assert (store.counts(), store.digest()) == before
    store.close()
    again = open_store(url)
    assert (again.counts(), again.digest()) == before
    assert add(again, *(f"many{k}" for k in range(500))) == 500
    again.close()


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or os.geteuid() != 0,
    reason="mounting a tiny tmpfs needs Linux and root",
)
def test_a_truly_full_disk_does_the_same(tmp_path: Path) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("mounting a tmpfs is not allowed here")
    try:
        store = open_store(f"sqlite:///{tmp_path / 'p.db'}")
        add(store, "o1")
        before = store.digest()
        with pytest.raises(StoreError, match="no room left"):
            add(store, *(f"many{k}" for k in range(2000)))
        assert store.digest() == before
        assert add(store, "o2") == 1
        store.close()
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def _open_and_add(url: str, name: str) -> None:
    store = open_store(url)
    add(store, name)
    store.close()


def test_many_openers_of_a_new_database_make_one(tmp_path: Path) -> None:
    for attempt in range(5):
        url = f"sqlite:///{tmp_path / f'{attempt}.db'}"
        racers = [FORK.Process(target=_open_and_add, args=(url, f"o{k}")) for k in range(6)]
        for racer in racers:
            racer.start()
        for racer in racers:
            racer.join(timeout=60)
        assert [racer.exitcode for racer in racers] == [0] * 6
        store = open_store(url)
        assert store.counts()["observations"] == 6
        store.close()


def test_threads_may_share_a_store(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'p.db'}")
    threads = [threading.Thread(target=add, args=(store, f"o{k}")) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.counts()["observations"] == 8
    store.close()
