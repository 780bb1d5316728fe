"""The direction of the kerb: its strip beyond a zone's end, where legal neighbours would stand."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from patrolvision.rules.spread import POINTS, cloud_en_m, metres_per_degree
from patrolvision.types import GeoPoint

NEIGHBOURHOOD_M = 20.0
SLENDER = 1.5  # shorter shapes have no direction a kerb could run in


def strip_across(
    area: shapely.Geometry, place: GeoPoint
) -> tuple[NDArray[np.float64], float, float] | None:
    """The unit vector (east, north) across the zone's strip near the place, and its two edges.

    The edges are metres from the place along that vector. The strip is the smallest rectangle
    around the part of the zone within 20 m east, west, north and south; None for a shape without
    a long axis.
    """
    north, east = metres_per_degree(place.lat_deg)
    origin = (place.lon_deg, place.lat_deg)
    dlon, dlat = NEIGHBOURHOOD_M / max(east, 1.0), NEIGHBOURHOOD_M / north
    near = shapely.clip_by_rect(
        area, origin[0] - dlon, origin[1] - dlat, origin[0] + dlon, origin[1] + dlat
    )
    metres = shapely.transform(near, lambda xy: (xy - origin) * (east, north))
    corners = shapely.get_coordinates(shapely.minimum_rotated_rectangle(metres))
    if len(corners) < 4:
        return None
    sides = corners[1:3] - corners[0:2]
    lengths = np.hypot(sides[:, 0], sides[:, 1])
    if lengths.min() <= 0.0 or lengths.max() < SLENDER * lengths.min():
        return None
    across = sides[int(lengths.argmin())] / lengths.min()
    low, high = np.sort(corners[[0, 2]] @ across)
    return across, float(low), float(high)


def along_the_kerb(area: shapely.Geometry, place: GeoPoint) -> NDArray[np.bool_]:
    """Which of the place's cloud lie in the zone's strip, prolonged past its ends; (POINTS,)."""
    strip = strip_across(area, place)
    if strip is None:
        return np.zeros(POINTS, dtype=bool)
    across, low, high = strip
    offsets = cloud_en_m(place) @ across
    inside: NDArray[np.bool_] = (offsets >= low) & (offsets <= high)
    return inside
