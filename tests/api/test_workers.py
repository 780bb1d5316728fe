"""`patrolvision serve --workers 2` on PostgreSQL: what one worker knows, the other one knows."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from helpers.databases import empty_schema
from helpers.many_tickets import write
from helpers.office_people import PASSWORD, hire
from patrolvision.store import SqlStore, open_store
from patrolvision.store.engine import writing
from patrolvision.store.schema import tickets

PATIENCE_S = 30.0


@pytest.fixture
def store(postgres_url: str) -> Iterator[SqlStore]:
    with empty_schema(postgres_url) as url:
        opened = open_store(url)
        with writing(opened.engine) as connection:
            write(connection, 5, seed=1)
        hire(opened, "rita", "reviewer")
        yield opened
        opened.close()


class Server:
    """The command, asked over a new connection each time, so that any worker may answer."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process, self.port = process, port
        self.cookie = ""

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        headers = {"Cookie": self.cookie, "Content-Type": "application/json"}
        content = None if body is None else json.dumps(body)
        connection.request(method, path, content, headers if self.cookie or body else {})
        answer = connection.getresponse()
        self.cookie = (answer.getheader("set-cookie") or self.cookie).partition(";")[0]
        found = answer.status, answer.read()
        connection.close()
        return found

    def worker(self) -> int:
        """The process that answers now."""
        status, text = self.ask("GET", "/metrics")
        named = re.search(rb'patrolvision_start_time_seconds{worker="(\d+)"}', text)
        assert status == 200 and named is not None
        return int(named[1])


def until(what: Callable[[], Any]) -> Any:
    """The first true value; patience has an end."""
    ends_at = time.monotonic() + PATIENCE_S
    while True:
        try:
            if found := what():
                return found
        except (OSError, http.client.HTTPException):
            pass
        assert time.monotonic() < ends_at, "it did not happen in time"
        time.sleep(0.05)


@contextmanager
def serving(store: SqlStore, folder: Path) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = store.engine.url.render_as_string(hide_password=False)
    command = (sys.executable, "-m", "patrolvision.cli", "serve", "--db", url, "--workers", "2",
               "--port", str(port), "--media", str(folder))  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    server = Server(process, port)
    try:
        until(lambda: server.ask("GET", "/healthz")[0] == 200)
        yield server
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def both(server: Server) -> set[int]:
    """The workers, once both have answered."""
    seen: set[int] = set()
    until(lambda: seen.add(server.worker()) or len(seen) == 2)
    return seen


def test_two_workers_are_one_office_a_dead_one_is_replaced_and_all_end_together(
    store: SqlStore, tmp_path: Path
) -> None:
    with serving(store, tmp_path) as server:
        signed_in = server.ask("POST", "/api/v1/session", {"name": "rita", "password": PASSWORD})
        assert signed_in[0] == 200, signed_in
        both(server)
        assert {server.ask("GET", "/api/v1/session")[0] for _ in range(12)} == {200}

        listening = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
        listening.request("GET", "/api/v1/events", headers={"Cookie": server.cookie})
        events = listening.getresponse()
        while events.readline().strip() != b": listening":
            pass
        with writing(store.engine) as connection:
            changed = update(tickets).where(tickets.c.id == "t-00000003").values(number="X-7")
            connection.execute(changed)
        while b"X-7" not in (line := events.readline()):
            assert line
        listening.close()
        for _ in range(8):
            assert b"X-7" in server.ask("GET", "/api/v1/tickets")[1]

        before = both(server)
        victim = before.pop()
        os.kill(victim, signal.SIGKILL)
        after = until(lambda: now if victim not in (now := both(server)) else None)
        assert before < after

        server.process.terminate()
        assert server.process.wait(PATIENCE_S) == 0
        for worker in after:
            until(lambda one=worker: not Path(f"/proc/{one}").exists())
