"""Recordings, streams and what is known of their cameras and ground."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from patrolvision.config import Settings, StreamEntry, WatchFile
from patrolvision.types import (
    Camera,
    Mission,
    Pose,
)

if TYPE_CHECKING:
    from patrolvision.geo.elevation import ElevationGrid
    from patrolvision.ports import FrameSource
    from patrolvision.sources.live_fixes import LiveFixes
    from patrolvision.sources.selfcheck import SelfChecker
    from patrolvision.sources.sessions import Stream

log = logging.getLogger(__name__)

LIVE_SIGMA_TIME_S = 0.3  # of a live picture dated by the clock when it arrives


def camera(path: Path | None) -> Camera | None:
    """The camera of a TOML file; None for None."""
    if path is None:
        return None
    from patrolvision.sources.camera_file import load_camera

    return load_camera(path)


def recording(mission: Mission, seen_by: Camera | None, settings: Settings) -> FrameSource:
    """The mission's footage with its telemetry."""
    from patrolvision.sources.opening import open_recording

    return open_recording(
        mission,
        seen_by,
        analysis_fps=settings.analysis_fps,
        default_timezone=ZoneInfo(settings.timezone),
        elevation=elevation(settings.elevation),
    )


@lru_cache(maxsize=2)
def elevation(path: Path | None) -> ElevationGrid | None:
    """The ground's heights of a GeoTIFF; None for None."""
    if path is None:
        return None
    from patrolvision.sources.geotiff import read_elevation

    return read_elevation(path)


def stream(
    entry: StreamEntry, seen_by: Camera | None, file: WatchFile, stop: threading.Event
) -> Stream:
    """One live stream, not yet connected; TelemetryError for telemetry that cannot be read."""
    from patrolvision.sources.sessions import Backoff, Stream

    if entry.is_network:
        opener = _address(entry, seen_by, file, stop)
    else:
        opener = _played(entry, seen_by, file)
    return Stream(
        entry.id,
        opener,
        stop,
        is_network=entry.is_network,
        loop=entry.loop,
        backoff=Backoff(file.reconnect_min_s, file.reconnect_max_s),
    )


def _played(
    entry: StreamEntry, seen_by: Camera | None, file: WatchFile
) -> Callable[[], FrameSource]:
    """A file as batch opens it, telemetry beside and inside it included."""
    mission = Mission(
        id=entry.id,
        media=entry.url,
        stream_id=entry.id,
        telemetry=entry.telemetry_file,
        started_at=entry.started_at,
        telemetry_timezone=entry.telemetry_timezone,
        telemetry_datum=entry.telemetry_datum,
    )
    settings = file.settings.model_copy(update={"analysis_fps": file.most_fps(entry)})
    return partial(recording, mission, seen_by, settings)


def _address(
    entry: StreamEntry, seen_by: Camera | None, file: WatchFile, stop: threading.Event
) -> Callable[[], FrameSource]:
    from patrolvision.sources.stream import open_stream

    opened = partial(
        open_stream,
        entry.url,
        stream_id=entry.id,
        started_at=entry.started_at,
        analysis_fps=file.most_fps(entry),
        stall_s=file.stall_s,
        lens_wh=None if seen_by is None else (seen_by.lens.width, seen_by.lens.height),
    )
    if seen_by is None:
        reason = "no telemetry" if entry.telemetry is None else "no camera"
        return partial(opened, pose_at=lambda at, time_s: reason)
    if entry.telemetry_file is not None:
        return partial(opened, pose_at=_poses(entry, entry.telemetry_file, seen_by, file.settings))
    if entry.receiver is None:
        return partial(_with_fixes_inside, opened, entry, seen_by)
    fixes = _live_fixes(entry, entry.receiver, seen_by)
    _listen(entry.receiver, fixes, stop)
    return partial(opened, pose_at=fixes.pose_at, live=fixes, clock=fixes.now)


def _with_fixes_inside(
    opened: Callable[..., FrameSource], entry: StreamEntry, seen_by: Camera
) -> FrameSource:
    """A connection that may bring its own telemetry, which is in time with its pictures."""
    fixes = _live_fixes(entry, entry.id, seen_by, is_inside=True)
    return opened(pose_at=fixes.pose_at, live=fixes)


def _live_fixes(
    entry: StreamEntry, name: str, seen_by: Camera, *, is_inside: bool = False
) -> LiveFixes:
    from patrolvision.sources.live_fixes import LiveFixes
    from patrolvision.sources.sync import SyncSettings

    is_in_time = is_inside or entry.started_at is not None
    sync = SyncSettings() if is_in_time else SyncSettings(sigma_time_s=LIVE_SIGMA_TIME_S)
    if entry.started_at is not None:
        return LiveFixes(name, seen_by, settings=sync, clock=None)
    return LiveFixes(name, seen_by, settings=sync)


def _listen(address: str, fixes: LiveFixes, stop: threading.Event) -> None:
    from patrolvision.sources.receivers import Receiver

    Receiver(address, fixes, stop).start()


def _poses(
    entry: StreamEntry, telemetry: Path, seen_by: Camera, settings: Settings
) -> Callable[[datetime, float], Pose | str]:
    from patrolvision.sources.quality import cleaned
    from patrolvision.sources.sync import PoseTrack, SyncSettings
    from patrolvision.sources.telemetry import read_telemetry

    zone = ZoneInfo(entry.telemetry_timezone or settings.timezone)
    sync = SyncSettings() if entry.started_at else SyncSettings(sigma_time_s=LIVE_SIGMA_TIME_S)
    read = read_telemetry(telemetry, timezone=zone, datum=entry.telemetry_datum)
    track, notes = cleaned(read, seen_by)
    for note in notes:
        log.warning("%s: %s", entry.id, note)
    return PoseTrack(track, seen_by, settings=sync).pose_at


def self_check(seen_by: Camera | None, *, is_photos: bool = False) -> SelfChecker:
    """What holds a film's own pictures against its telemetry and mount; asleep for photos."""
    from patrolvision.sources.selfcheck import SelfChecker

    return SelfChecker(None if is_photos else seen_by)


def calibrated(
    mission: Mission, seen_by: Camera | None, settings: Settings
) -> tuple[Mission, Camera | None, list[str]]:
    """Mission and camera after a first look at the film, and sentences on what was put right."""
    from patrolvision.sources.selfcheck import SelfChecker
    from patrolvision.sources.selfcheck import calibrated as put_right

    source = recording(mission, seen_by, settings)
    checker = SelfChecker(getattr(source, "camera", None) or seen_by)
    try:
        for frame in source.frames():
            checker.add(frame)
    finally:
        source.close()
    check = checker.report()
    notes = [f"{note}; put right" for note in check.notes(Path(mission.media).name)]
    return *put_right(mission, seen_by, check), notes


def is_photos(mission: Mission) -> bool:
    """Whether the mission's pictures are single photos rather than a film."""
    from patrolvision.sources.picture import SUFFIXES

    path = Path(mission.media)
    return path.is_dir() or path.suffix.lower() in SUFFIXES
