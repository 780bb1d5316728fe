"""A live stream as a sequence of sessions, one per connection, until told to stop.

A reader thread reads as fast as pictures come (a file: at its own pace) and keeps only the newest;
whoever analyses takes that one, so that a slow detector makes the picture rate fall, never the
delay grow. What was superseded is counted. At any time a stream has at most one reader thread and
holds one waiting frame.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from patrolvision.errors import ItemError, MediaError, PatrolVisionError
from patrolvision.ports import FrameSource
from patrolvision.types import Frame, FrameCounts

log = logging.getLogger(__name__)

POLL_S = 0.1  # how soon a stop is noticed
LEAVE_S = 1.0  # how long a stop waits for a reader that waits for a silent address
STEADY_S = 5.0  # a session that lasted so long resets the back-off


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses between tries: from least_s, doubled after each failure, up to most_s."""

    least_s: float = 0.5
    most_s: float = 30.0

    def pause_s(self, failures: int) -> float:
        """The pause after so many failures in a row (1: the first)."""
        return min(self.least_s * 2.0 ** min(failures - 1, 60), self.most_s)


class Session:
    """One connection: its frames, of which the newest wins, and what became of the others."""

    def __init__(
        self, source: FrameSource, mission_id: str, stop: threading.Event, *, is_paced: bool = False
    ) -> None:
        self.source = source
        self.mission_id = mission_id
        self.problem: str | None = None  # why it ended, where it did not end well
        self.newest_at: datetime | None = None  # captured_at of the newest frame analysed
        self._stop, self._is_paced = stop, is_paced
        self._changed = threading.Condition()
        self._waiting: Frame | None = None
        self._is_over = self._is_left = False
        self._read_counts = FrameCounts(0, 0, {})
        self._superseded = self._analysed = self._without_pose = 0
        self._refused: Counter[str] = Counter()
        self._refuse: Callable[[Frame], str | None] = lambda frame: None
        self._reader = threading.Thread(target=self._read, name=f"read {mission_id}", daemon=True)

    def frames(self, refuse: Callable[[Frame], str | None] | None = None) -> Iterator[Frame]:
        """The frames to analyse until the connection ends or somebody stops; to be called once.

        refuse is asked of each picture, in the reader's thread, why it is not to be analysed; None
        if it is.
        """
        self._refuse = refuse or self._refuse
        self._reader.start()
        try:
            while (frame := self._take()) is not None:
                yield frame
        finally:
            self._is_left = True
            self._reader.join(LEAVE_S if self._stop.is_set() else None)

    def done(self, frame: Frame) -> None:
        """Note that a frame has been analysed."""
        with self._changed:
            self._analysed += 1
            self._without_pose += frame.pose is None
            self.newest_at = frame.captured_at

    def counts(self) -> FrameCounts:
        """What became of every frame so far; unfinished: waiting or in work, or left at a stop."""
        with self._changed:
            known, superseded, analysed = self._read_counts, self._superseded, self._analysed
            without_pose, refused = self._without_pose, dict(self._refused)
        unfinished = known.analysed - superseded - analysed - sum(refused.values())
        left = {**refused, "superseded": superseded, "unfinished": unfinished}
        skipped = {**known.skipped, **{reason: n for reason, n in left.items() if n}}
        return FrameCounts(known.read, analysed, skipped, without_pose, known.pose_problems)

    def _take(self) -> Frame | None:
        with self._changed:
            while self._waiting is None and not self._is_over and not self._stop.is_set():
                self._changed.wait(POLL_S)
            if self._stop.is_set():
                return None
            frame, self._waiting = self._waiting, None
            return frame

    def _read(self) -> None:
        """Runs in the reader's thread, the only one that touches the source."""
        try:
            self._read_all()
        except ItemError as error:
            self.problem = str(error)
        except Exception as error:  # the door of a thread: nobody above could hear it
            log.exception("%s: reading failed", self.mission_id)
            self.problem = f"{self.mission_id}: reading failed ({error})"
        finally:
            self._note()
            self.source.close()
            with self._changed:
                self._is_over = True
                self._changed.notify()

    def _read_all(self) -> None:
        began_s, first_at = time.monotonic(), None
        for frame in self.source.frames():
            first_at = first_at or frame.captured_at
            if self._is_paced:
                due_s = began_s + (frame.captured_at - first_at).total_seconds()
                self._stop.wait(max(0.0, due_s - time.monotonic()))
            if self._stop.is_set() or self._is_left:
                return
            self._offer(frame)

    def _offer(self, frame: Frame) -> None:
        reason = self._refuse(frame)
        with self._changed:
            self._read_counts = self.source.counts()
            if reason is not None:
                self._refused[reason] += 1
                return
            self._superseded += self._waiting is not None
            self._waiting = frame
            self._changed.notify()

    def _note(self) -> None:
        with self._changed:
            self._read_counts = self.source.counts()


class Stream:
    """One address: session after session, reconnected for as long as nobody stops it."""

    def __init__(
        self,
        stream_id: str,
        open_source: Callable[[], FrameSource],
        stop: threading.Event,
        *,
        is_network: bool,
        loop: bool = False,
        backoff: Backoff | None = None,
    ) -> None:
        self.stream_id = stream_id
        self.failures = 0  # in a row, since it last was steady
        self.problem: str | None = None  # of the last failure; None while all is well
        self._open_source, self._stop = open_source, stop
        self._is_network, self._loop = is_network, loop
        self._backoff = backoff or Backoff()

    def sessions(self) -> Iterator[Session]:
        """Sessions, each to be used up before the next is asked for.

        A network stream is connected anew after every end and every failure, with growing pauses.
        A file ends (or begins again, with loop); MediaError if it cannot be read.
        """
        number = 0
        while not self._stop.is_set():
            try:
                source = self._opened()
            except ItemError as error:
                if not self._is_network:
                    raise
                self._pause(str(error))
                continue
            if source is None:
                return
            began_s = time.monotonic()
            session = Session(
                source, self._mission_id(source, number), self._stop, is_paced=not self._is_network
            )
            number += 1
            yield session
            if not self._is_network:
                if session.problem is not None:
                    raise MediaError(session.problem)
                if not self._loop:
                    return
            elif not self._stop.is_set():
                if time.monotonic() - began_s >= STEADY_S:
                    self.failures, self.problem = 0, None
                self._pause(session.problem or f"{self.stream_id}: the other side ended the stream")

    def _mission_id(self, source: FrameSource, number: int) -> str:
        """A session is a mission: of a file it has the same id each time, of a camera never."""
        if self._is_network:
            return f"{self.stream_id}-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
        started_at: datetime | None = getattr(source, "started_at", None)
        when = "undated" if started_at is None else f"{started_at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
        return f"{self.stream_id}-{when}-{number}"

    def _pause(self, problem: str) -> None:
        """Wait before the next try; an outage is told once, and again when its reason changes."""
        self.failures += 1
        pause_s = self._backoff.pause_s(self.failures)
        level = logging.DEBUG if problem == self.problem else logging.WARNING
        log.log(level, "%s: %s; next try in %.1f s", self.stream_id, problem, pause_s)
        self.problem = problem
        self._stop.wait(pause_s)

    def _opened(self) -> FrameSource | None:
        """The source, opened in a thread of its own: a stop need not wait for a silent address.

        None when stopped meanwhile; the thread then ends with the time limit of its connection.
        """
        attempt = _Attempt(self._open_source)
        attempt.start()
        while attempt.is_alive():
            if self._stop.is_set():
                attempt.is_unwanted = True
                return None
            attempt.join(POLL_S)
        if attempt.error is not None:
            raise attempt.error
        return attempt.source


class _Attempt(threading.Thread):
    """Opens a source; closes it again if nobody wants it any more."""

    def __init__(self, open_source: Callable[[], FrameSource]) -> None:
        super().__init__(name="connect", daemon=True)
        self._open_source = open_source
        self.source: FrameSource | None = None
        self.error: PatrolVisionError | None = None
        self.is_unwanted = False

    def run(self) -> None:
        """Open the source, in this thread."""
        try:
            self.source = self._open_source()
            if self.is_unwanted:
                self.source.close()
        except PatrolVisionError as error:
            self.error = error
        except Exception as error:  # the door of a thread: nobody above could hear it
            log.exception("connecting failed")
            self.error = MediaError(f"connecting failed ({error})")
