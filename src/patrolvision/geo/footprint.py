"""The ground that a camera sees: the part of its picture that meets level ground within a reach."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from patrolvision.geo.attitude import enu_from_camera
from patrolvision.geo.camera import pixels_from_rays, rays_from_pixels
from patrolvision.geo.geodesy import offset
from patrolvision.geo.ground import meet_flat
from patrolvision.types import FloatArray, Lens, Pose

Ring = tuple[tuple[float, float], ...]

_BORDER_POINTS = 33  # on each side of the picture
_AZIMUTH_STEP_DEG = 2.0  # along the edge of the reach
_STRAIGHT_M2 = 1e-3  # a corner whose neighbours span less than this with it is none


def footprint(lens: Lens, pose: Pose, reach_m: float) -> Ring | None:
    """The ring of (lat_deg, lon_deg), not closed, around the ground that the picture shows.

    Cut at reach_m along the ground from the point below the camera; anticlockwise. None where no
    ground is seen within reach: a camera that looks above the horizon or is not above the ground.
    The ring is convex and lies within what is seen, but for the bulge of a strongly distorted
    picture's edge; it loses at most one azimuth step (2 degrees) at each corner of the reach.
    """
    if pose.height_m <= 0 or reach_m <= 0:
        return None
    rotation = enu_from_camera(pose.heading_deg, pose.pitch_deg, pose.roll_deg)
    seen = np.concatenate(
        [_border(lens, rotation, pose, reach_m), _rim(lens, rotation, pose, reach_m)]
    )
    outline = convex_hull(seen)
    if len(outline) < 3:
        return None
    lat, lon = offset(pose.lat_deg, pose.lon_deg, outline[:, 0], outline[:, 1])
    return tuple((float(a), float(b)) for a, b in zip(lat, lon, strict=True))


def convex_hull(points: FloatArray) -> FloatArray:
    """Corners (K, 2) of the convex hull of points (N, 2) in metres, anticlockwise, not closed.

    Fewer than three where the points span no area. Andrew, Another efficient algorithm for convex
    hulls in two dimensions, Information Processing Letters 9 (1979).
    """
    ordered = sorted({(float(x), float(y)) for x, y in points})
    lower, upper = _chain(ordered), _chain(ordered[::-1])
    return np.array(lower[:-1] + upper[:-1], np.float64).reshape(-1, 2)


def centroid(outline: FloatArray) -> FloatArray:
    """Centre of area (2,) of a convex outline (K, 2) with an area.

    Bourke, Calculating the area and centroid of a polygon (1988), taken from the first corner.
    """
    from_first = outline - outline[0]
    following = np.roll(from_first, -1, axis=0)
    twice = from_first[:, 0] * following[:, 1] - from_first[:, 1] * following[:, 0]
    weighted = (from_first + following) * twice[:, None]
    return np.asarray(outline[0] + weighted.sum(axis=0) / (3.0 * twice.sum()))


def is_inside(outline: FloatArray, point: FloatArray) -> bool:
    """Whether a point (2,) lies within a convex outline (K, 2) whose corners go anticlockwise."""
    edge = np.roll(outline, -1, axis=0) - outline
    to = point - outline
    return bool((edge[:, 0] * to[:, 1] - edge[:, 1] * to[:, 0] >= 0).all())


def _border(lens: Lens, rotation: FloatArray, pose: Pose, reach_m: float) -> FloatArray:
    """East and north (N, 2) of what the picture's border shows within reach."""
    ground = meet_flat(_border_rays(lens) @ rotation.T, pose.height_m)
    with np.errstate(invalid="ignore"):
        near = np.hypot(ground[:, 0], ground[:, 1]) <= reach_m
    return np.asarray(ground[near])


def _rim(lens: Lens, rotation: FloatArray, pose: Pose, reach_m: float) -> FloatArray:
    """East and north (N, 2) of the edge of the reach, as far as it is in the picture."""
    azimuth = np.radians(np.arange(0.0, 360.0, _AZIMUTH_STEP_DEG) + pose.heading_deg)
    ground = reach_m * np.stack([np.sin(azimuth), np.cos(azimuth)], axis=-1)
    rays = np.column_stack([ground, np.full(len(ground), -pose.height_m)]) @ rotation
    u, v = pixels_from_rays(lens, rays).T
    with np.errstate(invalid="ignore"):
        shown = (u >= 0) & (u <= lens.width) & (v >= 0) & (v <= lens.height)
    return np.asarray(ground[shown])


@lru_cache(maxsize=16)
def _border_rays(lens: Lens) -> FloatArray:
    across = np.linspace(0.0, lens.width, _BORDER_POINTS)
    down = np.linspace(0.0, lens.height, _BORDER_POINTS)
    sides = [
        np.column_stack([across, np.zeros_like(across)]),
        np.column_stack([across, np.full_like(across, lens.height)]),
        np.column_stack([np.zeros_like(down), down]),
        np.column_stack([np.full_like(down, lens.width), down]),
    ]
    rays = rays_from_pixels(lens, np.concatenate(sides))
    return np.asarray(rays[np.isfinite(rays).all(axis=1)])


def _chain(ordered: list[tuple[float, float]]) -> list[tuple[float, float]]:
    chain: list[tuple[float, float]] = []
    for point in ordered:
        while len(chain) >= 2 and _turn(chain[-2], chain[-1], point) <= _STRAIGHT_M2:
            chain.pop()
        chain.append(point)
    return chain


def _turn(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
