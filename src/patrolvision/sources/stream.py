"""Live streams: an RTSP camera, or a file played at its own pace, until told to stop.

A stream is a sequence of sessions, one per connection. A reader thread decodes as fast as pictures
come and keeps only the newest; whoever analyses takes that one, so that a slow detector makes the
picture rate fall, never the delay grow. What was overwritten is counted.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import av

from patrolvision.errors import MediaError
from patrolvision.sources.sync import PoseTrack
from patrolvision.types import Frame, FrameCounts

log = logging.getLogger(__name__)

OPEN_TIMEOUT_S = 8.0
READ_TIMEOUT_S = 8.0
STEADY_S = 5.0  # a session that lasted so long resets the back-off


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """How a stream is played and how its loss is answered."""

    analysis_fps: float | None = 5.0
    reconnect_min_s: float = 0.5
    reconnect_max_s: float = 30.0
    loop: bool = False  # of a file: begin again at its end


class Newest:
    """Room for one frame between reader and analysis: the newest wins."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._frame: Frame | None = None
        self._is_over = False
        self.overwritten = 0

    def put(self, frame: Frame) -> None:
        """Offer a frame in the place of whatever nobody has taken."""
        with self._changed:
            self.overwritten += self._frame is not None
            self._frame = frame
            self._changed.notify()

    def end(self) -> None:
        """Nothing more will come."""
        with self._changed:
            self._is_over = True
            self._changed.notify()

    def take(self) -> Frame | None:
        """The newest frame, when there is one; None when nothing more will come."""
        with self._changed:
            self._changed.wait_for(lambda: self._frame is not None or self._is_over)
            frame, self._frame = self._frame, None
            return frame


class Session:
    """One connection: its frames, newest first come, and what became of the others."""

    def __init__(self, stream_id: str, number: int, started_at: datetime) -> None:
        self.stream_id = stream_id
        self.number = number
        self.started_at = started_at
        self.newest = Newest()
        self.read = 0
        self.delivered = 0
        self.without_pose = 0
        self.skipped: Counter[str] = Counter()
        self.pose_problems: Counter[str] = Counter()
        self.last_frame_at: datetime | None = None
        self.is_abandoned = False

    @property
    def mission_id(self) -> str:
        """A session is a mission: the same playing of the same stream has the same id."""
        return f"{self.stream_id}-{self.started_at:%Y%m%dT%H%M%SZ}-{self.number}"

    def frames(self) -> Iterator[Frame]:
        """The frames to analyse until the connection ends."""
        while (frame := self.newest.take()) is not None:
            self.delivered += 1
            self.last_frame_at = frame.captured_at
            yield frame

    def counts(self) -> FrameCounts:
        """What became of every frame; exact once the session is over."""
        delivered = self.delivered
        skipped = dict(self.skipped)
        late = self.read - delivered - sum(skipped.values())
        if late:
            skipped["superseded"] = late
        return FrameCounts(
            self.read, delivered, skipped, self.without_pose, dict(self.pose_problems)
        )


class Stream:
    """One address, reconnected for as long as nobody stops it."""

    def __init__(
        self,
        stream_id: str,
        url: str,
        *,
        poses: PoseTrack | None = None,
        started_at: datetime | None = None,
        settings: StreamSettings | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        self.stream_id = stream_id
        self.url = url
        self._poses = poses
        self._started_at = started_at
        self._settings = settings or StreamSettings()
        self._stop = stop or threading.Event()
        self.is_network = "://" in url
        self.reconnects = 0

    def sessions(self) -> Iterator[Session]:
        """Session after session. A network stream comes back after every loss; a file ends.

        Raises MediaError for a file that cannot be opened; a network address is tried for ever,
        with growing pauses.
        """
        pause_s = self._settings.reconnect_min_s
        number = 0
        while not self._stop.is_set():
            try:
                container = self._open()
            except MediaError as error:
                if not self.is_network:
                    raise
                log.warning("%s; next try in %.1f s", error, pause_s)
                self._stop.wait(pause_s)
                pause_s = min(pause_s * 2, self._settings.reconnect_max_s)
                continue
            session = Session(self.stream_id, number, self._started_at or datetime.now(UTC))
            began = time.monotonic()
            reader = threading.Thread(
                target=self._read, args=(container, session), name=f"read-{self.stream_id}"
            )
            reader.start()
            try:
                yield session
            finally:
                session.is_abandoned = True
                session.newest.end()
                reader.join()
            number += 1
            if not self.is_network and not self._settings.loop:
                return
            if time.monotonic() - began >= STEADY_S:
                pause_s = self._settings.reconnect_min_s
            if self.is_network and not self._stop.is_set():
                self.reconnects += 1
                log.warning("%s: connection lost; next try in %.1f s", self.stream_id, pause_s)
                self._stop.wait(pause_s)
                pause_s = min(pause_s * 2, self._settings.reconnect_max_s)

    def _open(self) -> Any:
        options = {"rtsp_transport": "tcp"} if self.url.startswith("rtsp") else {}
        shown = self.url.rsplit("@", 1)[-1]  # never a password in a message
        try:
            container = av.open(self.url, options=options, timeout=(OPEN_TIMEOUT_S, READ_TIMEOUT_S))
        except (av.FFmpegError, OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise MediaError(f"{shown}: the stream cannot be opened ({reason})") from error
        if not container.streams.video:
            container.close()
            raise MediaError(f"{shown}: has no video stream")
        return container

    def _read(self, container: Any, session: Session) -> None:
        """Decode until the connection ends or somebody stops; runs in its own thread."""
        try:
            self._decode(container, session)
        except (av.FFmpegError, OSError) as error:
            log.warning("%s: %s", self.stream_id, error)
        finally:
            session.newest.end()
            container.close()

    def _decode(self, container: Any, session: Session) -> None:
        first_s: float | None = None
        next_s = 0.0
        began = time.monotonic()
        for picture in container.decode(video=0):
            if self._stop.is_set() or session.is_abandoned:
                return
            session.read += 1
            if picture.time is None:
                session.skipped["no timestamp"] += 1
                continue
            first_s = picture.time if first_s is None else first_s
            at_s = picture.time - first_s
            if not self.is_network:
                self._stop.wait(max(0.0, began + at_s - time.monotonic()))
            if self._settings.analysis_fps and at_s + 1e-6 < next_s:
                session.skipped["rate"] += 1
                continue
            if self._settings.analysis_fps:
                next_s = max(next_s, at_s) + 1.0 / self._settings.analysis_fps
            session.newest.put(self._frame(picture, at_s, session))

    def _frame(self, picture: Any, at_s: float, session: Session) -> Frame:
        captured_at = session.started_at + timedelta(seconds=at_s)
        pose = "no telemetry" if self._poses is None else self._poses.pose_at(captured_at, at_s)
        if isinstance(pose, str):
            session.without_pose += 1
            session.pose_problems[pose] += 1
        return Frame(
            stream_id=session.stream_id,
            index=session.read - 1,
            captured_at=captured_at,
            image=picture.to_ndarray(format="bgr24"),
            pose=None if isinstance(pose, str) else pose,
            media=self.url,
        )
