"""Places and headings of one flight's photos from all fixes and all shared ground at once.

A fix may be a metre beside the next one, while two pictures of one ground tell to a decimetre how
the camera went from one to the other. So the fixes say where the flight was, the pictures how its
photos lie to each other (bundle adjustment of camera poses alone, with level ground: Triggs et al.,
Bundle Adjustment - A Modern Synthesis, 2000). Without it a vehicle that stands seems to move from
photo to photo, and beside its neighbour in a row it is taken for another one.

How far to trust each is measured, not assumed: a fix that is off is off for all ways that start or
end there, what a picture is off is off for one. Fixes that agree with the pictures are left as they
are.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from statistics import median

import numpy as np
from numpy.typing import NDArray

from patrolvision.geo.geodesy import local_en, offset
from patrolvision.sources.strips import LEAST_WAY_M, Pair, Verdicts
from patrolvision.types import FloatArray, Pose

Plane = NDArray[np.complex128]  # north + i east, metres

LEAST_NOISE_M = 0.25  # of fixes, per axis: below it they are good enough
LEAST_PRODUCTS = 6  # pairs of ways that meet in a photo, by which the noise is measured
LEAST_COSINE = 0.5  # between two such ways
PAIR_SIGMA_M = 0.1  # at the least
TURN_SIGMA_RAD = math.radians(0.7)  # between two pictures
SCALE_SIGMA = 0.05
BLOCK = 250  # photos that are solved for together: a second of work
ROUNDS = 4
HUBER = 2.0  # sigmas beyond which a statement counts less (P. Huber, 1964)


def adjusted(
    poses: Sequence[Pose | str], pairs: Sequence[Pair], verdicts: Verdicts
) -> tuple[tuple[Pose | str, ...], float | None]:
    """(the poses at the places on which fixes and pictures agree best, sigma of the fixes in m).

    poses are as `strips.corrected` leaves them; None where the fixes were good enough, or nothing
    tells.
    """
    usable = [p for p in pairs if not isinstance(poses[p.first], str)
              and not isinstance(poses[p.second], str)]  # fmt: skip
    ways = _ways(usable, verdicts)
    noise = _noise(poses, ways)
    if noise is None:
        return tuple(poses), None
    found = list(poses)
    for start in range(0, len(poses), BLOCK):
        block = range(start, min(start + BLOCK, len(poses)))
        within = [p for p in usable if p.first in block and p.second in block]
        found = _block_solved(found, within, ways, verdicts, noise)
    return tuple(found), noise[0]


def _ways(pairs: Sequence[Pair], verdicts: Verdicts) -> dict[tuple[int, int], complex]:
    """(first, second) -> from camera to camera by the pictures, north + i east, metres."""
    ratio = 1.0 if verdicts.height_ratio is None else verdicts.height_ratio[0]
    return {
        (pair.first, pair.second): pair.way * cmath.exp(1j * _turned(pair.first, verdicts)) * ratio
        for pair in pairs
    }


def _turned(index: int, verdicts: Verdicts) -> float:
    """By how much a heading was corrected already, radians."""
    return math.radians(verdicts.turned.get(index, (0.0, 0.0))[0])


def _between(first: Pose, second: Pose) -> complex:
    east, north = local_en(first.lat_deg, first.lon_deg, second.lat_deg, second.lon_deg)
    return complex(float(north), float(east))


def _noise(
    poses: Sequence[Pose | str], ways: Mapping[tuple[int, int], complex]
) -> tuple[float, float] | None:
    """Sigmas per axis, metres: of a fix against its neighbours, of a way by the pictures.

    Of what remains between fixes and pictures only the part along the way counts, less what their
    scales differ by: a heading or a height that is a little off leaves it alone. Two ways that meet
    in a photo share its fix and nothing else.
    """
    long = {
        (i, j): (way, _between(first, second))
        for (i, j), way in ways.items()
        if isinstance(first := poses[i], Pose) and isinstance(second := poses[j], Pose)
        and abs(way) > LEAST_WAY_M
    }  # fmt: skip
    scale = median([abs(base) / abs(way) for way, base in long.values()] or [1.0])
    rest: list[float] = []
    at: dict[int, list[tuple[complex, float]]] = {}  # photo -> direction from it, what remains
    for (i, j), (way, base) in long.items():
        along = way / abs(way)
        off = (base * along.conjugate()).real - scale * abs(way)
        rest.append(off)
        at.setdefault(i, []).append((along, off))
        at.setdefault(j, []).append((-along, off))
    products, shares = [], []
    for ends in at.values():
        for (one, off), (other, other_off) in combinations(ends, 2):
            cosine = (one * other.conjugate()).real
            if abs(cosine) > LEAST_COSINE:
                products.append(off * other_off * cosine)
                shares.append(cosine**2)
    if len(products) < LEAST_PRODUCTS:
        return None
    of_fixes = sum(products) / sum(shares)
    if of_fixes < LEAST_NOISE_M**2:
        return None
    of_pairs = float(np.mean(np.square(rest))) - 2 * of_fixes
    return math.sqrt(of_fixes), math.sqrt(max(of_pairs, PAIR_SIGMA_M**2))


def _block_solved(
    poses: list[Pose | str],
    pairs: Sequence[Pair],
    ways: Mapping[tuple[int, int], complex],
    verdicts: Verdicts,
    noise: tuple[float, float],
) -> list[Pose | str]:
    """The same poses, those that the pairs tie together moved and turned."""
    tied = sorted({k for p in pairs for k in (p.first, p.second)})
    if not tied:
        return poses
    place = {k: n for n, k in enumerate(tied)}
    known = [pose for k in tied if isinstance(pose := poses[k], Pose)]
    here = known[0]
    fixes = np.array([_between(here, pose) for pose in known])
    ends = np.array([(place[p.first], place[p.second]) for p in pairs])
    steps = np.array([ways[p.first, p.second] for p in pairs])
    turns = np.array([_turn_left(p, verdicts) for p in pairs])
    headings = np.radians([max(pose.sigma_heading_deg, 0.1) for pose in known])
    places, turned = _solved(fixes, ends, steps, turns, headings, noise)
    for k, pose, there, angle in zip(tied, known, places, turned, strict=True):
        lat, lon = offset(here.lat_deg, here.lon_deg, there.imag, there.real)
        heading = (pose.heading_deg + math.degrees(float(angle))) % 360.0
        poses[k] = replace(pose, lat_deg=float(lat), lon_deg=float(lon), heading_deg=heading)
    return poses


def _turn_left(pair: Pair, verdicts: Verdicts) -> float:
    """What the second heading still lacks beyond the first, by the pictures; radians."""
    said = math.radians(pair.second_error_deg - pair.first_error_deg)
    left = said - _turned(pair.second, verdicts) + _turned(pair.first, verdicts)
    return (left + math.pi) % (2 * math.pi) - math.pi


def _solved(
    fixes: Plane,
    ends: NDArray[np.int64],
    steps: Plane,
    turns: FloatArray,
    headings: FloatArray,
    noise: tuple[float, float],
) -> tuple[Plane, FloatArray]:
    """(places (N,), turns (N,) rad) by iterated weighted least squares.

    fixes (N,), ends (M, 2) indices, steps (M,) from end to end, turns (M,) between the ends,
    headings (N,) sigmas in rad. Unknowns per photo: north, east, and a small turn that its steps
    make with it; and one scale of all steps, for a height that is a little off.
    """
    n, m = len(fixes), len(ends)
    fix_sigma, way_sigma = noise
    matrix = np.zeros((3 * n + 3 * m + 1, 3 * n + 1))
    wanted = np.zeros(len(matrix))
    sigmas = np.zeros(len(matrix))
    own = np.arange(n)
    for axis, part in enumerate((fixes.real, fixes.imag, np.zeros(n))):
        matrix[own + axis * n, own + axis * n] = 1.0
        wanted[own + axis * n] = part
        sigmas[own + axis * n] = headings if axis == 2 else fix_sigma
    first, second = ends.T
    rows = 3 * n + np.arange(m)
    for axis, (part, lever) in enumerate(((steps.real, steps.imag), (steps.imag, -steps.real))):
        matrix[rows + axis * m, second + axis * n] = 1.0
        matrix[rows + axis * m, first + axis * n] = -1.0
        matrix[rows + axis * m, first + 2 * n] = lever
        matrix[rows + axis * m, -1] = -part
        wanted[rows + axis * m], sigmas[rows + axis * m] = part, way_sigma
    matrix[rows + 2 * m, second + 2 * n], matrix[rows + 2 * m, first + 2 * n] = 1.0, -1.0
    wanted[rows + 2 * m], sigmas[rows + 2 * m] = turns, TURN_SIGMA_RAD
    matrix[-1, -1], sigmas[-1] = 1.0, SCALE_SIGMA
    weights = 1.0 / sigmas
    for _ in range(ROUNDS):
        scaled = matrix * weights[:, None]
        found = np.linalg.solve(scaled.T @ scaled, scaled.T @ (wanted * weights))
        off = abs(matrix @ found - wanted) / sigmas
        weights = np.sqrt(np.minimum(1.0, HUBER / np.maximum(off, 1e-12))) / sigmas
    return np.asarray(found[:n] + 1j * found[n : 2 * n]), np.asarray(found[2 * n : 3 * n])
