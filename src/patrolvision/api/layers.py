"""The office's zones and grids as shapes with their properties, read once for each version."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import shapely

from patrolvision.api.security import Office
from patrolvision.store.areas import AreaKind, area_version, stored_area
from patrolvision.store.quads import Bounds

ASK_AGAIN_S = 2.0
LAYERS = ("unit", "responsible", "segment")


@dataclass(frozen=True, slots=True)
class Shape:
    """One cell, segment or zone; geometry is of (lon_deg, lat_deg), feature its GeoJSON."""

    id: str
    geometry: Any
    feature: dict[str, Any]


class Layer:
    """Shapes by id, found by box."""

    def __init__(self, shapes: Sequence[Shape] = ()) -> None:
        self.shapes = sorted(shapes, key=lambda shape: shape.id)
        self.by_id = {shape.id: shape for shape in self.shapes}
        self._tree = shapely.STRtree([shape.geometry for shape in self.shapes])

    def within(self, box: Bounds) -> list[Shape]:
        """Those that meet a box, by id; a box with west > east crosses 180°."""
        west, south, east, north = box
        boxes = (
            [box] if west <= east else [(west, south, 180.0, north), (-180.0, south, east, north)]
        )
        found: set[int] = set()
        for one in boxes:
            found |= set(self._tree.query(shapely.box(*one), predicate="intersects").tolist())
        return [self.shapes[k] for k in sorted(found)]


class StoredLayers:
    """What the store holds now, asked for at most every two seconds; for all threads."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._lock = threading.Lock()
        self._asked: dict[AreaKind, float] = {}
        self._versions: dict[AreaKind, int] = {}
        self._layers: dict[str, Layer] = {}

    def grid(self, layer: str) -> Layer:
        """unit, responsible or segment."""
        self._look("grids")
        return self._layers.get(layer, Layer())

    def zones(self) -> Layer:
        """The kerb rules' zones."""
        self._look("zones")
        return self._layers.get("zones", Layer())

    def version(self, kind: AreaKind) -> int:
        """The number of the version that is answered."""
        self._look(kind)
        return self._versions.get(kind, 0)

    def _look(self, kind: AreaKind) -> None:
        with self._lock:
            if time.monotonic() - self._asked.get(kind, -1e9) < ASK_AGAIN_S:
                return
            engine = self._office.store.engine
            version = area_version(engine, kind)
            if version != self._versions.get(kind):
                area = stored_area(engine, kind)
                self._layers |= _read(kind, area.content if area is not None else None)
                self._versions[kind] = version
            self._asked[kind] = time.monotonic()


def _read(kind: AreaKind, content: str | None) -> dict[str, Layer]:
    features = [] if content is None else orjson.loads(content).get("features", [])
    if kind == "zones":
        return {"zones": Layer(_shapes(features, "zone_id"))}
    by_layer: dict[str, list[Any]] = {name: [] for name in LAYERS}
    for feature in features:
        by_layer.setdefault(feature["properties"].get("layer"), []).append(feature)
    return {name: Layer(_shapes(found, "code")) for name, found in by_layer.items()}


def _shapes(features: Sequence[dict[str, Any]], key: str) -> list[Shape]:
    texts = [orjson.dumps(feature["geometry"]) for feature in features]
    geometries = shapely.from_geojson(np.array(texts, dtype=object), on_invalid="ignore")
    return [
        Shape(str(feature["properties"].get(key)), geometry, feature)
        for feature, geometry in zip(features, geometries, strict=True)
        if geometry is not None and not geometry.is_empty
    ]
