"""What a call for features of a layer asks (OGC 17-069r4), and the features that answer it."""

import base64
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Query
from sqlalchemy import Connection, Table

from patrolvision import records
from patrolvision.api import queries, shapes
from patrolvision.api.layers import Layer, StoredLayers
from patrolvision.api.problems import Problem
from patrolvision.api.security import Office, Principal
from patrolvision.api.territory import Territory
from patrolvision.store import schema
from patrolvision.store.engine import reading
from patrolvision.store.office_reads import ticket_rows
from patrolvision.store.pages import RowFilter, page_of, row_of
from patrolvision.store.quads import Bounds
from patrolvision.store.ticket_filters import TicketFilter
from patrolvision.store.ticket_pages import page
from patrolvision.types import GridCodes
from patrolvision.types.instants import MICROSECOND

MOST = 1000
LAST = datetime.max.replace(tzinfo=UTC)
UNSHOWN = {"kind": ("watch",), "status": ("dismissed",)}
ROWS: dict[str, tuple[Table, Callable[[Any], dict[str, Any]]]] = {
    "incidents": (schema.incidents, shapes.incident),
    "observations": (schema.observations, shapes.observation),
    "coverage": (schema.looks, shapes.look),
}
GRIDS = {"unit_grids": "unit", "responsible_grids": "responsible", "segments": "segment"}


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
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise Problem(400, "datetime: lies outside of the calendar") from error


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
    limit: Annotated[int, Query(ge=1, description="at most 1000 are answered")] = 10,
    cursor: queries.Cursor = None,
) -> Asked:
    """A dependency: the parameters of a call for items."""
    box = None if bbox is None else queries.box_of(bbox)
    span = Span() if datetime_ is None else span_of(datetime_)
    return Asked(box, span, min(limit, MOST), cursor)


class Features:
    """Those of every layer, from the store's tables or from its map layers."""

    def __init__(self, office: Office) -> None:
        self._engine = office.store.engine
        self._stored, self._territory = StoredLayers(office), Territory(office)

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
                found = [] if row is None or not self._territory.shows(who, row) else [shown(row)]
        return dict(records.features(found)["features"][0]) if found else None

    def _layer(self, name: str) -> Layer:
        return self._stored.zones() if name == "zones" else self._stored.grid(GRIDS[name])

    def _rows(
        self, connection: Connection, name: str, wanted: Asked, who: Principal
    ) -> tuple[list[dict[str, Any]], str | None]:
        table, shown = ROWS[name]
        unequal = UNSHOWN if name == "incidents" else {}
        where = RowFilter(wanted.box, wanted.span.since, _after(wanted.span.until), {}, unequal)
        where = self._territory.narrowed(who, where)
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
    return None if until is None or until == LAST else until + MICROSECOND


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
