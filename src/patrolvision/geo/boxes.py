"""The box around a ring on the globe, the date line included."""

from __future__ import annotations

from collections.abc import Iterable
from math import floor

Box = tuple[float, float, float, float]  # south, west, north, east


def box_of(ring: Iterable[tuple[float, float]]) -> Box:
    """South, west, north and east of a ring of (lat_deg, lon_deg) that goes round no pole.

    An edge goes the short way: a ring across the date line has an east beyond 180, so that its box
    is as narrow as it is. West lies in [-180, 180).
    """
    lats: list[float] = []
    lons: list[float] = []
    for lat, lon in ring:
        lats.append(lat)
        lons.append(lon - 360.0 * round((lon - lons[-1]) / 360.0) if lons else lon)
    turns = 360.0 * floor((min(lons) + 180.0) / 360.0)
    return min(lats), min(lons) - turns, max(lats), max(lons) - turns


def lon_in(lon_deg: float, west: float) -> float:
    """The same longitude as a box with this west counts it: in [west, west + 360)."""
    return lon_deg - 360.0 * floor((lon_deg - west) / 360.0)
