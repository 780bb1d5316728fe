"""The border at which a coordinate of another datum becomes WGS-84; inside there is no other.

GCJ-02, the datum of Chinese consumer maps, shifts a place by 100 to 700 m and cannot be told from
WGS-84 by looking at it: so it has to be named. Whoever may convert it where is for a city's lawyers
to say; nothing here is done without being asked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike

from patrolvision.types import Datum, FloatArray

DATUMS = get_args(Datum)
_SEMI_MAJOR_M = 6378245.0  # Krasovsky's ellipsoid
_ECCENTRICITY2 = 0.00669342162296594323
_SHIFTED = (0.8293, 55.8271, 72.004, 137.8347)  # south, north, west, east
_STEPS = 10  # each leaves less than a hundredth of the error of the one before
# CGCS2000 (EPSG 4490) and WGS-84 agree to some centimetres
_WGS84_NAMES = ("CRS84", "4326", "4490", "WGS84", "WGS-84")


def gcj02_from_wgs84(lat_deg: ArrayLike, lon_deg: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """lat_deg, lon_deg as GCJ-02 has them; outside of China they stay as they are.

    The transformation as it is publicly known (github.com/googollee/eviltransform); its makers have
    never published one.
    """
    lat, lon = np.broadcast_arrays(np.asarray(lat_deg, float), np.asarray(lon_deg, float))
    x, y = lon - 105.0, lat - 35.0
    root, pi = np.sqrt(np.abs(x)), np.pi
    wave = 20.0 * np.sin(6.0 * x * pi) + 20.0 * np.sin(2.0 * x * pi)
    dlat = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root
    dlat += (wave + 20.0 * np.sin(y * pi) + 40.0 * np.sin(y / 3.0 * pi)) * 2.0 / 3.0
    dlat += (160.0 * np.sin(y / 12.0 * pi) + 320.0 * np.sin(y * pi / 30.0)) * 2.0 / 3.0
    dlon = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root
    dlon += (wave + 20.0 * np.sin(x * pi) + 40.0 * np.sin(x / 3.0 * pi)) * 2.0 / 3.0
    dlon += (150.0 * np.sin(x / 12.0 * pi) + 300.0 * np.sin(x / 30.0 * pi)) * 2.0 / 3.0
    curve = 1.0 - _ECCENTRICITY2 * np.sin(np.radians(lat)) ** 2
    north_m = np.radians(1.0) * _SEMI_MAJOR_M * (1.0 - _ECCENTRICITY2) / curve**1.5
    east_m = np.radians(1.0) * _SEMI_MAJOR_M / np.sqrt(curve) * np.cos(np.radians(lat))
    south, north, west, east = _SHIFTED
    is_shifted = (lat >= south) & (lat <= north) & (lon >= west) & (lon <= east)
    return (
        np.where(is_shifted, lat + dlat / north_m, lat),
        np.where(is_shifted, lon + dlon / east_m, lon),
    )


def wgs84_from_gcj02(lat_deg: ArrayLike, lon_deg: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """The inverse, by fixed-point iteration: better than a millimetre, away from China's border."""
    given_lat, given_lon = np.asarray(lat_deg, float), np.asarray(lon_deg, float)
    lat, lon = given_lat, given_lon
    for _ in range(_STEPS):
        there_lat, there_lon = gcj02_from_wgs84(lat, lon)
        lat, lon = lat + (given_lat - there_lat), lon + (given_lon - there_lon)
    return np.asarray(lat), np.asarray(lon)


def text_in_wgs84(text: str) -> str:
    """The text of a FeatureCollection that is known to be good: unchanged, or moved to WGS-84."""
    collection = json.loads(text)
    moved = in_wgs84(collection)
    return text if moved is collection else json.dumps(moved, ensure_ascii=False)


def in_wgs84(collection: Mapping[str, Any]) -> Mapping[str, Any]:
    """A GeoJSON FeatureCollection with its coordinates in WGS-84, [lon, lat].

    Its own word counts: a member "datum" (this project's: WGS-84 or GCJ-02), or "crs" as of GeoJSON
    2008, which QGIS and others write; without either it is WGS-84 (RFC 7946, section 4). Raises
    ValueError naming the member for anything else.
    """
    datum = _stated(collection)
    if datum == "WGS-84":
        return collection
    rest = {name: value for name, value in collection.items() if name not in ("datum", "crs")}
    features = collection.get("features")
    moved = [_moved_feature(f) for f in features] if isinstance(features, list) else features
    return rest | {"features": moved}


def _stated(collection: Mapping[str, Any]) -> Datum:
    datum = collection.get("datum", "WGS-84")
    if datum not in DATUMS:
        raise ValueError(f"datum: must be {' or '.join(DATUMS)}, found {datum!r}")
    crs = collection.get("crs")
    if crs is not None:
        properties = crs.get("properties") if isinstance(crs, Mapping) else None
        name = properties.get("name") if isinstance(properties, Mapping) else None
        if not isinstance(name, str) or name.upper().split(":")[-1] not in _WGS84_NAMES:
            said = crs if name is None else name
            raise ValueError(f"crs: must be WGS-84 (CRS84, EPSG:4326, EPSG:4490), found {said!r}")
    return datum  # type: ignore[no-any-return]


def _moved_feature(feature: Any) -> Any:
    geometry = feature.get("geometry") if isinstance(feature, Mapping) else None
    if not isinstance(geometry, Mapping) or "coordinates" not in geometry:
        return feature  # whoever reads it says what is wrong with it
    return {**feature, "geometry": {**geometry, "coordinates": _moved(geometry["coordinates"])}}


def _moved(coordinates: Any) -> Any:
    """Coordinates of any depth; a line or ring at once."""
    if not isinstance(coordinates, list):
        return coordinates
    if _is_position(coordinates):
        return _moved([coordinates])[0]
    if not coordinates or not all(map(_is_position, coordinates)):
        return [_moved(part) for part in coordinates]
    lats, lons = wgs84_from_gcj02([v[1] for v in coordinates], [v[0] for v in coordinates])
    places = zip(lons.tolist(), lats.tolist(), coordinates, strict=True)
    return [[lon, lat, *rest[2:]] for lon, lat, rest in places]


def _is_position(value: Any) -> bool:
    """Numbers that may be degrees; others stay, for whoever checks them."""
    is_list = isinstance(value, list) and len(value) >= 2
    return is_list and all(isinstance(v, (int, float)) and abs(v) <= 1e6 for v in value)
