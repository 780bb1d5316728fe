"""A video file -> Frames, upright, each at its own presentation time.

Decoding and conversion run in a thread of their own with a short queue, so that they go on while
the caller infers. Only frames that are delivered are converted to BGR. Times come from the
container: rates vary and are fractions, so nothing is ever counted out as index / fps.
"""

from __future__ import annotations

import math
import queue
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np

from patrolvision.errors import MediaError
from patrolvision.sources.fixes import EARLIEST_CLOCK, EPOCH, TelemetryLog
from patrolvision.types import Camera, Frame, FrameCounts, Image, Pose

SUFFIXES = frozenset(
    {".mp4", ".mov", ".m4v", ".mkv", ".avi", ".ts", ".m2ts", ".mts", ".mpg", ".mpeg", ".webm"}
    | {".3gp", ".360"}  # .lrv is a small copy of the recording beside it
)
PoseAt = Callable[[datetime, float], Pose | str]
_QUEUE = 4
_PROBE_PACKETS = 300
_PATIENCE_S = 0.1


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """What a video says of itself before it is decoded; size_wh is upright."""

    size_wh: tuple[int, int]
    duration_s: float | None
    created_at: datetime | None


@dataclass(slots=True)
class _Delivery:
    """From the decoder: what was skipped since the last, then a frame, an error or the end."""

    skipped: Counter[str]
    index: int = 0
    time_s: float = 0.0
    image: Image | None = None
    error: MediaError | None = None


@dataclass(slots=True)
class _Tally:
    read: int = 0
    analysed: int = 0
    without_pose: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    pose_problems: Counter[str] = field(default_factory=Counter)


class VideoSource:
    """One recorded video as a FrameSource; opened by opening.open_recording.

    pose_at answers for each delivered frame (its instant, its seconds since the first frame) with
    a Pose or the reason why there is none. started_at is the instant of the first frame; where
    nothing tells it, it is None and captured_at counts from 1970-01-01. notes are sentences for
    its problems, found when it was opened.
    """

    def __init__(
        self,
        path: Path,
        *,
        stream_id: str,
        pose_at: PoseAt,
        started_at: datetime | None = None,
        analysis_fps: float | None = None,
        telemetry_log: TelemetryLog | None = None,
        camera: Camera | None = None,
        media: str | None = None,
        facts: VideoFacts | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        self._path, self._stream_id, self._pose_at = path, stream_id, pose_at
        self._facts = facts or probe(path)
        self._analysis_fps = analysis_fps
        self._media = str(path) if media is None else media
        self.started_at = started_at
        self.telemetry_log = telemetry_log
        self.camera = camera
        self._notes = tuple(notes)
        self._tally = _Tally()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def duration_s(self) -> float | None:
        """Length by the container's header; None where it does not say."""
        return self._facts.duration_s

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height of the upright pictures."""
        return self._facts.size_wh

    @property
    def problems(self) -> list[str]:
        """What a person should know: records that the telemetry lost, frames the file lost."""
        lost = self.telemetry_log.problems if self.telemetry_log else {}
        notes = [
            f"{self._path.name}: {count} telemetry records left out ({reason})"
            for reason, count in lost.items()
        ]
        notes += self._notes
        missing = self._tally.skipped["missing at the end"]
        if missing:
            notes.append(
                f"{self._path.name}: its last {missing} frames are missing, it was cut off"
            )
        return notes

    def counts(self) -> FrameCounts:
        """Every frame taken from the decoder so far, by what became of it."""
        tally = self._tally
        return FrameCounts(
            read=tally.read,
            analysed=tally.analysed,
            skipped=dict(sorted(tally.skipped.items())),
            without_pose=tally.without_pose,
            pose_problems=dict(sorted(tally.pose_problems.items())),
        )

    def frames(self) -> Iterator[Frame]:
        """The frames to analyse from the first on; each call starts over, counts included."""
        self.close()
        self._stop = threading.Event()
        self._tally = _Tally()
        deliveries: queue.Queue[_Delivery] = queue.Queue(_QUEUE)
        self._thread = threading.Thread(
            target=_decode_into,
            args=(deliveries, self._stop, self._path, self._analysis_fps),
            name=f"decode {self._path.name}",
            daemon=True,
        )
        self._thread.start()
        try:
            yield from self._delivered(deliveries, self._stop)
        finally:
            self.close()

    def close(self) -> None:
        """Stops the decoder and waits for it."""
        self._stop.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _delivered(
        self, deliveries: queue.Queue[_Delivery], stop: threading.Event
    ) -> Iterator[Frame]:
        while not stop.is_set():
            try:
                delivery = deliveries.get(timeout=_PATIENCE_S)
            except queue.Empty:
                continue
            self._tally.skipped += delivery.skipped
            self._tally.read += sum(delivery.skipped.values())
            if delivery.error is not None:
                raise delivery.error
            if delivery.image is None:
                return
            yield self._frame(delivery, delivery.image)

    def _frame(self, delivery: _Delivery, image: Image) -> Frame:
        at = (self.started_at or EPOCH) + timedelta(seconds=delivery.time_s)
        pose = self._pose_at(at, delivery.time_s)
        self._tally.read += 1
        self._tally.analysed += 1
        if isinstance(pose, str):
            self._tally.without_pose += 1
            self._tally.pose_problems[pose] += 1
        return Frame(
            stream_id=self._stream_id,
            index=delivery.index,
            captured_at=at,
            image=image,
            pose=None if isinstance(pose, str) else pose,
            media=self._media,
        )


def probe(path: Path) -> VideoFacts:
    """Opens the video and decodes its first frame; raises MediaError naming the file."""
    with _opened(path) as container:
        stream = container.streams.video[0]
        frame = _first_frame(path, container, stream)
        width, height = frame.width, frame.height
        if _quarter_turns(frame) % 2:
            width, height = height, width
        return VideoFacts((width, height), _duration_s(container, stream), _created_at(container))


def _opened(path: Path) -> Any:
    """The container, known to hold a video stream."""
    try:
        if path.stat().st_size == 0:
            raise MediaError(f"{path.name}: the file is empty, expected a video")
        container = av.open(str(path))
    except FileNotFoundError as error:
        raise MediaError(f"{path.name}: no such file") from error
    except (av.error.InvalidDataError, av.error.EOFError) as error:
        raise MediaError(
            f"{path.name}: not a readable video (its index is missing, it is cut off, or it is "
            "not a video)"
        ) from error
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise MediaError(f"{path.name}: cannot be opened as a video ({error})") from error
    if not container.streams.video:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        container.close()
        raise MediaError(f"{path.name}: has no video stream (found: {kinds})")
    return container


def _first_frame(path: Path, container: Any, stream: Any) -> Any:
    try:
        for number, packet in enumerate(container.demux(stream)):
            try:
                for frame in packet.decode():
                    return frame
            except av.error.InvalidDataError:
                pass
            if number > _PROBE_PACKETS:
                break
    except (av.error.FFmpegError, OSError, LookupError) as error:
        raise MediaError(f"{path.name}: no frame can be decoded ({error})") from error
    raise MediaError(f"{path.name}: no frame can be decoded")


def _duration_s(container: Any, stream: Any) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return None if container.duration is None else container.duration / av.time_base


def _created_at(container: Any) -> datetime | None:
    """When recording began, if the header tells; Apple's key carries the offset, so it comes first.

    A clock that was never set (1904, 1970) tells nothing.
    """
    for key in ("com.apple.quicktime.creationdate", "creation_time"):
        text = container.metadata.get(key)
        try:
            at = datetime.fromisoformat(text) if text else None
        except ValueError:
            continue
        if at is not None and at.tzinfo is not None and at > EARLIEST_CLOCK:
            return at
    return None


def _quarter_turns(frame: Any) -> int:
    """Quarter turns counter-clockwise that bring the stored picture upright."""
    turns: int = round(frame.rotation / 90.0)
    return turns % 4


def upright(frame: Any) -> Image:
    """A decoded picture as (H, W, 3) uint8 BGR, turned as its metadata asks."""
    image = frame.to_ndarray(format="bgr24")
    turns = _quarter_turns(frame)
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image


def _decode_into(
    deliveries: queue.Queue[_Delivery],
    stop: threading.Event,
    path: Path,
    analysis_fps: float | None,
) -> None:
    """Runs in the decoder's thread until the end, an error, or stop."""
    try:
        with _opened(path) as container:
            for delivery in _deliveries(container, analysis_fps):
                if not _put(deliveries, delivery, stop):
                    return
    except MediaError as error:
        _put(deliveries, _Delivery(Counter(), error=error), stop)
    except (av.error.FFmpegError, OSError, MemoryError) as error:
        broken = MediaError(f"{path.name}: reading it failed ({error})")
        _put(deliveries, _Delivery(Counter(), error=broken), stop)


def _put(deliveries: queue.Queue[_Delivery], delivery: _Delivery, stop: threading.Event) -> bool:
    while not stop.is_set():
        try:
            deliveries.put(delivery, timeout=_PATIENCE_S)
        except queue.Full:
            continue
        return True
    return False


def _deliveries(container: Any, analysis_fps: float | None) -> Iterator[_Delivery]:
    """Frames to analyse with what was skipped before each, and at last one without an image."""
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    zero = stream.start_time
    skipped: Counter[str] = Counter()
    index, due, last_s = 0, -math.inf, 0.0
    for frame in _decoded(container, stream):
        pts = None if frame is None else frame.pts
        if frame is None or pts is None or frame.is_corrupt:
            skipped["no timestamp" if frame is not None and pts is None else "undecodable"] += 1
            index += 1
            continue
        zero = pts if zero is None else zero
        last_s = float((pts - zero) * frame.time_base)
        if last_s < due:
            skipped["rate"] += 1
        else:
            due = next_due(last_s, analysis_fps)
            yield _Delivery(skipped, index, last_s, upright(frame))
            skipped = Counter()
        index += 1
    missing = _missing_at_end(stream, index, last_s)
    if missing:
        skipped["missing at the end"] += missing
    yield _Delivery(skipped)


def next_due(time_s: float, analysis_fps: float | None) -> float:
    """The next multiple of 1 / fps after a frame's time, a hair early: time stamps are rounded."""
    if analysis_fps is None:
        return -math.inf
    slack = 0.02
    return (math.floor(time_s * analysis_fps + slack) + 1 - slack) / analysis_fps


def _decoded(container: Any, stream: Any) -> Iterator[Any]:
    """Decoded frames in order of presentation; None for a packet that cannot be decoded."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except (av.error.FFmpegError, LookupError):  # PyAV knows no stream that begins later
            yield None
            return
        if packet is None:
            return
        try:
            yield from packet.decode()
        except av.error.FFmpegError:
            yield None


def _missing_at_end(stream: Any, read: int, last_s: float) -> int:
    """Frames that the header promises after the last one, in a file that was cut off."""
    if not stream.frames or stream.duration is None:
        return 0
    length_s = float(stream.duration * stream.time_base)
    is_cut = last_s < length_s - max(0.5, 3.0 * length_s / stream.frames)
    return max(0, int(stream.frames) - read) if is_cut else 0
