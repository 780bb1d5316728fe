"""The plane around one origin, for few places: geodesy's formulas in plain floats.

numpy takes microseconds for each step over a small array, whatever it holds; a place here takes one
for all of them. tests/geo/test_plane.py holds the two equal.
"""

from __future__ import annotations

from math import atan2, cos, degrees, hypot, radians, sin, sqrt

from patrolvision.geo.geodesy import FLATTENING, SEMI_MAJOR_M

E2 = FLATTENING * (2 - FLATTENING)
SEMI_MINOR_M = SEMI_MAJOR_M * (1 - FLATTENING)


class Plane:
    """East and north in metres of places as seen from an origin: geodesy.local_en."""

    def __init__(self, lat_deg: float, lon_deg: float) -> None:
        lat, lon = radians(lat_deg), radians(lon_deg)
        self._sin_lat, self._cos_lat = sin(lat), cos(lat)
        self._sin_lon, self._cos_lon = sin(lon), cos(lon)
        self._origin = _ecef(lat_deg, lon_deg)

    def en(self, lat_deg: float, lon_deg: float) -> tuple[float, float]:
        """East and north of a place."""
        x, y, z = self._delta(lat_deg, lon_deg)
        east = -self._sin_lon * x + self._cos_lon * y
        north = (
            -self._sin_lat * self._cos_lon * x
            - self._sin_lat * self._sin_lon * y
            + self._cos_lat * z
        )
        return east, north

    def at(self, east_m: float, north_m: float) -> tuple[float, float]:
        """lat_deg, lon_deg of the place that lies there; undoes en: geodesy.offset."""
        up, (x0, y0, z0) = 0.0, self._origin
        for _ in range(3):
            out = self._cos_lat * up - self._sin_lat * north_m
            x = x0 - self._sin_lon * east_m + self._cos_lon * out
            y = y0 + self._cos_lon * east_m + self._sin_lon * out
            z = z0 + self._cos_lat * north_m + self._sin_lat * up
            lat_deg, lon_deg, h_m = _geodetic(x, y, z)
            up -= h_m
        return lat_deg, lon_deg

    def chord_m2(self, lat_deg: float, lon_deg: float) -> float:
        """Square of the straight distance from the origin to a place."""
        x, y, z = self._delta(lat_deg, lon_deg)
        return x * x + y * y + z * z

    def _delta(self, lat_deg: float, lon_deg: float) -> tuple[float, float, float]:
        (x, y, z), (x0, y0, z0) = _ecef(lat_deg, lon_deg), self._origin
        return x - x0, y - y0, z - z0


def _ecef(lat_deg: float, lon_deg: float) -> tuple[float, float, float]:
    lat, lon = radians(lat_deg), radians(lon_deg)
    sin_lat = sin(lat)
    prime_vertical = SEMI_MAJOR_M / sqrt(1 - E2 * (sin_lat * sin_lat))
    across = prime_vertical * cos(lat)
    return across * cos(lon), across * sin(lon), prime_vertical * (1 - E2) * sin_lat


def _geodetic(x: float, y: float, z: float) -> tuple[float, float, float]:
    across = hypot(x, y)
    reduced = atan2(z * SEMI_MAJOR_M, across * SEMI_MINOR_M)
    for _ in range(2):
        lat = atan2(
            z + E2 / (1 - E2) * SEMI_MINOR_M * sin(reduced) ** 3,
            across - E2 * SEMI_MAJOR_M * cos(reduced) ** 3,
        )
        reduced = atan2((1 - FLATTENING) * sin(lat), cos(lat))
    sin_lat = sin(lat)
    h_m = across * cos(lat) + z * sin_lat - SEMI_MAJOR_M * sqrt(1 - E2 * sin_lat * sin_lat)
    return degrees(lat), degrees(atan2(y, x)), h_m
