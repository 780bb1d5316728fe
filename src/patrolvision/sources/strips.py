"""What overlapping pictures from above say of the telemetry: wrong headings, stale fixes, heights.

Two pictures of the same ground tell, by themselves, which way and how far the camera went between
them, as seen from the camera. The fixes tell the same in north and east. Where both are right the
two ways agree; the angle between them is the error of the stated heading, their ratio that of the
stated height, and a way in the pictures without one in the fixes is a fix that was repeated.
Angles are those of complex numbers north + i east, so that they grow clockwise as headings do.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np

from patrolvision.geo.attitude import enu_from_camera
from patrolvision.geo.camera import rays_from_pixels
from patrolvision.geo.geodesy import local_en
from patrolvision.geo.ground import meet_flat
from patrolvision.sources.angles import turn_between
from patrolvision.sources.overlap import Overlap
from patrolvision.types import FloatArray, Lens, Pose

STEEPEST_PITCH_DEG = -30.0  # above it most of the picture is no plane
GRID = 7
FEWEST_POINTS = 6
FARTHEST_HEIGHTS = 4.0
FIX_SIGMA_M = 1.0  # of one fix against the next of the same flight
TILT_SIGMA_M = 0.02  # per metre of height, from one picture to the next
WRONG_DEG = 20.0  # a heading that is off by less is left to its sigma
AGREE_DEG = 25.0
HEADING_SIGMA_DEG = 2.0
RATIO_LIMITS = (0.5, 2.0)  # of the fixes' way to the pictures'
LEAST_WAY_M = 3.0  # a way in the pictures below this proves nothing
JUMP_M = 15.0
HEIGHT_OFF = 0.1
HEIGHT_PAIRS = 4
_MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True, slots=True)
class Pair:
    """Two overlapping pictures. The heading errors are what must be added to the stated ones.

    way is by the pictures as the first heading is stated, base_m by the fixes, both in metres;
    sigma_deg of first_error_deg.
    """

    first: int
    second: int
    first_error_deg: float
    second_error_deg: float
    sigma_deg: float
    way: complex
    base_m: float

    @property
    def way_m(self) -> float:
        """The length of the way."""
        return abs(self.way)

    @property
    def ratio(self) -> float:
        """base_m over way_m."""
        return self.base_m / max(self.way_m, 1e-6)

    @property
    def tells_heading(self) -> bool:
        """Whether the two ways are long enough, and like enough, to be compared by direction."""
        is_long = self.sigma_deg < AGREE_DEG and self.way_m > LEAST_WAY_M
        return is_long and RATIO_LIMITS[0] <= self.ratio <= RATIO_LIMITS[1]


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What is to be done: heading errors to add with their sigmas (degrees), fixes not to use.

    headed are the pictures whose heading the ground confirms or corrects.
    height_ratio times the stated height is what the pictures say, with its sigma; None where they
    say nothing against it.
    """

    turned: Mapping[int, tuple[float, float]]
    stale: frozenset[int]
    jumped: frozenset[int]
    height_ratio: tuple[float, float] | None
    headed: frozenset[int]


def compare(
    lens: Lens, first: Pose, second: Pose, overlap: Overlap, indices: tuple[int, int]
) -> Pair | None:
    """The pair as pictures and fixes have it; None where the pictures do not look down enough."""
    if max(first.pitch_deg, second.pitch_deg) > STEEPEST_PITCH_DEG:
        return None
    here = _grid(lens)
    there = overlap.carried(here)
    inside = np.isfinite(there).all(axis=1)
    inside &= (there >= 0).all(axis=1) & (there < [lens.width, lens.height]).all(axis=1)
    if inside.sum() < FEWEST_POINTS:
        return None
    seen_first = _ground(lens, first, here[inside])
    seen_second = _ground(lens, second, there[inside])
    near = np.isfinite(seen_first) & np.isfinite(seen_second)
    near &= abs(seen_first) < FARTHEST_HEIGHTS * first.height_m
    near &= abs(seen_second) < FARTHEST_HEIGHTS * second.height_m
    if near.sum() < FEWEST_POINTS:
        return None
    a, b = seen_first[near], seen_second[near]
    turn = cmath.phase(complex(np.sum((a - a.mean()) * np.conj(b - b.mean()))))
    way = complex(a.mean() - cmath.exp(1j * turn) * b.mean())
    base = between(first, second)
    shorter_m = max(min(abs(way), abs(base)), 1e-6)
    noise_m = math.hypot(math.sqrt(2.0) * FIX_SIGMA_M, TILT_SIGMA_M * first.height_m)
    error = math.degrees(cmath.phase(base / way)) if abs(way) > 1e-6 else 0.0
    return Pair(
        *indices,
        first_error_deg=turn_between(0.0, error),
        second_error_deg=turn_between(0.0, error + math.degrees(turn)),
        sigma_deg=math.degrees(math.atan(noise_m / shorter_m)),
        way=way,
        base_m=abs(base),
    )


def between(first: Pose, second: Pose) -> complex:
    """From fix to fix, north + i east, metres."""
    east, north = local_en(first.lat_deg, first.lon_deg, second.lat_deg, second.lon_deg)
    return complex(float(north), float(east))


def judged(pairs: Sequence[Pair], heights_m: Mapping[int, float]) -> Verdicts:
    """What the pairs together say; heights_m is each picture's stated height above the ground."""
    stale = _stale(pairs)
    trusted = [p for p in pairs if p.first not in stale and p.second not in stale]
    jumped = _jumped(trusted, heights_m)
    trusted = [p for p in trusted if p.first not in jumped and p.second not in jumped]
    headed = frozenset(k for p in trusted if p.tells_heading for k in (p.first, p.second))
    return Verdicts(_turned(trusted), stale, jumped, _height_ratio(trusted), headed)


def corrected(pose: Pose, index: int, verdicts: Verdicts) -> Pose | str:
    """The pose after what the pictures said of it, or why there is none."""
    if index in verdicts.stale:
        return "stale fix"
    if index in verdicts.jumped:
        return "jump in telemetry"
    if verdicts.height_ratio is not None:
        ratio, sigma = verdicts.height_ratio
        height = pose.height_m * ratio
        pose = replace(pose, height_m=height, sigma_height_m=max(1.0, sigma * height))
    if index in verdicts.turned:
        error, sigma = verdicts.turned[index]
        heading = (pose.heading_deg + error) % 360.0
        pose = replace(pose, heading_deg=heading, sigma_heading_deg=sigma)
    return pose


def _grid(lens: Lens) -> FloatArray:
    x = np.linspace(0.05, 0.95, GRID) * lens.width
    y = np.linspace(0.05, 0.95, GRID) * lens.height
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


def _ground(lens: Lens, pose: Pose, pixels: FloatArray) -> FloatArray:
    """Where pixels (N, 2) meet level ground, from below the camera, as complex north + i east."""
    rotation = enu_from_camera(pose.heading_deg, pose.pitch_deg, pose.roll_deg)
    east, north = meet_flat(rays_from_pixels(lens, pixels) @ rotation.T, pose.height_m).T
    return np.asarray(north + 1j * east)


def _stale(pairs: Sequence[Pair]) -> frozenset[int]:
    """The later of two pictures in a row that have exactly one fix, and a way between them."""
    return frozenset(
        pair.second
        for pair in pairs
        if pair.second == pair.first + 1 and pair.base_m < 1e-3 and pair.way_m > LEAST_WAY_M
    )


def _jumped(pairs: Sequence[Pair], heights_m: Mapping[int, float]) -> frozenset[int]:
    """Pictures whose fix fits none of at least two others, which fit each other."""
    errors = _errors_said(pairs)
    fits: dict[int, list[bool]] = {}
    for pair in pairs:
        slack_m = max(JUMP_M, 0.3 * heights_m.get(pair.first, 0.0))
        fit = abs(pair.base_m - pair.way_m) <= slack_m or pair.tells_heading
        for index, other in ((pair.first, pair.second), (pair.second, pair.first)):
            fits.setdefault(index, []).append(fit and not _is_at_odds(errors, index, other))
    fitting = {index for index, found in fits.items() if any(found)}
    return frozenset(
        index for index, found in fits.items() if len(found) >= 2 and not any(found) and fitting
    )


Said = Mapping[int, Mapping[int, tuple[float, float]]]  # picture -> partner -> error, its sigma


def _errors_said(pairs: Sequence[Pair]) -> Said:
    """What each picture's heading error is by each of its pairs that tell one, in degrees."""
    said: dict[int, dict[int, tuple[float, float]]] = {}
    for pair in pairs:
        if pair.tells_heading:
            said.setdefault(pair.first, {})[pair.second] = pair.first_error_deg, pair.sigma_deg
            said.setdefault(pair.second, {})[pair.first] = pair.second_error_deg, pair.sigma_deg
    return said


def _agree(a: tuple[float, float], b: tuple[float, float]) -> bool:
    """Whether two heading errors with their sigmas may be one."""
    return abs(turn_between(a[0], b[0])) <= max(AGREE_DEG, 3.0 * max(a[1], b[1]))


def _is_borne_out(said: Said, index: int, other: int, apart_from: int) -> bool:
    """Whether the heading error that a pair gives a picture is what a third picture gives it."""
    third = [e for k, e in said[index].items() if k not in (other, apart_from)]
    return any(_agree(said[index][other], error) for error in third)


def _is_at_odds(said: Said, index: int, other: int) -> bool:
    """Whether a picture makes wrong another's heading that third ones bear out.

    A fix thrown along the way may lie as far from the next ones as it should, on their other side.
    """
    of_other = said.get(other, {})
    if index not in of_other:
        return False
    borne_out = [
        error
        for partner, error in of_other.items()
        if partner != index and _is_borne_out(said, partner, other, index)
    ]
    return bool(borne_out) and not any(_agree(of_other[index], error) for error in borne_out)


def _turned(pairs: Sequence[Pair]) -> dict[int, tuple[float, float]]:
    """Pictures whose heading is proved wrong: its error and the sigma of that."""
    found = {}
    for index, by_partner in _errors_said(pairs).items():
        errors = list(by_partner.values())
        together = sum(cmath.rect(sigma**-2, math.radians(error)) for error, sigma in errors)
        error = math.degrees(cmath.phase(together))
        sigma = math.sqrt(1.0 / sum(sigma**-2 for _, sigma in errors))
        agree = [abs(turn_between(error, e)) <= max(AGREE_DEG, 3.0 * s) for e, s in errors]
        if all(agree) and abs(error) > max(WRONG_DEG, 3.0 * sigma):
            found[index] = error, math.hypot(sigma, HEADING_SIGMA_DEG)
    return found


def _height_ratio(pairs: Sequence[Pair]) -> tuple[float, float] | None:
    """The stated heights' common error as a factor, where enough pairs agree on one."""
    ratios = [p.ratio for p in pairs if p.tells_heading]
    if len(ratios) < HEIGHT_PAIRS:
        return None
    middle = median(ratios)
    spread = _MAD_TO_SIGMA * median(abs(r - middle) for r in ratios)
    sigma = spread / math.sqrt(len(ratios))
    is_off = abs(middle - 1.0) > max(HEIGHT_OFF, 4.0 * sigma)
    return (middle, max(sigma, 0.02)) if is_off else None
