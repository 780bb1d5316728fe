"""The stages of one stream, and the rules."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from patrolvision.config import Settings
from patrolvision.types import (
    Camera,
    Detections,
    Frame,
    Image,
    Lens,
    Mission,
    ModelRelease,
)
from patrolvision.wiring.models import (
    UNSURE_SHARE,
    _unsuited,
    detector,
    registered_classes,
    registered_hazards,
    release,
)

if TYPE_CHECKING:
    from patrolvision.coverage import CoverageBook
    from patrolvision.evidence.annotated import AnnotatedClip
    from patrolvision.evidence.keeper import PictureKeeper
    from patrolvision.geo.elevation import ElevationGrid
    from patrolvision.observe import TrackBook
    from patrolvision.ports import Detector, Executor, FrameSource, Tracker
    from patrolvision.rules.rulebook import Rulebook
    from patrolvision.rules.zone_map import ZoneMap

log = logging.getLogger(__name__)

# Frames of an unknown camera have no pose, so that nothing is ever located through this one.
UNKNOWN_CAMERA = Camera("unknown", "car", Lens(1, 1, 1.0, 1.0, 0.5, 0.5))
PHOTOS_LOST_AFTER_S = 1800.0
# A picture to be stored is looked at once more, for people and vehicles that the first look missed.
CAREFUL_CONFIDENCE, CAREFUL_PX = 0.05, 416


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
    zones: Path | None,
    settings: Settings,
    failed: dict[str, str] | None = None,
    *,
    warns: bool = True,
) -> Rulebook:
    """The rules of all hazards over a zones file; ConfigError names the zone and field at fault.

    With `failed` given, a bad zone goes into it under its name and the others hold. Hours on a
    clock that nobody named are warned of, unless the caller did so before.
    """
    from patrolvision.rules.rulebook import Rulebook
    from patrolvision.rules.zones import load_zones, read_zones
    from patrolvision.tickets.categories import public_holidays

    known = registered_hazards(settings, settings.timezone)
    if zones is None:
        return Rulebook(registered=known)
    if failed is None:
        zone_map = load_zones(zones, settings.timezone, public_holidays())
    else:
        zone_map, problems = read_zones(zones, settings.timezone, public_holidays())
        failed.update({f"{zones} [{k}]": problem for k, problem in enumerate(problems, 1)})
    if warns and "timezone" not in settings.model_fields_set:
        _warn_of_guessed_clocks(zones, zone_map, settings.timezone)
    return Rulebook(zone_map, registered=known)


def _warn_of_guessed_clocks(path: Path, zones: ZoneMap, timezone: str) -> None:
    guessed = [z.zone_id for z in zones.zones if z.is_timed and not z.names_timezone]
    if guessed:
        log.warning(
            "%s: no timezone is named, neither in the file nor in the settings nor on the command "
            "line: the hours of %d zones (first %r) are taken for those of %s",
            path,
            len(guessed),
            guessed[0],
            timezone,
        )


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


def executor(settings: Settings) -> Executor:
    """Where missions run."""
    if settings.executor == "processes":
        from patrolvision.executors.processes import ProcessesExecutor

        return ProcessesExecutor(settings.workers)
    if settings.executor == "ray":
        from patrolvision.executors.ray import RayExecutor

        return RayExecutor(settings.workers)
    from patrolvision.executors.local import LocalExecutor

    return LocalExecutor()
