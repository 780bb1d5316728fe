"""Where a vehicle was and which way it moved, from its fixes alone.

Course comes from a straight fit through the positions around an instant. Its error is what the
track's own noise makes of the way covered: sigma = atan(sqrt(2) * sigma_noise / baseline), as if
only the two ends counted, because a receiver's errors are alike from one moment to the next and
do not average out; a turn inside the window is added. Of several windows the one with the least
error is taken.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from patrolvision.geo.geodesy import distance_m
from patrolvision.sources.angles import turn_between
from patrolvision.types import FloatArray

WINDOWS_S = (0.5, 1.0, 2.0, 3.0)  # half widths
MIN_SPEED_MPS = 0.5
MAX_SIGMA_DEG = 30.0
MIN_BASELINE_M = 1.0
MIN_BASELINE_SIGMAS = 6.0  # noise alone covers as much once in 8000 pairs of fixes
NOISE_FLOOR_M = 0.05
REPEAT_S = 1.0  # a recorder may repeat a fix this long before the next one comes
_MAD_TO_SIGMA = 1.4826
_METRES_PER_DEGREE = 111_320.0
_FEWEST_PLACES = 4


@dataclass(frozen=True, slots=True)
class Course:
    """Direction of travel with its sigma, and the speed over the same window."""

    course_deg: float
    sigma_deg: float
    speed_mps: float


class Motion:
    """The positions of one log: times_s rising (N,), lat_deg and lon_deg (N,)."""

    def __init__(
        self,
        times_s: Sequence[float],
        lat_deg: Sequence[float],
        lon_deg: Sequence[float],
        max_gap_s: float,
    ) -> None:
        keep = _fresh(times_s, lat_deg, lon_deg)
        self.times_s = np.asarray(times_s, np.float64)[keep]
        self.lat_deg = np.asarray(lat_deg, np.float64)[keep]
        self.lon_deg = np.unwrap(np.asarray(lon_deg, np.float64)[keep], period=360.0)
        self.max_gap_s = max_gap_s
        self._east_m, self._north_m = _unrolled(self.lat_deg, self.lon_deg)
        self._segment = np.concatenate([[0], np.cumsum(np.diff(self.times_s) > max_gap_s)])
        self.quantum_m = _quantum_m(self.lat_deg, self.lon_deg)
        self.noise_m = self._noise_m()

    def position(self, time_s: float) -> tuple[float, float, float] | None:
        """(lat_deg, lon_deg, sigma_m of interpolating) between two fixes; None in a gap or outside.

        Between fixes a vehicle may speed up or turn by about 1 m/s²: half of that times the time
        from the one fix and to the other bounds the way it can be off the straight line.
        """
        bracket = self._bracket(time_s)
        if bracket is None:
            return None
        i, share = bracket
        step_s = float(self.times_s[i + 1] - self.times_s[i]) if share else 0.0
        if step_s > self.max_gap_s:
            return None
        following = min(i + 1, len(self.times_s) - 1)
        lat = self.lat_deg[i] + share * (self.lat_deg[following] - self.lat_deg[i])
        lon = self.lon_deg[i] + share * (self.lon_deg[following] - self.lon_deg[i])
        bend_m = 0.5 * share * (1.0 - share) * step_s**2
        sigma_m = math.hypot(bend_m, self.quantum_m / math.sqrt(12.0))
        return float(lat), float((lon + 180.0) % 360.0 - 180.0), sigma_m

    def course(self, time_s: float) -> Course | None:
        """The direction of travel at an instant; None when standing still or outside the log."""
        bracket = self._bracket(time_s)
        if bracket is None:
            return None
        found = [self._window_course(time_s, half_s, bracket[0]) for half_s in WINDOWS_S]
        return min((c for c in found if c), key=lambda c: c.sigma_deg, default=None)

    def moved_m(self, first_s: float, second_s: float) -> float:
        """Distance between the places at two instants; infinite where one is unknown."""
        first, second = self.position(first_s), self.position(second_s)
        if first is None or second is None:
            return math.inf
        return float(distance_m(first[0], first[1], second[0], second[1]))

    def _bracket(self, time_s: float) -> tuple[int, float] | None:
        """(index of the fix at or before, share of the way to the next); None outside the log."""
        times = self.times_s
        if not times[0] - 1e-6 <= time_s <= times[-1] + 1e-6:
            return None
        i = int(np.clip(np.searchsorted(times, time_s, "right") - 1, 0, len(times) - 1))
        if i == len(times) - 1 or abs(time_s - times[i]) < 1e-6:
            return i, 0.0
        if abs(time_s - times[i + 1]) < 1e-6:
            return i + 1, 0.0
        return i, float((time_s - times[i]) / (times[i + 1] - times[i]))

    def _window_course(self, time_s: float, half_s: float, i: int) -> Course | None:
        low = int(np.searchsorted(self.times_s, time_s - half_s - 1e-9))
        high = int(np.searchsorted(self.times_s, time_s + half_s + 1e-9, "right"))
        inside = slice(min(low, i), max(high, min(i + 2, len(self.times_s))))
        same = self._segment[inside] == self._segment[i]
        times = self.times_s[inside][same]
        if len(times) < 2:
            return None
        east, north = self._east_m[inside][same], self._north_m[inside][same]
        velocity = _slope(times, east, north)
        speed = math.hypot(*velocity)
        baseline_m = speed * float(times[-1] - times[0])
        if speed < MIN_SPEED_MPS or baseline_m < self._least_baseline_m():
            return None
        noise_deg = math.degrees(math.atan(math.sqrt(2.0) * self.noise_m / baseline_m))
        turn_deg = _turn_sigma_deg(times, east, north, time_s)
        course_deg = math.degrees(math.atan2(*velocity)) % 360.0
        sigma_deg = math.hypot(noise_deg, turn_deg)
        return Course(course_deg, sigma_deg, speed) if sigma_deg <= MAX_SIGMA_DEG else None

    def _least_baseline_m(self) -> float:
        return max(MIN_BASELINE_M, MIN_BASELINE_SIGMAS * self.noise_m)

    def _noise_m(self) -> float:
        """Sigma of one position against its neighbours about a second away, with its rounding.

        The middle of three fixes minus the line through the outer two; the median, so that curves
        count little. Real accelerations are part of it, which errs on the safe side.
        """
        picked = _about_a_second_apart(self.times_s)
        rounding_m = self.quantum_m / math.sqrt(12.0)
        if len(picked) < 3:
            return max(NOISE_FLOOR_M, rounding_m)
        t, east, north = self.times_s[picked], self._east_m[picked], self._north_m[picked]
        share = (t[1:-1] - t[:-2]) / (t[2:] - t[:-2])
        weight = np.sqrt(1.0 + share**2 + (1.0 - share) ** 2)
        off_m = [
            np.abs(way[1:-1] - (way[:-2] + share * (way[2:] - way[:-2]))) / weight
            for way in (east, north)
        ]
        spread_m = _MAD_TO_SIGMA * float(np.median(np.concatenate(off_m)))
        return max(NOISE_FLOOR_M, math.hypot(spread_m, rounding_m))


def _fresh(
    times_s: Sequence[float], lat_deg: Sequence[float], lon_deg: Sequence[float]
) -> list[int]:
    """Indices of fixes that are news: many recorders repeat the last until the next comes."""
    kept = [0]
    for i in range(1, len(times_s)):
        new = lat_deg[i] != lat_deg[kept[-1]] or lon_deg[i] != lon_deg[kept[-1]]
        if new or times_s[i] - times_s[kept[-1]] >= REPEAT_S or i == len(times_s) - 1:
            kept.append(i)
    return kept


def _unrolled(lat_deg: FloatArray, lon_deg: FloatArray) -> tuple[FloatArray, FloatArray]:
    """East and north in metres along the track, summed step by step: exact locally at any length.

    Lengths of a degree: NIMA TR8350.2 series for WGS-84, better than 1 cm per degree.
    """
    middle = np.radians((lat_deg[1:] + lat_deg[:-1]) / 2.0)
    north_m = 111132.954 - 559.822 * np.cos(2 * middle) + 1.175 * np.cos(4 * middle)
    east_m = 111412.84 * np.cos(middle) - 93.5 * np.cos(3 * middle) + 0.118 * np.cos(5 * middle)
    east = np.concatenate([[0.0], np.cumsum(np.diff(lon_deg) * east_m)])
    return east, np.concatenate([[0.0], np.cumsum(np.diff(lat_deg) * north_m)])


def _quantum_m(lat_deg: FloatArray, lon_deg: FloatArray) -> float:
    """The step of positions written with few decimals, in metres of latitude; 0 for six or more.

    Both coordinates must be that coarse, and take several values: a standing vehicle, or one that
    drives due east, says nothing by a latitude that stays the same.
    """
    both = np.stack([lat_deg, lon_deg], axis=1)
    if len(np.unique(both, axis=0)) < _FEWEST_PLACES:
        return 0.0
    for decimals in (3, 4, 5):
        if np.allclose(np.round(both, decimals), both, rtol=0.0, atol=1e-9):
            return float(_METRES_PER_DEGREE * 10.0**-decimals)
    return 0.0


def _about_a_second_apart(times_s: FloatArray) -> list[int]:
    picked = [0]
    for i in range(1, len(times_s)):
        if times_s[i] - times_s[picked[-1]] >= 0.95:
            picked.append(i)
    return picked if len(picked) >= 4 else list(range(len(times_s)))


def _slope(times: FloatArray, east: FloatArray, north: FloatArray) -> tuple[float, float]:
    """Velocity (east, north) in m/s of the straight line fitted to the positions."""
    t = times - times.mean()
    square = float(t @ t)
    if square <= 0.0:
        return 0.0, 0.0
    return float(t @ east) / square, float(t @ north) / square


def _turn_sigma_deg(times: FloatArray, east: FloatArray, north: FloatArray, at_s: float) -> float:
    """What a turn inside the window adds: a sixth of it, more where at_s is off centre."""
    if len(times) < 4:
        return 0.0
    half = len(times) // 2
    first = _slope(times[: half + 1], east[: half + 1], north[: half + 1])
    second = _slope(times[half:], east[half:], north[half:])
    turn_deg = abs(
        turn_between(math.degrees(math.atan2(*first)), math.degrees(math.atan2(*second)))
    )
    length_s = float(times[-1] - times[0])
    off_centre = abs(at_s - float(times[0] + times[-1]) / 2.0) / length_s
    return turn_deg * (1.0 / 6.0 + 2.0 * off_centre)
