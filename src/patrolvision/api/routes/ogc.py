"""/ogc: the layers as OGC API – Features – Part 1: Core (OGC 17-069r4), GeoJSON.

What the standard asks beyond the rest of the API: 400, not 422, for a parameter that is unknown or
impossible (§7.15), and links from everything to everything.
"""

from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Path, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.routing import APIRoute
from pydantic import BaseModel

from patrolvision.api import answers, queries
from patrolvision.api.features import Asked, Features, asked
from patrolvision.api.problems import Problem
from patrolvision.api.security import Office, Principal, reader

CORE = "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/"
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
OPENAPI = "application/vnd.oai.openapi+json;version=3.1"
Name = Literal[
    "incidents", "tickets", "observations", "coverage",
    "unit_grids", "responsible_grids", "segments", "zones",
]  # fmt: skip
TITLES: dict[str, tuple[str, str]] = {
    "incidents": ("Incidents", "hazards that patrols and citizens found, each counted once"),
    "tickets": ("Tickets", "incidents on the office's desk"),
    "observations": ("Observations", "single things as single passes saw them"),
    "coverage": ("Coverage", "what the patrols could have seen, and when"),
    "unit_grids": ("Unit grids", "the smallest cells of the city's administration"),
    "responsible_grids": ("Responsible grids", "cells that somebody answers for"),
    "segments": ("Road segments", "segments of roads with a chief"),
    "zones": ("Zones", "kerb rules: where stopping, parking or fire is forbidden or allowed"),
}
LINKS: dict[str, Any] = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["href", "rel"],
        "properties": {"href": {"type": "string"}, "rel": {"type": "string"}},
    },
}
COLLECTION_OF_FEATURES: dict[str, Any] = {
    "type": "object",
    "required": ["type", "features", "links", "timeStamp", "numberReturned"],
    "properties": {
        "type": {"const": "FeatureCollection"},
        "features": {"type": "array", "items": {"type": "object"}},
        "links": LINKS,
        "timeStamp": {"type": "string", "format": "date-time"},
        "numberReturned": {"type": "integer", "minimum": 0},
    },
}
FEATURE: dict[str, Any] = {
    "type": "object",
    "required": ["type", "id", "geometry", "properties", "links"],
    "properties": {"type": {"const": "Feature"}, "links": LINKS},
}


class Link(BaseModel):
    """Where something is, and what it is."""

    href: str
    rel: str
    type: str
    title: str | None = None


class Landing(BaseModel):
    """Where everything begins."""

    title: str
    description: str
    links: list[Link]


class Conformance(BaseModel):
    """The classes of the standard that hold here."""

    conformsTo: list[str]  # noqa: N815 - the standard's name


class Collection(BaseModel):
    """A layer."""

    id: str
    title: str
    description: str
    itemType: Literal["feature"]  # noqa: N815 - the standard's name
    crs: list[str]
    extent: dict[str, Any]
    links: list[Link]


class Collections(BaseModel):
    """All layers."""

    links: list[Link]
    collections: list[Collection]


class StrictRoute(APIRoute):
    """A route that answers 400 to parameters that are unknown or impossible."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with the standard's statuses."""
        inner = super().get_route_handler()

        async def handler(request: Request) -> Response:
            known = {param.alias for param in self.dependant.query_params}
            for dependency in self.dependant.dependencies:
                known |= {param.alias for param in dependency.query_params}
            unknown = sorted(set(request.query_params) - known)
            if unknown:
                raise Problem(400, f"unknown parameter {unknown[0]}")
            try:
                return await inner(request)
            except RequestValidationError as error:
                first = error.errors()[0]
                if first["loc"][0] == "path":
                    raise Problem(404, "there is no such collection or item") from error
                raise Problem(400, f"{first['loc'][-1]}: {first['msg']}") from error
            except Problem as problem:
                if problem.status_code == 422:
                    raise Problem(400, str(problem.detail)) from problem
                raise

        return handler


def _link(request: Request, path: str, rel: str, kind: str = answers.JSON, **more: str) -> Link:
    return Link(href=str(request.base_url).rstrip("/") + path, rel=rel, type=kind, **more)


def _collection(request: Request, name: str) -> Collection:
    title, description = TITLES[name]
    path = f"/ogc/collections/{name}"
    items = _link(request, f"{path}/items", "items", answers.GEOJSON, title=title)
    return Collection(
        id=name,
        title=title,
        description=description,
        itemType="feature",
        crs=[CRS84],
        extent={"spatial": {"bbox": [[-180.0, -90.0, 180.0, 90.0]], "crs": CRS84}},
        links=[_link(request, path, "self"), items],
    )


def _linked(
    request: Request,
    name: str,
    features: Sequence[dict[str, Any]],
    cursor: str | None,
    at: datetime,
) -> dict[str, Any]:
    kept = [(k, v) for k, v in request.query_params.multi_items() if k != "cursor"]
    path = f"/ogc/collections/{name}"
    here = f"{path}/items" + (f"?{request.url.query}" if request.url.query else "")
    links = [
        _link(request, here, "self", answers.GEOJSON),
        _link(request, path, "collection"),
    ]
    if cursor is not None:
        following = f"{path}/items?{urlencode([*kept, ('cursor', cursor)])}"
        links.append(_link(request, following, "next", answers.GEOJSON))
    return {
        "type": "FeatureCollection",
        "features": features,
        "links": [link.model_dump(exclude_none=True) for link in links],
        "timeStamp": at,
        "numberReturned": len(features),
    }


def router(office: Office) -> APIRouter:
    """OGC API – Features over the office's store."""
    features, reads = Features(office), Depends(reader(office))
    router = APIRouter(tags=["ogc"], route_class=StrictRoute)
    Who = Annotated[Principal, reads]  # noqa: N806 - a type

    @router.get("/ogc", include_in_schema=False)
    @router.get("/ogc/")
    def landing(request: Request, who: Who) -> Landing:
        """The landing page: links to the API, what it conforms to, and the layers."""
        links = [
            _link(request, "/ogc/", "self"),
            _link(request, "/openapi.json", "service-desc", OPENAPI),
            _link(request, "/ogc/conformance", "conformance"),
            _link(request, "/ogc/collections", "data"),
        ]
        return Landing(
            title="patrolvision",
            description="What patrol cars and drones found, and the city's grids and zones",
            links=links,
        )

    @router.get("/ogc/conformance")
    def conformance(who: Who) -> Conformance:
        """The classes of the standard that hold."""
        return Conformance(conformsTo=[CORE + "core", CORE + "geojson"])

    @router.get("/ogc/collections")
    def collections(request: Request, who: Who) -> Collections:
        """All layers."""
        found = [_collection(request, name) for name in TITLES]
        return Collections(links=[_link(request, "/ogc/collections", "self")], collections=found)

    @router.get("/ogc/collections/{name}")
    def collection(request: Request, name: Name, who: Who) -> Collection:
        """One layer."""
        return _collection(request, name)

    @router.get(
        "/ogc/collections/{name}/items",
        response_class=Response,
        responses={200: {"content": {answers.GEOJSON: {"schema": COLLECTION_OF_FEATURES}}}},
    )
    def items(
        request: Request, name: Name, who: Who, wanted: Annotated[Asked, Depends(asked)]
    ) -> Response:
        """Features of a layer, a page at a time; grids and zones have no time."""
        found, cursor = features.items(name, wanted, who)
        content = _linked(request, name, found, cursor, office.clock())
        return answers.body(content, media_type=answers.GEOJSON)

    @router.get(
        "/ogc/collections/{name}/items/{item_id}",
        response_class=Response,
        responses={200: {"content": {answers.GEOJSON: {"schema": FEATURE}}}},
    )
    def item(
        request: Request,
        name: Name,
        item_id: Annotated[str, Path(min_length=1, max_length=200, pattern=queries.NO_CONTROL)],
        who: Who,
    ) -> Response:
        """One feature."""
        found = features.item(name, item_id, who)
        if found is None:
            raise Problem(404, f"{name} has no item {item_id}")
        path = f"/ogc/collections/{name}"
        here = _link(request, f"{path}/items/{quote(item_id, safe='')}", "self", answers.GEOJSON)
        links = [here, _link(request, path, "collection")]
        found["links"] = [link.model_dump(exclude_none=True) for link in links]
        return answers.body(found, media_type=answers.GEOJSON)

    return router
