"""Pages of incidents, observations and looks, newest or oldest first; the tickets' have their own.

As there, a box that little lies in leads by its index, and everything else is read in order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Table,
    and_,
    func,
    literal,
    or_,
    select,
    tuple_,
    type_coerce,
)

from patrolvision.store import near, rows, schema
from patrolvision.store.quads import Bounds
from patrolvision.store.ticket_filters import hidden
from patrolvision.types.instants import micros_of

SIFTED = 500  # rows at a time, of which a filter in Python chooses
NARROW = 10_000  # so many rows are sorted rather than read in order
ORDER = {"incidents": "first_seen", "observations": "first_seen", "looks": "start_at"}
ENDS = {"incidents": "last_seen", "observations": "last_seen", "looks": "end_at"}


@dataclass(frozen=True, slots=True)
class RowFilter:
    """What a list asks for: column -> the values that pass, or those that do not.

    since and until: what lasted until or began before these instants. A box holds places; of a
    look, any part of the rectangle around it. holds says of a row whether it passes beside that.
    """

    box: Bounds | None = None
    since: datetime | None = None
    until: datetime | None = None
    equal: Mapping[str, Sequence[str]] = field(default_factory=dict)
    unequal: Mapping[str, Sequence[str]] = field(default_factory=dict)
    holds: Callable[[rows.Stored], bool] | None = None


@dataclass(frozen=True, slots=True)
class RowPlace:
    """Where a page ended."""

    value: int
    id: str


def page_of(
    connection: Connection,
    table: Table,
    wanted: RowFilter,
    *,
    newest_first: bool = True,
    limit: int = 100,
    after: RowPlace | None = None,
) -> tuple[list[rows.Stored], RowPlace | None]:
    """At most `limit` rows of one of the three tables, and where the next page begins."""
    if wanted.holds is None:
        return _page(connection, table, wanted, newest_first, limit, after)
    found: list[rows.Stored] = []
    while True:
        some, place = _page(connection, table, wanted, newest_first, SIFTED, after)
        found += [row for row in some if wanted.holds(row)]
        if len(found) > limit:
            last = found[limit - 1]
            return found[:limit], RowPlace(last["order_value"], last["id"])
        if place is None:
            return found, None
        after = place


def _page(
    connection: Connection,
    table: Table,
    wanted: RowFilter,
    newest_first: bool,
    limit: int,
    after: RowPlace | None,
) -> tuple[list[rows.Stored], RowPlace | None]:
    lead = _narrow(connection, table, wanted)
    by = type_coerce(table.c[ORDER[table.name]], BigInteger)
    order: list[Any] = [by, table.c.id]
    if lead is not None:
        order = [hidden(column) for column in order]
    where = [*([] if lead is None else [lead]), *_sifting(table, wanted)]
    if after is not None:
        left, right = tuple_(*order), tuple_(literal(after.value), literal(after.id))
        where.append(left < right if newest_first else left > right)
    directed = [column.desc() if newest_first else column.asc() for column in order]
    statement = select(table, by.label("order_value")).where(*where).order_by(*directed)
    found: list[rows.Stored] = list(connection.execute(statement.limit(limit + 1)).mappings())
    if len(found) <= limit:
        return found, None
    last = found[limit - 1]
    return found[:limit], RowPlace(last["order_value"], last["id"])


def row_of(connection: Connection, table: Table, one: str) -> rows.Stored | None:
    """The row of an id."""
    return connection.execute(select(table).where(table.c.id == one)).mappings().first()


def _narrow(connection: Connection, table: Table, wanted: RowFilter) -> ColumnElement[bool] | None:
    if wanted.box is None:
        return None
    lead = _covered(table, wanted.box)
    sample = select(table.c.id).where(lead).limit(NARROW + 1).subquery()
    count = connection.execute(select(func.count()).select_from(sample)).scalar_one()
    return lead if count <= NARROW or table is schema.looks else None


def _covered(table: Table, box: Bounds) -> ColumnElement[bool]:
    """The rows whose cell an index finds in the box."""
    west, south, east, north = box
    halves = ((west, 180.0), (-180.0, east)) if west > east else ((west, east),)
    if table is schema.looks:
        ranges = [r for w, e in halves for r in near.look_ranges_in((south, w, north, e))]
        cell = schema.look_cells.c.cell
        within = or_(*(cell.between(first, last) for first, last in ranges))
        return table.c.id.in_(select(schema.look_cells.c.look_id).where(within))
    ranges = [r for w, e in halves for r in near.ranges_in((south, w, north, e))]
    return or_(*(table.c.cell.between(first, last) for first, last in ranges))


def _sifting(table: Table, wanted: RowFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    for name, values in wanted.equal.items():
        conditions.append(table.c[name].in_(values))
    for name, values in wanted.unequal.items():
        conditions.append(hidden(table.c[name]).not_in(values))
    if wanted.since is not None:
        ends = type_coerce(table.c[ENDS[table.name]], BigInteger)
        conditions.append(ends >= micros_of(wanted.since))
    if wanted.until is not None:
        begins = type_coerce(table.c[ORDER[table.name]], BigInteger)
        conditions.append(begins < micros_of(wanted.until))
    if wanted.box is not None and table is not schema.looks:
        conditions.append(_in_box(table, wanted.box))
    return conditions


def _in_box(table: Table, box: Bounds) -> ColumnElement[bool]:
    west, south, east, north = box
    lat, lon = table.c.lat_deg, table.c.lon_deg
    across = or_(lon >= west, lon <= east) if west > east else lon.between(west, east)
    return and_(lat.between(south, north), across)
