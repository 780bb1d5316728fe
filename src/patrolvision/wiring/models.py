"""Which detector, by name or path, and which registered algorithms."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from patrolvision.config import Settings
from patrolvision.errors import ModelError
from patrolvision.types import (
    Camera,
    ModelRelease,
)

if TYPE_CHECKING:
    from patrolvision.ports import Detector
    from patrolvision.rules.registered import Registered
    from patrolvision.training.registry import Algorithm

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


def registered_hazards(settings: Settings | None, timezone: str) -> tuple[Registered, ...]:
    """What the rules have to know of each registered class; hours without a zone are timezone's."""
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
