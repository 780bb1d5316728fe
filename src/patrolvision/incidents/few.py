"""Association and places for a handful of sights, in plain floats.

The same formulas as in association.py and places.py, which take arrays: numpy needs microseconds
for each step over a small array, and one sight alone takes a score of steps.
tests/incidents/test_few.py holds the two equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np

from patrolvision.geo.plane import Plane
from patrolvision.incidents.settings import AlignmentSettings
from patrolvision.types import FloatArray, GeoPoint, Matrix, Observation

MOST = 16  # sights of one thing that are sooner reckoned here than as arrays
NOTHING: Matrix = (0.0, 0.0, 0.0)


def matrix_of(cov_en_m2: FloatArray) -> Matrix:
    """A symmetric (2, 2) array as plain numbers."""
    (ee, en), (_, nn) = cov_en_m2.tolist()
    return ee, en, nn


def array_of(m: Matrix) -> FloatArray:
    """The same as an array (2, 2)."""
    return np.array([[m[0], m[1]], [m[1], m[2]]])


def inverse(m: Matrix) -> Matrix:
    """The inverse."""
    a, b, d = m
    det = a * d - b * b
    return d / det, -b / det, a / det


def plus(m: Matrix, n: Matrix) -> Matrix:
    """The sum."""
    return m[0] + n[0], m[1] + n[1], m[2] + n[2]


def minus(m: Matrix, n: Matrix) -> Matrix:
    """The difference."""
    return m[0] - n[0], m[1] - n[1], m[2] - n[2]


def times(m: Matrix, x: float, y: float) -> tuple[float, float]:
    """The matrix applied to a vector."""
    a, b, d = m
    return a * x + b * y, b * x + d * y


def chi2(x: float, y: float, weight: Matrix) -> float:
    """Squared Mahalanobis length of a vector under an inverse covariance."""
    a, b, d = weight
    return a * x * x + 2 * b * x * y + d * y * y


def smallest(m: Matrix) -> float:
    """The smaller eigenvalue."""
    a, b, d = m
    half = (a - d) / 2
    return (a + d) / 2 - sqrt(half * half + b * b)


def positive(m: Matrix) -> Matrix:
    """The matrix with no axis below 0.1 m."""
    a, b, d = m
    middle, half = (a + d) / 2, (a - d) / 2
    radius = sqrt(half * half + b * b)
    if middle - radius >= 0.01:
        return m
    low, high = 0.01, max(middle + radius, 0.01)
    stretch = (high - low) / 2 / radius if radius > 0 else 0.0
    mean = (low + high) / 2
    return mean + stretch * half, stretch * b, mean - stretch * half


def bias_of(
    covs: Sequence[Matrix], told: Sequence[Matrix | None], settings: AlignmentSettings
) -> Matrix:
    """The covariance of the shift that these sights of one mission share, as it is told or not."""
    known = [m for m in told if m is not None]
    if not known:
        variance = settings.shared_fraction * min(map(smallest, covs))
        return variance, 0.0, variance
    ee, en, nn = (sum(column) / len(known) for column in zip(*known, strict=True))
    return ee + 1e-6, en, nn + 1e-6


def place_of(seen: Sequence[Observation], settings: AlignmentSettings) -> GeoPoint:
    """The best place of one thing from all observations of it: places.places_of."""
    passes: dict[str, list[Observation]] = {}
    for sight in seen:
        passes.setdefault(sight.mission_id, []).append(sight)
    first = seen[0].place
    plane = Plane(first.lat_deg, first.lon_deg)
    info, east, north = NOTHING, 0.0, 0.0
    for sights in passes.values():
        covs = [matrix_of(s.place.cov_en_m2) for s in sights]
        told = [_told(s) for s in sights]
        bias = bias_of(covs, told, settings)
        owns = [positive(minus(c, b or bias)) for c, b in zip(covs, told, strict=True)]
        if len(seen) == 1:
            return GeoPoint(first.lat_deg, first.lon_deg, array_of(plus(owns[0], told[0] or bias)))
        x, y, cov = _of_one_pass(sights, owns, plane)
        weight = inverse(plus(cov, bias))
        pull = times(weight, x, y)
        info, east, north = plus(info, weight), east + pull[0], north + pull[1]
    total = inverse(info)
    return GeoPoint(*plane.at(*times(total, east, north)), array_of(total))


def _of_one_pass(
    sights: Sequence[Observation], owns: Sequence[Matrix], plane: Plane
) -> tuple[float, float, Matrix]:
    """Where one pass has the thing in the plane, and the covariance of that without its bias."""
    info, east, north = NOTHING, 0.0, 0.0
    for sight, own in zip(sights, owns, strict=True):
        weight = inverse(own)
        pull = times(weight, *plane.en(sight.place.lat_deg, sight.place.lon_deg))
        info, east, north = plus(info, weight), east + pull[0], north + pull[1]
    cov = inverse(info)
    return *times(cov, east, north), cov


def _told(seen: Observation) -> Matrix | None:
    bias = seen.bias_cov_en_m2
    return None if bias is None else matrix_of(bias)
