"""A page of a million tickets in the time of a page: which index leads, and where the page ends.

A filter that few tickets pass leads by itself: those are found by its index, and sorted. Where no
such filter is given, the pages are read in their order from an index that begins with what is asked
for, one branch for each state or category, and the branches are merged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from patrolvision.store import pyramid, quads, ranged, rows, sql, straight
from patrolvision.store.schema import tickets
from patrolvision.store.ticket_filters import (
    CODES,
    STATES,
    TicketFilter,
    parameters_of,
    shape_of,
)
from patrolvision.store.ticket_statements import (
    Kind,
    Sort,
    counting,
    parts_of,
    selecting,
)

__all__ = ["Page", "Place", "Sort", "full_rows", "page"]

NARROW = 4_000  # so many tickets are sorted rather than read in order
# Entries of the index of places that cost as much as one ticket that is read: it holds all that is
# asked, so that those that pass are only sorted, and the others skipped.
SORTED, SKIPPED = 2, 10
ROUNDS = 20  # of a page whose polygon lets few of its box pass
RANGES = 32  # of places that stand for a box
Lead = tuple[Kind, dict[str, Any]]  # what finds the tickets, and its further parameters


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended: the part of the order, the value of the order's column, the id."""

    part: int
    value: int | None
    id: str


@dataclass(frozen=True, slots=True)
class Page:
    """The ids of a page in order, and where the next one begins; None: there is none."""

    ids: tuple[str, ...]
    next: Place | None


def page(
    connection: Connection,
    wanted: TicketFilter,
    sort: Sort = "newest",
    limit: int = 100,
    after: Place | None = None,
) -> Page:
    """At most `limit` ids in the order asked for, beginning after a place.

    Under a polygon that few of many tickets lie in, a page may hold fewer and still have a next.
    """
    lead = _narrow(connection, wanted, sort)
    found: list[tuple[int, Any]] = []
    for part in range(after.part if after else 0, len(parts_of(wanted, sort))):
        rest = after if after is not None and after.part == part else None
        got = _rows(connection, wanted, sort, part, lead, limit + 1 - len(found), rest)
        found += [(part, row) for row in got]
        if len(found) > limit:
            break
    ends = found[limit - 1] if len(found) > limit else None
    following = None if ends is None else Place(ends[0], ends[1][1], ends[1][0])
    return Page(tuple(row[0] for _, row in found[:limit]), following)


def full_rows(connection: Connection, ids: Sequence[str]) -> list[rows.Stored]:
    """The rows of tickets in the order of the ids; those that are gone are left out."""
    stored = {row["id"]: row for row in sql.select_in(connection, tickets, tickets.c.id, ids)}
    return [stored[one] for one in ids if one in stored]


def _narrow(connection: Connection, wanted: TicketFilter, sort: Sort) -> Lead | None:
    """The filter that the fewest tickets pass, if they are few; None: read in order."""
    best, fewest = None, NARROW + 1
    for lead, known in _leads(connection, wanted, sort):
        count = _count(connection, wanted, lead, fewest) if known is None else known
        if count < fewest:
            best, fewest = lead, count
        if fewest <= NARROW // 20:
            break
    return best


def _leads(
    connection: Connection, wanted: TicketFilter, sort: Sort
) -> Iterator[tuple[Lead, int | None]]:
    """Filters that few tickets may pass, the likeliest first, with how many do where that is known.

    In the order of opening, a code or a span is read in order from its own index.
    """
    by_time = sort in ("newest", "oldest")
    if wanted.text is not None:
        yield ("text", {}), None
    for name in CODES:
        if not by_time and getattr(wanted, name) is not None:
            yield (name, {}), None
    if wanted.box is not None:
        counts = pyramid.counts_in(connection, wanted.box)
        matching = sum(
            n for state, n in counts.items() if not wanted.state or state in wanted.state
        )
        known = max(matching // SORTED, sum(counts.values()) // SKIPPED)
        if known <= NARROW:
            covering = quads.quads_covering(wanted.box, RANGES)
            yield ("box", ranged.parameters(covering, connection.dialect.name)), known
    if wanted.due_before is not None:
        yield ("late", {}), None
    if wanted.areas:
        yield ("areas", {}), None
    if not by_time and wanted.since is not None and wanted.until is not None:
        yield ("time", {}), None
    both = wanted.category and wanted.priority
    if both or (sort == "due" and (wanted.category or wanted.priority)):
        yield ("kinds", {}), _of_kinds(connection, wanted)


def _count(connection: Connection, wanted: TicketFilter, lead: Lead, most: int) -> int:
    """How many tickets a lead finds, up to about most; found by two conditions, one is two."""
    statement = counting(shape_of(wanted), lead[0])
    ((count,),) = straight.fetched(connection, statement, parameters_of(wanted) | {"most": most})
    return int(count)


def _of_kinds(connection: Connection, wanted: TicketFilter) -> int:
    """How many tickets are of the kinds asked for."""
    name = "priority" if wanted.priority else "category"
    place = pyramid.KINDS.index(name)
    values, states = getattr(wanted, name), wanted.state or STATES
    totals = pyramid.totals(connection)
    return sum(n for kind, n in totals.items() if kind[place] in values and kind[1] in states)


def _rows(
    connection: Connection,
    wanted: TicketFilter,
    sort: Sort,
    part: int,
    lead: Lead | None,
    missing: int,
    after: Place | None,
) -> Iterator[Any]:
    """The next rows (id, value …) of a part: all that are missing, or all there are."""
    size = missing if wanted.holds is None else max(missing, 500)
    kind, more = (None, {}) if lead is None else lead
    shape, asked = shape_of(wanted), {**parameters_of(wanted), **more, "size": size}
    for _ in range(ROUNDS):
        if after is not None:
            asked |= {"after_value": after.value, "after_id": after.id}
        engine = connection.dialect.name
        statement = selecting(shape, sort, part, kind, after is not None, engine)
        got = straight.fetched(connection, statement, asked)
        held = _held(wanted, got)
        yield from held[:missing]
        missing -= len(held)
        if missing <= 0 or len(got) < size:
            return
        after = Place(0, got[-1][1], got[-1][0])


def _held(wanted: TicketFilter, got: Sequence[Any]) -> list[Any]:
    if wanted.holds is None or not got:
        return list(got)
    inside = wanted.holds([row[2] for row in got], [row[3] for row in got])
    return [row for row, is_inside in zip(got, inside, strict=True) if is_inside]
