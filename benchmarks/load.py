"""Clients that cost the machine as little as they can: ready-made requests over raw sockets.

They run in a process of their own. Each keeps one connection and asks again as soon as it is
answered, or after a pause.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import uvloop

SPAWN = multiprocessing.get_context("fork")
Requests = Callable[[random.Random], bytes]


class Client(asyncio.Protocol):
    """One keep-alive connection: asks what `following` yields until it yields None."""

    def __init__(self, following: Callable[[], bytes | None], pause_s: Callable[[], float]) -> None:
        self._following, self._pause_s = following, pause_s
        self._buffer, self._missing, self._begun = b"", -1, 0.0
        self.took: list[float] = []
        self.received = 0
        self.problem = ""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        """Ask for the first time, after a part of the pause."""
        self._transport = transport
        asyncio.get_running_loop().call_later(self._pause_s() * random.random(), self._ask)

    def _ask(self) -> None:
        request = self._following()
        if request is None:
            self._transport.close()
            self.ended.done() or self.ended.set_result(None)
            return
        self._begun = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Read an answer; it is whole when its body is as long as it said."""
        self._buffer += data
        if self._missing < 0:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._buffer[:end].lower()
            if head[9:12] not in (b"200", b"304"):
                self._fail(self._buffer[:600].decode("latin-1"))
                return
            at = head.find(b"content-length:")
            length = 0 if at < 0 else int(head[at + 15 :].split(b"\r\n", 1)[0])
            self._missing = end + 4 + length
        if len(self._buffer) >= self._missing:
            self.took.append(time.perf_counter() - self._begun)
            self.received += len(self._buffer)
            self._buffer, self._missing = b"", -1
            pause = self._pause_s()
            if pause > 0.0:
                asyncio.get_running_loop().call_later(pause, self._ask)
            else:
                self._ask()

    def connection_lost(self, error: Exception | None) -> None:
        """The end of it, wanted or not."""
        if not self.ended.done():
            self._fail("the server closed the connection")

    def _fail(self, said: str) -> None:
        self.problem = said
        if not self.ended.done():
            self.ended.set_result(None)


def measured(
    port: int,
    clients: int,
    seconds: float,
    requests: Requests,
    *,
    seed: int = 0,
    pause_s: float = 0,
) -> dict[str, float]:
    """Answers a second, percentiles in ms, CPU of the clients (ms each) and kB each."""
    ready, told = SPAWN.Pipe(False)
    arguments = (told, port, clients, seconds, requests, seed, pause_s)
    process = SPAWN.Process(target=_run, args=arguments)
    process.start()
    took, received, cpu_s, problem = ready.recv()
    process.join()
    if problem:
        raise SystemExit(f"answered: {problem}")
    cuts = statistics.quantiles(took, n=100)
    return {
        "per_s": round(len(took) / seconds, 1),
        **{f"p{p}_ms": round(1e3 * cuts[p - 1], 1) for p in (50, 95, 99)},
        "client_cpu_ms": round(1e3 * cpu_s / len(took), 3),
        "kB": round(received / len(took) / 1e3, 1),
    }


def _run(
    told: Any, port: int, clients: int, seconds: float, requests: Requests, seed: int,
    pause_s: float,
) -> None:  # fmt: skip
    ready_made = [requests(random.Random(f"{seed}-{k}")) for k in range(int(seconds * 2500))]
    told.send(uvloop.run(_all(port, clients, seconds, ready_made, pause_s)))


async def _all(
    port: int, clients: int, seconds: float, ready_made: Sequence[bytes], pause_s: float
) -> tuple[list[float], int, float, str]:
    pile = iter(ready_made)
    r = random.Random(1)
    ends_at = time.perf_counter() + seconds

    def following() -> bytes | None:
        if time.perf_counter() >= ends_at:
            return None
        request = next(pile, None)
        if request is None:
            raise SystemExit("there were too few requests ready")
        return request

    def pause() -> float:
        return pause_s * r.uniform(0.5, 1.5)

    loop = asyncio.get_running_loop()
    begun = time.process_time()
    made = [
        (await loop.create_connection(lambda: Client(following, pause), "127.0.0.1", port))[1]
        for _ in range(clients)
    ]
    await asyncio.gather(*(client.ended for client in made))
    cpu_s = time.process_time() - begun
    problem = next((client.problem for client in made if client.problem), "")
    took = [one for client in made for one in client.took]
    return took, sum(client.received for client in made), cpu_s, problem
