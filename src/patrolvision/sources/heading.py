"""A vehicle's heading against the way it went, one straight stretch after the other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from patrolvision.sources.angles import turn_between
from patrolvision.sources.motion import Course, Motion
from patrolvision.types import TelemetrySample

_STEP_S = 0.5  # of looking at heading against course
_MOST_LOOKS = 2000
_LEAST_SPEED_MPS = 2.0
_MOST_COURSE_SIGMA_DEG = 10.0
_LEG_TURN_DEG = 20.0
_LEAST_LEG_S = 3.0
_LEAST_LEG_LOOKS = 4
_MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True, slots=True)
class Leg:
    """A straight stretch; offset_deg is heading minus course in [-180, 180), spread_deg its MAD.

    The spread is scaled to one sigma of a normal distribution.
    """

    begin_s: float
    end_s: float
    course_deg: float
    speed_mps: float
    offset_deg: float
    spread_deg: float


@dataclass(slots=True)
class _Looks:
    """Heading and course at some instants of one straight stretch."""

    times_s: list[float] = field(default_factory=list)
    courses_deg: list[float] = field(default_factory=list)
    speeds_mps: list[float] = field(default_factory=list)
    offsets_deg: list[float] = field(default_factory=list)

    def takes(self, time_s: float, course: Course, max_gap_s: float) -> bool:
        if not self.times_s:
            return True
        turn_deg = turn_between(_mean_deg(self.courses_deg), course.course_deg)
        return abs(turn_deg) <= _LEG_TURN_DEG and time_s - self.times_s[-1] <= max_gap_s

    def add(self, time_s: float, course: Course, heading_deg: float) -> None:
        self.times_s.append(time_s)
        self.courses_deg.append(course.course_deg)
        self.speeds_mps.append(course.speed_mps)
        self.offsets_deg.append(turn_between(course.course_deg, heading_deg))

    def leg(self) -> Leg | None:
        if len(self.times_s) < _LEAST_LEG_LOOKS:
            return None
        if self.times_s[-1] - self.times_s[0] < _LEAST_LEG_S:
            return None
        course = _mean_deg(self.courses_deg) % 360.0
        offset = circular_median(self.offsets_deg)
        return Leg(self.times_s[0], self.times_s[-1], course, median(self.speeds_mps), *offset)


def legs_of(
    samples: Sequence[TelemetrySample],
    times: Sequence[float],
    kept: Sequence[int],
    heading: str,
    motion: Motion,
) -> tuple[tuple[Leg, ...], tuple[float, float] | None]:
    """(the straight stretches, (median, spread) of heading minus course over all of them)."""
    step_s = max(_STEP_S, (times[-1] - times[0]) / _MOST_LOOKS)
    stretches, next_s = [_Looks()], -math.inf
    for i in kept:
        value: float | None = getattr(samples[i], heading)
        if value is None or times[i] < next_s - 1e-6:
            continue
        next_s = times[i] + step_s
        course = motion.course(times[i])
        is_straight = course is not None and course.sigma_deg <= _MOST_COURSE_SIGMA_DEG
        if course is None or not is_straight or course.speed_mps <= _LEAST_SPEED_MPS:
            continue
        if not stretches[-1].takes(times[i], course, max(motion.max_gap_s, 2.0 * step_s)):
            stretches.append(_Looks())
        stretches[-1].add(times[i], course, value)
    found = [(looks, leg) for looks in stretches if (leg := looks.leg())]
    offsets = [deg for looks, _ in found for deg in looks.offsets_deg]
    return tuple(leg for _, leg in found), circular_median(offsets) if offsets else None


def circular_median(angles_deg: Sequence[float]) -> tuple[float, float]:
    """(median in [-180, 180), spread as 1.4826 times the median absolute deviation) of angles.

    The median is taken of the turns from the circular mean, which is exact while half of the
    angles lie within 180 degrees of it.
    """
    mean = _mean_deg(angles_deg)
    middle = mean + median(turn_between(mean, angle) for angle in angles_deg)
    spread = median(abs(turn_between(middle, angle)) for angle in angles_deg)
    return turn_between(0.0, middle), _MAD_TO_SIGMA * spread


def _mean_deg(angles_deg: Sequence[float]) -> float:
    radians = np.radians(angles_deg)
    return math.degrees(math.atan2(float(np.sin(radians).sum()), float(np.cos(radians).sum())))
