"""GET /tiles/{layer}/{z}/{x}/{y}.mvt: vector tiles of tickets, of looks, and of grids."""

from dataclasses import replace
from typing import Annotated, Any

import shapely
from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import Response

from patrolvision.api import answers, mvt
from patrolvision.api.asked import AskedTickets, documented
from patrolvision.api.kept import Answer
from patrolvision.api.layers import StoredLayers
from patrolvision.api.problems import Problem
from patrolvision.api.routes.clusters import Folding, properties
from patrolvision.api.routes.tickets import asked_of, holds_s
from patrolvision.api.security import Office, Principal, reader
from patrolvision.api.territory import Territory
from patrolvision.store import quads
from patrolvision.store.engine import reading
from patrolvision.store.map_reads import FINER, looks_in, shown
from patrolvision.store.pages import RowFilter
from patrolvision.store.quads import Tile

DEEPEST = 22
COVERAGE_FROM = 11  # zooms out of which looks are too small to be seen
MOST_LOOKS = 2000  # of a tile, the newest
GRIDS_FROM = {"unit": 12, "responsible": 8, "segment": 10}
BINARY: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {mvt.MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
        "description": "a Mapbox Vector Tile 2.1; empty where nothing stands",
    }
}
Zoom = Annotated[int, Path(ge=0, le=DEEPEST)]
Index = Annotated[int, Path(ge=0, lt=1 << DEEPEST)]


def _tile(z: int, x: int, y: int) -> Tile:
    if max(x, y) >= 1 << z:
        raise Problem(404, f"zoom {z} has {1 << z} columns and rows, counted from 0")
    return z, x, y


def _sent(content: bytes, max_age_s: int) -> Response:
    headers = {"Cache-Control": f"private, max-age={max_age_s}"}
    return Response(content, media_type=mvt.MEDIA_TYPE, headers=headers)


def router(office: Office) -> APIRouter:
    """Vector tiles over the office's store."""
    engine, folding = office.store.engine, Folding(office.store.engine)
    layers, reads = StoredLayers(office), Depends(reader(office))
    territory = Territory(office)
    router = APIRouter(prefix="/api/v1/tiles", tags=["map"])

    @router.get(
        "/tickets/{z}/{x}/{y}.mvt",
        response_class=Response,
        responses=BINARY | answers.UNCHANGED,
        openapi_extra=documented(AskedTickets, answers.IF_NONE_MATCH),
    )
    async def ticket_tile(
        request: Request, z: Zoom, x: Index, y: Index, who: Annotated[Principal, reads]
    ) -> Response:
        """Layer tickets: points with count, and ticket_id, state … where it is one alone.

        The filters are those of /tickets; a bbox gives way to the tile.
        """
        wanted = AskedTickets.of(request).tickets(who, office.clock())
        tile = _tile(z, x, y)
        within = replace(wanted, box=quads.bounds_of(tile))

        def built() -> Answer:
            with reading(engine) as connection:
                found = shown(connection, [quads.quads_in(tile)], z + FINER, within)
                folding.look(connection)
            points = properties(found)
            places = [(lat, lon) for lat, lon, _ in points]
            said = [properties for *_, properties in points]
            content = mvt.layer("tickets", mvt.points(tile, places, said))
            return Answer(content, mvt.MEDIA_TYPE, holds_s=holds_s(wanted))

        answer = await office.kept.answer(request, asked_of(request, wanted), built)
        answer.background = folding.due()
        return answer

    @router.get("/coverage/{z}/{x}/{y}.mvt", response_class=Response, responses=BINARY)
    def coverage_tile(z: Zoom, x: Index, y: Index, who: Annotated[Principal, reads]) -> Response:
        """Layer coverage: what was looked at, from zoom 11 on; the newest 2000 looks of a tile."""
        tile = _tile(z, x, y)
        found, within = [], RowFilter(box=quads.bounds_of(tile))
        if z >= COVERAGE_FROM:
            with reading(engine) as connection:
                found = looks_in(connection, territory.narrowed(who, within), MOST_LOOKS)
        features = [
            feature
            for row in found
            for feature in mvt.shape(
                tile,
                shapely.Polygon([(lon, lat) for lat, lon in row["polygon"]]),
                {
                    "id": row["id"],
                    "mission_id": row["mission_id"],
                    "end": row["end_at"].isoformat(),
                    "detection_probability": row["detection_probability"],
                },
            )
        ]
        return _sent(mvt.layer("coverage", features), 10)

    @router.get("/grids/{z}/{x}/{y}.mvt", response_class=Response, responses=BINARY)
    def grid_tile(z: Zoom, x: Index, y: Index, who: Annotated[Principal, reads]) -> Response:
        """Layers unit (from zoom 12), responsible (8), segment (10): the office's grids."""
        tile = _tile(z, x, y)
        box = quads.bounds_of(tile)
        content = b""
        for name, first_zoom in GRIDS_FROM.items():
            if z < first_zoom:
                continue
            features = [
                feature
                for found in layers.grid(name).within(box)
                for feature in mvt.shape(tile, found.geometry, _said(found.feature["properties"]))
            ]
            content += mvt.layer(name, features)
        return _sent(content, 60)

    return router


def _said(properties: dict[str, object]) -> dict[str, str | int | float | bool]:
    return {k: v for k, v in properties.items() if isinstance(v, (str, int, float, bool))}
