"""How the server runs: one worker in this process, or several that share one address.

Each worker opens the store for itself. What they have to agree about (tickets, sessions, the feed
of changes) is in the store, so it does not matter which of them answers. One that dies is replaced.
"""

from __future__ import annotations

import logging
import multiprocessing
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING

from patrolvision.errors import ConfigError
from patrolvision.stopping import stopped_by_signals

if TYPE_CHECKING:
    from fastapi import FastAPI

log = logging.getLogger(__name__)

OpenApp = Callable[[], "AbstractContextManager[FastAPI]"]
GRACE_S = 3  # for answers under way when the server ends; live pages never end by themselves
AGAIN_S = 1.0  # before a worker that died is replaced


def check_workers(workers: int, url: str) -> None:
    """Refuse several workers where one writer at a time is the rule."""
    if workers < 1:
        raise ConfigError(f"--workers {workers}: expected 1 or more")
    if workers > 1 and url.startswith("sqlite"):
        raise ConfigError(
            f"--workers {workers}: SQLite has one writer at a time and serves one worker; leave "
            "--workers out, or use PostgreSQL: --db postgresql+psycopg://user@host/name"
        )


def tell_requests() -> None:
    """Write the log of requests, JSON lines, to standard error."""
    requests = logging.getLogger("patrolvision.access")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    requests.handlers, requests.propagate = [handler], False
    requests.setLevel(logging.INFO)


def serve(open_app: OpenApp, listening: socket.socket, workers: int = 1) -> None:
    """Answer on a bound socket until SIGINT or SIGTERM."""
    listening.listen(2048)
    if workers == 1:
        _work(open_app, listening)
        return
    stop = threading.Event()
    with stopped_by_signals(stop):
        _supervise(open_app, listening, workers, stop)


def _work(open_app: OpenApp, listening: socket.socket) -> None:
    import uvicorn

    with open_app() as app:
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, timeout_graceful_shutdown=GRACE_S
        )
        uvicorn.Server(config).run(sockets=[listening])


def _supervise(
    open_app: OpenApp, listening: socket.socket, workers: int, stop: threading.Event
) -> None:
    # Forked: the socket and what the application is made from need not be carried over by value.
    # Nothing of the store is open in this process, and no thread runs.
    fork = multiprocessing.get_context("fork")

    def started() -> BaseProcess:
        process = fork.Process(target=_child, args=(open_app, listening))
        process.start()
        return process

    children = [started() for _ in range(workers)]
    try:
        while not stop.wait(0.2):
            for place, child in enumerate(children):
                if not child.is_alive():
                    log.warning("worker %s ended with %s: replaced", child.pid, child.exitcode)
                    time.sleep(AGAIN_S)
                    children[place] = started()
    finally:
        _end(children)


def _child(open_app: OpenApp, listening: socket.socket) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)  # the parent's handlers mean nothing here
    _work(open_app, listening)


def _end(children: list[BaseProcess]) -> None:
    for child in children:
        child.terminate()
    for child in children:
        child.join(GRACE_S + 2)
        if child.is_alive():
            child.kill()
            child.join()
