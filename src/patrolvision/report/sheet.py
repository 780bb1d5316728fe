"""A day's looks on the city's map, reckoned once: which cells and roads they met, and the way.

Everything that is later asked of a day can be answered from its sheet without a polygon: for the
whole day from sums, for a part of it look by look.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import orjson

from patrolvision.geo.geodesy import distance_m
from patrolvision.report.observed import FASTEST_MPS, LONGEST_GAP_S, NO_AREA_DEG2
from patrolvision.types import FloatArray
from patrolvision.types.columns import UNKNOWN, IntArray, LookColumns

LAYERS = ("unit", "responsible", "segment")
NOWHERE = -1
SECOND_US = 1_000_000
MOST = np.iinfo(np.int32).max
Arrays = dict[str, Any]
Rings = Sequence[Sequence[tuple[float, float]]]


class Map(Protocol):
    """What tickets/grids.py is."""

    def codes(self, layer: str) -> list[str]:
        """Every code once, in order."""
        ...

    def codes_of(self, lat_deg: FloatArray, lon_deg: FloatArray) -> dict[str, list[str | None]]:
        """The codes of places by layer."""
        ...

    def met_by(self, rings: Rings) -> dict[str, tuple[IntArray, list[str]]]:
        """By layer which rings meet which areas: positions and codes."""
        ...

    def areas(self, layer: str) -> dict[str, dict[str, Any]]:
        """The GeoJSON geometry of each code."""
        ...


class Ground:
    """The city's map, as far as sheets ask, and opened when they do: reading it takes seconds.

    codes are those of a layer, in order; areas in sheets are positions among them.
    """

    def __init__(self, id: str, open_map: Callable[[], Map]) -> None:
        self.id = id  # the hash of the map
        self._open_map = open_map
        self._codes: dict[str, Sequence[str]] = {}
        self._places: dict[str, dict[str, int]] = {}

    @cached_property
    def map(self) -> Map:
        """The cells and segments."""
        return self._open_map()

    def learn(self, codes: Mapping[str, Sequence[str]]) -> None:
        """Take the codes as they were found before."""
        self._codes |= codes

    def codes(self, layer: str) -> Sequence[str]:
        """The codes of the layer, in order."""
        if layer not in self._codes:
            self._codes[layer] = self.map.codes(layer)
        return self._codes[layer]

    def codes_of(self, lat: FloatArray, lon: FloatArray) -> Mapping[str, Sequence[str | None]]:
        """The codes of places by layer."""
        return self.map.codes_of(lat, lon)

    def met_by(self, rings: Rings) -> dict[str, tuple[IntArray, IntArray]]:
        """By layer the positions of rings and areas that meet."""
        met = self.map.met_by(rings)
        return {layer: (of, self.positions(layer, codes)) for layer, (of, codes) in met.items()}

    def positions(self, layer: str, codes: Sequence[str | None]) -> IntArray:
        """Where the codes stand; NOWHERE for None."""
        if layer not in self._places:
            self._places[layer] = {code: k for k, code in enumerate(self.codes(layer))}
        place = self._places[layer]
        return np.array([NOWHERE if code is None else place[code] for code in codes], np.int64)


def sheet_of(looks: LookColumns, day_us: int, ground: Ground) -> dict[str, bytes]:
    """The parts of the sheet of the looks from day_us on; those before are only come from.

    `looks`: each look with the hop to it; `way`: the sums of the hops within the day, and those
    from the day before; for each layer which looks met which area, and `… last` each area's last.
    """
    number = {name: k for k, name in enumerate(dict.fromkeys(looks.mission_id))}
    mission = np.array([number[name] for name in looks.mission_id], np.int64)
    lat, lon = middles(looks.polygon)
    way_m, areas = _hops(mission, looks, lat, lon, ground)
    is_before = looks.start_us < day_us
    each = {
        "missions": list(number), "mission": mission, "start": looks.start_us,
        "end": looks.end_us, "lat": lat, "lon": lon, "way": way_m, "before": is_before, **areas,
    }  # fmt: skip
    parts = {"looks": each, "way": _sums(each, ground)}
    today = np.flatnonzero(~is_before)
    rings = [looks.polygon[k] for k in today.tolist()]
    for layer, (look, area) in ground.met_by(rings).items():
        look = today[look]
        parts[layer] = {"look": look, "area": area}
        last = np.full(len(ground.codes(layer)), UNKNOWN)
        np.maximum.at(last, area, looks.end_us[look])
        seen = np.unique(area)
        parts[f"{layer} last"] = {"area": seen, "end": last[seen]}
    return {name: packed(part) for name, part in parts.items()}


def middles(polygons: Rings) -> tuple[FloatArray, FloatArray]:
    """(lat_deg, lon_deg) of each ring, the same as observed.middle gives one by one."""
    counts = np.array([len(ring) for ring in polygons], np.int64)
    corners = np.array([corner for ring in polygons for corner in ring], np.float64).reshape(-1, 2)
    begin = np.cumsum(counts) - counts
    first = corners[begin]
    flat = corners - np.repeat(first, counts, axis=0)
    following = np.roll(flat, -1, axis=0)
    following[begin + counts - 1] = 0.0  # back at the first corner
    cross = flat[:, 0] * following[:, 1] - following[:, 0] * flat[:, 1]
    twice = np.add.reduceat(cross, begin)
    moment = np.add.reduceat((flat + following) * cross[:, None], begin, axis=0)
    mean = np.add.reduceat(corners, begin, axis=0) / counts[:, None]
    has_area = abs(twice) >= NO_AREA_DEG2
    divisor = np.where(has_area, 3.0 * twice, 1.0)[:, None]
    place = np.where(has_area[:, None], first + moment / divisor, mean)
    return place[:, 0], place[:, 1]


def _hops(
    mission: IntArray, looks: LookColumns, lat: FloatArray, lon: FloatArray, ground: Ground
) -> tuple[FloatArray, dict[str, IntArray]]:
    """Metres from the look before to each (NaN: nobody knows the way), and in which areas."""
    way_m = np.full(len(looks), np.nan)
    b = np.flatnonzero(np.diff(mission, prepend=NOWHERE) == 0)
    a = b - 1
    way_m[b] = hop_m(looks.start_us, looks.end_us, lat, lon, a, b)
    known = np.flatnonzero(~np.isnan(way_m))
    found = ground.codes_of((lat[known - 1] + lat[known]) / 2, (lon[known - 1] + lon[known]) / 2)
    areas: dict[str, IntArray] = {}
    for layer in LAYERS:
        areas[layer] = np.full(len(looks), NOWHERE)
        areas[layer][known] = ground.positions(layer, found[layer])
    return way_m, areas


def hop_m(
    start_us: IntArray, end_us: IntArray, lat: FloatArray, lon: FloatArray, a: IntArray, b: IntArray
) -> FloatArray:
    """Metres between looks a and b of one mission; NaN where nobody knows the way."""
    gap_s = (start_us[b] - end_us[a]) / SECOND_US
    between_s = np.maximum((start_us[b] - start_us[a]) / SECOND_US, 1.0)
    way_m = distance_m(lat[a], lon[a], lat[b], lon[b])
    return np.where((gap_s > LONGEST_GAP_S) | (way_m > FASTEST_MPS * between_s), np.nan, way_m)


def _sums(each: Arrays, ground: Ground) -> Arrays:
    """What a whole day adds up to; the hops from the day before apart."""
    known = ~np.isnan(each["way"])
    come_from = np.roll(each["before"], 1)
    inner, outer = np.flatnonzero(known & ~come_from), np.flatnonzero(known & come_from)
    way_m = each["way"]
    sums: Arrays = {"hops": np.array([len(inner)]), "total": np.array([way_m[inner].sum()])}
    for layer in LAYERS:
        area = each[layer][inner]
        inside = area[area >= 0]
        metres = np.bincount(inside, way_m[inner][area >= 0], len(ground.codes(layer)))
        there = np.unique(inside)
        sums[layer], sums[f"{layer} m"] = there, metres[there]
        sums[f"from {layer}"] = each[layer][outer]
    return sums | {"from": each["start"][outer - 1], "from m": way_m[outer]}


def packed(arrays: Arrays) -> bytes:
    """Arrays (integers, floats, booleans) and lists of texts as bytes."""
    texts = {name: value for name, value in arrays.items() if isinstance(value, list)}
    kept = {name: _narrow(value) for name, value in arrays.items() if name not in texts}
    shapes = [[name, value.dtype.str, len(value)] for name, value in kept.items()]
    head = orjson.dumps([texts, shapes])
    body = b"".join([value.tobytes() for value in kept.values()])
    return zlib.compress(len(head).to_bytes(4, "little") + head + body, 1)


def unpacked(content: bytes) -> Arrays:
    """What was packed."""
    raw = zlib.decompress(content)
    size = int.from_bytes(raw[:4], "little")
    texts, shapes = orjson.loads(raw[4 : 4 + size])
    found: Arrays = dict(texts)
    at = 4 + size
    for name, kind, count in shapes:
        found[name] = np.frombuffer(raw, kind, count, at)
        at += found[name].nbytes
    return found


def _narrow(values: Any) -> Any:
    """Positions in four bytes; instants and floats as they are."""
    if values.dtype != np.int64 or (
        len(values) and not -MOST <= values.min() <= values.max() <= MOST
    ):
        return values
    return values.astype("<i4")
