"""Connections to PostgreSQL: asked after a rest whether they are alive, and replaced if not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, NullPool, create_engine

from patrolvision.store import engine as opening
from patrolvision.store.engine import engine_of, reading


@pytest.fixture
def engine(postgres_url: str) -> Iterator[Engine]:
    made = engine_of(postgres_url)
    yield made
    made.dispose()


@pytest.fixture
def pings(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The connections that were asked whether they are alive."""
    asked: list[object] = []
    really = engine.dialect.do_ping

    def ping(connection: object) -> bool:
        asked.append(connection)
        return really(connection)  # type: ignore[arg-type]

    monkeypatch.setattr(engine.dialect, "do_ping", ping)
    return asked


def backend_of(engine: Engine) -> int:
    with reading(engine) as connection:
        return int(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())


def test_a_connection_that_served_a_moment_ago_is_not_asked_whether_it_is_alive(
    engine: Engine, pings: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "FRESH_S", 3600.0)
    first = backend_of(engine)
    assert backend_of(engine) == first
    assert pings == []


def test_a_connection_that_died_while_it_rested_is_opened_anew(
    engine: Engine, pings: list[object], postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "FRESH_S", 0.0)
    first = backend_of(engine)
    killer = create_engine(postgres_url, poolclass=NullPool)
    with killer.connect() as connection:
        connection.exec_driver_sql(f"SELECT pg_terminate_backend({first}, 5000)")
    assert backend_of(engine) != first
    assert len(pings) == 1
