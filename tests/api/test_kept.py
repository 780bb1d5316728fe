"""Answers that are kept: never older than the store, never for eyes that may see less."""

from __future__ import annotations

import asyncio
import multiprocessing
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from sqlalchemy import update

from helpers.many_tickets import T0, write
from helpers.office_people import key
from patrolvision.api.app import create_app
from patrolvision.api.kept import Answer, Kept
from patrolvision.config import OfficeSettings
from patrolvision.store import SqlStore, open_store
from patrolvision.store.engine import writing
from patrolvision.store.schema import tickets

SPAWN = multiprocessing.get_context("spawn")
QUESTIONS = (
    "/api/v1/tickets?limit=10",
    "/api/v1/clusters?bbox=112,22,114.5,24&zoom=16",
    "/api/v1/tiles/tickets/5/26/13.mvt",
)


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    opened = open_store(url)
    with writing(opened.engine) as connection:
        write(connection, 30, seed=2, share_over=0.5)
    yield opened
    opened.close()


@pytest.fixture
def app(store: SqlStore) -> FastAPI:
    return create_app(store, OfficeSettings(open_reading=True, requests_per_minute=0))


def rename(url: str, number: str) -> None:
    """Give the newest ticket another number, and end; run in a process of its own."""
    store = open_store(url)
    with writing(store.engine) as connection:
        newest = tickets.c.id == "t-00000029"
        connection.execute(update(tickets).where(newest).values(number=number))
    store.close()


def test_what_another_process_changes_is_seen_at_once(app: FastAPI, url: str) -> None:
    with TestClient(app) as client:
        before = [client.get(question) for question in QUESTIONS]
        again = [client.get(question) for question in QUESTIONS]
        assert [a.content for a in again] == [b.content for b in before]
        assert app.state.office.kept.again == len(QUESTIONS)
        for number in ("X-1", "X-2"):
            other = SPAWN.Process(target=rename, args=(url, number))
            other.start()
            other.join()
            assert other.exitcode == 0
            for question in QUESTIONS:
                assert number.encode() in client.get(question).content, question


def test_an_area_s_account_is_never_given_what_another_one_asked(
    app: FastAPI, store: SqlStore
) -> None:
    with TestClient(app) as client:
        whole = client.get("/api/v1/tickets?limit=100").json()
        unit = whole[0]["unit_grid"]
        bearer = {"Authorization": f"Bearer {key(store, role='viewer', areas=(unit,))}"}
        for _ in range(2):
            mine = client.get("/api/v1/tickets?limit=100", headers=bearer).json()
            assert {t["unit_grid"] for t in mine} == {unit}
            assert client.get("/api/v1/tickets?limit=100").json() == whole


def test_who_has_the_answer_is_sent_none_until_it_is_another(app: FastAPI, store: SqlStore) -> None:
    with TestClient(app) as client:
        for question in QUESTIONS:
            tag = client.get(question).headers["etag"]
            same = client.get(question, headers={"If-None-Match": f'"x", {tag}'})
            assert (same.status_code, same.content) == (304, b"")
            assert same.headers["etag"] == tag
            with writing(store.engine) as connection:
                connection.execute(update(tickets).values(number=None))
            other = client.get(question, headers={"If-None-Match": tag})
            assert other.status_code == 200 and other.headers["etag"] != tag
            with writing(store.engine) as connection:
                connection.execute(update(tickets).values(number=tickets.c.id))


def test_what_is_overdue_is_asked_anew_as_time_passes(store: SqlStore) -> None:
    now = [T0]
    settings = OfficeSettings(open_reading=True, requests_per_minute=0)
    app = create_app(store, settings, clock=lambda: now[0])
    app.state.office.kept._clock = lambda: now[0].timestamp()
    with TestClient(app) as client:
        assert client.get("/api/v1/tickets?overdue=true").json() == []
        now[0] = T0.replace(year=2027)
        assert client.get("/api/v1/tickets?overdue=true").json() != []


class Asked:
    """A small application that answers with what is counted up at each making."""

    def __init__(self, store: SqlStore, most_bytes: int) -> None:
        self.kept, self.count, self.go = Kept(store.engine, most_bytes), 0, threading.Event()
        self.app = FastAPI()

        @self.app.get("/{name}")
        async def answer(name: str, request: Request) -> Any:
            return await self.kept.answer(request, name, self._made)

    def _made(self) -> Answer:
        self.go.wait(10)
        self.count += 1
        return Answer(b"%d" % self.count + b" " * 1000, "text/plain")


def test_those_who_ask_the_same_at_once_share_one_making(store: SqlStore) -> None:
    asked = Asked(store, 1 << 20)
    with TestClient(asked.app) as client, ThreadPoolExecutor(8) as pool:
        found = [pool.submit(client.get, "/a") for _ in range(8)]
        threading.Timer(0.3, asked.go.set).start()
        assert {one.result().text for one in found} == {"1" + " " * 1000}
    assert (asked.kept.made, asked.kept.again) == (1, 7)


def test_what_is_kept_is_bounded_and_nothing_may_be_kept_at_all(store: SqlStore) -> None:
    asked = Asked(store, 3 * 2001)
    asked.go.set()
    with TestClient(asked.app) as client:
        for name in "abcd":
            client.get(f"/{name}")
        assert client.get("/d").text.startswith("4")
        assert client.get("/a").text.startswith("5")  # it made room for d
    never = Asked(store, 0)
    never.go.set()
    with TestClient(never.app) as client:
        assert [client.get("/a").text[0] for _ in range(2)] == ["1", "2"]


def test_a_failed_making_is_told_and_not_kept(store: SqlStore, tmp_path: Path) -> None:
    kept = Kept(store.engine, 1 << 20)
    app, fails = FastAPI(), [True]

    def made() -> Answer:
        if fails[0]:
            raise OSError("no")
        return Answer(b"yes", "text/plain")

    @app.get("/")
    async def answer(request: Request) -> Any:
        return await kept.answer(request, "a", made)

    with TestClient(app, raise_server_exceptions=False) as client:
        assert client.get("/").status_code == 500
        fails[0] = False
        assert client.get("/").text == "yes"


def test_senders_of_one_key_share_a_look_and_none_from_before_it_was_revoked(
    store: SqlStore,
) -> None:
    kept, looks = Kept(store.engine, 0), []
    may_end = threading.Event()

    def look() -> int:
        looks.append(len(looks))
        assert may_end.wait(timeout=10)
        return looks[-1]

    async def all_ask() -> tuple[list[int], int, int]:
        early = [asyncio.ensure_future(kept.trusted("car", T0, look)) for _ in range(5)]
        while not looks:
            await asyncio.sleep(0.001)
        kept.forget_people()
        late = asyncio.ensure_future(kept.trusted("car", T0, look))
        await asyncio.sleep(0)
        may_end.set()
        told = await asyncio.gather(*early)
        return told, await late, await kept.trusted("car", T0, look)

    assert asyncio.run(all_ask()) == ([0] * 5, 1, 1)
