"""GET and PUT /grids, and the codes of a place: unit grid, responsible grid, road segment."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from pydantic import BaseModel

from patrolvision.api import layer_files
from patrolvision.api.intake import Layers
from patrolvision.api.security import Office, Principal, reader, requires
from patrolvision.tickets.grids import GridIndex
from patrolvision.types import GridCodes


class Codes(BaseModel):
    """The three codes of a place; null where nothing covers it."""

    unit_grid: str | None
    responsible_grid: str | None
    segment: str | None


def router(office: Office) -> APIRouter:
    """Grids over the office's store."""
    router = APIRouter(prefix="/api/v1", tags=["zones and grids"])
    in_force = Layers(office)

    @router.get("/grids", responses=layer_files.GIVEN, response_class=Response)
    def grids(who: Annotated[Principal, Depends(reader(office))]) -> Response:
        """The cells and segments in force, as GeoJSON."""
        return layer_files.given(office, "grids")

    @router.put("/grids", openapi_extra=layer_files.BODY)
    def replaced(
        who: Annotated[Principal, Depends(requires(office, "dispatcher", everywhere=True))],
        content: Annotated[bytes, Depends(layer_files.geojson)],
    ) -> layer_files.LayerVersion:
        """Put other cells and segments in force; refused as a whole if one of them is wrong."""
        text = layer_files.text_of(content)
        GridIndex.from_text(text, "grids")
        return layer_files.put(office, "grids", text, who.name)

    @router.get("/grids/at")
    def codes(
        who: Annotated[Principal, Depends(reader(office))],
        lat: Annotated[float, Query(ge=-90, le=90, examples=[22.84])],
        lon: Annotated[float, Query(ge=-180, le=180, examples=[113.23])],
    ) -> Codes:
        """The codes of a place; on a border the smallest code, the same every time."""
        _, index = in_force.now()
        found = GridCodes() if index is None else index.codes_at(lat, lon)
        return Codes(
            unit_grid=found.unit_grid,
            responsible_grid=found.responsible_grid,
            segment=found.segment,
        )

    return router
