"""What a vehicle's receiver tells while it drives: the last minute of it, and poses along that.

A picture is newer than the newest fix, so it waits for the next one: a place is interpolated here
as it is for recordings, never extrapolated. What cannot be true is left out by the same rules.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from patrolvision.errors import TelemetryError
from patrolvision.sources.fixes import RawFix, RawLog, build_log
from patrolvision.sources.quality import cleaned
from patrolvision.sources.sync import PoseTrack, SyncSettings
from patrolvision.types import Camera, Pose

log = logging.getLogger(__name__)

SPAN_S = 60.0  # of fixes that are kept: enough for courses, held headings and stale runs
LEAST_STEP_S = 0.19  # more than five fixes a second are thinned out
SILENT_S = 3.0  # nothing is waited for from a receiver that has been silent for so long
_RIGHT_LAG_S = (-0.3, 3.0)  # of a fix's arrival behind its own time, where the clock is right
_USUAL_LAG_S = 0.2
_FEWEST_LAGS = 3
_SAME_TIME_S = 86_400.0  # a receiver that is further off does not know the time itself


def _now() -> datetime:
    return datetime.now(UTC)


class LiveFixes:
    """The latest fixes of one vehicle; taken by one thread, asked for poses by another.

    Fixes are in time by their own instants or, where they come inside a stream, by video_time_s.
    clock is this machine's, to be held against theirs; None: what is played is of another time.
    """

    def __init__(
        self,
        name: str,
        camera: Camera,
        *,
        settings: SyncSettings | None = None,
        clock: Callable[[], datetime] | None = _now,
    ) -> None:
        self.name = name
        self._camera, self._settings, self._clock = camera, settings, clock
        self._lock = threading.Lock()
        self._fixes: deque[RawFix] = deque()
        self._lags_s: deque[tuple[float, float]] = deque()
        self._heard_s: float | None = None
        self._correction_s = 0.0
        self._track: PoseTrack | None = None
        self._is_changed = False
        self._notes: set[str] = set()

    def take(self, fixes: Iterable[RawFix]) -> None:
        """Note what has just arrived, in its order."""
        with self._lock:
            for fix in fixes:
                self._heard_s = time.monotonic()
                if fix.video_time_s is None and not self._is_timely(fix.at):
                    continue
                if self._fixes and 0.0 <= _step_s(self._fixes[-1], fix) < LEAST_STEP_S:
                    continue
                self._fixes.append(fix)
                self._is_changed = True
            while len(self._fixes) > 1 and _step_s(self._fixes[0], self._fixes[-1]) > SPAN_S:
                self._fixes.popleft()

    def now(self) -> datetime:
        """This machine's clock, put right by the satellites' where they disagree."""
        with self._lock:
            clock = self._clock or _now
            return clock() - timedelta(seconds=self._correction_s)

    @property
    def silent_s(self) -> float | None:
        """Seconds since anything was heard; None: never."""
        with self._lock:
            return None if self._heard_s is None else time.monotonic() - self._heard_s

    def is_ready(self, at: datetime, time_s: float) -> bool:
        """Whether there is nothing more to wait for before the pose of an instant is asked for."""
        with self._lock:
            if self._heard_s is None or time.monotonic() - self._heard_s > SILENT_S:
                return True
            return bool(self._fixes) and _is_later(self._fixes[-1], at, time_s)

    def pose_at(self, at: datetime, time_s: float) -> Pose | str:
        """The camera's pose at an instant, time_s of the stream, or why there is none."""
        with self._lock:
            if self._track is not None:
                pose = self._track.pose_at(at, time_s)
                if not (isinstance(pose, str) and self._is_changed):
                    return pose
            if self._is_changed:
                self._build()
            return "no telemetry" if self._track is None else self._track.pose_at(at, time_s)

    def _build(self) -> None:
        self._is_changed = False
        raw = RawLog("live", tuple(self._fixes), "position")
        try:
            clean, notes = cleaned(build_log(Path(self.name), raw), self._camera)
        except TelemetryError:
            self._track = None  # a receiver without reception says so in every record
            return
        for note in notes:
            self._tell(note)
        self._track = PoseTrack(clean, self._camera, settings=self._settings)

    def _is_timely(self, at: datetime | None) -> bool:
        """Whether a fix is of today; its lag, which tells the error of this machine's clock."""
        if at is None or self._clock is None:
            return True
        lag_s = (self._clock() - at).total_seconds()
        if abs(lag_s) > _SAME_TIME_S:
            self._tell(f"{self.name}: sends fixes of {at:%Y-%m-%d}; they are not used")
            return False
        now_s = time.monotonic()
        self._lags_s.append((now_s, lag_s))
        while now_s - self._lags_s[0][0] > SPAN_S:
            self._lags_s.popleft()
        if len(self._lags_s) >= _FEWEST_LAGS:
            least_s = min(lag for _, lag in self._lags_s)
            is_right = _RIGHT_LAG_S[0] <= least_s <= _RIGHT_LAG_S[1]
            self._correction_s = 0.0 if is_right else least_s - _USUAL_LAG_S
            if not is_right:
                self._tell(
                    f"{self.name}: this machine's clock is not the satellites'; theirs is used"
                )
        return True

    def _tell(self, note: str) -> None:
        if note not in self._notes and len(self._notes) < 100:
            self._notes.add(note)
            log.warning("%s", note)


def _step_s(first: RawFix, second: RawFix) -> float:
    if first.video_time_s is not None and second.video_time_s is not None:
        return second.video_time_s - first.video_time_s
    if first.at is not None and second.at is not None:
        return (second.at - first.at).total_seconds()
    return SPAN_S  # not to be compared: kept, and judged with the others


def _is_later(fix: RawFix, at: datetime, time_s: float) -> bool:
    if fix.video_time_s is not None:
        return fix.video_time_s >= time_s
    return fix.at is not None and fix.at >= at
