"""Names -> objects; no other file knows which implementations exist."""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from patrolvision.config import OfficeSettings, Settings, StreamEntry, WatchFile
from patrolvision.errors import ConfigError, ModelError
from patrolvision.types import (
    HAZARDS,
    Camera,
    Detections,
    Frame,
    Image,
    Lens,
    Mission,
    ModelRelease,
    Pose,
    Verdict,
)

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from patrolvision.coverage import CoverageBook
    from patrolvision.desk import Rules
    from patrolvision.evidence.annotated import AnnotatedClip
    from patrolvision.evidence.keeper import PictureKeeper
    from patrolvision.geo.elevation import ElevationGrid
    from patrolvision.observe import TrackBook
    from patrolvision.ports import Detector, Executor, FrameSource, Tracker
    from patrolvision.rules.registered import Registered
    from patrolvision.rules.rulebook import Rulebook
    from patrolvision.sources.selfcheck import SelfChecker
    from patrolvision.sources.sessions import Stream
    from patrolvision.store.sql_store import SqlStore
    from patrolvision.tickets.categories import Catalogue
    from patrolvision.tickets.causes import Cause
    from patrolvision.tickets.grids import GridIndex
    from patrolvision.training.registry import Algorithm

# Frames of an unknown camera have no pose, so that nothing is ever located through this one.
UNKNOWN_CAMERA = Camera("unknown", "car", Lens(1, 1, 1.0, 1.0, 0.5, 0.5))
PHOTOS_LOST_AFTER_S = 1800.0
LIVE_SIGMA_TIME_S = 0.3  # of a live picture dated by the clock when it arrives


# A picture to be stored is looked at once more, for people and vehicles that the first look missed.
CAREFUL_CONFIDENCE, CAREFUL_PX = 0.05, 416
# What continues a track may be less sure than what begins one: that share of each threshold.
UNSURE_SHARE = 0.5


def release(settings: Settings) -> ModelRelease:
    """The model release the settings name; ModelError names those there are."""
    from patrolvision.detect.release import load_release

    return load_release(settings.model, settings.models_dir)


def detector(
    settings: Settings,
    *,
    conf: float | None = None,
    threads: int | None = None,
    unsure_share: float = 1.0,
    input_px: int | None = None,
) -> Detector:
    """The detector on the engine the settings name; auto takes OpenVINO where its weights are.

    unsure_share lowers all thresholds, for boxes that a tracker is to follow. input_px: longer side
    of what the network looks at, instead of the settings' or the card's.
    """
    chosen = release(settings)
    lowered = {name: unsure_share * limit for name, limit in chosen.thresholds.items()}
    side = input_px or settings.input_px
    chosen = replace(
        chosen,
        thresholds=lowered,
        input_width=side or chosen.input_width,
        input_height=side or chosen.input_height,
    )
    return detector_of(chosen, settings, conf=conf, threads=threads)


def detector_of(
    chosen: ModelRelease,
    settings: Settings,
    *,
    conf: float | None = None,
    threads: int | None = None,
) -> Detector:
    """The detector of a release on the engine the settings name, whatever model they name."""
    engines: dict[str, Callable[[], Detector]] = {
        "openvino": lambda: _openvino(chosen, settings, conf, threads),
        "ultralytics": lambda: _ultralytics(chosen, conf, threads),
    }
    if settings.engine != "auto":
        return engines[settings.engine]()
    try:
        return engines["openvino"]()
    except ModelError:
        if any(chosen.folder.glob("*.xml")):
            raise
        return engines["ultralytics"]()


def _openvino(
    chosen: ModelRelease, settings: Settings, conf: float | None, threads: int | None
) -> Detector:
    from patrolvision.detect.openvino import OpenVinoDetector

    return OpenVinoDetector(chosen, conf=conf, precision=settings.precision, num_threads=threads)


def _ultralytics(chosen: ModelRelease, conf: float | None, threads: int | None) -> Detector:
    from patrolvision.detect.ultralytics import UltralyticsDetector

    return UltralyticsDetector(chosen, conf=conf, num_threads=threads or os.cpu_count())


def trainable(chosen: ModelRelease) -> Any:
    """The release's network as torch holds it; ModelError without torch or a checkpoint."""
    from patrolvision.detect.checkpoint import read_checkpoint, torch_module
    from patrolvision.detect.release import weights_file

    torch_module()
    return read_checkpoint(weights_file(chosen, "torch"))


def release_in(folder: Path, settings: Settings) -> ModelRelease:
    """The release of a folder or name that is not the settings' own."""
    from patrolvision.detect.release import load_release

    return load_release(folder, settings.models_dir)


def releases(settings: Settings) -> list[str]:
    """name@version of every release in the models folder."""
    from patrolvision.detect.release import known_releases

    return known_releases(settings.models_dir)


def tiled(inner: Detector) -> Detector:
    """The detector over overlapping tiles of each picture, for small things seen from above."""
    from patrolvision.detect.tiling import TiledDetector

    return TiledDetector(inner)


def detector_for(inner: Detector, camera: Camera | None, settings: Settings) -> Detector:
    """The detector as this camera's pictures need it: tiled for a drone's, unless told not to."""
    drone = camera is not None and camera.platform == "drone"
    if camera is not None and (unfit := _unsuited(settings, camera)):
        from patrolvision.detect.without import WithoutClasses

        inner = WithoutClasses(inner, unfit)
    return (
        tiled(inner) if settings.tiling == "on" or (settings.tiling == "auto" and drone) else inner
    )


def registry(settings: Settings | None = None) -> tuple[Algorithm, ...]:
    """The registered algorithms; ConfigError names the line of the city's file that is wrong."""
    from patrolvision.config import default_models_dir
    from patrolvision.training.registry import load_registry

    path = None if settings is None else settings.registry
    if path is None:
        path = (default_models_dir() if settings is None else settings.models_dir) / "registry.toml"
        return load_registry(path if path.is_file() else None)
    return load_registry(path)


def registered_classes(settings: Settings | None = None) -> frozenset[str]:
    """The classes that registered algorithms turn into hazards."""
    return frozenset(name for algorithm in registry(settings) for name, _ in algorithm.classes)


def _unsuited(settings: Settings, camera: Camera) -> frozenset[str]:
    from patrolvision.training.registry import unsuited

    return unsuited(registry(settings), camera.platform)


def _registered(settings: Settings | None, timezone: str) -> tuple[Registered, ...]:
    from patrolvision.rules.registered import Registered

    return tuple(
        Registered(
            class_name=class_name,
            category=category,
            algorithm=algorithm.id,
            owner=algorithm.owner,
            review=algorithm.review,
            enforce=algorithm.enforce,
            frames=algorithm.frames,
            priority=algorithm.priority,
            hours=algorithm.hours,
            timezone=timezone,
        )
        for algorithm in registry(settings)
        for class_name, category in algorithm.classes
    )


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

    opener = _address(entry, seen_by, file) if entry.is_network else _played(entry, seen_by, file)
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
        telemetry=entry.telemetry,
        started_at=entry.started_at,
        telemetry_timezone=entry.telemetry_timezone,
    )
    return partial(recording, mission, seen_by, file.settings)


def _address(
    entry: StreamEntry, seen_by: Camera | None, file: WatchFile
) -> Callable[[], FrameSource]:
    from patrolvision.sources.stream import open_stream

    return partial(
        open_stream,
        entry.url,
        stream_id=entry.id,
        pose_at=_poses(entry, seen_by, file.settings),
        started_at=entry.started_at,
        analysis_fps=file.settings.analysis_fps,
        stall_s=file.stall_s,
        lens_wh=None if seen_by is None else (seen_by.lens.width, seen_by.lens.height),
    )


def _poses(
    entry: StreamEntry, seen_by: Camera | None, settings: Settings
) -> Callable[[datetime, float], Pose | str]:
    if entry.telemetry is None:
        return lambda at, time_s: "no telemetry"
    if seen_by is None:
        return lambda at, time_s: "no camera"
    from patrolvision.sources.quality import cleaned
    from patrolvision.sources.sync import PoseTrack, SyncSettings
    from patrolvision.sources.telemetry import read_telemetry

    zone = ZoneInfo(entry.telemetry_timezone or settings.timezone)
    sync = SyncSettings() if entry.started_at else SyncSettings(sigma_time_s=LIVE_SIGMA_TIME_S)
    track, notes = cleaned(read_telemetry(entry.telemetry, timezone=zone), seen_by)
    for note in notes:
        log.warning("%s: %s", entry.id, note)
    return PoseTrack(track, seen_by, settings=sync).pose_at


def tracker(settings: Settings, seen_by: Camera | None, *, is_photos: bool = False) -> Tracker:
    """A fresh memory for one stream; a box begins a track at the release's own threshold."""
    if is_photos:
        from patrolvision.sources.overlap import describe, register
        from patrolvision.track.photos import PhotoTracker

        return PhotoTracker(release(settings).classes, describe, register)
    from patrolvision.track.bytetrack import ByteTracker, TrackSettings

    chosen = release(settings)
    at_once = TrackSettings(confirm_frames=1, confirm_s=0.0)  # TrackBook asks for two frames
    lens = None if seen_by is None else seen_by.lens
    return ByteTracker(chosen.classes, at_once, start_confidences=chosen.thresholds, lens=lens)


def book(
    mission: Mission,
    seen_by: Camera | None,
    chosen: ModelRelease,
    *,
    is_photos: bool = False,
    ground: ElevationGrid | None = None,
) -> TrackBook:
    """The memory that turns one stream's tracks into observations; single photos count alone."""
    from patrolvision.observe import ObserveSettings, TrackBook

    settings = ObserveSettings()
    if is_photos:  # a later strip may show the same thing again
        settings = ObserveSettings(is_single_shot=True, lost_after_s=PHOTOS_LOST_AFTER_S)
    return TrackBook(
        mission.id,
        mission.stream_id,
        seen_by or UNKNOWN_CAMERA,
        chosen.classes,
        chosen.id,
        settings,
        ground,
    )


def coverage(
    mission: Mission,
    seen_by: Camera | None,
    chosen: ModelRelease,
    settings: Settings | None = None,
) -> CoverageBook:
    """The memory of what one stream could have seen, of hazards that are looked for from there."""
    from patrolvision.coverage import HAZARD_CLASSES, CoverageBook

    camera = seen_by or UNKNOWN_CAMERA
    hazards = HAZARD_CLASSES
    if settings is not None:
        hazards = (hazards | registered_classes(settings)) - _unsuited(settings, camera)
    return CoverageBook(mission.id, camera, chosen.classes, hazards=hazards)


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


def keeper(settings: Settings, chosen: ModelRelease) -> PictureKeeper:
    """What keeps the pictures behind findings, in the output folder."""
    from patrolvision.evidence.keeper import PictureKeeper

    return PictureKeeper(
        settings.out / "evidence" if settings.pictures else None,
        chosen.classes,
        root=settings.out,
        timezone=ZoneInfo(settings.timezone),
        face_model=settings.face_model,
        careful=partial(_second_look, settings),
    )


@lru_cache(maxsize=1)
def _careful_detector(settings: Settings) -> Detector:
    return detector(settings, conf=CAREFUL_CONFIDENCE, input_px=CAREFUL_PX)


def _second_look(settings: Settings, image: Image) -> Detections:
    """People and vehicles that may be there, for hiding them: at another scale, and unsurer."""
    return _careful_detector(settings).detect([image])[0]


def is_photos(mission: Mission) -> bool:
    """Whether the mission's pictures are single photos rather than a film."""
    from patrolvision.sources.picture import SUFFIXES

    path = Path(mission.media)
    return path.is_dir() or path.suffix.lower() in SUFFIXES


@contextmanager
def clip(
    settings: Settings,
    mission: Mission,
    source: FrameSource,
    chosen: ModelRelease,
    *,
    is_photos: bool = False,
) -> Iterator[Clip | AnnotatedClip]:
    """An annotated clip of a film, finished when the context ends well, gone when it fails."""
    if is_photos or not settings.clip:
        yield Clip()
        return
    from patrolvision.evidence.annotated import AnnotatedClip

    path = settings.out / f"{safe_name(mission.id)}.mp4"
    with AnnotatedClip(path, source.size_wh, chosen.classes) as annotated:
        yield annotated


class Clip:
    """A clip that nobody wants."""

    name: str | None = None

    def add(self, frame: Frame, detections: Detections) -> None:
        """Leave the frame out."""


def safe_name(text: str) -> str:
    """A file name that means the same on every system and never leaves its folder."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).lstrip(".") or "mission"


def rulebook(
    zones: Path | None, settings: Settings, failed: dict[str, str] | None = None
) -> Rulebook:
    """The rules of all hazards over a zones file; ConfigError names the zone and field at fault.

    With `failed` given, a bad zone goes into it under its name and the others hold.
    """
    from patrolvision.rules.rulebook import Rulebook
    from patrolvision.rules.zones import load_zones, read_zones

    known = _registered(settings, settings.timezone)
    if zones is None:
        return Rulebook(registered=known)
    if failed is None:
        return Rulebook(load_zones(zones, settings.timezone), registered=known)
    zone_map, problems = read_zones(zones, settings.timezone)
    failed.update({f"{zones} [{k}]": problem for k, problem in enumerate(problems, 1)})
    return Rulebook(zone_map, registered=known)


def grids(path: Path | None) -> GridIndex | None:
    """The grid cells and road segments of a file; None for None."""
    if path is None:
        return None
    from patrolvision.tickets.grids import GridIndex

    return GridIndex.from_file(path)


def store(url: str, *, create: bool = True) -> SqlStore:
    """The store behind an SQLAlchemy URL."""
    from patrolvision.store.sql_store import open_store

    return open_store(url, create=create)


def catalogue(settings: OfficeSettings) -> Catalogue:
    """Categories, deadlines, hours and scores of the office's city, from its tables."""
    from patrolvision.tickets.categories import load_catalogue

    known = dict.fromkeys(c for algorithm in registry() for _, c in algorithm.classes)
    more = tuple(category for category in known if category not in HAZARDS)
    return load_catalogue(settings.city, settings.timezone, settings.tables, more)


def causes(settings: OfficeSettings) -> tuple[Cause, ...]:
    """Why the office may reject a ticket, from its tables."""
    from patrolvision.tickets.causes import load_causes

    return load_causes(settings.tables)


def verdicts(store: SqlStore) -> list[Verdict]:
    """Every verdict that the office keeps, by time."""
    from patrolvision.store.queue import place_of, verdict_page

    found: list[Verdict] = []
    with store.engine.connect() as connection:
        while True:
            after = place_of(found[-1]) if found else None
            page = verdict_page(connection, 1000, after=after)
            found += page
            if len(page) < 1000:
                return found


def office_rules(settings: OfficeSettings) -> Rules:
    """What the office's tables say, as far as moving a ticket needs it."""
    from patrolvision.desk import Rules

    return Rules(catalogue(settings), causes(settings))


def hiding(settings: Settings) -> Callable[[Image], Image]:
    """What makes heads and plates of a picture unreadable; ModelError if there is no detector.

    The detector is opened with the first picture; pictures are handled one at a time.
    """
    from patrolvision.evidence.keeper import private

    chosen = release(settings)
    lock = threading.Lock()
    opened: list[Detector] = []

    def hidden(image: Image) -> Image:
        with lock:
            if not opened:
                opened.append(detector(settings, unsure_share=UNSURE_SHARE))
            looks = opened[0].detect([image])[0], _second_look(settings, image)
        for found in looks:
            image = private(image, found, chosen.classes, settings.face_model)
        return image

    return hidden


def stored_grids(store: SqlStore, as_of: datetime | None = None) -> GridIndex | None:
    """The grids that the office put into the store, as they were at an instant; None: none."""
    from patrolvision.store.areas import stored_area
    from patrolvision.tickets.grids import GridIndex

    area = stored_area(store.engine, "grids", as_of)
    return None if area is None else GridIndex.from_text(area.content, "the stored grids")


def stored_rulebook(store: SqlStore, timezone: str) -> Rulebook:
    """The rules over the zones that the office put into the store; a zone that is bad is left out.

    timezone is for zones that name none.
    """
    from patrolvision.rules.rulebook import Rulebook
    from patrolvision.rules.zones import zones_of
    from patrolvision.store.areas import stored_area

    known = _registered(None, timezone)
    area = stored_area(store.engine, "zones")
    if area is None:
        return Rulebook(registered=known)
    zones, problems = zones_of(area.content.encode(), "the stored zones", timezone)
    for problem in problems:
        log.warning("%s", problem)
    return Rulebook(zones, registered=known)


def equip(
    store: SqlStore, at: datetime, *, zones: Path, grids: Path, crews: Mapping[str, dict[str, Any]]
) -> None:
    """Give an office its layers and crews, as its admin would over the API; again is no change."""
    from patrolvision.store.areas import save_area
    from patrolvision.store.crews import save_crew

    save_area(store.engine, "zones", zones.read_text(encoding="utf-8"), "patrolvision", at)
    save_area(store.engine, "grids", grids.read_text(encoding="utf-8"), "patrolvision", at)
    for crew_id, content in crews.items():
        save_crew(store.engine, crew_id, content, "patrolvision", at, is_new=True)


def executor(settings: Settings) -> Executor:
    """Where missions run."""
    if settings.executor == "processes":
        from patrolvision.executors.processes import ProcessesExecutor

        return ProcessesExecutor(settings.workers)
    if settings.executor == "local":
        from patrolvision.executors.local import LocalExecutor

        return LocalExecutor()
    raise ConfigError(f"executor: {settings.executor!r} is not available in this release")
