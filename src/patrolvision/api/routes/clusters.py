"""GET /clusters: a window of the map, whatever stands in it, as a few hundred points."""

import threading
import time
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from sqlalchemy import Connection, Engine
from starlette.background import BackgroundTask

from patrolvision.api import answers
from patrolvision.api.asked import AskedWindow, documented
from patrolvision.api.kept import Answer
from patrolvision.api.routes.tickets import asked_of, holds_s
from patrolvision.api.security import Office, Principal, reader
from patrolvision.store import pyramid, quads
from patrolvision.store.engine import reading
from patrolvision.store.map_reads import FINER, Shown, shown
from patrolvision.store.quads import Bounds

WORLD: Bounds = (-180.0, -85.0, 180.0, 85.0)
MOST_TILES = 64  # of the map in one window: more than any screen shows
LOOK_S = 1.0  # between two looks at how many changes wait
UNFOLDED = 500  # changes that readers add up themselves
GEOJSON: dict[int | str, dict[str, Any]] = {
    200: {"content": {answers.GEOJSON: {"schema": answers.FEATURES}}}
}
PROPERTIES = ("number", "category", "state", "priority", "assignee")


class Folding:
    """Folds the changes of tickets into the sums, in the background, one thread at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._busy = threading.Lock()
        self._is_due, self._looked_s = False, -1e9

    def look(self, connection: Connection) -> None:
        """See now and then whether there is enough to fold."""
        if time.monotonic() - self._looked_s > LOOK_S:
            self._looked_s = time.monotonic()
            self._is_due = pyramid.waiting(connection) >= UNFOLDED

    def due(self) -> BackgroundTask | None:
        """To be done after an answer, where there is enough to fold."""
        if not self._is_due or self._busy.locked():
            return None
        return BackgroundTask(self.fold)

    def fold(self) -> None:
        """Fold all there is, unless this is being done."""
        if not self._busy.acquire(blocking=False):
            return
        try:
            while pyramid.fold(self._engine):
                pass
            self._is_due = False
        finally:
            self._busy.release()


def cluster_zoom(box: Bounds, zoom: int) -> int:
    """The zoom of the clusters of a window, coarser where the window holds too many tiles."""
    while zoom > 0 and _tiles(box, zoom) > MOST_TILES:
        zoom -= 1
    return zoom + FINER


def _tiles(box: Bounds, zoom: int) -> int:
    west, south, east, north = box
    _, left, top = quads.tile_at(north, west, zoom)
    _, right, bottom = quads.tile_at(south, east, zoom)
    columns = (right - left) % (1 << zoom) + 1
    return columns * (bottom - top + 1)


def properties(found: Shown) -> list[tuple[float, float, dict[str, Any]]]:
    """(lat_deg, lon_deg, what is said of it) of every point of a window."""
    points: list[tuple[float, float, dict[str, Any]]] = [
        (c.lat_deg, c.lon_deg, {"count": c.count, "cluster": True}) for c in found.clusters
    ]
    for row in found.singles:
        said = {"count": 1, "cluster": False, "ticket_id": row["id"]}
        said |= {name: row[name] for name in PROPERTIES}
        points.append((row["lat_deg"], row["lon_deg"], said))
    return points


def router(office: Office) -> APIRouter:
    """Clusters over the office's store."""
    engine, folding = office.store.engine, Folding(office.store.engine)
    router = APIRouter(prefix="/api/v1", tags=["map"])

    @router.get(
        "/clusters",
        response_class=Response,
        responses=GEOJSON | answers.UNCHANGED,
        openapi_extra=documented(AskedWindow, answers.IF_NONE_MATCH),
    )
    async def clusters(
        request: Request, who: Annotated[Principal, Depends(reader(office))]
    ) -> Response:
        """Points for a window of the map: clusters with a count, and single tickets."""
        asked = AskedWindow.of(request)
        wanted = asked.tickets(who, office.clock())
        box = wanted.box or WORLD

        def built() -> Answer:
            ranges = quads.quads_covering(box, 256)
            with reading(engine) as connection:
                found = shown(connection, ranges, cluster_zoom(box, int(asked.zoom)), wanted)
                folding.look(connection)
            features = [
                {
                    "type": "Feature",
                    "geometry": {"type": "Point", "coordinates": [lon, lat]},
                    "properties": said,
                }
                for lat, lon, said in properties(found)
            ]
            content = orjson.dumps({"type": "FeatureCollection", "features": features})
            return Answer(content, answers.GEOJSON, holds_s=holds_s(wanted))

        answer = await office.kept.answer(request, asked_of(request, wanted), built)
        answer.background = folding.due()
        return answer

    return router
