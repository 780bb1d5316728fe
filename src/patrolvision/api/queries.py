"""What a caller may ask of a list, checked where it comes in: boxes, times, words, cursors."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, cast

import orjson
import shapely
from fastapi import Path, Query
from pydantic import AwareDatetime

from patrolvision.api.problems import Problem
from patrolvision.api.security import Principal
from patrolvision.store.pages import RowPlace
from patrolvision.store.quads import Bounds
from patrolvision.store.ticket_filters import OPEN, OVER, STATES, TicketFilter
from patrolvision.store.ticket_pages import Place, Sort

Format = Literal["json", "geojson"]
State = Literal[
    "reported", "filed", "dispatched", "handling", "feedback", "verified", "closed", "rejected"
]
Priority = Literal["urgent", "high", "normal"]

NO_CONTROL = r"^[^\x00-\x1f\x7f]*$"
Word = Annotated[str, Query(min_length=1, max_length=200, pattern=NO_CONTROL)]
Words = Annotated[
    list[Annotated[str, Query(min_length=1, max_length=200, pattern=NO_CONTROL)]],
    Query(max_length=32),
]
Id = Annotated[str, Path(min_length=1, max_length=200, pattern=NO_CONTROL, examples=["t-4f1c2b"])]
Limit = Annotated[int, Query(ge=1, le=1000, description="at most so many")]
Cursor = Annotated[
    str | None,
    Query(
        max_length=600,
        pattern=r"^[A-Za-z0-9_-]+$",
        description='where the page begins; taken from the answer before, header Link, rel="next"',
    ),
]
Box = Annotated[
    str | None,
    Query(
        max_length=200,
        description="west,south,east,north in degrees; west > east crosses 180°",
        examples=["113.20,22.80,113.26,22.86"],
    ),
]
Shape = Annotated[
    str | None,
    Query(
        max_length=20_000,
        description="a Polygon or MultiPolygon of lon lat, as WKT or as a GeoJSON geometry",
        examples=["POLYGON((113.2 22.8,113.3 22.8,113.3 22.9,113.2 22.8))"],
    ),
]
Since = Annotated[AwareDatetime | None, Query(description="at or after, with an offset from UTC")]
Until = Annotated[AwareDatetime | None, Query(description="before, with an offset from UTC")]
Form = Annotated[Format, Query(alias="format")]


def box_of(text: str, where: str = "bbox") -> Bounds:
    """West, south, east, north; also of a box with heights, which are passed over."""
    parts = text.split(",")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) == 6:
        numbers = [*numbers[:2], *numbers[3:5]]
    if len(numbers) != 4:
        raise Problem(422, f"{where}: expected west,south,east,north in degrees")
    west, south, east, north = numbers
    fits = -180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90
    if not fits:
        raise Problem(422, f"{where}: longitudes lie in [-180, 180], south <= north in [-90, 90]")
    return west, south, east, north


def shape_of(text: str) -> Any:
    """The polygon of a WKT or GeoJSON text."""
    try:
        is_json = text.lstrip().startswith("{")
        shape = shapely.from_geojson(text) if is_json else shapely.from_wkt(text)
    except (shapely.errors.ShapelyError, NotImplementedError, ValueError) as error:
        raise Problem(422, "polygon: neither WKT nor a GeoJSON geometry") from error
    if shape is None or shape.geom_type not in ("Polygon", "MultiPolygon") or shape.is_empty:
        raise Problem(422, "polygon: expected a Polygon or MultiPolygon that is not empty")
    west, south, east, north = shape.bounds
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise Problem(422, "polygon: expected lon lat in degrees")
    if not shape.is_valid:
        raise Problem(422, "polygon: its border crosses itself")
    shapely.prepare(shape)
    return shape


def holds(shape: Any) -> Any:
    """Tells which of (lat_deg, lon_deg) lie in a shape or on its border."""

    def inside(lats: Sequence[float], lons: Sequence[float]) -> Sequence[bool]:
        return cast(Sequence[bool], shapely.intersects_xy(shape, lons, lats).tolist())

    return inside


def _meet(a: Bounds | None, b: Bounds) -> Bounds:
    """The common part of a box and a shape's bounds; a box across 180° is left to the shape."""
    if a is None or a[0] > a[2]:
        return b
    west, south, east, north = max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])
    if west > east or south > north:
        return (180.0, -90.0, 180.0, -90.0)  # nothing
    return west, south, east, north


def ticket_filter(
    who: Principal,
    bbox: str | None,
    polygon: str | None,
    now: datetime,
    *,
    overdue: bool | None = None,
    closed: bool | None = None,
    state: Sequence[str] = (),
    **more: Any,
) -> TicketFilter:
    """The filter of a call, narrowed to the areas of the one who asks."""
    box = None if bbox is None else box_of(bbox)
    shape = None if polygon is None else shape_of(polygon)
    return TicketFilter(
        box=box if shape is None else _meet(box, shape.bounds),
        holds=None if shape is None else holds(shape),
        state=_states(state, closed),
        due_before=now if overdue else None,
        areas=who.areas,
        **more,
    )


def _states(asked: Sequence[str], closed: bool | None) -> tuple[str, ...]:
    allowed = STATES if closed is None else OVER if closed else OPEN
    if not asked:
        return () if closed is None else allowed
    return tuple(s for s in dict.fromkeys(asked) if s in allowed) or ("none",)


def next_cursor(sort: str, place: Place | RowPlace | None) -> str | None:
    """The text of a place; None where there is no next page."""
    if place is None:
        return None
    part = place.part if isinstance(place, Place) else 0
    content = orjson.dumps([sort, part, place.value, place.id])
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _content(cursor: str, sort: str) -> tuple[int, int, str]:
    problem = Problem(422, "cursor: take it from the Link header of a page in the same order")
    try:
        content = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        known_sort, part, value, identity = content
    except (ValueError, TypeError, binascii.Error) as error:
        raise problem from error
    numbers = all(type(n) is int and 0 <= abs(n) < 1 << 62 for n in (part, value))
    if known_sort != sort or not numbers or not 0 <= part < 8 or not isinstance(identity, str):
        raise problem
    if len(identity) > 300 or any(ord(c) < 0x20 for c in identity):
        raise problem
    return part, value, identity


def ticket_place(cursor: str | None, sort: Sort) -> Place | None:
    """The place of a cursor; 422 for one that is made up."""
    return None if cursor is None else Place(*_content(cursor, sort))


def row_place(cursor: str | None, sort: str) -> RowPlace | None:
    """The same for incidents, observations and looks."""
    return None if cursor is None else RowPlace(*_content(cursor, sort)[1:])
