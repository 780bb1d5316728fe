"""Vector tiles, written (Mapbox Vector Tile Specification 2.1, §4): points and polygons.

A tile of a thousand points is written in a few milliseconds; the library at hand takes shapes and
many times as long, so the tests hold this writer against it instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from patrolvision.store.quads import MAX_LAT_DEG, Tile

EXTENT = 4096
BUFFER = 64  # units beyond the edge to which shapes reach
MEDIA_TYPE = "application/vnd.mapbox-vector-tile"
POINT, LINE, POLYGON = 1, 2, 3
MOVE_TO, LINE_TO, CLOSE = 1, 2, 7
Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Feature:
    """A thing of a tile: parts are (N, 2) columns and rows in units of the tile, y down.

    A POINT has one part of one; a POLYGON's parts are unclosed rings, outer ones clockwise as seen.
    """

    kind: int
    parts: Sequence[Any]
    properties: Mapping[str, Value | None]


def layer(name: str, features: Iterable[Feature]) -> bytes:
    """A layer with its features; a tile is any number of layers, one after the other."""
    keys: dict[str, int] = {}
    values: dict[tuple[type, Value], int] = {}
    body = bytearray()
    for feature in features:
        tags: list[int] = []
        for key, value in feature.properties.items():
            if value is not None:
                tags.append(keys.setdefault(key, len(keys)))
                tags.append(values.setdefault((type(value), value), len(values)))
        geometry = _commands(feature)
        if geometry:
            packed = _bytes(2, _varints(tags)) + bytes((3 << 3, feature.kind))
            body += _bytes(2, packed + _bytes(4, _varints(geometry)))
    content = bytes((15 << 3, 2)) + _bytes(1, name.encode()) + bytes(body)
    content += b"".join(_bytes(3, key.encode()) for key in keys)
    content += b"".join(_bytes(4, _value(value)) for _, value in values)
    return _bytes(3, content + bytes((5 << 3,)) + _varints([EXTENT]))


def in_tile(tile: Tile, lon_deg: Any, lat_deg: Any) -> Any:
    """(N, 2) of columns and rows in units of the tile, y down, for degrees (N,) and (N,)."""
    zoom, column, row = tile
    lat = np.radians(np.clip(np.asarray(lat_deg, np.float64), -MAX_LAT_DEG, MAX_LAT_DEG))
    x = (np.asarray(lon_deg, np.float64) + 180.0) / 360.0
    y = 0.5 - np.arcsinh(np.tan(lat)) / (2.0 * np.pi)
    size = 1 << zoom
    return np.column_stack([(x * size - column) * EXTENT, (y * size - row) * EXTENT])


def point(tile: Tile, lat_deg: float, lon_deg: float, properties: Mapping[str, Any]) -> Feature:
    """A point of a tile."""
    return Feature(POINT, [np.rint(in_tile(tile, [lon_deg], [lat_deg])).astype(int)], properties)


def points(
    tile: Tile, places: Sequence[tuple[float, float]], properties: Sequence[Mapping[str, Any]]
) -> list[Feature]:
    """Points of a tile, for (lat_deg, lon_deg) and what is said of each."""
    if not places:
        return []
    lat_lon = np.array(places, np.float64)
    units = np.rint(in_tile(tile, lat_lon[:, 1], lat_lon[:, 0])).astype(int)
    return [Feature(POINT, [units[k : k + 1]], said) for k, said in enumerate(properties)]


def shape(tile: Tile, geometry: Any, properties: Mapping[str, Any]) -> list[Feature]:
    """A shape of (lon_deg, lat_deg) clipped to a tile: its polygons and lines."""
    flat = shapely.transform(geometry, lambda lon_lat: in_tile(tile, lon_lat[:, 0], lon_lat[:, 1]))
    edge = EXTENT + BUFFER
    if not shapely.is_valid(flat):
        flat = shapely.make_valid(flat)
    clipped = shapely.clip_by_rect(flat, -BUFFER, -BUFFER, edge, edge)
    found = []
    for part in shapely.get_parts(clipped):
        if part.geom_type == "Polygon":
            rings = [_ring(part.exterior, clockwise=True)]
            rings += [_ring(hole, clockwise=False) for hole in part.interiors]
            if len(rings[0]) >= 3:
                whole = [ring for ring in rings if len(ring) >= 3]
                found.append(Feature(POLYGON, whole, properties))
        elif part.geom_type == "LineString":
            line = _without_repeats(np.rint(shapely.get_coordinates(part)).astype(int))
            if len(line) >= 2:
                found.append(Feature(LINE, [line], properties))
    return found


def _ring(ring: Any, *, clockwise: bool) -> Any:
    corners = _without_repeats(np.rint(shapely.get_coordinates(ring)).astype(int))
    if len(corners) > 1 and (corners[0] == corners[-1]).all():
        corners = corners[:-1]
    x, y = corners[:, 0], corners[:, 1]
    doubled_area = int((x * np.roll(y, -1) - np.roll(x, -1) * y).sum())
    if doubled_area == 0:
        return corners[:0]
    # With y down, what is clockwise to the eye has a positive area.
    return corners if (doubled_area > 0) == clockwise else corners[::-1]


def _without_repeats(corners: Any) -> Any:
    is_new = np.r_[True, (corners[1:] != corners[:-1]).any(axis=1)]
    return corners[is_new]


def _commands(feature: Feature) -> list[int]:
    if feature.kind == POINT:
        ((column, row),) = feature.parts[0].tolist()
        return [MOVE_TO | 1 << 3, _zigzag(column), _zigzag(row)]
    result: list[int] = []
    x = y = 0
    for part in feature.parts:
        corners = part.tolist() if hasattr(part, "tolist") else list(part)
        for position, (column, row) in enumerate(corners):
            if position == 0:
                result.append(MOVE_TO | 1 << 3)
            elif position == 1:
                result.append(LINE_TO | len(corners) - 1 << 3)
            result += (_zigzag(column - x), _zigzag(row - y))
            x, y = column, row
        if feature.kind == POLYGON:
            result.append(CLOSE | 1 << 3)
    return result


def _zigzag(value: int) -> int:
    return value << 1 ^ value >> 63


def _varints(numbers: Sequence[int]) -> bytes:
    if not numbers or max(numbers) <= 0x7F:
        return bytes(numbers)  # most are: a byte each
    result = bytearray()
    for number in numbers:
        while number > 0x7F:
            result.append(number & 0x7F | 0x80)
            number >>= 7
        result.append(number)
    return bytes(result)


def _bytes(field: int, content: bytes) -> bytes:
    size = len(content)
    if size <= 0x7F:
        return bytes((field << 3 | 2, size)) + content
    return bytes((field << 3 | 2,)) + _varints((size,)) + content


def _value(value: Value) -> bytes:
    if isinstance(value, bool):
        return bytes((7 << 3, int(value)))
    if isinstance(value, str):
        return _bytes(1, value.encode())
    if isinstance(value, int):
        return bytes((6 << 3,)) + _varints([_zigzag(value)])
    return bytes((3 << 3 | 1,)) + np.float64(value).tobytes()
