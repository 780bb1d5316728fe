"""Integer grid cells for the index, and the ranges of cells that cover a neighbourhood.

A cell only narrows the search; the exact distance decides, in Python, the same for every engine.
Cells of one row are consecutive integers, so that a neighbourhood is one or two ranges a row.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from patrolvision.geo.boxes import Box, box_of

CELLS_PER_DEGREE = 1000  # about 111 m north-south: a search of 25 m meets one or two rows
COLUMNS = 360 * CELLS_PER_DEGREE
LOOK_CELLS_PER_DEGREE = 500  # looks are wider than incidents
EVERYWHERE = -1  # the cell of a look too wide to be listed cell by cell
MAX_LOOK_CELLS = 1024
MAX_ROWS = 16
METRES_PER_DEGREE = 110_500.0  # a little less than the shortest degree of latitude


def cell_of(lat_deg: float, lon_deg: float) -> int:
    """The grid cell that holds a place."""
    row = math.floor((lat_deg + 90.0) * CELLS_PER_DEGREE)
    column = math.floor((lon_deg + 180.0) * CELLS_PER_DEGREE)
    return row * COLUMNS + column % COLUMNS


def box_around(lat_deg: float, lon_deg: float, radius_m: float) -> Box:
    """Degrees that hold every place within radius_m; may reach beyond ±180 of longitude."""
    reach_lat = radius_m / METRES_PER_DEGREE
    farthest = abs(lat_deg) + reach_lat
    if farthest >= 89.9:
        return lat_deg - reach_lat, -180.0, lat_deg + reach_lat, 180.0
    reach_lon = reach_lat / math.cos(math.radians(farthest))
    return lat_deg - reach_lat, lon_deg - reach_lon, lat_deg + reach_lat, lon_deg + reach_lon


def ranges_around(lat_deg: float, lon_deg: float, radius_m: float) -> list[tuple[int, int]]:
    """Inclusive ranges of cells that hold every place within radius_m, and others."""
    return _ranges(box_around(lat_deg, lon_deg, radius_m), CELLS_PER_DEGREE)


def joined_ranges(
    places: Sequence[tuple[float, float]], radius_m: float, per_degree: int = CELLS_PER_DEGREE
) -> list[tuple[int, int]]:
    """The ranges around all of the places (lat_deg, lon_deg), in order, none touching another."""
    return ranges_over([box_around(lat, lon, radius_m) for lat, lon in places], per_degree)


def ranges_over(boxes: Sequence[Box], per_degree: int = CELLS_PER_DEGREE) -> list[tuple[int, int]]:
    """The ranges of cells that hold every place in any of the boxes, as joined_ranges."""
    found = sorted({r for box in boxes for r in _ranges(box, per_degree)})
    joined = found[:1]
    for first, last in found[1:]:
        if first <= joined[-1][1] + 1:
            joined[-1] = joined[-1][0], max(last, joined[-1][1])
        else:
            joined.append((first, last))
    return joined


def look_ranges_around(
    places: Sequence[tuple[float, float]], radius_m: float
) -> list[tuple[int, int]]:
    """The same in the wider cells of looks, with the cell of the widest looks."""
    return [(EVERYWHERE, EVERYWHERE), *joined_ranges(places, radius_m, LOOK_CELLS_PER_DEGREE)]


def look_cells(polygon: Iterable[tuple[float, float]]) -> list[int]:
    """The wide cells that a look's bounding box covers; EVERYWHERE if they are too many."""
    ranges = _ranges(box_of(polygon), LOOK_CELLS_PER_DEGREE)
    if sum(last - first + 1 for first, last in ranges) > MAX_LOOK_CELLS:
        return [EVERYWHERE]
    return [cell for first, last in ranges for cell in range(first, last + 1)]


def nearest_in_box(box: Box, lat_deg: float, lon_deg: float) -> tuple[float, float]:
    """lat_deg, lon_deg of the place in the box that is nearest in degrees, round the globe."""
    south, west, north, east = box
    lon = min((lon_deg + turn for turn in (-360.0, 0.0, 360.0)), key=lambda x: _gap(x, west, east))
    return min(max(lat_deg, south), north), min(max(lon, west), east)


def _gap(value: float, low: float, high: float) -> float:
    return max(low - value, value - high, 0.0)


def ranges_in(south_west_north_east: Box) -> list[tuple[int, int]]:
    """Inclusive ranges of cells that hold every place in a box, and others."""
    return _ranges(south_west_north_east, CELLS_PER_DEGREE)


def look_ranges_in(south_west_north_east: Box) -> list[tuple[int, int]]:
    """The same in the wider cells of looks, with the cell of the widest looks."""
    wide = _ranges(south_west_north_east, LOOK_CELLS_PER_DEGREE)
    return [*wide, (EVERYWHERE, EVERYWHERE)]


def _ranges(box: Box, per_degree: int) -> list[tuple[int, int]]:
    south, west, north, east = box
    columns = 360 * per_degree
    first_row = math.floor((max(south, -90.0) + 90.0) * per_degree)
    last_row = math.floor((min(north, 90.0) + 90.0) * per_degree)
    if last_row - first_row >= MAX_ROWS:
        return [(first_row * columns, (last_row + 1) * columns - 1)]
    spans = _column_spans(west, east, per_degree)
    rows = range(first_row, last_row + 1)
    return [(row * columns + a, row * columns + b) for row in rows for a, b in spans]


def _column_spans(west: float, east: float, per_degree: int) -> list[tuple[int, int]]:
    columns = 360 * per_degree
    first = math.floor((west + 180.0) * per_degree)
    last = math.floor((east + 180.0) * per_degree)
    if last - first >= columns - 1:
        return [(0, columns - 1)]
    first, last = first % columns, last % columns
    return [(first, last)] if first <= last else [(0, last), (first, columns - 1)]
