"""The plane around one origin, for few places: geodesy's formulas in plain floats.

numpy takes microseconds for each step over a small array, whatever it holds; a place here takes one
for all of them. tests/geo/test_plane.py holds the two equal.
"""

from __future__ import annotations

from math import cos, radians, sin, sqrt

from patrolvision.geo.geodesy import FLATTENING, SEMI_MAJOR_M

E2 = FLATTENING * (2 - FLATTENING)


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
