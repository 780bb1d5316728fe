"""The state of a database: asked on a connection of its own, which may die like any other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from patrolvision.store import SqlStore, changes, open_store
from patrolvision.store.engine import reading
from patrolvision.store.versions import Versions
from patrolvision.types.instants import EPOCH


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    opened = open_store(url)
    yield opened
    opened.close()


def write(engine: Engine) -> None:
    changes.beat(engine, "server", EPOCH, {})


def test_a_state_is_the_same_until_something_is_written(store: SqlStore) -> None:
    versions = Versions(store.engine)
    before = versions.now()
    assert versions.now() == before
    write(store.engine)
    assert versions.now() != before


def test_a_server_that_was_started_anew_is_asked_on_a_new_connection(store: SqlStore) -> None:
    if store.engine.name == "sqlite":
        pytest.skip("SQLite has no server: nothing to install")
    versions = Versions(store.engine)
    before = versions.now()
    backend = versions._watching.info.backend_pid
    with reading(store.engine) as connection:
        connection.exec_driver_sql(f"SELECT pg_terminate_backend({backend}, 5000)")
    write(store.engine)
    assert versions.now() != before
    store.close()
    assert versions._watching is None
