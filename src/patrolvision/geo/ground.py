"""Where rays meet the ground: a level plane below the camera."""

from __future__ import annotations

import numpy as np

from patrolvision.types import FloatArray

FARTHEST_FLAT_M = 10_000.0  # the plane has left the ellipsoid by 8 m there
LEVEL = 1e-12  # a ray that falls less for its length is level: rounding, no depression


def meet_flat(rays_enu: FloatArray, height_m: FloatArray | float) -> FloatArray:
    """East and north (N, 2), from the point below the camera, where rays (N, 3) meet the plane.

    height_m is the camera's above the plane, one or (N,). NaN for a ray that does not go down.
    """
    falls = np.where(rays_enu[:, 2] < -LEVEL, -rays_enu[:, 2], np.nan)
    return np.asarray(rays_enu[:, :2] * (height_m / falls)[:, None])


def flat_derivative(ray_enu: FloatArray, height_m: float) -> FloatArray:
    """Change (2, 3) of the point where a ray (3,) meets the plane, by the ray's east, north, up."""
    fall = -ray_enu[2]
    return height_m * np.array(
        [[1 / fall, 0.0, ray_enu[0] / fall**2], [0.0, 1 / fall, ray_enu[1] / fall**2]]
    )
