"""Squares of ground, one kilometre wide, by number: what is solved, and locked, together.

A district is a cell of a grid in degrees whose columns narrow towards the poles, so that it stays
about DISTRICT_M wide and high; near the poles there is one column. Columns meet at ±180.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

DISTRICT_M = 1000.0
MAX_REACH_M = 0.4 * DISTRICT_M
METRES_PER_DEG = 110_500.0  # a little less than the shortest degree of latitude
ROW = 2**20  # more than there are columns at the equator
_ROW_DEG = DISTRICT_M / METRES_PER_DEG

IntArray = NDArray[np.int64]


def districts_at(lat_deg: ArrayLike, lon_deg: ArrayLike) -> IntArray:
    """The number of the district that holds each place, in the shape of the places."""
    lat, lon = np.asarray(lat_deg, np.float64), np.asarray(lon_deg, np.float64)
    row = np.floor((lat + 90.0) / _ROW_DEG).astype(np.int64)
    middle = np.radians((row + 0.5) * _ROW_DEG - 90.0)
    columns = np.maximum(np.floor(360.0 * np.cos(middle) / _ROW_DEG), 1.0).astype(np.int64)
    column = np.floor((lon + 180.0) / 360.0 * columns).astype(np.int64) % columns
    return np.asarray(row * ROW + column)


def districts_within(lat_deg: ArrayLike, lon_deg: ArrayLike, reach_m: float) -> IntArray:
    """The districts (N, 4) that come within reach of each of N places, some named repeatedly.

    Those of the corners of a square that holds every place within reach_m, which is at most
    MAX_REACH_M, so that no district lies between the corners; exact below 80 degrees of latitude.
    """
    if reach_m > MAX_REACH_M:
        raise ValueError(f"reach_m must be at most {MAX_REACH_M}, got {reach_m}")
    lat, lon = np.atleast_1d(np.asarray(lat_deg, np.float64), np.asarray(lon_deg, np.float64))
    north = reach_m / METRES_PER_DEG
    farthest = np.minimum(np.abs(lat) + north, 89.9)
    east = north / np.cos(np.radians(farthest))
    corners = [(lat + n * north, lon + e * east) for n in (-1, 1) for e in (-1, 1)]
    return np.stack([districts_at(*corner) for corner in corners], axis=-1)
