"""WGS-84 latitude and longitude to local metres and back, exactly, by way of ECEF.

Everything is vectorised: scalars or arrays that broadcast go in, float64 comes out. Local axes are
east, north, up in the plane tangent to the ellipsoid at the origin; a place has no height here, for
the ground that a camera sees is taken as the ellipsoid's surface shifted by a constant.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from patrolvision.types import FloatArray

# NIMA TR8350.2, World Geodetic System 1984, table 3.1.
SEMI_MAJOR_M = 6378137.0
FLATTENING = 1 / 298.257223563
_E2 = FLATTENING * (2 - FLATTENING)
_SEMI_MINOR_M = SEMI_MAJOR_M * (1 - FLATTENING)
_EP2 = _E2 / (1 - _E2)


def ecef_from_geodetic(lat_deg: ArrayLike, lon_deg: ArrayLike, h_m: ArrayLike = 0.0) -> FloatArray:
    """Earth-centred x, y, z in metres, shape (..., 3); h_m is the height above the ellipsoid."""
    lat, lon, h = np.radians(lat_deg), np.radians(lon_deg), np.asarray(h_m, np.float64)
    prime_vertical = SEMI_MAJOR_M / np.sqrt(1 - _E2 * np.sin(lat) ** 2)
    across = (prime_vertical + h) * np.cos(lat)
    z = (prime_vertical * (1 - _E2) + h) * np.sin(lat)
    x, y = across * np.cos(lon), across * np.sin(lon)
    xyz_m = np.empty((*np.shape(x), 3))
    xyz_m[..., 0], xyz_m[..., 1], xyz_m[..., 2] = x, y, z
    return xyz_m


def geodetic_from_ecef(xyz_m: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """lat_deg, lon_deg, height above the ellipsoid of (..., 3); better than 1 µm below 10 km.

    Bowring, Transformation from spatial to geographical coordinates, Survey Review 181 (1976),
    with one more round.
    """
    x, y, z = xyz_m[..., 0], xyz_m[..., 1], xyz_m[..., 2]
    across = np.hypot(x, y)
    reduced = np.arctan2(z * SEMI_MAJOR_M, across * _SEMI_MINOR_M)
    for _ in range(2):
        lat = np.arctan2(
            z + _EP2 * _SEMI_MINOR_M * np.sin(reduced) ** 3,
            across - _E2 * SEMI_MAJOR_M * np.cos(reduced) ** 3,
        )
        reduced = np.arctan2((1 - FLATTENING) * np.sin(lat), np.cos(lat))
    h_m = (
        across * np.cos(lat) + z * np.sin(lat) - SEMI_MAJOR_M * np.sqrt(1 - _E2 * np.sin(lat) ** 2)
    )
    return np.degrees(lat), np.degrees(np.arctan2(y, x)), h_m


def _ecef_from_enu(lat0_deg: ArrayLike, lon0_deg: ArrayLike) -> FloatArray:
    """Rotation (..., 3, 3) whose columns are east, north and up at the origin."""
    lat, lon = np.broadcast_arrays(np.radians(lat0_deg), np.radians(lon0_deg))
    sin_lat, cos_lat, sin_lon, cos_lon = np.sin(lat), np.cos(lat), np.sin(lon), np.cos(lon)
    axes = np.empty((*lat.shape, 3, 3))
    axes[..., 0, 0], axes[..., 1, 0], axes[..., 2, 0] = -sin_lon, cos_lon, 0.0
    axes[..., 0, 1], axes[..., 1, 1] = -sin_lat * cos_lon, -sin_lat * sin_lon
    axes[..., 2, 1] = cos_lat
    axes[..., 0, 2], axes[..., 1, 2] = cos_lat * cos_lon, cos_lat * sin_lon
    axes[..., 2, 2] = sin_lat
    return axes


def local_en(
    lat0_deg: ArrayLike, lon0_deg: ArrayLike, lat_deg: ArrayLike, lon_deg: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """East and north in metres of places as seen from the origin, exact."""
    delta = ecef_from_geodetic(lat_deg, lon_deg) - ecef_from_geodetic(lat0_deg, lon0_deg)
    x, y, z = delta[..., 0], delta[..., 1], delta[..., 2]
    lat, lon = np.radians(lat0_deg), np.radians(lon0_deg)
    sin_lat, cos_lat, sin_lon, cos_lon = np.sin(lat), np.cos(lat), np.sin(lon), np.cos(lon)
    east = -sin_lon * x + cos_lon * y
    north = -sin_lat * cos_lon * x - sin_lat * sin_lon * y + cos_lat * z
    return east, north


def offset(
    lat_deg: ArrayLike, lon_deg: ArrayLike, east_m: ArrayLike, north_m: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """lat_deg, lon_deg of the place that lies east_m and north_m from the origin; undoes local_en.

    Exact to 1 µm within 20 km of the origin.
    """
    east, north = np.broadcast_arrays(
        np.asarray(east_m, np.float64), np.asarray(north_m, np.float64)
    )
    up = np.zeros_like(east)
    origin, rotation = ecef_from_geodetic(lat_deg, lon_deg), _ecef_from_enu(lat_deg, lon_deg)
    for _ in range(3):  # the tangent plane leaves the ellipsoid: come down to its surface
        enu = np.stack([east, north, up], axis=-1)
        lat, lon, h_m = geodetic_from_ecef(origin + np.einsum("...ij,...j->...i", rotation, enu))
        up = up - h_m
    return lat, lon


def distance_m(
    lat1_deg: ArrayLike, lon1_deg: ArrayLike, lat2_deg: ArrayLike, lon2_deg: ArrayLike
) -> FloatArray:
    """Length along the ground between places; better than 1 mm below 20 km.

    The straight chord, bent onto a sphere of the mean radius.
    """
    delta = ecef_from_geodetic(lat2_deg, lon2_deg) - ecef_from_geodetic(lat1_deg, lon1_deg)
    chord = np.sqrt(np.sum(delta**2, axis=-1))
    mean_radius_m = 6371008.8
    return np.asarray(2 * mean_radius_m * np.arcsin(np.minimum(chord / (2 * mean_radius_m), 1.0)))
