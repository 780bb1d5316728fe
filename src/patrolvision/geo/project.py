"""A pixel and a pose to a place on the ground with its honest error, and back.

Level ground below the camera, or an elevation grid. The error of a place has eight sources, PARTS,
taken as independent; position and heading are shared by a whole pass (the bias), the others are the
thing's own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from patrolvision.geo.attitude import enu_from_camera
from patrolvision.geo.camera import pixels_from_rays, rays_from_pixels
from patrolvision.geo.elevation import ElevationGrid, crossing
from patrolvision.geo.geodesy import local_en, offset
from patrolvision.geo.ground import FARTHEST_FLAT_M, meet_flat
from patrolvision.geo.spread import FLOOR_M2, PARTS, RaySpread, honest_covariance
from patrolvision.types import FloatArray, GeoPoint, Lens, Pose

BIAS_PARTS = [PARTS.index(name) for name in ("east", "north", "heading")]
FLATTEST = (
    0.3  # one sigma of the depression angle over its tangent: 1 sigma moves the place by 30 %
)


@dataclass(frozen=True, slots=True, eq=False)
class GroundPoint:
    """A place on the ground as one pixel of one frame shows it.

    range_m is the straight distance from the camera to the place. parts_en_m (2, 8) has one column
    for each of PARTS: where one sigma of it moves the place, in metres east and north.
    place.cov_en_m2 = bias_cov_en_m2 (position and heading) + own_cov_en_m2 (the rest), (2, 2) each.
    """

    place: GeoPoint
    range_m: float
    bias_cov_en_m2: FloatArray
    own_cov_en_m2: FloatArray
    parts_en_m: FloatArray


@dataclass(frozen=True, slots=True)
class NoGround:
    """A pixel that shows no place, and why, in one clause fit for a user."""

    reason: str


def locate_pixel(
    lens: Lens, pose: Pose, pixel: Sequence[float], sigma_pixel: float
) -> GroundPoint | NoGround:
    """Where on level ground the pixel (u, v) looks; sigma_pixel is per axis, in pixels.

    Accepted is a ray whose depression below the horizon has a sigma (of pitch, roll and pixel) of
    at most FLATTEST times its tangent, and that reaches the ground within FARTHEST_FLAT_M. For each
    such ray the 95 % ellipse holds 94 to 96 % of the places that normal draws of the errors give.
    """
    return locate_pixels(lens, pose, np.array([pixel], np.float64), sigma_pixel)[0]


def locate_pixels(
    lens: Lens,
    pose: Pose,
    pixels: FloatArray,
    sigma_pixel: float | FloatArray,
    *,
    quick: bool = False,
    elevation: ElevationGrid | None = None,
) -> list[GroundPoint | NoGround]:
    """locate_pixel of each of the pixels (N, 2) of one frame, in their order.

    sigma_pixel is one for all, or (N,). elevation: the ground's shape, else it is level, as it
    is for a camera outside of the grid.
    quick: the ellipse is right to second order only and holds 93 to 95 %; for places that a track's
    fit joins, where each frame's own ellipse decides nothing.
    """
    n = len(pixels)
    nudges = np.array([[0, 0], [0.5, 0], [-0.5, 0], [0, 0.5], [0, -0.5]])
    around = (np.asarray(pixels, np.float64)[:, None] + nudges).reshape(-1, 2)
    rotation = enu_from_camera(pose.heading_deg, pose.pitch_deg, pose.roll_deg)
    rays = (rays_from_pixels(lens, around) @ rotation.T).reshape(n, 5, 3)
    if elevation is not None:
        sigmas = np.broadcast_to(sigma_pixel, n)
        return [
            _over_terrain(pose, rotation, r, float(s), elevation, quick)
            for r, s in zip(rays, sigmas, strict=True)
        ]
    places = offset(pose.lat_deg, pose.lon_deg, *meet_flat(rays[:, 0], pose.height_m).T)
    return [
        _locate_ray(pose, rotation, r, float(sigma), (float(lat), float(lon)), quick)
        for r, sigma, lat, lon in zip(rays, np.broadcast_to(sigma_pixel, n), *places, strict=True)
    ]


def pixel_of(
    lens: Lens, pose: Pose, lat_deg: float, lon_deg: float, height_m: float = 0.0
) -> tuple[float, float] | None:
    """The pixel that shows a place, height_m above the ground; None if the lens cannot see it.

    The pixel may lie outside the picture.
    """
    east, north = local_en(pose.lat_deg, pose.lon_deg, lat_deg, lon_deg)
    rotation = enu_from_camera(pose.heading_deg, pose.pitch_deg, pose.roll_deg)
    ray = np.array([[float(east), float(north), height_m - pose.height_m]]) @ rotation
    u, v = pixels_from_rays(lens, ray)[0]
    return (float(u), float(v)) if math.isfinite(u) and math.isfinite(v) else None


def _locate_ray(
    pose: Pose,
    rotation: FloatArray,
    rays: FloatArray,
    sigma_pixel: float,
    place: tuple[float, float],
    quick: bool,
) -> GroundPoint | NoGround:
    """rays (5, 3): through the pixel, and half a pixel right, left, below and above it."""
    if not np.isfinite(rays).all():
        return NoGround("the pixel lies beyond the lens's valid field")
    if pose.height_m <= 0:
        return NoGround(f"the camera is not above the ground: height_m is {pose.height_m:g}")
    ray = rays[0]
    if ray[2] >= 0:
        return NoGround("the ray is at or above the horizon")
    spread = _spread(pose, rotation, rays, sigma_pixel)
    refusal = _too_flat(ray, spread.turns()[:, 1:], pose.height_m)
    if refusal:
        return refusal
    cov = honest_covariance(spread, quick)
    parts = _stretched(spread.jacobian(), cov)
    bias = parts[:, BIAS_PARTS] @ parts[:, BIAS_PARTS].T
    ground = GeoPoint(*place, (cov + cov.T) / 2)
    range_m = float(pose.height_m / -ray[2])
    return GroundPoint(ground, range_m, bias, ground.cov_en_m2 - bias, parts)


def _over_terrain(
    pose: Pose,
    rotation: FloatArray,
    rays: FloatArray,
    sigma_pixel: float,
    elevation: ElevationGrid,
    quick: bool,
) -> GroundPoint | NoGround:
    """As over level ground that lies as deep as the place does, with the slope's stretch."""
    ray, met = rays[0], None
    is_known = math.isfinite(float(elevation.height_at(pose.lat_deg, pose.lon_deg)))
    if is_known and np.isfinite(ray).all() and pose.height_m > 0:
        met = crossing(elevation, pose.lat_deg, pose.lon_deg, pose.height_m, ray)
        if met is None:
            return NoGround("the ray meets no ground that the elevation grid knows")
        if met.drop_m <= 0 or ray[2] >= 0:
            return NoGround("the ray meets ground that is higher than the camera")
        sigma_m = math.hypot(pose.sigma_height_m, elevation.sigma_m)
        pose = replace(pose, height_m=met.drop_m, sigma_height_m=sigma_m)
    east, north = meet_flat(rays[:1], pose.height_m)[0]
    lat, lon = offset(pose.lat_deg, pose.lon_deg, east, north)
    point = _locate_ray(pose, rotation, rays, sigma_pixel, (float(lat), float(lon)), quick)
    if met is None or isinstance(point, NoGround):
        return point
    return _on_slope(point, ray, met.stretch(ray))


def _on_slope(point: GroundPoint, ray: FloatArray, stretch: float) -> GroundPoint:
    """The point with all errors but the camera's position stretched along the ray."""
    level = math.hypot(ray[0], ray[1])
    if level < 1e-9 or stretch == 1.0:
        return point
    along = ray[:2] / level
    turn = np.eye(2) + (stretch - 1.0) * np.outer(along, along)
    parts = np.concatenate([point.parts_en_m[:, :2], turn @ point.parts_en_m[:, 2:]], axis=1)
    cov = parts @ parts.T
    bias = parts[:, BIAS_PARTS] @ parts[:, BIAS_PARTS].T
    place = GeoPoint(point.place.lat_deg, point.place.lon_deg, (cov + cov.T) / 2)
    return GroundPoint(place, point.range_m, bias, place.cov_en_m2 - bias, parts)


def _too_flat(ray: FloatArray, changes: FloatArray, height_m: float) -> NoGround | None:
    """changes (3, K) of the ray are one sigma each, but for heading's, which tilts nothing."""
    level = math.hypot(ray[0], ray[1])
    tangent = -ray[2] / max(level, 1e-12)
    across = changes - np.outer(ray, ray @ changes)
    sigma = float(np.linalg.norm(across[2])) / max(level, 1e-12)
    if sigma > FLATTEST * tangent or float(np.linalg.norm(across)) > FLATTEST:
        depression = math.degrees(math.atan(tangent))
        return NoGround(
            f"the ray meets the ground too flatly: {depression:.2f} degrees below the horizon "
            f"with a sigma of {math.degrees(sigma):.2f}"
        )
    if height_m / tangent > FARTHEST_FLAT_M:
        return NoGround(f"the ray meets the ground beyond {FARTHEST_FLAT_M:.0f} m")
    return None


def _spread(pose: Pose, rotation: FloatArray, rays: FloatArray, sigma_pixel: float) -> RaySpread:
    heading = math.radians(pose.heading_deg)
    return RaySpread(
        ray_enu=rays[0],
        forward=rotation[:, 2],
        right=np.array([math.cos(heading), -math.sin(heading), 0.0]),
        nudges=sigma_pixel * np.stack([rays[1] - rays[2], rays[3] - rays[4]], axis=1),
        sigma_heading_rad=math.radians(pose.sigma_heading_deg),
        sigma_pitch_rad=math.radians(pose.sigma_pitch_deg),
        sigma_roll_rad=math.radians(pose.sigma_roll_deg),
        height_m=pose.height_m,
        sigma_height_m=pose.sigma_height_m,
        sigma_position_m=pose.sigma_position_m,
    )


def _stretched(parts: FloatArray, cov: FloatArray) -> FloatArray:
    """The parts (2, 8), stretched to make cov together; position's stay where they can."""
    position = parts[:, :2] @ parts[:, :2].T
    fixed = 2 if np.linalg.eigvalsh(cov - position)[0] > FLOOR_M2 / 2 else 0
    others = parts[:, fixed:]
    first = np.linalg.cholesky(others @ others.T + FLOOR_M2 * np.eye(2))
    wanted = np.linalg.cholesky(cov - position if fixed else cov)
    return np.concatenate([parts[:, :fixed], wanted @ np.linalg.inv(first) @ others], axis=1)
