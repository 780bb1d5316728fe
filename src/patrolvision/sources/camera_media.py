"""A camera from what the footage tells: EXIF's focal length, a metadata stream's field of view.

Such a camera has no distortion and default sigmas, but its angles are wide: the focal length of a
header is good to a few percent, no more.
"""

from __future__ import annotations

import math
from datetime import UTC
from pathlib import Path
from statistics import median

from patrolvision.errors import ConfigError
from patrolvision.geo.camera import focal_from_hfov
from patrolvision.sources.exif import PhotoFacts, read_facts
from patrolvision.sources.fixes import TelemetryLog
from patrolvision.sources.picture import read_picture
from patrolvision.types import Camera, Lens, Mount, Platform, Sigma

_FULL_FRAME_DIAGONAL_MM = math.hypot(36.0, 24.0)


def camera_from_media(path: Path) -> Camera:
    """The camera of a photo by its EXIF/XMP focal length; ConfigError where it tells none."""
    height, width = read_picture(path).shape[:2]
    camera = camera_from_photo(read_facts(path, UTC), (width, height))
    if camera is None:
        raise ConfigError(
            f"{path.name}: tells no focal length (FocalLengthIn35mmFilm), give a camera file"
        )
    return camera


def camera_from_photo(facts: PhotoFacts, size_wh: tuple[int, int]) -> Camera | None:
    """The camera of an upright picture of this size; None where the photo tells no focal length.

    The 35 mm equivalent goes by the diagonal (CIPA DCG-001).
    """
    focal = facts.focal_px
    if focal is None and facts.focal_35mm_mm:
        focal = facts.focal_35mm_mm / _FULL_FRAME_DIAGONAL_MM * math.hypot(*size_wh)
    if focal is None:
        return None
    return _camera("drone" if facts.is_drone else "car", size_wh, focal)


def camera_from_telemetry(log: TelemetryLog, size_wh: tuple[int, int]) -> Camera | None:
    """The camera of a video whose metadata (MISB) tells its field of view and absolute angles.

    The field of view is the median of the log: a lens that zooms needs a camera file per zoom.
    """
    views = [sample.hfov_deg for sample in log.samples if sample.hfov_deg]
    aimed = any(sample.gimbal_pitch_deg is not None for sample in log.samples)
    if not views or not aimed:
        return None
    return _camera("drone", size_wh, focal_from_hfov(size_wh[0], median(views)))


def _camera(platform: Platform, size_wh: tuple[int, int], focal_px: float) -> Camera:
    width, height = size_wh
    return Camera(
        name="media",
        platform=platform,
        lens=Lens(width, height, focal_px, focal_px, width / 2, height / 2),
        mount=Mount(),
        sigma=Sigma(heading_deg=2.0, pitch_deg=1.0, roll_deg=1.0, pixel=0.01 * width),
    )
