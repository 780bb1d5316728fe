"""What a pass could have seen: the ground under its pictures, as Looks of a few seconds each.

The memory of one stream, beside observe.py: a look that showed nothing where something stood is
evidence that it is gone, so a look claims too little rather than too much.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from patrolvision.geo.camera import scaled_lens
from patrolvision.geo.footprint import Ring, centroid, convex_hull, footprint, is_inside
from patrolvision.geo.geodesy import local_en, offset
from patrolvision.types import VEHICLE_CLASSES, Camera, FloatArray, Frame, Lens, Look, Pose

HAZARD_CLASSES = frozenset({"litter", "fire", "smoke"}) | VEHICLE_CLASSES
_DIGITS = 7  # of a degree: a centimetre, far below any pose's error


@dataclass(frozen=True, slots=True)
class CoverageSettings:
    """How far a picture shows the smallest hazard, litter, and how pictures join into one look."""

    reach_car_m: float = 20.0  # litter ahead of a car: beyond, it is a few flat pixels
    reach_drone_m: float = 100.0
    coarsest_m_per_px: float = 0.05  # a bag of 0.4 m is 8 pixels, about the least a detector finds
    # Parked cars hide the kerb and a detector misses things: one look in two sees what is there.
    detection_probability: float = 0.5
    longest_s: float = 5.0
    longest_standing_s: float = 60.0  # a camera that waits sees one place for long
    standing_m: float = 1.0
    largest_turn_deg: float = 20.0  # the hull of a sharper bend holds ground that nobody saw
    largest_gap_s: float = 1.0
    every_s: float = 0.2  # pictures closer in time show the same ground


@dataclass(slots=True)
class _Sweep:
    """The look that is being made; the outline (K, 2) is in metres around the first pose."""

    first: Pose
    start: datetime
    end: datetime
    outline: FloatArray


class CoverageBook:
    """The looks of one stream; which classes they speak of are the detector's hazard classes."""

    def __init__(
        self,
        mission_id: str,
        camera: Camera,
        classes: tuple[str, ...],
        settings: CoverageSettings | None = None,
        *,
        hazards: frozenset[str] = HAZARD_CLASSES,
    ) -> None:
        self._mission_id = mission_id
        self._camera = camera
        self._classes = hazards & set(classes)
        self._settings = settings or CoverageSettings()
        self._sweep: _Sweep | None = None
        self._finished: list[Look] = []
        self._count = 0

    def add(self, frame: Frame) -> None:
        """Remember what a frame shows of the ground; frames come in order of time."""
        sweep, at = self._sweep, frame.captured_at
        if sweep is not None and (at - sweep.end).total_seconds() > self._settings.largest_gap_s:
            self._end()
            sweep = None
        if sweep is not None and (at - sweep.end).total_seconds() < self._settings.every_s:
            return
        ring = None if frame.pose is None else self._ring(frame, frame.pose)
        if frame.pose is None or ring is None:
            return
        if sweep is not None and self._goes_on(sweep, frame.pose, at, ring):
            outline = np.concatenate([sweep.outline, _around(sweep.first, ring)])
            sweep.outline, sweep.end = convex_hull(outline), at
        else:
            self._end()
            self._sweep = _Sweep(frame.pose, at, at, _around(frame.pose, ring))

    def finished(self) -> list[Look]:
        """The looks that ended since they were last asked for, in order of time."""
        finished, self._finished = self._finished, []
        return finished

    def flush(self) -> list[Look]:
        """The same at the end of the stream, with the last one."""
        self._end()
        return self.finished()

    def _ring(self, frame: Frame, pose: Pose) -> Ring | None:
        height, width = frame.image.shape[:2]
        lens = self._camera.lens
        if (width, height) != (lens.width, lens.height):
            lens = scaled_lens(lens, width, height)
        return footprint(lens, pose, reach_m(lens, pose.height_m, self._farthest_m, self._settings))

    @property
    def _farthest_m(self) -> float:
        is_drone = self._camera.platform == "drone"
        return self._settings.reach_drone_m if is_drone else self._settings.reach_car_m

    def _goes_on(self, sweep: _Sweep, pose: Pose, at: datetime, ring: Ring) -> bool:
        """Whether a picture joins the look: soon, straight on, and half over what it showed."""
        s, first = self._settings, sweep.first
        lasted_s = (at - sweep.start).total_seconds()
        moved_m = math.hypot(*map(float, _offset_m(first, pose)))
        turned_deg = abs((pose.heading_deg - first.heading_deg + 180.0) % 360.0 - 180.0)
        longest_s = s.longest_standing_s if moved_m <= s.standing_m else s.longest_s
        middle = centroid(_around(first, ring))
        return (
            lasted_s <= longest_s
            and turned_deg <= s.largest_turn_deg
            and is_inside(sweep.outline, middle)
        )

    def _end(self) -> None:
        sweep, self._sweep = self._sweep, None
        if sweep is None or not self._classes:
            return
        lat, lon = offset(
            sweep.first.lat_deg, sweep.first.lon_deg, sweep.outline[:, 0], sweep.outline[:, 1]
        )
        ring = zip(np.round(lat, _DIGITS), np.round(lon, _DIGITS), strict=True)
        look = Look(
            id=f"{self._mission_id}-look-{self._count}",
            mission_id=self._mission_id,
            start=sweep.start,
            end=sweep.end,
            classes=self._classes,
            polygon=tuple((float(a), float(b)) for a, b in ring),
            detection_probability=self._settings.detection_probability,
        )
        self._count += 1
        self._finished.append(look)


def reach_m(lens: Lens, height_m: float, farthest_m: float, settings: CoverageSettings) -> float:
    """How far along the ground a picture is still fine enough; 0 where it is so nowhere.

    The ground sampling of a pixel across the line of sight is its straight distance over the focal
    length in pixels.
    """
    straight_m = settings.coarsest_m_per_px * min(lens.fx, lens.fy)
    if straight_m <= height_m:
        return 0.0
    return min(farthest_m, math.sqrt(straight_m**2 - height_m**2))


def _offset_m(first: Pose, pose: Pose) -> tuple[FloatArray, FloatArray]:
    return local_en(first.lat_deg, first.lon_deg, pose.lat_deg, pose.lon_deg)


def _around(first: Pose, ring: Ring) -> FloatArray:
    """A ring as (K, 2) metres east and north of a pose."""
    corners = np.array(ring, np.float64)
    return np.stack(local_en(first.lat_deg, first.lon_deg, corners[:, 0], corners[:, 1]), axis=-1)
