"""Ground that is not level: a grid of heights, and where a ray first meets it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from patrolvision.geo.geodesy import offset
from patrolvision.types import FloatArray

STEPS = 160  # along a ray, before the crossing is refined
NEAREST_M, FARTHEST_M = 0.5, 3_000.0
REFINEMENTS = 25
STRETCH = (0.2, 5.0)  # what a slope may do to the error along a ray; beyond, the ray grazes it


@dataclass(frozen=True, slots=True, eq=False)
class ElevationGrid:
    """Heights (R, C) in metres at the corners of a grid in WGS-84; NaN where unknown.

    Row 0 is the northernmost, column 0 the westernmost. Which level the heights count from does
    not matter: only differences are used. sigma_m is one sigma of a height against its neighbours.
    """

    heights_m: FloatArray
    north_deg: float
    west_deg: float
    step_lat_deg: float
    step_lon_deg: float
    sigma_m: float = 1.0

    def __post_init__(self) -> None:
        if self.heights_m.ndim != 2 or min(self.heights_m.shape) < 2:
            raise ValueError(f"heights_m must be (R, C) of 2 at least, got {self.heights_m.shape}")
        if not (self.step_lat_deg > 0 and self.step_lon_deg > 0):
            raise ValueError("step_lat_deg and step_lon_deg must be > 0")

    def height_at(self, lat_deg: FloatArray | float, lon_deg: FloatArray | float) -> FloatArray:
        """Bilinear height in metres of each place; NaN outside the grid or where it is unknown."""
        rows, columns = self.heights_m.shape
        y = (self.north_deg - np.asarray(lat_deg, np.float64)) / self.step_lat_deg
        x = (np.asarray(lon_deg, np.float64) - self.west_deg) / self.step_lon_deg
        inside = (y >= 0) & (y <= rows - 1) & (x >= 0) & (x <= columns - 1)
        i = np.clip(np.nan_to_num(y), 0, rows - 1.000001).astype(int)
        j = np.clip(np.nan_to_num(x), 0, columns - 1.000001).astype(int)
        v, u = y - i, x - j
        h = self.heights_m
        value = (
            h[i, j] * (1 - u) * (1 - v)
            + h[i, j + 1] * u * (1 - v)
            + h[i + 1, j] * (1 - u) * v
            + h[i + 1, j + 1] * u * v
        )
        return np.asarray(np.where(inside, value, np.nan))


@dataclass(frozen=True, slots=True)
class Crossing:
    """Where a ray meets the ground: drop_m below the camera, on a slope along the ray.

    slope is the ground's rise per metre away from the camera.
    """

    drop_m: float
    slope: float

    def stretch(self, ray_enu: FloatArray) -> float:
        """By how much the slope stretches an error along the ray, against level ground."""
        level = math.hypot(ray_enu[0], ray_enu[1])
        if level < 1e-9:
            return 1.0
        fall = -ray_enu[2] / level
        return float(np.clip(fall / max(fall + self.slope, 1e-9), *STRETCH))


def crossing(
    grid: ElevationGrid, lat_deg: float, lon_deg: float, height_m: float, ray_enu: FloatArray
) -> Crossing | None:
    """The first crossing of a ray (3,) from height_m above the ground at a place.

    None where the ray leaves the grid, or meets nothing within FARTHEST_M.
    """
    below = float(grid.height_at(lat_deg, lon_deg))
    level = math.hypot(ray_enu[0], ray_enu[1])
    if not math.isfinite(below):
        return None
    if level < 1e-6:
        return Crossing(height_m, 0.0) if ray_enu[2] < 0 else None
    east, north, fall = ray_enu[0] / level, ray_enu[1] / level, -ray_enu[2] / level

    def above(range_m: FloatArray) -> FloatArray:
        """How far the ray is above the ground, at level ranges."""
        lat, lon = offset(lat_deg, lon_deg, east * range_m, north * range_m)
        return np.asarray(below + height_m - fall * range_m - grid.height_at(lat, lon))

    ranges = np.concatenate([[0.0], np.geomspace(NEAREST_M, FARTHEST_M, STEPS)])
    gaps = above(ranges)
    under = np.flatnonzero(~(gaps > 0))
    if not len(under) or under[0] == 0 or not math.isfinite(gaps[under[0]]):
        return None
    low, high = ranges[under[0] - 1], ranges[under[0]]
    for _ in range(REFINEMENTS):
        middle = (low + high) / 2
        low, high = (middle, high) if float(above(np.array(middle))) > 0 else (low, middle)
    reach = max(0.5, 0.01 * high)
    near, far = float(above(np.array(high - reach))), float(above(np.array(high + reach)))
    slope = (near - far) / (2 * reach) - fall
    return Crossing(float(fall * high), slope if math.isfinite(slope) else 0.0)
