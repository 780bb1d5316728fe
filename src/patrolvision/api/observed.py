"""Every request counted and told: figures for Prometheus, and one line of JSON in the log.

A line holds no query, no header and no body: that is where secrets are. Each worker counts its own
requests and says which it is; a scrape meets one of them.
"""

from __future__ import annotations

import itertools
import logging
import os
import threading
import time
import uuid
from bisect import bisect_left
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("patrolvision.access")

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
REQUEST_ID = b"x-request-id"
ID_SIZE = 64
Key = tuple[str, str, int]  # method, route, status


class Meter:
    """What one worker has answered so far."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[Key, int] = {}
        self._seconds: dict[tuple[str, str], list[float]] = {}
        self.in_flight = 0
        self.started_at = time.time()

    def add(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer."""
        with self._lock:
            key = (method, route, status)
            self._counts[key] = self._counts.get(key, 0) + 1
            row = self._seconds.setdefault((method, route), [0.0] * (len(BUCKETS_S) + 2))
            row[bisect_left(BUCKETS_S, seconds)] += 1
            row[-1] += seconds

    def lines(self) -> Iterator[str]:
        """The counts in Prometheus' text format 0.0.4."""
        worker = os.getpid()
        with self._lock:
            counts = sorted(self._counts.items())
            seconds = sorted((key, list(row)) for key, row in self._seconds.items())
        yield from head("patrolvision_http_requests_total", "counter", "Answers by status.")
        for (method, route, status), count in counts:
            named = labels(method=method, route=route, status=status, worker=worker)
            yield f"patrolvision_http_requests_total{named} {count}"
        name = "patrolvision_http_request_seconds"
        yield from head(name, "histogram", "Time to the end of the answer.")
        for (method, route), row in seconds:
            known: dict[str, Any] = {"method": method, "route": route, "worker": worker}
            total = 0.0
            for limit, answers in zip((*BUCKETS_S, "+Inf"), row[:-1], strict=True):
                total += answers
                yield f"{name}_bucket{labels(**known, le=limit)} {total:g}"
            yield f"{name}_sum{labels(**known)} {row[-1]:.6f}"
            yield f"{name}_count{labels(**known)} {total:g}"
        yield from head("patrolvision_http_in_flight", "gauge", "Requests being answered.")
        yield f"patrolvision_http_in_flight{labels(worker=worker)} {self.in_flight}"
        yield from head("patrolvision_start_time_seconds", "gauge", "When the worker started.")
        yield f"patrolvision_start_time_seconds{labels(worker=worker)} {self.started_at:.3f}"


def head(name: str, kind: str, what: str) -> tuple[str, str]:
    """The two lines before a metric's samples."""
    return f"# HELP {name} {what}", f"# TYPE {name} {kind}"


def labels(**values: Any) -> str:
    """The labels of a sample; text is escaped as the format asks."""
    shown = (
        f'{name}="{_escaped(str(value))}"' for name, value in values.items() if value is not None
    )
    return "{" + ",".join(shown) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


class Observed:
    """ASGI middleware around everything else."""

    def __init__(
        self, app: ASGIApp, meter: Meter, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._app, self._meter, self._clock = app, meter, clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; count and tell its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, identity = self._clock(), _identity(scope)
        told: dict[str, Any] = {"status": 500, "bytes": 0}

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                told["status"] = message["status"]
                own = (REQUEST_ID, identity.encode())
                message = {**message, "headers": [*message.get("headers", ()), own]}
            elif message["type"] == "http.response.body":
                told["bytes"] += len(message.get("body", b""))
            await send(message)

        self._meter.in_flight += 1
        try:
            await self._app(scope, receive, sent)
        finally:
            self._meter.in_flight -= 1
            self._tell(scope, identity, told, self._clock() - begun)

    def _tell(self, scope: Scope, identity: str, told: dict[str, Any], seconds: float) -> None:
        route = getattr(scope.get("route"), "path", None) or "(none)"
        method = scope["method"] if scope["method"].isalpha() else "(other)"
        self._meter.add(method[:16], route, told["status"], seconds)
        if not log.isEnabledFor(logging.INFO):
            return
        client = scope.get("client")
        line = {
            "at": datetime.now(UTC),
            "request_id": identity,
            "method": method,
            "path": scope["path"],
            "route": route,
            **told,
            "ms": round(1000.0 * seconds, 2),
            "client": client[0] if client else None,
        }
        log.info("%s", orjson.dumps(line, default=repr).decode())


def _identity(scope: Scope) -> str:
    """The caller's own id of the request, if it is a plain word, else a new one."""
    sent = next((value for name, value in scope["headers"] if name == REQUEST_ID), b"")
    text = sent.decode("latin-1")
    plain = text.isascii() and text.replace("-", "").replace("_", "").isalnum()
    return text if plain and len(text) <= ID_SIZE else _new_identity()


# A call of the system for random bytes gives the interpreter away, and has to wait until it gets
# it back: milliseconds, where another thread works. One call a process and a count are as good.
_PROCESS: list[str | int] = [0, ""]
_COUNT = itertools.count(1)


def _new_identity() -> str:
    """An id that no other request has had, in this process or another one."""
    if _PROCESS[0] != os.getpid():
        _PROCESS[:] = [os.getpid(), uuid.uuid4().hex[:20]]
    return f"{_PROCESS[1]}{next(_COUNT):012x}"
