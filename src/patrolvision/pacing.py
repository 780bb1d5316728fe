"""How much of each live stream is analysed, and for what: profiles by scene and hour, one budget.

A profile says how many pictures a second are worth analysing of some scenes in some hours, and
which things are asked for. The budget is what the machine can analyse of all streams together; if
they want more, each gets its part by weight, and what one does not want goes to the others.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from patrolvision.config import Profile, StreamEntry, WatchFile
from patrolvision.pipeline import Judged
from patrolvision.rules.hours import state_at
from patrolvision.sources.video import next_due
from patrolvision.types import Frame, Look

NO_PLACE = (0.0, 0.0)  # of a picture without a pose; only holidays and the sun ask for a place


def shared_out(
    wanted: Mapping[str, float], weights: Mapping[str, float], budget: float
) -> dict[str, float]:
    """What each gets of a budget: never more than it wants, and beyond that by weight.

    Max-min fairness with weights (D. Bertsekas and R. Gallager, Data Networks, section 6.5.2):
    whoever wants less than its part leaves the rest to the others.
    """
    given: dict[str, float] = {}
    left = budget
    rest = sorted(wanted, key=lambda name: (wanted[name] / weights[name], name))
    while rest:
        name, *others = rest
        part = left * weights[name] / sum(weights[n] for n in rest)
        given[name] = min(wanted[name], part)
        left -= given[name]
        rest = others
    return given


class Pacing:
    """The profiles and the budget of one watch; asked by the threads of all its streams."""

    def __init__(self, file: WatchFile) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._wanted: dict[str, float] = {}  # of the streams that are connected, frames a second
        self._weights: dict[str, float] = {}

    def profile(
        self, entry: StreamEntry, at: datetime, place: tuple[float, float] = NO_PLACE
    ) -> Profile | None:
        """The first profile of the stream's scene that is in force; None: the settings hold."""
        zone = self._file.settings.timezone
        for profile in self._file.profile:
            is_meant = not profile.scenes or entry.scene in profile.scenes
            if is_meant and state_at(profile.hours, zone, *place, at) == "open":
                return profile
        return None

    def want(self, name: str, fps: float, weight: float) -> float:
        """Note what a stream wants, in frames a second; returns what it gets."""
        budget = self._file.budget_fps
        if budget is None:
            return fps
        with self._lock:
            self._wanted[name], self._weights[name] = fps, weight
            return shared_out(self._wanted, self._weights, budget)[name]

    def leave(self, name: str) -> None:
        """The stream wants nothing any more: it has ended, or lost its connection."""
        with self._lock:
            self._wanted.pop(name, None)
            self._weights.pop(name, None)

    def asked(self, entry: StreamEntry, judged: Judged) -> Judged:
        """The same without what the profile in force did not ask for, claims and looks alike."""
        if not self._file.profile:
            return judged
        observations = tuple(
            o
            for o in judged.observations
            if self._asks(entry, o.class_name, o.last_seen, (o.place.lat_deg, o.place.lon_deg))
        )
        ids = {o.id for o in observations}
        findings = tuple(f for f in judged.findings if f.observation.id in ids)
        looks = (self._honest(entry, look) for look in judged.looks)
        return Judged(observations, findings, tuple(look for look in looks if look.classes))

    def _honest(self, entry: StreamEntry, look: Look) -> Look:
        instants = (look.start, look.end)
        asked = frozenset(
            name
            for name in look.classes
            if all(self._asks(entry, name, at, look.polygon[0]) for at in instants)
        )
        return replace(look, classes=asked)

    def _asks(
        self, entry: StreamEntry, class_name: str, at: datetime, place: tuple[float, float]
    ) -> bool:
        profile = self.profile(entry, at, place)
        return profile is None or profile.classes is None or class_name in profile.classes


class Gate:
    """Which pictures of one connection are analysed; used by the thread that reads it."""

    def __init__(self, pacing: Pacing, entry: StreamEntry, default_fps: float | None) -> None:
        """default_fps: pictures a second where no profile says how many; None: every one."""
        self._pacing, self._entry = pacing, entry
        self._default_fps = math.inf if default_fps is None else default_fps
        self._first_at: datetime | None = None
        self._due_s = 0.0

    def refused(self, frame: Frame) -> str | None:
        """Why the picture is not analysed: profile or budget; None if it is."""
        place = NO_PLACE if frame.pose is None else (frame.pose.lat_deg, frame.pose.lon_deg)
        profile = self._pacing.profile(self._entry, frame.captured_at, place)
        asked = None if profile is None else profile.analysis_fps
        wanted = self._default_fps if asked is None else asked
        weight = 1.0 if profile is None else profile.weight
        given = self._pacing.want(self._entry.id, wanted, weight)
        self._first_at = self._first_at or frame.captured_at
        at_s = (frame.captured_at - self._first_at).total_seconds()
        if at_s < self._due_s:
            return "profile" if given >= wanted else "budget"
        self._due_s = next_due(at_s, None if math.isinf(given) else given)
        return None

    def close(self) -> None:
        """The connection is over."""
        self._pacing.leave(self._entry.id)
