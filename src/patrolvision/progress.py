"""How far a run is: a bar with rate and time left on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LINE_EVERY_S = 10.0


class Progress:
    """Hears how far missions are and tells nobody."""

    def begin(self, name: str, total_s: float | None) -> None:
        """A mission of total_s seconds of footage (None: unknown) starts."""

    def advance(self, done_s: float) -> None:
        """So many seconds of its footage are done."""

    def end(self) -> None:
        """The mission is over."""


class LineProgress(Progress):
    """A line per mission, and one every ten seconds while it runs."""

    def begin(self, name: str, total_s: float | None) -> None:
        """Start counting."""
        self._name, self._total_s = name, total_s
        self._started = self._spoken = time.monotonic()
        self._done_s = 0.0

    def advance(self, done_s: float) -> None:
        """Speak if it is time to."""
        self._done_s = done_s
        now = time.monotonic()
        if now - self._spoken >= LINE_EVERY_S:
            self._spoken = now
            self._say(now)

    def end(self) -> None:
        """Say how long it took."""
        self._say(time.monotonic())

    def _say(self, now: float) -> None:
        passed = max(now - self._started, 1e-6)
        speed = self._done_s / passed
        of = "" if self._total_s is None else f" of {self._total_s:.0f}"
        sys.stderr.write(
            f"{self._name}: {self._done_s:.0f}{of} s of footage, {speed:.1f} x real time\n"
        )


class BarProgress(Progress):
    """A bar per mission, with rate and remaining time."""

    def __init__(self, bars: Any) -> None:
        self._bars = bars
        self._task: Any = None

    def begin(self, name: str, total_s: float | None) -> None:
        """Draw the mission's bar."""
        self._task = self._bars.add_task(name, total=total_s)

    def advance(self, done_s: float) -> None:
        """Move it."""
        self._bars.update(self._task, completed=done_s)

    def end(self) -> None:
        """Fill it."""
        task = self._bars.tasks[self._task]
        total = task.total if task.total is not None else task.completed
        self._bars.update(self._task, total=total, completed=total)


@contextmanager
def watching(missions: int) -> Iterator[Progress]:
    """A Progress fit for where standard error goes."""
    if not sys.stderr.isatty():
        yield LineProgress()
        return
    from rich.console import Console
    from rich.progress import BarColumn, ProgressColumn, Task, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars
    from rich.text import Text

    class Speed(ProgressColumn):
        """Seconds of footage per second."""

        def render(self, task: Task) -> Text:
            """How much faster than real time."""
            return Text("" if task.speed is None else f"{task.speed:.1f} x real time")

    with Bars(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f} s"),
        Speed(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as bars:
        yield BarProgress(bars)
