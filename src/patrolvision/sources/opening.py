"""What a recording is and where its telemetry lies -> an open FrameSource."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from statistics import median
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from patrolvision.errors import ConfigError, MediaError, TelemetryError
from patrolvision.geo.elevation import ElevationGrid
from patrolvision.ports import FrameSource
from patrolvision.sources import picture, video
from patrolvision.sources.camera_file import scaled_lens
from patrolvision.sources.camera_media import camera_from_telemetry
from patrolvision.sources.fixes import EPOCH, TelemetryLog
from patrolvision.sources.heading import Leg
from patrolvision.sources.photos import PhotoFolderSource
from patrolvision.sources.quality import cleaned, doubtful_legs
from patrolvision.sources.seen_headings import seen_headings
from patrolvision.sources.sync import PoseTrack, SyncSettings, check_overlap, stated_height_m
from patrolvision.sources.telemetry import is_telemetry, read_inside, read_telemetry
from patrolvision.sources.video import PoseAt, VideoFacts, VideoSource
from patrolvision.types import Camera, Mission, Pose

SIDE_CARS = (".srt", ".gpx", ".csv", ".nmea", ".txt", ".bin", ".klv")
_ANYTHING = (".csv", ".txt", ".bin")  # may be notes or labels: taken only if they look right
_SIGMA_TIME_S = 0.05  # video tied to telemetry, or its start given
_SIGMA_HEADER_TIME_S = 0.3  # creation_time counts whole seconds


def open_recording(
    mission: Mission,
    camera: Camera | None = None,
    *,
    analysis_fps: float | None = None,
    default_timezone: tzinfo = UTC,
    elevation: ElevationGrid | None = None,
) -> FrameSource:
    """The mission's frames with their poses: a video, a photo, or a folder of photos.

    Telemetry is the mission's, else a file of the same stem beside the video, else what the video
    carries. Without any, or without a camera, frames come without a pose and counts say why.
    The source's own `camera` is the one given, scaled to the pictures' size, or one that the media
    tells of; places must be computed with it. Raises MediaError, TelemetryError (both name the
    file) or ConfigError (the call is wrong).
    """
    if analysis_fps is not None and not analysis_fps > 0:
        raise ConfigError(f"analysis_fps: expected a number above 0, found {analysis_fps}")
    if mission.started_at is not None and mission.started_at.tzinfo is None:
        raise ConfigError(f"mission {mission.id}: started_at: expected an offset, e.g. +08:00")
    path = Path(mission.media)
    if not path.exists():
        raise MediaError(f"{mission.media}: no such file or folder")
    if path.is_dir() or path.suffix.lower() in picture.SUFFIXES:
        return PhotoFolderSource(
            path,
            stream_id=mission.stream_id,
            camera=camera,
            timezone=_timezone(mission, default_timezone),
        )
    return _open_video(path, mission, camera, analysis_fps, default_timezone, elevation)


def list_media(paths: Sequence[Path]) -> list[Path]:
    """The recordings behind files and folders, in natural order within each folder.

    A folder stands for the videos in it and below; a folder that holds pictures directly is itself
    one recording. Files are taken as given. Raises MediaError for a path that is not there, or a
    folder that holds neither.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise MediaError(f"{path}: no such file or folder")
        inside = _recordings_in(path) if path.is_dir() else [path]
        if not inside:
            raise MediaError(f"{path}: holds neither videos nor pictures")
        found += [one for one in inside if one not in found]
    return found


def natural_key(path: Path) -> tuple[tuple[int, int, str], ...]:
    """Orders DJI_2 before DJI_10."""
    parts = re.split(r"(\d+)", str(path).lower())
    return tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in parts)


def _recordings_in(folder: Path) -> list[Path]:
    files = sorted((p for p in folder.rglob("*") if p.is_file()), key=natural_key)
    videos = [p for p in files if p.suffix.lower() in video.SUFFIXES]
    album = {p.parent for p in files if p.suffix.lower() in picture.SUFFIXES}
    return sorted([*videos, *album], key=natural_key)


def _open_video(
    path: Path,
    mission: Mission,
    camera: Camera | None,
    analysis_fps: float | None,
    default_timezone: tzinfo,
    elevation: ElevationGrid | None,
) -> VideoSource:
    facts = video.probe(path)
    log = _find_telemetry(path, mission, _timezone(mission, default_timezone))
    started_at, sigma_time_s = _start(mission, log, facts)
    if camera is not None:
        camera = _fitted(path, camera, facts.size_wh)
    elif log is not None:
        camera = camera_from_telemetry(log, facts.size_wh)
    notes: list[str] = []
    raw = log
    if log is not None:
        log, notes = cleaned(log, camera)
    pose_at = _pose_at(path, mission, camera, log, facts, started_at, sigma_time_s, elevation)
    if raw is not None and camera is not None and camera.platform == "drone":
        proved = _proved(path, mission, camera, raw, pose_at, started_at)
        if proved:
            log, notes = cleaned(raw, camera, proved)
            pose_at = _pose_at(
                path, mission, camera, log, facts, started_at, sigma_time_s, elevation
            )
    if log is not None and camera is not None:
        notes = [*notes, *_assumed(path, log, camera, started_at)]
    return VideoSource(
        path,
        stream_id=mission.stream_id,
        pose_at=pose_at,
        started_at=started_at,
        analysis_fps=analysis_fps,
        telemetry_log=log,
        camera=camera,
        media=mission.media,
        facts=facts,
        notes=notes,
    )


def _assumed(
    path: Path, log: TelemetryLog, camera: Camera, started_at: datetime | None
) -> list[str]:
    """What nothing told and what stands in for it, a sentence each."""
    notes = []
    if started_at is None:
        notes.append(
            f"{path.name}: neither the video nor its telemetry tells a date: its times count from "
            "1970-01-01, and rules with hours cannot hold; give --started-at"
        )
    if camera.platform == "drone":
        mount = camera.mount
        if all(sample.gimbal_pitch_deg is None for sample in log.samples):
            notes.append(
                f"{path.name}: its telemetry tells no gimbal angles: the camera file's "
                f"mount.pitch_deg of {mount.pitch_deg:g} is taken"
            )
        if stated_height_m(log, camera) is not None:
            notes.append(
                f"{path.name}: its telemetry tells no height above the ground or the take-off: the "
                f"camera file's mount.height_m of {mount.height_m:g} is taken"
            )
    return notes


def _proved(
    path: Path,
    mission: Mission,
    camera: Camera,
    log: TelemetryLog,
    pose_at: PoseAt,
    started_at: datetime | None,
) -> dict[Leg, tuple[float, float]]:
    """The stretches that look back along the way, with what the pictures say of their heading."""
    legs = doubtful_legs(log, camera)
    if not legs:
        return {}
    began = started_at or EPOCH
    lag_s = 0.0 if log.video_times_s is not None else (log.samples[0].at - began).total_seconds()
    lag_s -= mission.clock_offset_s

    def pose_at_s(film_s: float) -> Pose | str:
        return pose_at(began + timedelta(seconds=film_s), film_s)

    in_film = {replace(g, begin_s=g.begin_s + lag_s, end_s=g.end_s + lag_s): g for g in legs}
    found = seen_headings(path, list(in_film), camera, pose_at_s)
    return {in_film[leg]: error for leg, error in found.items()}


def _timezone(mission: Mission, default: tzinfo) -> tzinfo:
    if mission.telemetry_timezone is None:
        return default
    try:
        return ZoneInfo(mission.telemetry_timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(
            f"mission {mission.id}: telemetry_timezone: expected an IANA name, found "
            f"{mission.telemetry_timezone!r}"
        ) from error


def _find_telemetry(path: Path, mission: Mission, timezone: tzinfo) -> TelemetryLog | None:
    if mission.telemetry is not None:
        return read_telemetry(mission.telemetry, timezone=timezone, datum=mission.telemetry_datum)
    side_car = find_side_car(path)
    if side_car is not None:
        return read_telemetry(side_car, timezone=timezone, datum=mission.telemetry_datum)
    return read_inside(path)


def find_side_car(path: Path) -> Path | None:
    """The telemetry file of the same stem beside a video, SRT first."""
    beside = {p.suffix.lower(): p for p in path.parent.iterdir() if _is_side_car(p, path)}
    return next((beside[suffix] for suffix in SIDE_CARS if suffix in beside), None)


def _is_side_car(candidate: Path, media: Path) -> bool:
    return (
        candidate.stem == media.stem
        and candidate.suffix.lower() in SIDE_CARS
        and candidate != media
        and candidate.is_file()
        and (candidate.suffix.lower() not in _ANYTHING or is_telemetry(candidate))
    )


def _start(
    mission: Mission, log: TelemetryLog | None, facts: VideoFacts
) -> tuple[datetime | None, float]:
    """(instant of the first frame or None, sigma of its time): mission, telemetry, header."""
    if mission.started_at is not None:
        return mission.started_at, _SIGMA_TIME_S
    if log is not None and log.video_times_s is not None and log.has_absolute_time:
        first = log.samples[0].at
        starts_s = [
            (sample.at - first).total_seconds() - time_s
            for sample, time_s in zip(log.samples, log.video_times_s, strict=True)
        ]
        return first + timedelta(seconds=median(starts_s) + mission.clock_offset_s), _SIGMA_TIME_S
    is_tied = log is not None and log.video_times_s is not None
    return facts.created_at, _SIGMA_TIME_S if is_tied else _SIGMA_HEADER_TIME_S


def _pose_at(
    path: Path,
    mission: Mission,
    camera: Camera | None,
    log: TelemetryLog | None,
    facts: VideoFacts,
    started_at: datetime | None,
    sigma_time_s: float,
    elevation: ElevationGrid | None,
) -> PoseAt:
    if log is None:
        return _never("no telemetry")
    if log.video_times_s is None and started_at is None:
        raise TelemetryError(
            f"{log.name}: knows only the clock, but {path.name} does not say when it began "
            "(creation_time); give --started-at, or started_at in a mission file"
        )
    check_overlap(log, path.name, started_at, facts.duration_s, mission.clock_offset_s)
    if camera is None:
        return _never("no camera")
    return PoseTrack(
        log,
        camera,
        clock_offset_s=mission.clock_offset_s,
        settings=SyncSettings(sigma_time_s=sigma_time_s),
        elevation=elevation,
    ).pose_at


def _fitted(path: Path, camera: Camera, size_wh: tuple[int, int]) -> Camera:
    """The camera for pictures of this size; MediaError where they have another shape."""
    lens = scaled_lens(camera.lens, size_wh)
    if lens is None:
        raise MediaError(
            f"{path.name}: its pictures are {size_wh[0]}x{size_wh[1]}, but camera {camera.name!r} "
            f"says image.width and image.height are {camera.lens.width}x{camera.lens.height}, "
            "another shape"
        )
    return replace(camera, lens=lens)


def _never(reason: str) -> PoseAt:
    def no_pose(at: datetime, video_time_s: float) -> Pose | str:
        return reason

    return no_pose
