"""Answers of the last second, given again to whoever asks the same: a city's desks ask alike.

An answer holds while no ticket has changed (store.changes knows, whoever changed it) and for a
second at most, so that what is not a ticket's own is never older than that.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

from fastapi.responses import Response
from sqlalchemy import Connection, func, select

from patrolvision.store.map_tables import ticket_changes

KEPT_S = 1.0
MOST = 512


class Kept:
    """Answers by what was asked, for all threads of a worker."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._answers: OrderedDict[Hashable, tuple[float, int, Response]] = OrderedDict()

    def answer(
        self, connection: Connection, asked: Hashable, build: Callable[[], Response]
    ) -> Response:
        """The answer of a moment ago, or a new one."""
        newest = int(connection.execute(_NEWEST).scalar() or 0)
        with self._lock:
            made_s, position, found = self._answers.get(asked, (-1e9, -1, None))
        if found is not None and position == newest and self._clock() - made_s < KEPT_S:
            return _again(found)
        made_s, found = self._clock(), build()
        with self._lock:
            self._answers[asked] = made_s, newest, found
            self._answers.move_to_end(asked)
            while len(self._answers) > MOST:
                self._answers.popitem(last=False)
        return _again(found)


def _again(answer: Response) -> Response:
    """The answer as an object of its own: what is sent may be changed on its way out."""
    return Response(answer.body, headers=dict(answer.headers))


_NEWEST = select(func.max(ticket_changes.c.position))
