"""Missions spread over a Ray cluster: a machine a mission, whichever is free.

The cluster is the one that RAY_ADDRESS names (Ray reads it itself), else one of this machine's own
that ends with the run. Every machine reads the media and writes the pictures under the paths given
here, so those lie on storage that all share; the database is PostgreSQL.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from patrolvision.errors import CallError, ConfigError

Item = TypeVar("Item")
Result = TypeVar("Result")

TRIES_AGAIN = 2  # of a mission whose machine died: run twice, it changes nothing
HOW_TO_GET_IT = "the ray executor wants the package ray: pip install 'patrolvision[ray]'"


class RayExecutor:
    """Runs items on a Ray cluster; work and items must be picklable."""

    def __init__(self, workers: int | None = None) -> None:
        """workers: how many items are under way at once; None: as many as there are processors."""
        try:
            import ray
        except ImportError as error:
            raise ConfigError(HOW_TO_GET_IT) from error
        self._ray = ray
        self._workers = workers

    def map(self, work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """The result of each item, as they are done.

        Raises CallError when there is no cluster, or when an item's machine died each time it was
        tried: what others had finished is kept, and running the same call again goes on from there.
        """
        is_ours = not self._ray.is_initialized()
        if is_ours:
            self._connect()
        try:
            yield from self._results(work, items)
        finally:
            if is_ours:
                self._ray.shutdown()

    def _connect(self) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # else Ray would tell its makers
        try:
            self._ray.init(include_dashboard=False, logging_level=logging.WARNING)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise CallError(f"no Ray cluster: {error}") from error

    def _results(self, work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        task = self._ray.remote(_worked).options(max_retries=TRIES_AGAIN)
        work_there = self._ray.put(work)
        waiting = list(reversed(items))
        running: list[Any] = []
        most = self._workers or len(items)
        try:
            while waiting or running:
                while waiting and len(running) < most:
                    running.append(task.remote(work_there, waiting.pop()))
                done, running = self._ray.wait(running, num_returns=1)
                yield self._result(done[0])
        finally:
            for left in running:
                self._ray.cancel(left, force=True)

    def _result(self, reference: Any) -> Any:
        failed = self._ray.exceptions
        try:
            return self._ray.get(reference)
        except failed.RayTaskError as error:
            raise error.cause from error  # what the work raised, without the worker's traceback
        except failed.RayError as error:
            raise CallError(
                f"a worker of the Ray cluster died ({type(error).__name__}: out of memory?): run "
                "the same command again, finished missions are kept"
            ) from error


def _worked(work: Callable[[Item], Result], item: Item) -> Result:
    """A task has to be a plain function, which work need not be."""
    return work(item)
