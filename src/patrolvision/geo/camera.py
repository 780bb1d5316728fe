"""Lenses: pixel to ray and back, in OpenCV's models and order of coefficients.

A ray is a unit vector in the camera's axes (x right, y down, z forward). Both models are only good
where the distorted radius still grows with the angle; a pixel or a ray beyond that field gives NaN,
never a wrong answer. Inversion starts from a table of that field and ends with Newton's method.
Source: OpenCV documentation, "Camera Calibration and 3D Reconstruction", "Fisheye camera model".
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np

from patrolvision.types import FloatArray, Lens

_TABLE_SIZE = 2048
_WIDEST_TAN = 20.0  # brown: a ray 87° off the axis; no perspective lens sees farther
_WIDEST_ANGLE = math.radians(175.0)
_ROUNDS = 5  # the start is right to 1e-6 but for the tangential part, and each round squares
_RESIDUAL = 1e-9  # in units of the focal length


def focal_from_hfov(width: int, hfov_deg: float) -> float:
    """Focal length in pixels of an undistorted lens with this horizontal field of view."""
    return width / 2 / math.tan(math.radians(hfov_deg) / 2)


def scaled_lens(lens: Lens, width: int, height: int) -> Lens:
    """The same lens on pictures resized to width and height."""
    across, down = width / lens.width, height / lens.height
    return replace(
        lens,
        width=width,
        height=height,
        fx=lens.fx * across,
        fy=lens.fy * down,
        cx=lens.cx * across,
        cy=lens.cy * down,
    )


def rays_from_pixels(lens: Lens, pixels: FloatArray) -> FloatArray:
    """Unit rays (N, 3) through pixels (N, 2); NaN where a pixel is beyond the valid field."""
    centred = np.asarray(pixels, np.float64) - (lens.cx, lens.cy)
    distorted = centred / (lens.fx, lens.fy)
    rays = (
        _fisheye_rays(lens, distorted) if lens.model == "fisheye" else _brown_rays(lens, distorted)
    )
    return np.asarray(rays / np.linalg.norm(rays, axis=1, keepdims=True))


def pixels_from_rays(lens: Lens, rays: FloatArray) -> FloatArray:
    """Pixels (N, 2) where rays (N, 3) of any length fall; NaN beyond the lens's valid field.

    The pixel may lie outside the picture.
    """
    rays = np.asarray(rays, np.float64)
    if lens.model == "fisheye":
        distorted = _fisheye_distorted(lens, rays)
    else:
        ahead = np.where(rays[:, 2:] > 0, rays[:, 2:], np.nan)
        undistorted = rays[:, :2] / ahead
        distorted, _ = _brown(lens, undistorted)
        limit = _valid_field(lens)[0][-1]
        distorted[np.linalg.norm(undistorted, axis=1) > limit] = np.nan
    return np.asarray(distorted * (lens.fx, lens.fy) + (lens.cx, lens.cy))


@lru_cache(maxsize=64)
def _valid_field(lens: Lens) -> tuple[FloatArray, FloatArray]:
    """Radii (brown) or angles (fisheye) off the axis, and their distorted radii while they grow."""
    fisheye = lens.model == "fisheye"
    if fisheye:
        plain = np.linspace(0.0, _WIDEST_ANGLE, _TABLE_SIZE)
        distorted = _fisheye_radius(lens, plain)[0]
    else:
        plain = np.geomspace(1e-3, _WIDEST_TAN, _TABLE_SIZE)
        plain[0] = 0.0
        distorted = plain * _brown_radial(lens, plain**2)[0]
    grows = np.diff(distorted) > 0
    end = len(plain) if grows.all() else int(np.argmin(grows)) + 1
    return plain[:end], distorted[:end]


def _undistorted_start(lens: Lens, distorted_radius: FloatArray) -> FloatArray:
    plain, distorted = _valid_field(lens)
    return np.interp(distorted_radius, distorted, plain, right=np.nan)


def _brown_radial(lens: Lens, r2: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The radial factor at squared radii r2, and its derivative by r2."""
    k = np.zeros(8)
    k[: len(lens.distortion)] = lens.distortion
    k1, k2, _, _, k3, k4, k5, k6 = k
    above = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    below = 1 + r2 * (k4 + r2 * (k5 + r2 * k6))
    d_above = k1 + r2 * (2 * k2 + 3 * r2 * k3)
    d_below = k4 + r2 * (2 * k5 + 3 * r2 * k6)
    below = np.where(below > 1e-6, below, np.nan)
    return above / below, (d_above * below - above * d_below) / below**2


def _brown(lens: Lens, xy: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Distorted (N, 2) of undistorted xy, and the derivative (N, 2, 2)."""
    p1, p2 = lens.distortion[2:4] if len(lens.distortion) >= 4 else (0.0, 0.0)
    x, y = xy[:, 0], xy[:, 1]
    r2 = x * x + y * y
    f, df = _brown_radial(lens, r2)
    out = np.stack(
        [
            x * f + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
            y * f + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
        ],
        axis=1,
    )
    jacobian = np.empty((len(xy), 2, 2))
    jacobian[:, 0, 0] = f + 2 * x * x * df + 2 * p1 * y + 6 * p2 * x
    jacobian[:, 0, 1] = 2 * x * y * df + 2 * p1 * x + 2 * p2 * y
    jacobian[:, 1, 0] = jacobian[:, 0, 1]
    jacobian[:, 1, 1] = f + 2 * y * y * df + 6 * p1 * y + 2 * p2 * x
    return out, jacobian


def _brown_rays(lens: Lens, distorted: FloatArray) -> FloatArray:
    radius = np.linalg.norm(distorted, axis=1)
    scale = _undistorted_start(lens, radius) / np.where(radius > 0, radius, 1.0)
    xy = distorted * scale[:, None]
    if any(lens.distortion):
        xy = _newton(lens, xy, distorted)
    return np.column_stack([xy, np.ones(len(xy))])


def _newton(lens: Lens, xy: FloatArray, distorted: FloatArray) -> FloatArray:
    """Undistorted xy (N, 2) whose image is distorted; NaN where there is none."""
    for _ in range(_ROUNDS):
        image, j = _brown(lens, xy)
        miss = distorted - image
        det = j[:, 0, 0] * j[:, 1, 1] - j[:, 0, 1] * j[:, 1, 0]
        det = np.where(det > 0, det, np.nan)
        step_x = (j[:, 1, 1] * miss[:, 0] - j[:, 0, 1] * miss[:, 1]) / det
        step_y = (j[:, 0, 0] * miss[:, 1] - j[:, 1, 0] * miss[:, 0]) / det
        xy = xy + np.stack([step_x, step_y], axis=1)
    miss = np.abs(_brown(lens, xy)[0] - distorted).max(axis=1)
    good = (miss < _RESIDUAL) & (np.linalg.norm(xy, axis=1) <= _valid_field(lens)[0][-1])
    return np.where(good[:, None], xy, np.nan)


def _fisheye_radius(lens: Lens, angle: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Distorted radius at angles off the axis, and its derivative."""
    k1, k2, k3, k4 = lens.distortion or (0.0, 0.0, 0.0, 0.0)
    t2 = angle * angle
    radius = angle * (1 + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4))))
    slope = 1 + t2 * (3 * k1 + t2 * (5 * k2 + t2 * (7 * k3 + t2 * 9 * k4)))
    return radius, slope


def _fisheye_distorted(lens: Lens, rays: FloatArray) -> FloatArray:
    across = np.linalg.norm(rays[:, :2], axis=1)
    angle = np.arctan2(across, rays[:, 2])
    angle = np.where(angle <= _valid_field(lens)[0][-1], angle, np.nan)
    scale = np.where(
        across > 0, _fisheye_radius(lens, angle)[0] / np.where(across > 0, across, 1), 0
    )
    return np.asarray(rays[:, :2] * scale[:, None])


def _fisheye_rays(lens: Lens, distorted: FloatArray) -> FloatArray:
    radius = np.linalg.norm(distorted, axis=1)
    angle = _undistorted_start(lens, radius)
    for _ in range(_ROUNDS):
        value, slope = _fisheye_radius(lens, angle)
        angle = angle - (value - radius) / np.where(slope > 0, slope, np.nan)
    value, _ = _fisheye_radius(lens, angle)
    good = (np.abs(value - radius) < _RESIDUAL) & (angle <= _valid_field(lens)[0][-1])
    angle = np.where(good, angle, np.nan)
    around = distorted / np.where(radius > 0, radius, 1.0)[:, None]
    return np.column_stack([around * np.sin(angle)[:, None], np.cos(angle)])
