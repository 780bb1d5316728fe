"""GET and PUT /zones: the kerb's rules, as a zones file has them."""

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from patrolvision.api import layers
from patrolvision.api.problems import Problem
from patrolvision.api.security import Office, Principal, reader, requires
from patrolvision.rules.zones import zones_of


def router(office: Office) -> APIRouter:
    """Zones over the office's store."""
    router = APIRouter(prefix="/api/v1", tags=["zones and grids"])

    @router.get("/zones", responses=layers.GIVEN, response_class=Response)
    def zones(who: Annotated[Principal, Depends(reader(office))]) -> Response:
        """The zones in force, as GeoJSON."""
        return layers.given(office, "zones")

    @router.put("/zones", openapi_extra=layers.BODY)
    def replaced(
        who: Annotated[Principal, Depends(requires(office, "dispatcher"))],
        content: Annotated[bytes, Depends(layers.geojson)],
    ) -> layers.LayerVersion:
        """Put other zones in force; refused as a whole if one of them is wrong."""
        text = layers.text_of(content)
        _, problems = zones_of(content, "zones", office.settings.timezone)
        if problems:
            raise Problem(422, problems[0], errors=[{"error": text} for text in problems[:100]])
        return layers.put(office, "zones", text, who.name)

    return router
