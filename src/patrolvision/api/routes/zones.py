"""GET and PUT /zones: the kerb's rules, as a zones file has them."""

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from patrolvision.api import layer_files
from patrolvision.api.problems import Problem
from patrolvision.api.security import Office, Principal, reader, requires
from patrolvision.rules.zones import zones_of


def router(office: Office) -> APIRouter:
    """Zones over the office's store."""
    router = APIRouter(prefix="/api/v1", tags=["zones and grids"])

    @router.get("/zones", responses=layer_files.GIVEN, response_class=Response)
    def zones(who: Annotated[Principal, Depends(reader(office))]) -> Response:
        """The zones in force, as GeoJSON."""
        return layer_files.given(office, "zones")

    @router.put("/zones", openapi_extra=layer_files.BODY)
    def replaced(
        who: Annotated[Principal, Depends(requires(office, "dispatcher", everywhere=True))],
        content: Annotated[bytes, Depends(layer_files.geojson)],
    ) -> layer_files.LayerVersion:
        """Put other zones in force; refused as a whole if one of them is wrong."""
        text = layer_files.text_of(content)
        _, problems = zones_of(content, "zones", office.settings.timezone)
        if problems:
            raise Problem(422, problems[0], errors=[{"error": text} for text in problems[:100]])
        return layer_files.put(office, "zones", text, who.name)

    return router
