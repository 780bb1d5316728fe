"""/ogc: the layers as OGC API – Features – Part 1: Core (OGC 17-069r4), GeoJSON.

What the standard asks beyond the rest of the API: 400, not 422, for a parameter that is unknown or
impossible (§7.15), and links from everything to everything.
"""

import base64
from bisect import bisect_right
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.routing import APIRoute
from pydantic import BaseModel
from sqlalchemy import Connection, Table

from patrolvision import records
from patrolvision.api import answers, queries, shapes
from patrolvision.api.layers import Layer, StoredLayers
from patrolvision.api.problems import Problem
from patrolvision.api.security import Office, Principal, reader
from patrolvision.store import schema
from patrolvision.store.engine import reading
from patrolvision.store.office_reads import ticket_rows
from patrolvision.store.pages import RowFilter, page_of, row_of
from patrolvision.store.quads import Bounds
from patrolvision.store.ticket_filters import TicketFilter
from patrolvision.store.ticket_pages import page
from patrolvision.types import GridCodes

CORE = "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/"
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
OPENAPI = "application/vnd.oai.openapi+json;version=3.1"
MOST = 1000
UNSHOWN = {"kind": ("watch",), "status": ("dismissed",)}
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
ROWS: dict[str, tuple[Table, Callable[[Any], dict[str, Any]]]] = {
    "incidents": (schema.incidents, shapes.incident),
    "observations": (schema.observations, shapes.observation),
    "coverage": (schema.looks, shapes.look),
}
GRIDS = {"unit_grids": "unit", "responsible_grids": "responsible", "segments": "segment"}
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


@dataclass(frozen=True, slots=True)
class Span:
    """From since to until, both included; None: open."""

    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a call for items asks for."""

    box: Bounds | None
    span: Span
    limit: int
    cursor: str | None


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


def span_of(text: str) -> Span:
    """An instant, or an interval of two with .. or nothing for an open end (RFC 3339)."""
    ends = text.split("/")
    if len(ends) > 2:
        raise Problem(400, "datetime: expected an instant or an interval start/end")
    found = [None if end in ("", "..") else _instant(end) for end in ends]
    since, until = (found[0], found[-1])
    if len(ends) == 1 and since is None:
        raise Problem(400, "datetime: expected an instant or an interval start/end")
    if since is not None and until is not None and since > until:
        raise Problem(400, "datetime: the interval ends before it begins")
    return Span(since, until)


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError as error:
        raise Problem(400, "datetime: expected RFC 3339, e.g. 2026-05-04T08:00:00Z") from error
    if at.tzinfo is None:
        raise Problem(400, "datetime: an instant needs an offset from UTC, or Z")
    return at


def asked(
    bbox: queries.Box = None,
    datetime_: Annotated[
        str | None,
        Query(
            alias="datetime",
            max_length=100,
            description="an instant or interval (RFC 3339), e.g. 2026-05-04T00:00:00Z/..",
        ),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=10_000, description="at most 1000 are answered")] = 10,
    cursor: queries.Cursor = None,
) -> Asked:
    """A dependency: the parameters of a call for items."""
    box = None if bbox is None else queries.box_of(bbox)
    span = Span() if datetime_ is None else span_of(datetime_)
    return Asked(box, span, min(limit, MOST), cursor)


class Layers:
    """Items of every collection, from the store's tables or from its map layers."""

    def __init__(self, office: Office) -> None:
        self._engine = office.store.engine
        self._stored = StoredLayers(office)

    def items(
        self, name: str, wanted: Asked, who: Principal
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Features of a collection, and the cursor of those that follow."""
        if name in ROWS or name == "tickets":
            with reading(self._engine) as connection:
                read = self._tickets if name == "tickets" else self._rows
                found, cursor = read(connection, name, wanted, who)
            return list(records.features(found)["features"]), cursor
        return _of_layer(self._layer(name), wanted)

    def item(self, name: str, identity: str, who: Principal) -> dict[str, Any] | None:
        """The feature of an id."""
        if name not in ROWS and name != "tickets":
            shape = self._layer(name).by_id.get(identity)
            return None if shape is None else _feature(shape.id, shape.feature)
        with reading(self._engine) as connection:
            if name == "tickets":
                found = [_ticket(one) for one in ticket_rows(connection, [identity])]
                found = [record for record in found if who.covers(_codes(record))]
            else:
                table, shown = ROWS[name]
                row = row_of(connection, table, identity)
                found = [] if row is None else [shown(row)]
        return dict(records.features(found)["features"][0]) if found else None

    def _layer(self, name: str) -> Layer:
        return self._stored.zones() if name == "zones" else self._stored.grid(GRIDS[name])

    @staticmethod
    def _rows(
        connection: Connection, name: str, wanted: Asked, who: Principal
    ) -> tuple[list[dict[str, Any]], str | None]:
        table, shown = ROWS[name]
        unequal = UNSHOWN if name == "incidents" else {}
        where = RowFilter(wanted.box, wanted.span.since, _after(wanted.span.until), {}, unequal)
        after = queries.row_place(wanted.cursor, name)
        found, place = page_of(connection, table, where, limit=wanted.limit, after=after)
        return [shown(row) for row in found], queries.next_cursor(name, place)

    @staticmethod
    def _tickets(
        connection: Connection, name: str, wanted: Asked, who: Principal
    ) -> tuple[list[dict[str, Any]], str | None]:
        where = TicketFilter(
            box=wanted.box,
            since=wanted.span.since,
            until=_after(wanted.span.until),
            areas=who.areas,
        )
        after = queries.ticket_place(wanted.cursor, "newest")
        found = page(connection, where, "newest", wanted.limit, after)
        rows = ticket_rows(connection, found.ids)
        return [_ticket(one) for one in rows], queries.next_cursor("newest", found.next)


def _after(until: datetime | None) -> datetime | None:
    """The end of an interval is part of it; our filters end before theirs."""
    return None if until is None else schema.EPOCH + (until - schema.EPOCH) + schema.MICROSECOND


def _ticket(one: Any) -> dict[str, Any]:
    return shapes.ticket(one.ticket, one.events, one.incident)


def _codes(record: dict[str, Any]) -> GridCodes:
    return GridCodes(record["unit_grid"], record["responsible_grid"], record["segment"])


def _of_layer(layer: Layer, wanted: Asked) -> tuple[list[dict[str, Any]], str | None]:
    found = layer.shapes if wanted.box is None else layer.within(wanted.box)
    start = 0
    if wanted.cursor is not None:
        start = bisect_right([shape.id for shape in found], _plain(wanted.cursor))
    chosen = found[start : start + wanted.limit]
    has_more = start + wanted.limit < len(found)
    cursor = base64.urlsafe_b64encode(chosen[-1].id.encode()).rstrip(b"=") if has_more else None
    features = [_feature(shape.id, shape.feature) for shape in chosen]
    return features, None if cursor is None else cursor.decode()


def _plain(cursor: str) -> str:
    try:
        return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except ValueError as error:
        raise Problem(400, "cursor: take it from the link to the next page") from error


def _feature(identity: str, feature: dict[str, Any]) -> dict[str, Any]:
    named = {"geometry": feature["geometry"], "properties": feature["properties"]}
    return {"type": "Feature", "id": identity, **named}


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
    layers, reads = Layers(office), Depends(reader(office))
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
        features, cursor = layers.items(name, wanted, who)
        content = _linked(request, name, features, cursor, office.clock())
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
        found = layers.item(name, item_id, who)
        if found is None:
            raise Problem(404, f"{name} has no item {item_id}")
        path = f"/ogc/collections/{name}"
        here = _link(request, f"{path}/items/{quote(item_id, safe='')}", "self", answers.GEOJSON)
        links = [here, _link(request, path, "collection")]
        found["links"] = [link.model_dump(exclude_none=True) for link in links]
        return answers.body(found, media_type=answers.GEOJSON)

    return router
