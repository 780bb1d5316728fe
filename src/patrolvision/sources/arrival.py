"""When pictures were taken whose stream tells no time of day: by when they arrived.

A picture is late by what the network held it back, never early. So the least delayed of the last
minutes date all, which also follows a camera whose clock drifts against this machine's.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from patrolvision.errors import MediaError

WINDOW_S = 60.0
LEAP_S = 15.0  # no delay: somebody has set the clock
_LEAST_STEP = timedelta(milliseconds=1)


class ArrivalClock:
    """Instants of pictures from the stream's own seconds and the clock at their arrival."""

    def __init__(self, clock: Callable[[], datetime], name: str = "the stream") -> None:
        self._clock, self._name = clock, name
        self._window_from_s = 0.0
        self._least: datetime | None = None  # the stream's zero by the least delayed picture
        self._least_before: datetime | None = None  # of the window before
        self._last: datetime | None = None

    def at(self, time_s: float) -> datetime:
        """The instant of a picture that arrives now, time_s into the stream; they only rise.

        MediaError where the clock leaps: what follows belongs to another session.
        """
        zero = self._clock() - timedelta(seconds=time_s)
        leap_s = 0.0 if self._least is None else (zero - self._least).total_seconds()
        if abs(leap_s) > LEAP_S:
            raise MediaError(f"{self._name}: the clock leapt by {leap_s:.0f} s")
        if self._least is None:
            self._window_from_s, self._least = time_s, zero
        elif time_s - self._window_from_s > WINDOW_S:
            self._window_from_s, self._least_before, self._least = time_s, self._least, zero
        self._least = min(self._least, zero)
        known = [self._least] if self._least_before is None else [self._least, self._least_before]
        at = min(known) + timedelta(seconds=time_s)
        if self._last is not None:
            at = max(at, self._last + _LEAST_STEP)
        self._last = at
        return at
