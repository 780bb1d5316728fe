"""From a place to its unit grid, responsible grid and road segment.

A place on a border lies in every cell that touches it; the smallest code wins, so that the answer
does not depend on the order of the file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from patrolvision.errors import ConfigError
from patrolvision.geo.datum import in_wgs84
from patrolvision.types import FloatArray, GridCodes
from patrolvision.types.columns import IntArray
from patrolvision.types.identity import LONGEST_NAME, is_name

SHAPES = {
    "unit": ("Polygon", "MultiPolygon"),
    "responsible": ("Polygon", "MultiPolygon"),
    "segment": ("LineString", "MultiLineString"),
}
SEGMENT_REACH_M = 50.0
Ring = Sequence[tuple[float, float]]
METRES_PER_DEGREE = 111_320.0  # of longitude at the equator; of latitude 0.3 to 0.7 % too many


class GridIndex:
    """Cells and segments, ready to be asked; made by from_file."""

    def __init__(self, layers: Mapping[str, Sequence[tuple[str, Any]]], id: str = "") -> None:
        self.id = id  # SHA-256 of the text that it is of
        self._layers = {name: _Layer(layers.get(name, ())) for name in SHAPES}

    @staticmethod
    def from_file(path: Path | str) -> GridIndex:
        """The index of a GeoJSON FeatureCollection whose features have a layer and a code.

        ConfigError naming the file, the feature's position (from 0) and the property.
        """
        return GridIndex.from_text(_read(Path(path)), str(path))

    @staticmethod
    def from_text(text: str, file: str) -> GridIndex:
        """The same of GeoJSON text; file is what complaints call it."""
        features = _features(text, file)
        names = [_layer_and_code(f, _where(file, k)) for k, f in enumerate(features)]
        layers: dict[str, list[tuple[str, Any]]] = {}
        for (layer, code), shape in zip(names, _shapes(features, file), strict=True):
            layers.setdefault(layer, []).append((code, shape))
        return GridIndex(layers, sha256(text.encode("utf-8")).hexdigest())

    def codes_at(self, lat_deg: float, lon_deg: float) -> GridCodes:
        """The codes of the cells that cover a place and of the segment within 50 m of it."""
        return GridCodes(
            unit_grid=self._layers["unit"].covering(lat_deg, lon_deg),
            responsible_grid=self._layers["responsible"].covering(lat_deg, lon_deg),
            segment=self._layers["segment"].nearest(lat_deg, lon_deg, SEGMENT_REACH_M),
        )

    def codes_of(self, lat_deg: FloatArray, lon_deg: FloatArray) -> dict[str, list[str | None]]:
        """The codes of many places by layer, the same as codes_at gives one by one."""
        return {
            "unit": self._layers["unit"].all_covering(lat_deg, lon_deg),
            "responsible": self._layers["responsible"].all_covering(lat_deg, lon_deg),
            "segment": self._layers["segment"].all_nearest(lat_deg, lon_deg, SEGMENT_REACH_M),
        }

    def codes(self, layer: str) -> list[str]:
        """The codes of a layer, in order."""
        return self._layers[layer].codes()

    def areas(self, layer: str) -> dict[str, dict[str, Any]]:
        """The GeoJSON geometry of each code of a layer: unit, responsible or segment."""
        return self._layers[layer].geometries()

    def met_by(self, rings: Sequence[Ring]) -> dict[str, tuple[IntArray, list[str]]]:
        """By layer which rings of (lat_deg, lon_deg) meet which areas: positions and codes."""
        seen = _hulls(rings)
        return {name: layer.met_by(seen) for name, layer in self._layers.items()}


class _Layer:
    """The shapes of one layer in a search tree."""

    def __init__(self, cells: Sequence[tuple[str, Any]]) -> None:
        self._codes = [code for code, _ in cells]
        self._shapes = np.array([shape for _, shape in cells], dtype=object)
        shapely.prepare(self._shapes)
        self._tree = shapely.STRtree(self._shapes)

    def codes(self) -> list[str]:
        """Every code once, in order."""
        return sorted(set(self._codes))

    def geometries(self) -> dict[str, dict[str, Any]]:
        """GeoJSON by code; of two shapes of one code the first."""
        texts = shapely.to_geojson(self._shapes)
        pairs = zip(self._codes, texts, strict=True)
        return {code: json.loads(text) for code, text in reversed(list(pairs))}

    def met_by(self, seen: Any) -> tuple[IntArray, list[str]]:
        """Position in what was seen and code of the shape, for all that meet, each pair once."""
        of, shape = self._tree.query(seen, predicate="intersects")
        names = sorted(set(self._codes))
        place = {code: k for k, code in enumerate(names)}
        code = np.array([place[name] for name in self._codes], np.int64)[shape]
        pairs = np.unique(of * max(len(names), 1) + code)
        return pairs // max(len(names), 1), [
            names[k] for k in (pairs % max(len(names), 1)).tolist()
        ]

    def all_covering(self, lat_deg: FloatArray, lon_deg: FloatArray) -> list[str | None]:
        """The same as covering, of many places."""
        place, shape = self._tree.query(shapely.points(lon_deg, lat_deg))
        holds = shapely.intersects_xy(self._shapes[shape], lon_deg[place], lat_deg[place])
        return self._least(len(lat_deg), place[holds], shape[holds])

    def all_nearest(
        self, lat_deg: FloatArray, lon_deg: FloatArray, reach_m: float
    ) -> list[str | None]:
        """The same as nearest, of many places."""
        across = np.maximum(np.cos(np.radians(lat_deg)), 1e-6)
        scale = METRES_PER_DEGREE * np.stack([across, np.ones_like(across)], axis=-1)
        here = np.stack([lon_deg, lat_deg], axis=-1)
        low, high = here - 1.01 * reach_m / scale, here + 1.01 * reach_m / scale
        place, shape = self._tree.query(shapely.box(*low.T, *high.T))
        apart = _distances_m(self._shapes[shape], here[place], scale[place])
        nearest = np.full(len(lat_deg), np.inf)
        np.minimum.at(nearest, place, apart)
        chosen = (apart <= reach_m) & (apart == nearest[place])
        return self._least(len(lat_deg), place[chosen], shape[chosen])

    def _least(self, count: int, place: Any, shape: Any) -> list[str | None]:
        """Of each place the smallest code of its shapes; None without one."""
        found: list[str | None] = [None] * count
        for k, n in zip(place.tolist(), shape.tolist(), strict=True):
            code, known = self._codes[n], found[k]
            found[k] = code if known is None else min(code, known)
        return found

    def covering(self, lat_deg: float, lon_deg: float) -> str | None:
        """Smallest code among the shapes that hold the place or touch it."""
        candidates = self._tree.query(shapely.Point(lon_deg, lat_deg))
        covers = shapely.intersects_xy(self._shapes[candidates], lon_deg, lat_deg)
        return min((self._codes[k] for k in candidates[covers]), default=None)

    def nearest(self, lat_deg: float, lon_deg: float, reach_m: float) -> str | None:
        """Code of the shape nearest to the place within reach; the smallest of equally near."""
        scale = METRES_PER_DEGREE * np.array([max(math.cos(math.radians(lat_deg)), 1e-6), 1.0])
        here = np.array([lon_deg, lat_deg])
        reach = 1.01 * reach_m / scale
        window = shapely.box(*(here - reach), *(here + reach))
        ranked = [
            (_distance_m(self._shapes[k], here, scale), self._codes[k])
            for k in self._tree.query(window)
        ]
        within = [pair for pair in ranked if pair[0] <= reach_m]
        return min(within)[1] if within else None


def _hulls(rings: Sequence[Ring]) -> Any:
    """The convex hulls of rings of (lat_deg, lon_deg)."""
    flat = [corner for ring in rings for corner in ring]
    corners = np.array(flat, np.float64).reshape(-1, 2)[:, ::-1]
    of = np.repeat(np.arange(len(rings)), [len(ring) for ring in rings])
    return shapely.convex_hull(shapely.multipoints(corners, indices=of))


def _distance_m(shape: Any, here: FloatArray, scale: FloatArray) -> float:
    # Rounded to a millimetre, so that two segments that meet are equally near to a place beyond
    # their joint, whatever the last bit says.
    flat = shapely.transform(shape, lambda lon_lat: (lon_lat - here) * scale)
    return round(float(shapely.distance(flat, shapely.Point(0.0, 0.0))), 3)


def _distances_m(shapes: Any, here: FloatArray, scale: FloatArray) -> FloatArray:
    """The same as _distance_m for each pair of a shape and a place."""
    if not len(shapes):
        return np.zeros(0)
    corners = shapely.get_num_coordinates(shapes)
    at, stretch = np.repeat(here, corners, axis=0), np.repeat(scale, corners, axis=0)
    flat = shapely.transform(shapes, lambda lon_lat: (lon_lat - at) * stretch)
    apart = shapely.distance(flat, shapely.Point(0.0, 0.0))
    return np.array([round(metres, 3) for metres in apart.tolist()])


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{file}: the grids cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: expected GeoJSON, found no JSON: {error}") from error


def _features(text: str, file: str) -> list[Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{file}: expected GeoJSON, found no JSON: {error}") from error
    is_collection = isinstance(content, dict) and content.get("type") == "FeatureCollection"
    if not is_collection or not isinstance(content.get("features"), list):
        raise ConfigError(f"{file}: expected a GeoJSON FeatureCollection with a list of features")
    try:
        return list(in_wgs84(content)["features"])
    except ValueError as error:
        raise ConfigError(f"{file}: {error}") from error


def _where(file: str, position: int) -> str:
    return f"{file}: feature {position}"


def _layer_and_code(feature: Any, where: str) -> tuple[str, str]:
    if not isinstance(feature, dict) or not isinstance(feature.get("properties"), dict):
        raise ConfigError(f"{where}: expected a Feature with properties")
    layer, code = feature["properties"].get("layer"), feature["properties"].get("code")
    if layer not in tuple(SHAPES):
        raise ConfigError(f"{where}: layer must be one of {', '.join(SHAPES)}, found {layer!r}")
    is_code = isinstance(code, (str, int)) and not isinstance(code, bool)
    if not is_code or not is_name(str(code)):
        expected = f"a text of 1 to {LONGEST_NAME} characters, none of control, or a whole number"
        raise ConfigError(f"{where}: code must be {expected}, found {str(code)[:60]!r}")
    geometry = feature.get("geometry")
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if kind not in SHAPES[layer]:
        expected = " or ".join(SHAPES[layer])
        raise ConfigError(f"{where}: geometry of a {layer} must be {expected}, found {kind!r}")
    return layer, str(code)


def _shapes(features: Sequence[Mapping[str, Any]], file: str) -> Any:
    texts = [json.dumps(feature["geometry"]) for feature in features]
    shapes = shapely.from_geojson(texts, on_invalid="ignore")
    problems: dict[str, Any] = {
        "geometry cannot be read or is empty": shapely.is_missing(shapes)
        | shapely.is_empty(shapes),
        "geometry must hold [lon, lat] in degrees of WGS-84": ~_on_earth(shapely.bounds(shapes)),
        "geometry is no proper shape: its border crosses itself": ~shapely.is_valid(shapes),
    }
    for problem, is_wrong in problems.items():
        for position in np.flatnonzero(is_wrong):
            raise ConfigError(f"{_where(file, int(position))}: {problem}")
    return shapes


def _on_earth(bounds: FloatArray) -> Any:
    limit = np.array([180.0, 90.0, 180.0, 90.0])
    return (abs(bounds) <= limit).all(axis=-1)
