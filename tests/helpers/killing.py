"""A relay that is killed with SIGKILL at a chosen step of its work, again and again.

Each life is a process of its own: it produces a ticket's message in a transaction and relays what
is due. `Mortal` counts the calls to the outbox and the sink, before and after each, and kills its
own process at the step it is told; a life without a step ends by itself, or is killed by a clock.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from patrolvision.relay.backoff import Backoff
from patrolvision.relay.http import HttpLimits
from patrolvision.relay.loop import Relay
from patrolvision.relay.webhook import WebhookSink
from patrolvision.store.outbox import SqlOutbox
from patrolvision.store.sql_store import open_store
from patrolvision.types import OutboxMessage

FORK = multiprocessing.get_context("fork")  # no store is open when a life begins
SECRET = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
SINK = "webhook:test"
LEASE_S = 0.15
STEPS = 11  # enqueue (3), then before and after route, claim, deliver, done: 0 to 10


class Mortal:
    """Anything, whose calls are steps; the process dies at the step given."""

    def __init__(self, inner: Any, step: Callable[[], None]) -> None:
        self._inner, self._step = inner, step

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        if name not in ("route", "claim", "deliver", "done", "failed"):
            return value

        def call(*args: Any, **more: Any) -> Any:
            self._step()
            result = value(*args, **more)
            self._step()
            return result

        return call


@dataclass(frozen=True)
class Life:
    """What one process does before it dies."""

    url: str
    address: str
    message: int | None  # number of the ticket whose message is produced; None: only relay
    dies_at: int | None  # the step at which it kills itself


def live(life: Life) -> None:
    seen = 0

    def step() -> None:
        nonlocal seen
        if seen == life.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        seen += 1

    store = open_store(life.url)
    if life.message is not None:
        payload = {"ticket_id": f"t-{life.message % 5}", "position": life.message}
        step()
        with store.transaction() as transaction:
            transaction.enqueue([OutboxMessage(f"m-{life.message:04d}", "ticket.moved", payload)])
            step()
        step()
    sink = WebhookSink(SINK, life.address, SECRET, _now, limits=HttpLimits(allow_private=True))
    relay = Relay(
        Mortal(SqlOutbox(store.engine), step), _now, random.random, Backoff(0.01, 0.05), LEASE_S
    )
    relay.round([Mortal(sink, step)])
    store.close()


def _now() -> datetime:
    return datetime.now(UTC)


def one_life(life: Life, *, killed_after_s: float | None = None) -> bool:
    """Whether the process was killed."""
    process = FORK.Process(target=live, args=(life,))
    process.start()
    if killed_after_s is not None:
        time.sleep(killed_after_s)
        process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL


def deaths(url: str, address: str, wanted: int, seed: int) -> int:
    """How many messages were produced, until so many processes were killed.

    Half die at a step, each in turn, half at a random instant. A producer that was killed produces
    its message once more, as whoever may not lose it must.
    """
    chance = random.Random(seed)
    killed, message, tries = 0, 0, 0
    while killed < wanted:
        life, after_s = Life(url, address, message, None), None
        if tries % 2:
            after_s = chance.uniform(0.0, 0.15)
        else:
            life = replace(life, dies_at=(tries // 2) % STEPS)
        tries += 1
        killed += one_life(life, killed_after_s=after_s)
        if chance.random() < 0.5:
            one_life(Life(url, address, message, None))
            message += 1
    one_life(Life(url, address, message, None))
    return message + 1


def drained(url: str, address: str, within_s: float = 20.0) -> dict[str, dict[str, int]]:
    """The outbox's counts once a relay that lives has brought everything."""
    until = time.monotonic() + within_s
    while True:
        one_life(Life(url, address, None, None))
        store = open_store(url)
        counts = SqlOutbox(store.engine).counts()
        store.close()
        is_over = not any(by_state.get("waiting") for by_state in counts.values())
        if is_over or time.monotonic() > until:
            return counts
        time.sleep(LEASE_S / 2)
