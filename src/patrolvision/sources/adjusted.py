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

from patrolvision.geo.geodesy import offset
from patrolvision.sources.angles import turn_between
from patrolvision.sources.strips import LEAST_WAY_M, Pair, Verdicts, between
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
    known = {k: pose for k, pose in enumerate(poses) if isinstance(pose, Pose)}
    usable = [_after(p, verdicts) for p in pairs if p.first in known and p.second in known]
    noise = _noise(known, usable)
    if noise is None:
        return tuple(poses), None
    for start in range(0, len(poses), BLOCK):
        block = range(start, start + BLOCK)
        known |= _laid(known, [p for p in usable if p.first in block and p.second in block], noise)
    return tuple(known.get(k, pose) for k, pose in enumerate(poses)), noise[0]


def _after(pair: Pair, verdicts: Verdicts) -> Pair:
    """The pair as it is once headings and heights are corrected: errors left, way as it is."""
    done = [verdicts.turned.get(k, (0.0, 0.0))[0] for k in (pair.first, pair.second)]
    ratio = 1.0 if verdicts.height_ratio is None else verdicts.height_ratio[0]
    return replace(
        pair,
        first_error_deg=turn_between(done[0], pair.first_error_deg),
        second_error_deg=turn_between(done[1], pair.second_error_deg),
        way=pair.way * cmath.rect(ratio, math.radians(done[0])),
    )


def _noise(poses: Mapping[int, Pose], pairs: Sequence[Pair]) -> tuple[float, float] | None:
    """Sigmas per axis, metres: of a fix against its neighbours, of a way by the pictures.

    Of what remains between fixes and pictures only the part along the way counts, less what their
    scales differ by: a heading or a height that is a little off leaves it alone. Two ways that meet
    in a photo share its fix and nothing else.
    """
    long = [pair for pair in pairs if pair.way_m > LEAST_WAY_M]
    scale = median([pair.ratio for pair in long] or [1.0])
    rest: list[float] = []
    at: dict[int, list[tuple[complex, float]]] = {}  # photo -> direction from it, what remains
    for pair in long:
        along = pair.way / pair.way_m
        base = between(poses[pair.first], poses[pair.second])
        off = (base * along.conjugate()).real - scale * pair.way_m
        rest.append(off)
        at.setdefault(pair.first, []).append((along, off))
        at.setdefault(pair.second, []).append((-along, off))
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


def _laid(
    poses: Mapping[int, Pose], pairs: Sequence[Pair], noise: tuple[float, float]
) -> dict[int, Pose]:
    """The poses that the pairs tie together, moved and turned."""
    tied = sorted({k for p in pairs for k in (p.first, p.second)})
    if not tied:
        return {}
    row = {k: n for n, k in enumerate(tied)}
    here = poses[tied[0]]
    places, turned = _solved(
        fixes=np.array([between(here, poses[k]) for k in tied]),
        ends=np.array([(row[p.first], row[p.second]) for p in pairs]),
        steps=np.array([p.way for p in pairs]),
        turns=np.radians([turn_between(p.first_error_deg, p.second_error_deg) for p in pairs]),
        headings=np.radians([max(poses[k].sigma_heading_deg, 0.1) for k in tied]),
        noise=noise,
    )
    found = {}
    for k, there, angle in zip(tied, places, turned, strict=True):
        lat, lon = offset(here.lat_deg, here.lon_deg, there.imag, there.real)
        heading = (poses[k].heading_deg + math.degrees(float(angle))) % 360.0
        found[k] = replace(poses[k], lat_deg=float(lat), lon_deg=float(lon), heading_deg=heading)
    return found


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
    headings (N,) sigmas in rad. Huber's weights are our own, for SciPy, which has them, comes only
    with the extra torch. Unknowns per photo: north, east, and a small turn that its steps
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
