"""A place with its error as a cloud of points on the map.

The cloud is deterministic: a sunflower spiral (H. Vogel, "A better way to construct the sunflower
head", Mathematical Biosciences 44, 1979) whose radii follow the Rayleigh quantiles, so that equally
weighted points stand for the bivariate normal. With 1024 points the mass of a half-plane or a strip
comes out within 0.006 of the true one (tests/rules/test_spread.py holds it to that).
"""

from __future__ import annotations

from functools import lru_cache
from math import cos, radians, sin, sqrt

import numpy as np

from patrolvision.types import FloatArray, GeoPoint

POINTS = 1024
REACH_SIGMAS = 4.0
_A_M = 6378137.0
_E2 = 0.00669437999014133  # WGS-84


def metres_per_degree(lat_deg: float) -> tuple[float, float]:
    """(north, east) metres per degree of latitude and of longitude on the WGS-84 ellipsoid.

    Meridian and prime-vertical radii of curvature (B. Hofmann-Wellenhof, Physical Geodesy, 4.2);
    as a plane around the place it is better than 0.01 % within 1 km below 70° of latitude.
    """
    phi = radians(lat_deg)
    w = sqrt(1.0 - _E2 * sin(phi) ** 2)
    north = _A_M * (1.0 - _E2) / w**3
    east = _A_M / w * cos(phi)
    return radians(north), radians(east)


@lru_cache(maxsize=4)
def standard_normal_points(count: int = POINTS) -> FloatArray:
    """(count, 2) points of equal weight that stand for the standard bivariate normal."""
    i = np.arange(count)
    radius = np.sqrt(-2.0 * np.log1p(-(i + 0.5) / count))
    angle = i * np.pi * (3.0 - sqrt(5.0))
    points: FloatArray = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    points /= points.std(axis=0)
    points -= points.mean(axis=0)
    points.setflags(write=False)
    return points


def cloud_en_m(place: GeoPoint, count: int = POINTS) -> FloatArray:
    """(count, 2) offsets east, north in metres around the place, spread as its covariance says."""
    root = np.linalg.cholesky(place.cov_en_m2)
    cloud: FloatArray = standard_normal_points(count) @ root.T
    return cloud


def lonlat(place: GeoPoint, offsets_en_m: FloatArray) -> FloatArray:
    """(N, 2) longitude, latitude in degrees of offsets east, north in metres from the place."""
    north, east = metres_per_degree(place.lat_deg)
    out: FloatArray = offsets_en_m / (east, north) + (place.lon_deg, place.lat_deg)
    beyond = abs(out[:, 0]) > 180.0
    out[beyond, 0] -= np.copysign(360.0, out[beyond, 0])
    return out
