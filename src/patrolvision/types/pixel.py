"""Footage and its pixels: arrays per frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patrolvision.types.names import (
    Datum,
    Image,
    LensModel,
    Platform,
    check,
    check_aware,
    check_position,
)


@dataclass(frozen=True, slots=True)
class Mission:
    """One recording with its surroundings: the unit of work, of retry and of distribution."""

    id: str
    media: str  # a file, a folder of photos, or a stream address
    stream_id: str
    telemetry: Path | None = None  # None: look beside and inside the media
    camera: Path | None = None
    zones: Path | None = None
    grids: Path | None = None
    started_at: datetime | None = None  # instant of the first frame; None: from the media itself
    telemetry_timezone: str | None = None  # IANA name, for telemetry that carries no zone
    telemetry_datum: Datum = "WGS-84"  # of a telemetry file; what is inside the media is WGS-84
    clock_offset_s: float = 0.0  # added to the video's time to get the telemetry's
    input_px: int | None = None  # longer side of what the detector looks at; None: its card's


@dataclass(frozen=True, slots=True)
class TelemetrySample:
    """What a recorder wrote at one instant, untouched; None where the format does not say.

    heading/pitch/roll are the vehicle's; gimbal_* are the camera's own absolute angles.
    alt_takeoff_m is a drone's height above its take-off point, height_m above the ground below.
    """

    at: datetime
    lat_deg: float
    lon_deg: float
    alt_msl_m: float | None = None
    alt_takeoff_m: float | None = None
    height_m: float | None = None
    speed_mps: float | None = None
    course_deg: float | None = None  # direction of travel over the ground
    heading_deg: float | None = None
    pitch_deg: float | None = None
    roll_deg: float | None = None
    gimbal_heading_deg: float | None = None
    gimbal_pitch_deg: float | None = None
    gimbal_roll_deg: float | None = None
    hfov_deg: float | None = None
    sigma_position_m: float | None = None
    sigma_heading_deg: float | None = None

    def __post_init__(self) -> None:
        check_aware(self.at, "at")
        check_position(self.lat_deg, self.lon_deg)


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the camera is and where its optical axis points, at one instant.

    height_m is above the ground below. The sigmas are one standard deviation; sigma_position_m is
    per axis, and it and sigma_heading_deg are mostly shared by a whole pass (a bias, not noise).
    """

    at: datetime
    lat_deg: float
    lon_deg: float
    height_m: float
    heading_deg: float
    pitch_deg: float
    roll_deg: float
    sigma_position_m: float
    sigma_heading_deg: float
    sigma_pitch_deg: float
    sigma_roll_deg: float
    sigma_height_m: float = 0.0
    speed_mps: float | None = None
    course_deg: float | None = None

    def __post_init__(self) -> None:
        check_aware(self.at, "at")
        check_position(self.lat_deg, self.lon_deg)
        values = (self.height_m, self.heading_deg, self.pitch_deg, self.roll_deg)
        check(all(np.isfinite(values)), f"pose must be finite, got {values}")
        sigmas = (
            self.sigma_position_m,
            self.sigma_heading_deg,
            self.sigma_pitch_deg,
            self.sigma_roll_deg,
            self.sigma_height_m,
        )
        check(all(np.isfinite(s) and s >= 0 for s in sigmas), f"sigmas must be >= 0, got {sigmas}")


@dataclass(frozen=True, slots=True)
class Lens:
    """How a pixel becomes a ray; OpenCV's models and order of coefficients.

    brown: k1 k2 p1 p2 k3 (4, 5 or 8 coefficients); fisheye: k1 k2 k3 k4 (equidistant).
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    model: LensModel = "brown"
    distortion: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        check(
            self.width > 0 and self.height > 0,
            f"size must be > 0, got {self.width}x{self.height}",
        )
        check(self.fx > 0 and self.fy > 0, f"focal lengths must be > 0, got {self.fx}, {self.fy}")
        allowed = (0, 4) if self.model == "fisheye" else (0, 4, 5, 8)
        check(
            len(self.distortion) in allowed,
            f"{self.model} takes {allowed} coefficients, got {len(self.distortion)}",
        )


@dataclass(frozen=True, slots=True)
class Mount:
    """How the camera sits on the vehicle; lever arm is right, forward, up from the GNSS antenna."""

    height_m: float = 1.8
    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0
    lever_arm_m: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Sigma:
    """One standard deviation of each thing that makes a place uncertain."""

    position_m: float = 2.5
    heading_deg: float = 1.0
    pitch_deg: float = 0.5
    roll_deg: float = 0.5
    pixel: float = 2.0
    height_m: float = 0.05


@dataclass(frozen=True, slots=True)
class Camera:
    """A lens, how it is mounted, on what, and how far each of these may be trusted."""

    name: str
    platform: Platform
    lens: Lens
    mount: Mount = field(default_factory=Mount)
    sigma: Sigma = field(default_factory=Sigma)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture at one instant. image is (H, W, 3) uint8 BGR, upright (rotation applied)."""

    stream_id: str
    index: int  # position in the source, counting every frame that was read
    captured_at: datetime
    image: Image
    pose: Pose | None = None
    media: str = ""

    def __post_init__(self) -> None:
        check_aware(self.captured_at, "captured_at")
        check(
            self.image.ndim == 3 and self.image.shape[2] == 3 and self.image.dtype == np.uint8,
            f"image must be (H, W, 3) uint8, got {self.image.shape} {self.image.dtype}",
        )


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """The N boxes of one frame, in pixels of that frame: origin top-left, x right, y down."""

    xyxy: NDArray[np.float32]  # (N, 4)
    confidence: NDArray[np.float32]  # (N,) in [0, 1]
    class_id: NDArray[np.int64]  # (N,) index into the model's classes
    track_id: NDArray[np.int64] | None = None  # (N,); -1: not (yet) part of a track

    def __post_init__(self) -> None:
        n = len(self.xyxy)
        check(self.xyxy.shape == (n, 4), f"xyxy must be (N, 4), got {self.xyxy.shape}")
        check(
            self.confidence.shape == (n,), f"confidence must be ({n},), got {self.confidence.shape}"
        )
        check(self.class_id.shape == (n,), f"class_id must be ({n},), got {self.class_id.shape}")
        if self.track_id is not None:
            check(
                self.track_id.shape == (n,), f"track_id must be ({n},), got {self.track_id.shape}"
            )

    def __len__(self) -> int:
        return len(self.xyxy)

    def select(self, index: NDArray[Any]) -> Detections:
        """The detections that a boolean mask or an index array picks, in its order."""
        track_id = None if self.track_id is None else self.track_id[index]
        return Detections(self.xyxy[index], self.confidence[index], self.class_id[index], track_id)

    @staticmethod
    def none() -> Detections:
        """No detections."""
        return Detections(
            np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64)
        )


@dataclass(frozen=True, slots=True)
class FrameCounts:
    """Every frame accounted for: read = analysed + the sum of skipped, by reason."""

    read: int
    analysed: int
    skipped: Mapping[str, int]
    without_pose: int = 0  # of the analysed; reasons are in pose_problems
    pose_problems: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        accounted = self.analysed + sum(self.skipped.values())
        check(self.read == accounted, f"read {self.read} frames but accounted for {accounted}")
