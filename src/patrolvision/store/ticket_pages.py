"""A page of a million tickets in the time of a page: which index leads, and where the page ends.

A filter that few tickets pass leads by itself: those are found by its index, and sorted. Where no
such filter is given, the pages are read in their order from an index that begins with what is asked
for, one branch for each state or category, and the branches are merged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlalchemy import Connection, Select, func, literal, select, tuple_, union_all

from patrolvision.store import pyramid, rows, sql
from patrolvision.store.schema import tickets
from patrolvision.store.ticket_filters import (
    CODES,
    PRIORITIES,
    STATES,
    Lead,
    TicketFilter,
    areas_lead,
    box_lead,
    code_lead,
    hidden,
    kinds_lead,
    late_lead,
    number,
    opened_within,
    sifting,
    text_lead,
    time_lead,
)

Sort = Literal["newest", "oldest", "due", "priority"]
NARROW = 4_000  # so many tickets are sorted rather than read in order
SKIPPED = 10  # entries of the index of places that cost as much as one ticket that is read
ROUNDS = 20  # of a page whose polygon lets few of its box pass


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


@dataclass(frozen=True, slots=True)
class _Part:
    """Tickets that come one after the other in the order of one column and the id."""

    wanted: TicketFilter
    column: str | None = "opened_at"  # None: those without a deadline, by id
    descending: bool = True


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
    lead, parts = _narrow(connection, wanted, sort), _parts(wanted, sort)
    found: list[tuple[int, Any]] = []
    for part in range(after.part if after else 0, len(parts)):
        rest = after if after is not None and after.part == part else None
        got = _rows(connection, parts[part], lead, limit + 1 - len(found), rest)
        found += [(part, row) for row in got]
        if len(found) > limit:
            break
    ends = found[limit - 1] if len(found) > limit else None
    following = None if ends is None else Place(ends[0], ends[1].value, ends[1].id)
    return Page(tuple(row.id for _, row in found[:limit]), following)


def full_rows(connection: Connection, ids: Sequence[str]) -> list[rows.Stored]:
    """The rows of tickets in the order of the ids; those that are gone are left out."""
    stored = {row["id"]: row for row in sql.select_in(connection, tickets, tickets.c.id, ids)}
    return [stored[one] for one in ids if one in stored]


def _narrow(connection: Connection, wanted: TicketFilter, sort: Sort) -> Lead | None:
    """The filter that the fewest tickets pass, if they are few; None: read in order."""
    best, fewest = None, NARROW + 1
    for lead, known in _leads(connection, wanted, sort):
        count = _count(connection, lead, fewest) if known is None else known
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
        yield text_lead(wanted.text), None
    for name in CODES:
        if not by_time and (value := getattr(wanted, name)) is not None:
            yield code_lead(name, value), None
    if wanted.box is not None:
        counts = pyramid.counts_in(connection, wanted.box)
        matching = sum(
            n for state, n in counts.items() if not wanted.state or state in wanted.state
        )
        known = max(matching, sum(counts.values()) // SKIPPED)
        if known <= NARROW:
            yield box_lead(wanted.box), known
    if wanted.due_before is not None:
        yield late_lead(wanted.due_before), None
    if wanted.areas:
        yield areas_lead(wanted.areas), None
    if not by_time and wanted.since is not None and wanted.until is not None:
        yield time_lead(wanted.since, wanted.until), None
    both = wanted.category and wanted.priority
    if both or (sort == "due" and (wanted.category or wanted.priority)):
        yield kinds_lead(wanted), _of_kinds(connection, wanted)


def _count(connection: Connection, lead: Lead, most: int) -> int:
    """How many tickets a lead finds, up to about most; found by two conditions, one is two."""
    samples = [select(tickets.c.id).where(one).limit(most) for one in lead.conditions]
    every = union_all(*(select(sample.subquery()) for sample in samples)).subquery()
    return int(connection.execute(select(func.count()).select_from(every)).scalar_one())


def _of_kinds(connection: Connection, wanted: TicketFilter) -> int:
    """How many tickets kinds_lead finds."""
    name = "priority" if wanted.priority else "category"
    place = pyramid.KINDS.index(name)
    values, states = getattr(wanted, name), wanted.state or STATES
    totals = pyramid.totals(connection)
    return sum(n for kind, n in totals.items() if kind[place] in values and kind[1] in states)


def _parts(wanted: TicketFilter, sort: Sort) -> list[_Part]:
    if sort == "due":
        dated = _Part(wanted, "due_at", descending=False)
        return [dated, _Part(wanted, None, descending=False)]
    if sort == "priority":
        names = [p for p in PRIORITIES if not wanted.priority or p in wanted.priority]
        return [_Part(replace(wanted, priority=(name,))) for name in names]
    return [_Part(wanted, descending=sort == "newest")]


def _rows(
    connection: Connection, part: _Part, lead: Lead | None, missing: int, after: Place | None
) -> Iterator[Any]:
    """The next rows of a part: all that are missing, or all there are."""
    size = missing if part.wanted.holds is None else max(missing, 500)
    for _ in range(ROUNDS):
        statement = (
            _in_order(part, size, after) if lead is None else _sorted(part, lead, size, after)
        )
        got = connection.execute(statement).all()
        held = _held(part.wanted, got)
        yield from held[:missing]
        missing -= len(held)
        if missing <= 0 or len(got) < size:
            return
        after = Place(0, got[-1].value, got[-1].id)


def _held(wanted: TicketFilter, got: Sequence[Any]) -> list[Any]:
    if wanted.holds is None or not got:
        return list(got)
    inside = wanted.holds([row.lat_deg for row in got], [row.lon_deg for row in got])
    return [row for row, is_inside in zip(got, inside, strict=True) if is_inside]


def _sorted(part: _Part, lead: Lead, size: int, after: Place | None) -> Select[Any]:
    """All that the lead finds, sifted and sorted."""
    where = [lead.condition, *sifting(part.wanted, lead.stands_for), *_dated(part)]
    order = [hidden(column) for column in _order(part)]
    return _ordered(select(*_columns(part)).where(*where), part, order, size, after)


def _in_order(part: _Part, size: int, after: Place | None) -> Any:
    """One branch for each of the values that an index begins with, merged."""
    names, branches = _branches(part)
    where = [*sifting(part.wanted, (*names, "time")), *_dated(part)]
    opened = number("opened_at")
    where += opened_within(part.wanted, opened if part.column == "opened_at" else hidden(opened))
    built = []
    for values in branches:
        led = [tickets.c[name] == value for name, value in zip(names, values, strict=True)]
        statement = select(*_columns(part)).where(*led, *where)
        built.append(_ordered(statement, part, _order(part), size, after))
    if len(built) == 1:
        return built[0]
    merged = union_all(*(select(branch.subquery()) for branch in built)).subquery()
    columns = [merged.c.id] if part.column is None else [merged.c.value, merged.c.id]
    return select(merged).order_by(*(_directed(c, part) for c in columns)).limit(size)


def _branches(part: _Part) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The columns that an index begins with, and the values of each branch."""
    wanted = part.wanted
    states = wanted.state or STATES
    if part.column != "opened_at":
        return ("state",), [(state,) for state in states]
    for name in CODES:
        if (value := getattr(wanted, name)) is not None:
            return (name,), [(value,)]
    for name in ("category", "priority"):
        if values := getattr(wanted, name):
            return (name, "state"), [(value, state) for value in values for state in states]
    if wanted.state:
        return ("state",), [(state,) for state in states]
    return (), [()]


def _columns(part: _Part) -> list[Any]:
    value = literal(0) if part.column is None else number(part.column)
    places = [] if part.wanted.holds is None else [tickets.c.lat_deg, tickets.c.lon_deg]
    return [tickets.c.id, value.label("value"), *places]


def _dated(part: _Part) -> list[Any]:
    if part.column == "opened_at":
        return []
    due_at = tickets.c.due_at
    return [due_at.is_(None) if part.column is None else due_at.is_not(None)]


def _order(part: _Part) -> list[Any]:
    return [tickets.c.id] if part.column is None else [number(part.column), tickets.c.id]


def _ordered(
    statement: Select[Any], part: _Part, order: Sequence[Any], size: int, after: Place | None
) -> Select[Any]:
    if after is not None:
        last = [after.id] if part.column is None else [after.value, after.id]
        left, right = tuple_(*order), tuple_(*map(literal, last))
        statement = statement.where(left < right if part.descending else left > right)
    return statement.order_by(*(_directed(column, part) for column in order)).limit(size)


def _directed(column: Any, part: _Part) -> Any:
    return column.desc() if part.descending else column.asc()
