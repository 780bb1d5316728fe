"""What a recording's own pictures say of its telemetry and its camera's mount.

Pictures that turn before or after the telemetry does tell by how much its clock is off. A camera
that drives straight on sees where it goes: if that is not where mount and heading say, the mount
(or the compass) is off by so much. Both come with a sigma and are reported, or taken as the
mission's own when it asks to be calibrated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import pairwise
from statistics import median

import numpy as np

from patrolvision.geo.attitude import enu_from_camera
from patrolvision.sources.angles import turn_between
from patrolvision.sources.flow import FlowMeter
from patrolvision.types import Camera, FloatArray, Frame, Mission, Pose

LEAST_STEP_S = 0.15  # closer pictures hardly differ, and cost as much
LONGEST_STEP_S = 0.6  # between two pictures that are compared
LONGEST_OFFSET_S = 3.0
GRID_S = 0.05
LEAST_SPAN_S = 8.0
LEAST_TURN_DPS = 1.5  # standard deviation of the turn rate: below, nothing shows the time
LEAST_LIKENESS = 0.7  # correlation of the two turn rates at its best
LEAST_SPEED_MPS = 3.0
STRAIGHT_DPS = 1.5
LEAST_FOCI = 15
INDEPENDENT_S = 1.0  # a suspension's swing: foci closer in time repeat each other's error
MOST_PAIRS = 600
_MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with one sigma."""

    value: float
    sigma: float

    @property
    def is_sure(self) -> bool:
        """Whether it differs from 0 by more than chance."""
        return abs(self.value) > 3.0 * self.sigma


@dataclass(frozen=True, slots=True)
class SelfCheck:
    """None: the recording does not show it.

    clock_offset_s is to be added to the video's time; yaw and pitch errors, in degrees, to the
    camera's mount.
    """

    clock_offset_s: Estimate | None = None
    yaw_error_deg: Estimate | None = None
    pitch_error_deg: Estimate | None = None

    def notes(self, name: str) -> list[str]:
        """Sentences on what is surely off."""
        found = []
        offset, yaw, pitch = self.clock_offset_s, self.yaw_error_deg, self.pitch_error_deg
        if offset is not None and offset.is_sure and abs(offset.value) > 0.1:
            found.append(
                f"{name}: the pictures turn {offset.value:+.2f} ± {offset.sigma:.2f} s against the "
                "telemetry (clock_offset_s)"
            )
        if yaw is not None and yaw.is_sure and abs(yaw.value) > 0.5:
            found.append(
                f"{name}: the camera looks {yaw.value:+.1f} ± {yaw.sigma:.1f} degrees to the right "
                "of what mount and heading say (mount.yaw_deg)"
            )
        if pitch is not None and pitch.is_sure and abs(pitch.value) > 0.3:
            found.append(
                f"{name}: the camera looks {pitch.value:+.1f} ± {pitch.sigma:.1f} degrees above "
                "what the mount says (mount.pitch_deg)"
            )
        return found


@dataclass(slots=True)
class _Series:
    times_s: list[float] = field(default_factory=list)
    picture_dps: list[float] = field(default_factory=list)


def calibrated(
    mission: Mission, camera: Camera | None, check: SelfCheck
) -> tuple[Mission, Camera | None]:
    """The mission's clock and the camera's mount with what is surely off put right."""
    offset = check.clock_offset_s
    if offset is not None and offset.is_sure:
        mission = replace(mission, clock_offset_s=mission.clock_offset_s + offset.value)
    if camera is None:
        return mission, camera
    mount, sigma = camera.mount, camera.sigma
    if (yaw := check.yaw_error_deg) is not None and yaw.is_sure:
        mount = replace(mount, yaw_deg=mount.yaw_deg + yaw.value)
        sigma = replace(sigma, heading_deg=max(sigma.heading_deg, yaw.sigma))
    if (pitch := check.pitch_error_deg) is not None and pitch.is_sure:
        mount = replace(mount, pitch_deg=mount.pitch_deg + pitch.value)
        sigma = replace(sigma, pitch_deg=max(sigma.pitch_deg, pitch.sigma))
    return mission, replace(camera, mount=mount, sigma=sigma)


class SelfChecker:
    """Watches one recording's frames as they come; without a camera it knows nothing."""

    def __init__(self, camera: Camera | None) -> None:
        self._camera = camera
        self._meter = None if camera is None else FlowMeter(camera.lens)
        self._last: Frame | None = None
        self._began: datetime | None = None
        self._turns = _Series()
        self._headings: list[tuple[float, float]] = []
        self._foci: list[tuple[float, float, float]] = []  # time, yaw error, pitch error

    def add(self, frame: Frame) -> None:
        """Compare every other frame with the one before."""
        if self._meter is None or len(self._turns.times_s) >= MOST_PAIRS:
            return
        if self._last is not None:
            step_s = (frame.captured_at - self._last.captured_at).total_seconds()
            if 0.0 <= step_s < LEAST_STEP_S:
                return
        self._began = self._began or frame.captured_at
        last, self._last = self._last, frame
        pose = frame.pose
        motion = self._meter.update(frame.image, -5.0 if pose is None else pose.pitch_deg)
        now_s = (frame.captured_at - self._began).total_seconds()
        if pose is not None:
            self._headings.append((now_s, pose.heading_deg))
        if last is None or motion is None:
            return
        step_s = (frame.captured_at - last.captured_at).total_seconds()
        if not 0.0 < step_s <= LONGEST_STEP_S:
            return
        self._turns.times_s.append(now_s - step_s / 2)
        self._turns.picture_dps.append(motion.turn_deg / step_s)
        if motion.foe_deg is not None and pose is not None and last.pose is not None:
            error = self._mount_error(last.pose, pose, step_s, motion.turn_deg, motion.foe_deg)
            if error is not None:
                self._foci.append((now_s, *error))

    def report(self) -> SelfCheck:
        """What is known by now."""
        yaw, pitch = self._mount()
        return SelfCheck(self._clock(), yaw, pitch)

    def _mount_error(
        self,
        before: Pose,
        pose: Pose,
        step_s: float,
        turn_deg: float,
        foe_deg: tuple[float, float],
    ) -> tuple[float, float] | None:
        """(yaw, pitch) of the camera against what it should be, from one straight step."""
        if self._camera is None or self._camera.platform != "car":
            return None
        if pose.course_deg is None or pose.speed_mps is None:
            return None
        told_dps = turn_between(before.heading_deg, pose.heading_deg) / step_s
        is_straight = abs(told_dps) < STRAIGHT_DPS and abs(turn_deg / step_s) < STRAIGHT_DPS
        if pose.speed_mps < LEAST_SPEED_MPS or not is_straight:
            return None
        course = math.radians(pose.course_deg)
        ahead = np.array([math.sin(course), math.cos(course), 0.0])
        right, down, forward = ahead @ enu_from_camera(
            pose.heading_deg, pose.pitch_deg, pose.roll_deg
        )
        if forward <= 0.1:
            return None
        told_right = math.degrees(math.atan2(right, forward))
        told_up = math.degrees(math.atan2(-down, forward))
        # seen farther right than told: the camera looks farther left
        return told_right - foe_deg[0], told_up - foe_deg[1]

    def _mount(self) -> tuple[Estimate | None, Estimate | None]:
        if len(self._foci) < LEAST_FOCI:
            return None, None
        times = np.array([t for t, _, _ in self._foci])
        independent = max(len(set((times // INDEPENDENT_S).tolist())), 1)
        return (
            _middle([yaw for _, yaw, _ in self._foci], independent),
            _middle([pitch for _, _, pitch in self._foci], independent),
        )

    def _clock(self) -> Estimate | None:
        """The shift at which the telemetry's turn rate is most like the pictures'."""
        told = _rates(self._headings)
        if told is None or len(self._turns.times_s) < 10:
            return None
        times, rates = told
        seen_t, seen = np.array(self._turns.times_s), np.array(self._turns.picture_dps)
        span_s = min(times[-1], seen_t[-1]) - max(times[0], seen_t[0])
        if span_s < LEAST_SPAN_S or min(rates.std(), seen.std()) < LEAST_TURN_DPS:
            return None
        reach_s = min(LONGEST_OFFSET_S, span_s / 4)
        shifts = np.arange(-reach_s, reach_s + GRID_S / 2, GRID_S)
        likeness = np.array([_likeness(seen_t, seen, times, rates, s) for s in shifts])
        best = int(np.nanargmax(likeness))
        if not 0 < best < len(shifts) - 1 or likeness[best] < LEAST_LIKENESS:
            return None
        a, b, c = likeness[best - 1 : best + 2]
        bend = a - 2 * b + c
        if bend >= -1e-9:
            return None
        value = shifts[best] + GRID_S * 0.5 * (a - c) / bend
        # of a correlation's peak: var = (1 - r²) / (n r |r''|), n of independent samples
        independent = max(span_s / INDEPENDENT_S, 3.0)
        variance = (1 - b**2) / (independent * b * abs(bend) / GRID_S**2)
        return Estimate(float(value), float(math.sqrt(max(variance, 0.0) + (GRID_S / 2) ** 2)))


def _rates(headings: list[tuple[float, float]]) -> tuple[FloatArray, FloatArray] | None:
    """(times, turn rates in degrees a second) between poses that follow each other closely."""
    rows = [
        ((a + b) / 2, turn_between(first, second) / (b - a))
        for (a, first), (b, second) in pairwise(headings)
        if 0.0 < b - a <= LONGEST_STEP_S
    ]
    if len(rows) < 10:
        return None
    found = np.array(rows)
    return found[:, 0], found[:, 1]


def _likeness(
    seen_t: FloatArray, seen: FloatArray, told_t: FloatArray, told: FloatArray, shift_s: float
) -> float:
    """Correlation of what is seen at t with what is told at t + shift."""
    inside = (seen_t + shift_s >= told_t[0]) & (seen_t + shift_s <= told_t[-1])
    if inside.sum() < 10:
        return -1.0
    there = np.interp(seen_t[inside] + shift_s, told_t, told)
    a, b = seen[inside] - seen[inside].mean(), there - there.mean()
    power = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / power if power > 0 else -1.0


def _middle(values: list[float], independent: int) -> Estimate:
    """The median with its sigma, 1.2533 times that of a mean (for a normal distribution)."""
    middle = median(values)
    spread = _MAD_TO_SIGMA * median(abs(v - middle) for v in values)
    return Estimate(middle, max(1.2533 * spread / math.sqrt(independent), 0.05))
