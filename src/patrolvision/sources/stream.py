"""One connection to a live address (RTSP over TCP, or whatever FFmpeg opens) as a FrameSource.

A live source never waits for ever: the connection, each packet and each good picture have their
time, and what exceeds it is a MediaError, upon which sessions.Stream connects anew.
"""

from __future__ import annotations

import heapq
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import av
import av.error

from patrolvision.errors import MediaError
from patrolvision.sources import klv
from patrolvision.sources.arrival import ArrivalClock
from patrolvision.sources.live_fixes import LiveFixes
from patrolvision.sources.video import PoseAt, next_due, upright
from patrolvision.types import Frame, FrameCounts, Pose

OPEN_TIMEOUT_S = 8.0
MOST_WAIT_S = 1.5  # of a picture for the fix that follows it: receivers tell one a second
_ASPECT_TOLERANCE = 0.01
_USUAL_REORDERED, _MOST_REORDERED = 2, 4  # pictures of B-frame streams held back


def without_secrets(url: str) -> str:
    """The address as it may be shown and kept: without user, password and query."""
    parts = urlsplit(url)
    if not parts.scheme:
        return url
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _now() -> datetime:
    return datetime.now(UTC)


def open_stream(
    url: str,
    *,
    stream_id: str,
    pose_at: PoseAt,
    started_at: datetime | None = None,
    analysis_fps: float | None = None,
    stall_s: float = 8.0,
    lens_wh: tuple[int, int] | None = None,
    live: LiveFixes | None = None,
    clock: Callable[[], datetime] = _now,
) -> StreamSource:
    """A connected stream; MediaError, without its secrets, if there is none within 8 s.

    started_at is the instant of the first picture; None: each is dated by the clock when it comes.
    A picture whose aspect ratio is not that of lens_wh is not given a pose. stall_s is how long the
    stream may bring no good picture. live: for whose next fix each picture waits, up to 1.5 s, and
    who hears of MISB KLV packets inside the stream.
    """
    shown = without_secrets(url)
    limits = (min(OPEN_TIMEOUT_S, stall_s), stall_s)
    options = {"fpsprobesize": "0"}  # else a slow stream is probed for many seconds of pictures
    if url.startswith("rtsp"):
        options["rtsp_transport"] = "tcp"
    began_s = time.monotonic()
    try:
        container = av.open(url, options=options, timeout=limits)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        is_late = time.monotonic() - began_s >= limits[0]
        reason = "no answer in time" if is_late else _reason(error)
        raise MediaError(f"{shown}: the stream cannot be opened ({reason})") from error
    if not container.streams.video:
        container.close()
        raise MediaError(f"{shown}: has no video stream")
    arrival = ArrivalClock(clock, shown) if started_at is None else None
    return StreamSource(
        container,
        _Facts(shown, stream_id, started_at, analysis_fps, stall_s, lens_wh),
        pose_at,
        arrival,
        live,
    )


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is known of a stream before it begins."""

    shown: str
    stream_id: str
    started_at: datetime | None
    analysis_fps: float | None
    stall_s: float
    lens_wh: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class _Picture:
    """A decoded picture, dated, before it has a pose; came_s is of the monotonic clock."""

    index: int
    at_s: float
    captured_at: datetime
    decoded: Any
    came_s: float


class StreamSource:
    """One connection as a FrameSource; opened by open_stream, used up by one call of frames."""

    def __init__(
        self,
        container: Any,
        facts: _Facts,
        pose_at: PoseAt,
        arrival: ArrivalClock | None,
        live: LiveFixes | None,
    ) -> None:
        self._container, self._pose_at, self._arrival, self._live = (
            container,
            pose_at,
            arrival,
            live,
        )
        self._facts, self._shown, self._stall_s = facts, facts.shown, facts.stall_s
        self._read = self._analysed = self._without_pose = 0
        self._seen = 0  # pictures, with those that still wait for their pose
        self._skipped: Counter[str] = Counter()
        self._pose_problems: Counter[str] = Counter()
        self._good_at = time.monotonic()
        self._zero: float | None = None
        self._packets = klv.PlayingPackets()
        has_b_frames = container.streams.video[0].codec_context.has_b_frames
        self._reorder = _USUAL_REORDERED if has_b_frames else 0

    @property
    def duration_s(self) -> float | None:
        """None: nobody knows how long it will last."""
        return None

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height as the stream announces them."""
        stream = self._container.streams.video[0]
        return stream.width, stream.height

    def counts(self) -> FrameCounts:
        """What became of every frame read so far."""
        return FrameCounts(
            self._read,
            self._analysed,
            dict(self._skipped),
            self._without_pose,
            dict(self._pose_problems),
        )

    def frames(self) -> Iterator[Frame]:
        """The frames to analyse until the other side ends; MediaError when the connection breaks.

        A time stamp that goes back, or leaps by more than stall_s, is not believed: its frame is
        skipped, and when nothing else comes for stall_s, the stream counts as stalled.
        """
        waiting: deque[_Picture] = deque()
        try:
            for picture in self._due():
                waiting.append(picture)
                while waiting and self._is_ready(waiting[0]):
                    yield self._frame(waiting.popleft())
        except MediaError:
            yield from map(self._frame, waiting)
            raise
        yield from map(self._frame, waiting)

    def _due(self) -> Iterator[_Picture]:
        """The pictures to analyse, in order, as they come."""
        last_s, due_s = -1.0, 0.0
        for decoded, stamp_s in self._stamped():
            if self._zero is None:
                self._zero = self._zero_s(stamp_s)
            at_s = stamp_s - self._zero
            if not last_s < at_s <= max(last_s, 0.0) + self._stall_s:
                self._reorder = min(self._reorder + 1, _MOST_REORDERED)
                self._skip("time stamp leaps")
                continue
            last_s, self._good_at = at_s, time.monotonic()
            captured_at = self._captured_at(at_s)
            if at_s < due_s:
                self._skip("rate")
                continue
            due_s = next_due(at_s, self._facts.analysis_fps)
            yield _Picture(self._seen, at_s, captured_at, decoded, self._good_at)
            self._seen += 1

    def _captured_at(self, at_s: float) -> datetime:
        if self._facts.started_at is not None:
            return self._facts.started_at + timedelta(seconds=at_s)
        assert self._arrival is not None  # open_stream gives either
        return self._arrival.at(at_s)

    def _is_ready(self, picture: _Picture) -> bool:
        if self._live is None or time.monotonic() - picture.came_s > MOST_WAIT_S:
            return True
        return self._live.is_ready(picture.captured_at, picture.at_s)

    def close(self) -> None:
        """Release the connection; may be called more than once, by the thread that reads."""
        self._container.close()

    def _skip(self, reason: str) -> None:
        self._read += 1
        self._seen += 1
        self._skipped[reason] += 1

    def _zero_s(self, first_s: float) -> float:
        """The stream's own beginning where it tells of one close by, else its first picture.

        FFmpeg leaves the first picture of a stream that begins at RTP time 0 undated and calls the
        second one 0; the zero is then as many intervals earlier.
        """
        video = self._container.streams.video[0]
        start_s = first_s if video.start_time is None else float(video.start_time * video.time_base)
        zero_s = start_s if 0.0 <= first_s - start_s <= self._stall_s else first_s
        if video.average_rate and not video.codec_context.has_b_frames:
            zero_s -= float(self._skipped["no timestamp"] / video.average_rate)
        return zero_s

    def _stamped(self) -> Iterator[tuple[Any, float]]:
        """Pictures in order, each with the least time stamp at hand.

        Some servers stamp pictures in the order of decoding, so that with B-frames the stamps come
        permuted: as many pictures are held back as the stamps are out of order.
        """
        held: deque[Any] = deque()
        stamps: list[float] = []
        try:
            for picture in self._pictures():
                if picture.time is None:
                    self._skip("no timestamp")
                    continue
                held.append(picture)
                heapq.heappush(stamps, picture.time)
                if len(held) > self._reorder:
                    yield held.popleft(), heapq.heappop(stamps)
            while held:
                yield held.popleft(), heapq.heappop(stamps)
        finally:
            for _ in held:
                self._skip("lost with the connection")

    def _pictures(self) -> Iterator[Any]:
        """Good pictures of the first video stream; packets of sound keep no stream alive."""
        video = self._container.streams.video[0]
        video.thread_type = "SLICE"  # threads by frame would hold each picture back by several
        self._good_at = time.monotonic()
        try:
            for packet in self._container.demux():
                # stream_index of the packets that end a stream is 0, whichever stream ends
                if packet.stream.index == video.index:
                    yield from self._decoded(packet)
                elif packet.stream.type == "data" and packet.size:
                    self._hear(packet)
                if time.monotonic() - self._good_at > self._stall_s:
                    raise MediaError(f"{self._shown}: no good picture for {self._stall_s:.0f} s")
        except (av.error.FFmpegError, OSError, LookupError) as error:
            raise MediaError(f"{self._shown}: connection lost ({_reason(error)})") from error

    def _hear(self, packet: Any) -> None:
        """Pass on the fixes of a metadata packet; those before the first picture are not needed."""
        if self._live is None or self._zero is None:
            return
        has_time = packet.pts is not None  # asynchronous metadata has none but its own
        at_s = float(packet.pts * packet.time_base) - self._zero if has_time else None
        self._live.take(self._packets.fixes(bytes(packet), at_s))

    def _decoded(self, packet: Any) -> Iterator[Any]:
        try:
            pictures = packet.decode()
        except av.error.InvalidDataError:
            self._skip("undecodable")
            return
        for picture in pictures:
            if picture.is_corrupt:
                self._skip("undecodable")
            else:
                yield picture

    def _frame(self, picture: _Picture) -> Frame:
        image = upright(picture.decoded)
        size_wh = (image.shape[1], image.shape[0])
        pose = self._pose(picture.captured_at, picture.at_s, size_wh)
        self._read += 1
        self._analysed += 1
        if isinstance(pose, str):
            self._without_pose += 1
            self._pose_problems[pose] += 1
        return Frame(
            stream_id=self._facts.stream_id,
            index=picture.index,
            captured_at=picture.captured_at,
            image=image,
            pose=None if isinstance(pose, str) else pose,
            media=self._shown,
        )

    def _pose(self, at: datetime, at_s: float, size_wh: tuple[int, int]) -> Pose | str:
        lens_wh = self._facts.lens_wh
        if lens_wh is not None:
            ratio = (size_wh[0] * lens_wh[1]) / (size_wh[1] * lens_wh[0])
            if abs(ratio - 1.0) > _ASPECT_TOLERANCE:
                return "not the camera's picture shape"
        return self._pose_at(at, at_s)


def _reason(error: Exception) -> str:
    if isinstance(error, av.error.ExitError):  # how FFmpeg names an expired time limit
        return "no answer in time"
    return getattr(error, "strerror", None) or str(error)
