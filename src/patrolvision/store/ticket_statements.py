"""The statements behind a page of tickets, each built once for all filters of its shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Text,
    bindparam,
    func,
    literal,
    select,
    true,
    tuple_,
    union_all,
)
from sqlalchemy import (
    column as column_of,
)
from sqlalchemy import (
    values as values_of,
)

from patrolvision.store import ranged
from patrolvision.store.schema import tickets
from patrolvision.store.ticket_filters import (
    CODES,
    PRIORITIES,
    STATES,
    Lead,
    Shape,
    TicketFilter,
    areas_lead,
    code_lead,
    filter_of,
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
Kind = str  # of a lead: text, one of CODES, box, late, areas, time or kinds


@dataclass(frozen=True, slots=True)
class Part:
    """Tickets that come one after the other in the order of one column and the id."""

    wanted: TicketFilter
    column: str | None = "opened_at"  # None: those without a deadline, by id
    descending: bool = True


def parts_of(wanted: TicketFilter, sort: Sort) -> list[Part]:
    """The parts of an order, one after the other."""
    if sort == "due":
        dated = Part(wanted, "due_at", descending=False)
        return [dated, Part(wanted, None, descending=False)]
    if sort == "priority":
        names = [p for p in PRIORITIES if not wanted.priority or p in wanted.priority]
        return [Part(replace(wanted, priority=(name,))) for name in names]
    return [Part(wanted, descending=sort == "newest")]


@lru_cache(maxsize=256)
def counting(shape: Shape, kind: Kind) -> Any:
    """How many tickets a lead finds, up to :most."""
    lead = _lead(filter_of(shape), kind)
    samples = [select(tickets.c.id).where(one) for one in lead.conditions]
    found = union_all(*samples).limit(bindparam("most", None, type_=Integer)).subquery()
    return select(func.count()).select_from(found)


@lru_cache(maxsize=512)
def selecting(
    shape: Shape, sort: Sort, part: int, kind: Kind | None, is_after: bool, dialect: str
) -> Any:
    """At most :size of (id, value, lat_deg, lon_deg) of a part; the places only for a polygon."""
    chosen = parts_of(filter_of(shape), sort)[part]
    if kind is None:
        return _in_order(chosen, is_after, dialect)
    if kind == "box":
        return _in_ranges(chosen, is_after, dialect)
    return _sorted(chosen, _lead(chosen.wanted, kind), is_after)


def _lead(wanted: TicketFilter, kind: Kind) -> Lead:
    asked: Any = wanted
    if kind in CODES:
        return code_lead(kind, getattr(asked, kind))
    leads = {
        "text": lambda: text_lead(asked.text),
        "late": lambda: late_lead(asked.due_before),
        "areas": lambda: areas_lead(asked.areas),
        "time": lambda: time_lead(asked.since, asked.until),
        "kinds": lambda: kinds_lead(asked),
    }
    return leads[kind]()


def _sorted(part: Part, lead: Lead, is_after: bool) -> Select[Any]:
    """All that the lead finds, sifted and sorted."""
    where = [lead.condition, *sifting(part.wanted, lead.stands_for), *_dated(part)]
    order = [hidden(column) for column in _order(part)]
    return _ordered(select(*_columns(part)).where(*where), part, order, is_after)


def _in_ranges(part: Part, is_after: bool, dialect: str) -> Select[Any]:
    """All in ranges of places, sifted (the box does so exactly) and sorted."""
    where = [*sifting(part.wanted), *_dated(part)]
    order = [hidden(column) for column in _order(part)]
    chosen = select(*_columns(part)).where(*where)
    if dialect == "postgresql":
        joined, found = ranged.looked_up(_after(chosen, part, order, is_after), tickets.c.quad)
        return _limited(select(found).select_from(joined), part, _columns_of(found, part))
    within, _ = ranged.rows_in(tickets, "quad", dialect)
    return _ordered(chosen.select_from(within), part, order, is_after)


def _in_order(part: Part, is_after: bool, dialect: str) -> Any:
    """One branch for each of the values that an index begins with, merged."""
    names, branches = _branches(part)
    opened = number("opened_at")
    is_led_by_time = part.column == "opened_at"
    within = opened_within(part.wanted, opened if is_led_by_time else hidden(opened))
    sifts = sifting(part.wanted, (*names, "time")) + ([] if is_led_by_time else within)
    where = [*sifts, *_dated(part), *(within if is_led_by_time else [])]
    if dialect == "postgresql" and len(branches) > 1 and not sifts:
        return _one_by_one(part, names, branches, where, is_after)
    built = []
    for values in branches:
        led = [tickets.c[name] == value for name, value in zip(names, values, strict=True)]
        statement = select(*_columns(part)).where(*led, *where)
        built.append(_ordered(statement, part, _order(part), is_after))
    if len(built) == 1:
        return built[0]
    merged = union_all(*(select(branch.subquery()) for branch in built)).subquery()
    return _limited(select(merged), part, _columns_of(merged, part))


def _one_by_one(
    part: Part,
    names: Sequence[str],
    branches: Sequence[tuple[Any, ...]],
    where: Sequence[ColumnElement[bool]],
    is_after: bool,
) -> Select[Any]:
    """The same for PostgreSQL where the index alone answers: a page of each branch, then sorted.

    A branch is planned once, not each by itself, which took longer than to read them; where rows
    are sifted as well, a page of each would be too many to read.
    """
    led: Any = values_of(*(column_of(name, Text) for name in names), name="led")
    led = led.data(list(branches))
    chosen = select(*_columns(part)).where(*(tickets.c[name] == led.c[name] for name in names))
    found = _ordered(chosen.where(*where), part, _order(part), is_after).lateral("found")
    return _limited(
        select(found).select_from(led.join(found, true())), part, _columns_of(found, part)
    )


def _columns_of(found: FromClause, part: Part) -> list[Any]:
    """What _order names, of what a statement within chooses."""
    return [found.c.id] if part.column is None else [found.c.value, found.c.id]


def _branches(part: Part) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """The columns that an index begins with, and the values of each branch."""
    wanted = part.wanted
    states = wanted.state or STATES
    if part.column != "opened_at":
        return ("state",), [(state,) for state in states]
    for name in CODES:
        if (value := getattr(wanted, name)) is not None:
            return (name, "state"), [(value, state) for state in states]
    for name in ("category", "priority"):
        if values := getattr(wanted, name):
            return (name, "state"), [(value, state) for value in values for state in states]
    if wanted.state:
        return ("state",), [(state,) for state in states]
    return (), [()]


def _columns(part: Part) -> list[Any]:
    value = literal(0) if part.column is None else number(part.column)
    places = [] if part.wanted.holds is None else [tickets.c.lat_deg, tickets.c.lon_deg]
    return [tickets.c.id, value.label("value"), *places]


def _dated(part: Part) -> list[Any]:
    if part.column == "opened_at":
        return []
    due_at = tickets.c.due_at
    return [due_at.is_(None) if part.column is None else due_at.is_not(None)]


def _order(part: Part) -> list[Any]:
    return [tickets.c.id] if part.column is None else [number(part.column), tickets.c.id]


def _ordered(
    statement: Select[Any], part: Part, order: Sequence[Any], is_after: bool
) -> Select[Any]:
    return _limited(_after(statement, part, order, is_after), part, order)


def _after(statement: Select[Any], part: Part, order: Sequence[Any], is_after: bool) -> Select[Any]:
    if not is_after:
        return statement
    last = [
        bindparam("after_value", None, type_=BigInteger),
        bindparam("after_id", None, type_=Text),
    ]
    left, right = tuple_(*order), tuple_(*last[-len(order) :])
    return statement.where(left < right if part.descending else left > right)


def _limited(statement: Select[Any], part: Part, order: Sequence[Any]) -> Select[Any]:
    directed = (_directed(column, part) for column in order)
    return statement.order_by(*directed).limit(bindparam("size", None, type_=Integer))


def _directed(column: Any, part: Part) -> Any:
    return column.desc() if part.descending else column.asc()
