"""How errors of a camera's pose and pixel spread over the ground, also where rays are flat.

First order, the ellipse is J J'. A flat ray makes the place a curved function of the angle: there
the second moments come from an unscented transform about the nominal place (Julier and Uhlmann,
Unscented filtering and nonlinear estimation, Proc. IEEE 92 (2004), section III) with the products
of the turns added, and the ellipse is then scaled so that it holds 95 % of a fixed, evenly spread
set of draws, the first-order places of the same draws being the control. So the covariance is the
one whose 95 % ellipse is true: what decisions are taken on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from patrolvision.geo.ground import flat_derivative
from patrolvision.types import FloatArray

FLOOR_M2 = 1e-6  # all sigmas may be 0, a covariance may not
_STEP = math.sqrt(3.0)  # of the unscented transform: matches a normal's fourth moment
_NEARLY_LINEAR = 0.01  # a relative change of variance: the 95 % move by less than 0.1 %
_DRAWS = 4096
_PRIMES = (2, 3, 5, 7, 11, 13)


@dataclass(frozen=True, slots=True, eq=False)
class RaySpread:
    """A ray to the ground and its errors: tilt (3, 2) are two axes across it times their sigmas."""

    ray_enu: FloatArray  # (3,)
    tilt: FloatArray  # (3, 2)
    height_m: float
    sigma_height_m: float
    sigma_heading_rad: float
    sigma_position_m: float

    def jacobian(self) -> FloatArray:
        """offsets to first order: (2, 6)."""
        derivative = flat_derivative(self.ray_enu, self.height_m)
        right = np.array([self.ray_enu[1], -self.ray_enu[0], 0.0])
        return np.column_stack(
            [
                derivative @ self.tilt,
                self.ray_enu[:2] / -self.ray_enu[2] * self.sigma_height_m,
                derivative @ right * self.sigma_heading_rad,
                np.eye(2) * self.sigma_position_m,
            ]
        )

    def offsets(self, draws: FloatArray) -> FloatArray:
        """East and north (N, 2) from the nominal place for standard normal draws (N, 6).

        The draws are of two tilts, height, heading, east, north; inf where a ray misses the ground.
        """
        rays = self.ray_enu + draws[:, :2] @ self.tilt.T
        turn = draws[:, 3] * self.sigma_heading_rad
        cos, sin = np.cos(turn), np.sin(turn)
        height = self.height_m + draws[:, 2] * self.sigma_height_m
        with np.errstate(divide="ignore"):
            reach = np.where(rays[:, 2] < 0, -height / rays[:, 2], np.inf)
        east = (rays[:, 0] * cos + rays[:, 1] * sin) * reach
        north = (rays[:, 1] * cos - rays[:, 0] * sin) * reach
        nominal = -self.ray_enu[:2] / self.ray_enu[2] * self.height_m
        moved = np.stack([east, north], axis=1) - nominal
        return np.asarray(moved + draws[:, 4:] * self.sigma_position_m)


def honest_covariance(spread: RaySpread, quick: bool = False) -> FloatArray:
    """Covariance (2, 2) whose 95 % ellipse about the nominal place holds 95 % of the places.

    quick: the second moments as they are, whose ellipse holds 93 to 95 %.
    """
    jacobian = spread.jacobian()
    first = jacobian @ jacobian.T + FLOOR_M2 * np.eye(2)
    second = _second_moments(spread)
    whiten = np.linalg.inv(np.linalg.cholesky(first))
    if np.abs(whiten @ second @ whiten.T - np.eye(2)).max() < _NEARLY_LINEAR:
        return first
    if quick:
        return second
    draws = _even_draws()
    curved = _distance2_95(spread.offsets(draws), second)
    return np.asarray(second * (curved / _distance2_95(draws @ jacobian.T, first)))


def _distance2_95(offsets: FloatArray, cov: FloatArray) -> float:
    """The squared Mahalanobis distance that 95 % of the offsets (N, 2) keep; inf counts as far."""
    finite = offsets[np.isfinite(offsets).all(axis=1)]
    distance2 = np.sum((finite @ np.linalg.inv(cov)) * finite, axis=1)
    rank = round(0.95 * len(offsets))
    return float(np.partition(distance2, rank)[rank])


def _second_moments(spread: RaySpread) -> FloatArray:
    """Second moments (2, 2) about the nominal place, right to second order in the errors."""
    axes = np.eye(6)
    tilt_level, tilt_down, turn = axes[0], axes[1], axes[3]
    first = np.stack([tilt_level, tilt_down, turn])
    pairs = np.stack([tilt_level + tilt_down, tilt_level + turn, tilt_down + turn])
    moved = spread.offsets(np.concatenate([axes * _STEP, -axes * _STEP, first, pairs]))
    corners, single, both = moved[:12] / (math.sqrt(2) * _STEP), moved[12:15], moved[15:]
    products = both - single[[0, 0, 1]] - single[[1, 2, 2]]
    return corners.T @ corners + products.T @ products + FLOOR_M2 * np.eye(2)


@lru_cache(maxsize=1)
def _even_draws() -> FloatArray:
    """Standard normal draws (4096, 6), evenly spread: Halton, Numer. Math. 2 (1960)."""
    normal = NormalDist().inv_cdf
    even = [[normal(_radical_inverse(i, p)) for p in _PRIMES] for i in range(20, 20 + _DRAWS)]
    return np.array(even)


def _radical_inverse(index: int, base: int) -> float:
    """The index's digits mirrored behind the point, in (0, 1)."""
    value, place = 0.0, 1.0
    while index:
        place /= base
        index, digit = divmod(index, base)
        value += place * digit
    return value
