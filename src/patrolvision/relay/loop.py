"""One round of the relay: route what is new, then bring each sink what is due for it.

Each sink has a thread of its own in a round, so that a slow one holds up nobody; one that is down
is left alone until its message's next try.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from patrolvision.errors import DeliveryError
from patrolvision.ports import Outbox, Sink
from patrolvision.relay.backoff import Backoff, delay_s, is_dead
from patrolvision.relay.plan import plan_for
from patrolvision.types import Delivery

log = logging.getLogger(__name__)
ROUTED_AT_ONCE = 500
SINKS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class RelayRound:
    """What a round did."""

    routed: int = 0
    delivered: int = 0
    failed: int = 0
    dead: int = 0

    def __add__(self, other: RelayRound) -> RelayRound:
        return RelayRound(
            self.routed + other.routed,
            self.delivered + other.delivered,
            self.failed + other.failed,
            self.dead + other.dead,
        )


@dataclass(frozen=True, slots=True)
class Relay:
    """Brings the outbox to the sinks; any number may run, in threads, processes or machines.

    jitter gives numbers in [0, 1). lease_s must be longer than a sink may take for one delivery.
    """

    outbox: Outbox
    clock: Callable[[], datetime]
    jitter: Callable[[], float]
    backoff: Backoff = field(default_factory=Backoff)
    lease_s: float = 60.0

    def round(self, sinks: Sequence[Sink], stop: threading.Event | None = None) -> RelayRound:
        """Everything that is new and due now; ends early once stop is set."""
        stop = stop or threading.Event()
        routed, plan = 0, plan_for(sinks)
        while not stop.is_set() and (new := self.outbox.route(plan, self.clock())):
            routed += new
            if new < ROUTED_AT_ONCE:
                break
        total = RelayRound(routed=routed)
        if sinks:
            with ThreadPoolExecutor(min(len(sinks), SINKS_AT_ONCE), "relay") as pool:
                for part in pool.map(lambda sink: self._drain(sink, stop), sinks):
                    total += part
        return total

    def _drain(self, sink: Sink, stop: threading.Event) -> RelayRound:
        total = RelayRound()
        while not stop.is_set():
            delivery = self.outbox.claim(sink.name, self.clock(), self.lease_s, sink.policy)
            if delivery is None:
                break
            error = self._error_of(sink, delivery)
            if error is None:
                self.outbox.done(delivery, self.clock())
                total += RelayRound(delivered=len(delivery.messages))
                continue
            total += self._not_taken(delivery, error)
            if error.is_down:
                break
        return total

    def _error_of(self, sink: Sink, delivery: Delivery) -> DeliveryError | None:
        """Why the sink did not take it; None if it did."""
        if delivery.attempts > self.backoff.max_attempts:
            # Claimed so often and never settled: whoever sends it dies of it.
            return DeliveryError(f"{sink.name}: no try came to an end", is_final=True)
        try:
            sink.deliver(delivery)
        except DeliveryError as error:
            return error
        except Exception as error:
            # A sink is a door to somebody else: what it stumbles over holds up nobody but itself.
            log.exception("%s to %s: the sink failed", delivery.key, sink.name)
            return DeliveryError(f"{sink.name}: {type(error).__name__}: {error}")
        return None

    def _not_taken(self, delivery: Delivery, error: DeliveryError) -> RelayRound:
        now, attempts = self.clock(), delivery.attempts
        dead = error.is_final or is_dead(attempts, self.backoff)
        wait = timedelta(seconds=delay_s(attempts, self.jitter(), self.backoff))
        self.outbox.failed(delivery, str(error), now, None if dead else now + wait)
        said = "given up" if dead else f"to be tried again in {wait.total_seconds():.0f} s"
        log.warning("%s to %s: %s, %s", delivery.key, delivery.sink, error, said)
        return RelayRound(failed=1, dead=int(dead))
