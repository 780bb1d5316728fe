"""Missions spread over the processors of this machine, one process each.

Processes are spawned, not forked: an inference engine's threads do not survive a fork.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from patrolvision.errors import CallError

Item = TypeVar("Item")
Result = TypeVar("Result")


class ProcessesExecutor:
    """Runs items in worker processes; work and items must be picklable."""

    def __init__(self, workers: int | None = None) -> None:
        self._workers = workers or max(1, os.cpu_count() or 1)

    def map(self, work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """The result of each item, as they are done.

        Raises CallError when a worker process dies (killed, out of memory): what other workers
        had finished is kept, and running the same call again goes on from there.
        """
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(self._workers, len(items) or 1), context) as pool:
            futures = [pool.submit(work, item) for item in items]
            try:
                for future in as_completed(futures):
                    yield future.result()
            except BrokenProcessPool as error:
                raise CallError(
                    "a worker process died (out of memory?): run the same command again, "
                    "finished missions are kept, or use --executor local"
                ) from error
            finally:
                for future in futures:
                    future.cancel()
