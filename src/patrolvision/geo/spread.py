"""How errors of a camera's pose and pixel spread over the ground, also where rays are flat.

First order, the ellipse is J J'. A flat ray makes the place a curved function of the angles, and so
does an angle that moves the place along an arc: there the second moments come from an unscented
transform about the nominal place (Julier and Uhlmann, Unscented filtering and nonlinear estimation,
Proc. IEEE 92 (2004), section III) with the products of the errors added, and the ellipse is then
scaled so that it holds 95 % of a fixed, evenly spread set of draws, the first-order places of the
same draws being the control. So the covariance is the one whose 95 % ellipse is true: what
decisions are taken on. Where hardly more than one error is stated the places lie on a line, and
the ellipse about it holds more, as that of a line without a bend does: 98.6 %.
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
PARTS = ("east", "north", "height", "heading", "pitch", "roll", "u", "v")  # what errs, in order
_PRIMES = (17, 19, 13, 2, 3, 5, 7, 11)  # of PARTS: small ones, which spread best, for the angles
_CURVED = 6  # the last of PARTS; the camera's place moves all places by as much


@dataclass(frozen=True, slots=True, eq=False)
class RaySpread:
    """A ray to the ground and the errors of it, one sigma each.

    nudges (3, 2): how the pixel's two errors change the ray. Roll turns about forward (3,), the
    optical axis, then pitch about right (3,), which is level, then heading about the vertical.
    """

    ray_enu: FloatArray  # (3,)
    forward: FloatArray
    right: FloatArray
    nudges: FloatArray
    sigma_heading_rad: float
    sigma_pitch_rad: float
    sigma_roll_rad: float
    height_m: float
    sigma_height_m: float
    sigma_position_m: float

    def turns(self) -> FloatArray:
        """Columns (3, 5): how one sigma of heading, pitch, roll, u and v changes the ray."""
        ray = self.ray_enu
        return np.column_stack(
            [
                self.sigma_heading_rad * np.array([ray[1], -ray[0], 0.0]),
                self.sigma_pitch_rad * (_cross(self.right) @ ray),
                self.sigma_roll_rad * (_cross(self.forward) @ ray),
                self.nudges,
            ]
        )

    def jacobian(self) -> FloatArray:
        """offsets to first order, a column for each of PARTS: (2, 8)."""
        return np.column_stack(
            [
                np.eye(2) * self.sigma_position_m,
                self.ray_enu[:2] / -self.ray_enu[2] * self.sigma_height_m,
                flat_derivative(self.ray_enu, self.height_m) @ self.turns(),
            ]
        )

    def offsets(self, draws: FloatArray) -> FloatArray:
        """East and north (N, 2) from the nominal place for standard normal draws (N, 8).

        The draws are of PARTS; inf where a ray misses the ground.
        """
        rays = self.ray_enu + draws[:, 6:] @ self.nudges.T
        rays = _turned(rays, self.forward, draws[:, 5] * self.sigma_roll_rad)
        rays = _turned(rays, self.right, draws[:, 4] * self.sigma_pitch_rad)
        turn = draws[:, 3] * self.sigma_heading_rad
        cos, sin = np.cos(turn), np.sin(turn)
        height = self.height_m + draws[:, 2] * self.sigma_height_m
        with np.errstate(divide="ignore"):
            reach = np.where(rays[:, 2] < 0, -height / rays[:, 2], np.inf)
        east = (rays[:, 0] * cos + rays[:, 1] * sin) * reach
        north = (rays[:, 1] * cos - rays[:, 0] * sin) * reach
        nominal = -self.ray_enu[:2] / self.ray_enu[2] * self.height_m
        moved = np.stack([east, north], axis=1) - nominal
        return np.asarray(moved + draws[:, :2] * self.sigma_position_m)


def _turned(rays: FloatArray, axis: FloatArray, angles: FloatArray) -> FloatArray:
    """Rays (N, 3), each turned by its angle about the unit axis (3,): Rodrigues' formula."""
    across = rays @ _cross(axis).T
    turned_twice = across @ _cross(axis).T
    sin, less = np.sin(angles)[:, None], 1.0 - np.cos(angles)[:, None]
    return np.asarray(rays + sin * across + less * turned_twice)


def _cross(axis: FloatArray) -> FloatArray:
    """The matrix (3, 3) that multiplies a vector by the axis, as numpy.cross, which is slow."""
    x, y, z = axis.tolist()
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


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
    ahead, back, single, both = np.split(
        spread.offsets(_probes()), (_CURVED, 2 * _CURVED, 3 * _CURVED)
    )
    odd, even = (ahead - back) / (2 * _STEP), (ahead + back) / (2 * _STEP**2)
    bent = math.sqrt(2) * even
    one, other = np.triu_indices(_CURVED, 1)
    products = both - single[one] - single[other]
    drift = even.sum(axis=0)
    parts = np.concatenate([odd, bent, products, drift[None]])
    return np.asarray(parts.T @ parts + (spread.sigma_position_m**2 + FLOOR_M2) * np.eye(2))


@lru_cache(maxsize=1)
def _probes() -> FloatArray:
    """The draws (33, 8) of the transform: each error ahead, back and by one sigma, and each two."""
    axes = np.eye(len(PARTS))[-_CURVED:]
    one, other = np.triu_indices(_CURVED, 1)
    return np.concatenate([axes * _STEP, -axes * _STEP, axes, axes[one] + axes[other]])


@lru_cache(maxsize=1)
def _even_draws() -> FloatArray:
    """Standard normal draws (4096, 8), evenly spread: Halton, Numer. Math. 2 (1960)."""
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
