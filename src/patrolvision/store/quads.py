"""Web-Mercator tiles as integers: a place is one number, and a tile is one range of them.

The number interleaves the bits of the tile's column and row at zoom 26 (G. M. Morton, "A Computer
Oriented Geodetic Data Base", 1966), so that the places of every tile of every zoom are consecutive
and one index answers each. A tile as a key of its own carries a leading 1, which tells its zoom.
"""

from __future__ import annotations

import math

ZOOM = 26  # of a place: about 0.6 m at the equator
MAX_LAT_DEG = 85.05112877980659  # where the square map ends; what lies beyond is put on its edge
Bounds = tuple[float, float, float, float]  # west, south, east, north
Tile = tuple[int, int, int]  # zoom, column from the west, row from the north
Range = tuple[int, int]  # inclusive


def _fraction(lat_deg: float, lon_deg: float) -> tuple[float, float]:
    lat = math.radians(min(max(lat_deg, -MAX_LAT_DEG), MAX_LAT_DEG))
    return (lon_deg + 180.0) / 360.0, 0.5 - math.asinh(math.tan(lat)) / (2.0 * math.pi)


def tile_at(lat_deg: float, lon_deg: float, zoom: int) -> Tile:
    """The tile that holds a place; 180° east is the last column."""
    size = 1 << zoom
    x, y = _fraction(lat_deg, lon_deg)
    return zoom, min(max(int(x * size), 0), size - 1), min(max(int(y * size), 0), size - 1)


def _spread(bits: int) -> int:
    """Every bit of up to 32 at twice its place."""
    bits = (bits | bits << 16) & 0x0000FFFF0000FFFF
    bits = (bits | bits << 8) & 0x00FF00FF00FF00FF
    bits = (bits | bits << 4) & 0x0F0F0F0F0F0F0F0F
    bits = (bits | bits << 2) & 0x3333333333333333
    return (bits | bits << 1) & 0x5555555555555555


def _gather(bits: int) -> int:
    bits &= 0x5555555555555555
    bits = (bits | bits >> 1) & 0x3333333333333333
    bits = (bits | bits >> 2) & 0x0F0F0F0F0F0F0F0F
    bits = (bits | bits >> 4) & 0x00FF00FF00FF00FF
    bits = (bits | bits >> 8) & 0x0000FFFF0000FFFF
    return (bits | bits >> 16) & 0x00000000FFFFFFFF


def _morton(column: int, row: int) -> int:
    return _spread(column) | _spread(row) << 1


def quad_of(lat_deg: float, lon_deg: float) -> int:
    """The number of a place."""
    _, column, row = tile_at(lat_deg, lon_deg, ZOOM)
    return _morton(column, row)


def quads_in(tile: Tile) -> Range:
    """The numbers of the places that lie in a tile."""
    zoom, column, row = tile
    return _places_in(_morton(column, row), ZOOM - zoom)


def _places_in(number: int, zooms: int) -> Range:
    """The same of a tile by its number, so many zooms above the places."""
    return number << 2 * zooms, (number + 1 << 2 * zooms) - 1


def key_of(quad: int, zoom: int) -> int:
    """The key of the tile of a zoom in which a place lies."""
    return 1 << 2 * zoom | quad >> 2 * (ZOOM - zoom)


def key_tile(key: int) -> Tile:
    """The tile of a key."""
    zoom = (key.bit_length() - 1) // 2
    morton = key ^ (1 << 2 * zoom)
    return zoom, _gather(morton), _gather(morton >> 1)


def keys_in(quads: Range, zoom: int) -> Range:
    """The keys of the tiles of a zoom that hold any of these places."""
    return key_of(quads[0], zoom), key_of(quads[1], zoom)


def quads_under(key: int) -> Range:
    """The numbers of the places that lie in the tile of a key."""
    return quads_in(key_tile(key))


def bounds_of(tile: Tile) -> Bounds:
    """West, south, east and north of a tile in degrees."""
    zoom, column, row = tile
    size = 1 << zoom
    north, south = (
        math.degrees(math.atan(math.sinh(math.pi * (1.0 - 2.0 * y / size)))) for y in (row, row + 1)
    )
    return column / size * 360.0 - 180.0, south, (column + 1) / size * 360.0 - 180.0, north


def quads_covering(box: Bounds, most: int = 64) -> list[Range]:
    """About `most` ranges or fewer that hold every place of a box, and others beside it.

    A box whose west is greater than its east crosses 180°.
    """
    west, south, east, north = box
    if west > east:
        halves = (west, south, 180.0, north), (-180.0, south, east, north)
        return joined([r for half in halves for r in quads_covering(half, most // 2)])
    _, left, top = tile_at(north, west, ZOOM)
    _, right, bottom = tile_at(south, east, ZOOM)
    return joined(_covering((left, top, right, bottom), most))


def _covering(window: tuple[int, int, int, int], most: int) -> list[Range]:
    """Tiles within the window, and the smallest that fit into `most` along its edge.

    A window is asked for at every move of a map, and has some hundred tiles at its edge: each is
    its column, its row and the number that these two make, all known from its parent's.
    """
    left, top, right, bottom = window
    inside: list[Range] = []
    edge = [(0, 0, 0)]
    zoom = 0
    while edge and zoom < ZOOM:
        shift = ZOOM - zoom - 1
        # The columns and rows of the next zoom that meet the window, and those that lie within it.
        first_x, last_x = left >> shift, right >> shift
        first_y, last_y = top >> shift, bottom >> shift
        whole_x = range(-(-left >> shift), right + 1 >> shift)
        whole_y = range(-(-top >> shift), bottom + 1 >> shift)
        whole: list[Range] = []
        partly: list[tuple[int, int, int]] = []
        for column, row, number in edge:
            for y in (2 * row, 2 * row + 1):
                if not first_y <= y <= last_y:
                    continue
                for x in (2 * column, 2 * column + 1):
                    if not first_x <= x <= last_x:
                        continue
                    child = number << 2 | (y & 1) << 1 | x & 1
                    if x in whole_x and y in whole_y:
                        whole.append(_places_in(child, shift))
                    else:
                        partly.append((x, y, child))
        if len(inside) + len(whole) + len(partly) > most:
            break
        inside += whole
        edge, zoom = partly, zoom + 1
    return [*inside, *(_places_in(number, ZOOM - zoom) for _, _, number in edge)]


def joined(ranges: list[Range]) -> list[Range]:
    """The same numbers in as few ranges as possible, ascending."""
    result: list[Range] = []
    for first, last in sorted(ranges):
        if result and first <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(last, result[-1][1]))
        else:
            result.append((first, last))
    return result
