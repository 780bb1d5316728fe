"""Door: `patrolvision relay`, and the relay that runs inside `patrolvision serve`."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import threading
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING

from patrolvision import wiring
from patrolvision.config import NeighboursFile, OfficeSettings, load_neighbours
from patrolvision.errors import EXIT_OK, EXIT_SOME_ITEMS_FAILED, PatrolVisionError
from patrolvision.stopping import stopped_by_signals

if TYPE_CHECKING:
    from patrolvision.neighbours import Neighbours
    from patrolvision.store.sql_store import SqlStore

log = logging.getLogger(__name__)
PAUSE_S = 1.0


def main(args: argparse.Namespace) -> int:
    """Bring what waits in the outbox to the neighbours, once or until a signal."""
    from patrolvision.neighbours import Neighbours

    file = NeighboursFile() if args.config is None else load_neighbours(args.config)
    if args.allow_private:
        file = file.model_copy(update={"allow_private": True})
    store = wiring.store(args.db, create=False, key_file=file.secrets_key_file)
    try:
        neighbours = Neighbours(store, file)
        try:
            return _once(neighbours) if args.once else _until_a_signal(neighbours)
        finally:
            neighbours.close()
    finally:
        store.close()


def _once(neighbours: Neighbours) -> int:
    done = neighbours.round()
    # What one sink does may be news for another: replies to citizens are.
    while (more := neighbours.round()).delivered:
        done += more
    summary = {name: getattr(done, name) for name in ("routed", "delivered", "failed", "dead")}
    sys.stdout.write(json.dumps(summary) + "\n")
    return EXIT_SOME_ITEMS_FAILED if done.failed else EXIT_OK


def _until_a_signal(neighbours: Neighbours) -> int:
    stop = threading.Event()
    with stopped_by_signals(stop):
        relay_until(stop, neighbours)
    return EXIT_OK


def relay_until(stop: threading.Event, neighbours: Neighbours, pause_s: float = PAUSE_S) -> None:
    """Rounds with pauses until stop is set; a round that the database refuses is tried again."""
    while not stop.is_set():
        try:
            done = neighbours.round(stop)
        except PatrolVisionError as error:
            log.error("the relay could not work: %s", error)
            done = None
        except Exception:
            log.exception("the relay stumbled; it goes on")
            done = None
        if done is None or not done.delivered:
            stop.wait(pause_s)


def background(store: SqlStore, settings: OfficeSettings) -> AbstractContextManager[object]:
    """The relay beside a server, as long as the context lasts; nothing if settings.relay is off.

    It works with what the store's database holds and opens connections of its own.
    """
    if not settings.relay:
        return nullcontext()
    from patrolvision.neighbours import Neighbours

    named = settings.neighbours
    file = NeighboursFile() if named is None else load_neighbours(named)
    if settings.allow_private_webhooks:
        file = file.model_copy(update={"allow_private": True})
    if file.media is None and settings.media is not None:
        file = file.model_copy(update={"media": settings.media})
    services, rules = wiring.services(settings), wiring.office_rules(settings)
    return BackgroundRelay(Neighbours(store, file, services=services, rules=rules))


class BackgroundRelay:
    """The relay in a thread of its own, as long as its context lasts."""

    def __init__(self, neighbours: Neighbours) -> None:
        self._neighbours, self._stop = neighbours, threading.Event()
        self._thread = threading.Thread(
            target=relay_until, args=(self._stop, neighbours), name="relay", daemon=True
        )

    def __enter__(self) -> BackgroundRelay:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._neighbours.close()
