"""A thread that does what loops wait for, one thing after another.

It hands each result to the loop that asked by one call. A pool's future and the loop's own, each
with its lock and its callbacks, cost ten times as much, several times an answer.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

IDLE_S = 1.0  # of the thread, before it ends
Made = TypeVar("Made")
_Task = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Callable[[], Any]]


class Maker:
    """What is asked of it by any loop, made in the order of asking.

    Its thread ends when nothing was asked for a while, and with the process.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._asked: SimpleQueue[_Task] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def make(self, build: Callable[[], Made]) -> asyncio.Future[Made]:
        """A future of this loop for what build returns or raises; cancelled, it is not begun."""
        loop = asyncio.get_running_loop()
        made: asyncio.Future[Made] = loop.create_future()
        self._asked.put((loop, made, build))
        if self._thread is None:
            self._start()
        return made

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while True:
            try:
                loop, made, build = self._asked.get(timeout=IDLE_S)
            except Empty:
                if self._ends():
                    return
                continue
            if made.cancelled():
                continue
            try:
                result, error = build(), None
            except BaseException as raised:
                result, error = None, raised
            with suppress(RuntimeError):  # of a loop that was closed: nobody waits
                loop.call_soon_threadsafe(_tell, made, result, error)
            del loop, made, build, result, error  # nothing is held while nothing is asked

    def _ends(self) -> bool:
        """Whether nothing is asked; who asks from now on finds no thread, and starts one."""
        with self._starting:
            own, self._thread = self._thread, None
            if not self._asked.empty():  # by somebody who may still have seen this one
                self._thread = own
            return self._thread is None


def _tell(made: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if made.cancelled():
        return
    if error is None:
        made.set_result(result)
    else:
        made.set_exception(error)
