"""What somebody who is limited to areas may see of rows that carry no grid codes of their own.

Incidents and observations are where their place lies, by the grids in force: the same lookup, and
so the same word on a border, as for the codes of a ticket. A look is shown where it meets an area.
Without grids nothing lies in an area.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import shapely

from patrolvision.api.intake import Layers
from patrolvision.api.layers import StoredLayers
from patrolvision.api.security import Office, Principal
from patrolvision.store import rows
from patrolvision.store.pages import RowFilter
from patrolvision.store.quads import Bounds
from patrolvision.types import GridCodes

NOWHERE: Bounds = (180.0, -90.0, 180.0, -90.0)
CELLS = ("unit", "responsible")  # whose codes areas are prefixes of
MOST_KEPT = 256


@dataclass(frozen=True, slots=True)
class _Area:
    """The cells of some areas, and the box around them."""

    tree: shapely.STRtree
    box: Bounds


class Territory:
    """The areas of whoever asks, over the grids that the office has now; for all threads."""

    def __init__(self, office: Office) -> None:
        self._codes, self._stored = Layers(office), StoredLayers(office)
        self._kept: dict[tuple[int, tuple[str, ...]], _Area] = {}
        self._lock = threading.Lock()

    def covers(self, who: Principal, lat_deg: float, lon_deg: float) -> bool:
        """Whether a place lies in his areas; everywhere does for who has none."""
        if not who.areas:
            return True
        _, grids = self._codes.now()
        return who.covers(GridCodes() if grids is None else grids.codes_at(lat_deg, lon_deg))

    def shows(self, who: Principal, row: rows.Stored) -> bool:
        """Whether he may see a row: of incidents and observations its place, of looks any part."""
        if not who.areas:
            return True
        if "polygon" not in row:
            return self.covers(who, row["lat_deg"], row["lon_deg"])
        seen = shapely.Polygon([(lon, lat) for lat, lon in row["polygon"]])
        return len(self._area(who.areas).tree.query(seen, predicate="intersects")) > 0

    def narrowed(self, who: Principal, wanted: RowFilter) -> RowFilter:
        """The filter, with what lies in his areas alone."""
        if not who.areas:
            return wanted
        around = self._area(who.areas).box
        box = around if wanted.box is None else _meet(wanted.box, around)
        return replace(wanted, box=box, holds=lambda row: self.shows(who, row))

    def _area(self, areas: tuple[str, ...]) -> _Area:
        layers = [self._stored.grid(name) for name in CELLS]
        key = (self._stored.version("grids"), areas)
        with self._lock:
            if key not in self._kept:
                if len(self._kept) >= MOST_KEPT:
                    self._kept.clear()
                cells = [
                    shape.geometry
                    for layer in layers
                    for shape in layer.shapes
                    if shape.id.startswith(areas)
                ]
                self._kept[key] = _Area(shapely.STRtree(cells), _around(cells))
            return self._kept[key]


def _around(cells: Sequence[Any]) -> Bounds:
    if not cells:
        return NOWHERE
    west, south, east, north = shapely.total_bounds(np.array(cells, dtype=object)).tolist()
    return west, south, east, north


def _meet(asked: Bounds, own: Bounds) -> Bounds:
    if asked[0] > asked[2]:
        return asked  # across 180 degrees; each row is looked at all the same
    west, south = max(asked[0], own[0]), max(asked[1], own[1])
    east, north = min(asked[2], own[2]), min(asked[3], own[3])
    return NOWHERE if west > east or south > north else (west, south, east, north)
