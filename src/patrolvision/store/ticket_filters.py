"""What a list of tickets asks for, as conditions: those that an index answers, and those that sift.

What only sifts is hidden from the planner (`hidden`), which otherwise lets it lead and guesses
wrong on one of the engines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Double,
    and_,
    bindparam,
    func,
    literal,
    or_,
    type_coerce,
)

from patrolvision.store.quads import Bounds
from patrolvision.store.schema import tickets
from patrolvision.types.instants import micros_of

STATES = (
    "reported", "filed", "dispatched", "handling", "feedback", "verified", "closed", "rejected",
)  # fmt: skip
OVER = ("closed", "rejected")
OPEN = tuple(state for state in STATES if state not in OVER)
PRIORITIES = ("urgent", "high", "normal")
NAMES = ("id", "number", "incident_id", "assignee", "unit_grid", "responsible_grid", "segment")
CODES = ("assignee", "unit_grid", "segment", "responsible_grid")
LAST = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class TicketFilter:
    """What a list asks for; whatever is empty or None asks for nothing.

    holds tells of places (lat_deg, lon_deg), given as two columns, which lie in a shape; box is
    then the shape's. text begins one of NAMES. due_before finds open tickets whose deadline has
    passed. areas are prefixes of grid codes.
    """

    box: Bounds | None = None
    holds: Callable[[Sequence[float], Sequence[float]], Sequence[bool]] | None = None
    since: datetime | None = None
    until: datetime | None = None
    category: tuple[str, ...] = ()
    state: tuple[str, ...] = ()
    priority: tuple[str, ...] = ()
    assignee: str | None = None
    unit_grid: str | None = None
    responsible_grid: str | None = None
    segment: str | None = None
    areas: tuple[str, ...] = ()
    text: str | None = None
    due_before: datetime | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Lead:
    """Conditions that an index answers, one of which holds, and the filters they stand for."""

    conditions: tuple[ColumnElement[bool], ...]
    stands_for: tuple[str, ...] = field(default=())

    @property
    def condition(self) -> ColumnElement[bool]:
        """That one of them holds."""
        return or_(*self.conditions)


Shape = tuple[Any, ...]  # of a filter: what it asks about, and of kinds also what; hashable
BOX = ("west", "south", "east", "north")


def shape_of(wanted: TicketFilter) -> Shape:
    """Filters of one shape are one statement with other parameters."""
    kinds = (wanted.category, wanted.state, wanted.priority)
    named = tuple(name for name in CODES if getattr(wanted, name) is not None)
    instants = (wanted.since is not None, wanted.until is not None, wanted.due_before is not None)
    places = (wanted.box is not None, wanted.holds is not None)
    return (*kinds, named, instants, places, wanted.text is not None, len(wanted.areas))


def filter_of(shape: Shape) -> TicketFilter:
    """The filter of a shape, with a statement's parameters in place of values."""
    category, state, priority, named, instants, (has_box, has_shape), has_text, areas = shape
    since, until, due = (
        bindparam(name, None, type_=BigInteger) if is_asked else None
        for name, is_asked in zip(("since", "until", "due_before"), instants, strict=True)
    )
    box = tuple(bindparam(name, None, type_=Double) for name in BOX) if has_box else None
    made: dict[str, Any] = {name: bindparam(name, None) for name in named}
    made |= {"since": since, "until": until, "due_before": due, "box": box}
    made["text"] = bindparam("text", None) if has_text else None
    made["areas"] = tuple(bindparam(f"area_{k}", None) for k in range(areas))
    made["holds"] = (lambda lats, lons: ()) if has_shape else None
    return replace(TicketFilter(category=category, state=state, priority=priority), **made)


def parameters_of(wanted: TicketFilter) -> dict[str, Any]:
    """The values of the parameters of filter_of."""
    found: dict[str, Any] = {name: getattr(wanted, name) for name in CODES}
    for name in ("since", "until", "due_before"):
        at = getattr(wanted, name)
        found[name] = None if at is None else micros_of(at)
    if wanted.box is not None:
        found |= dict(zip(BOX, wanted.box, strict=True))
    if wanted.text is not None:
        found |= {"text": wanted.text, "text_end": wanted.text + LAST}
    for k, area in enumerate(wanted.areas):
        found |= {f"area_{k}": area, f"area_{k}_end": area + LAST}
    return found


def _micros(at: Any) -> Any:
    return at if isinstance(at, BindParameter) else micros_of(at)


def _value(degrees: Any) -> Any:
    return degrees if isinstance(degrees, BindParameter) else literal(degrees)


def number(column: str) -> ColumnElement[Any]:
    """The column's instant as the integer that is stored."""
    return type_coerce(tickets.c[column], BigInteger)


def hidden(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The column's value, where no index is to be tempted by it; NULL comes as nothing."""
    nothing: Any = "" if column.type.python_type is str else 0
    return func.coalesce(column, nothing)


def plain(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The column as it is."""
    return column


def text_lead(words: str) -> Lead:
    """Tickets one of whose names begins so."""
    return Lead(tuple(_prefixed(tickets.c[name], words) for name in NAMES), ("text",))


def code_lead(name: str, value: str) -> Lead:
    """Tickets of an assignee, cell or segment."""
    return Lead((tickets.c[name] == value,), (name,))


def late_lead(before: datetime) -> Lead:
    """Open tickets whose deadline was before an instant."""
    late = number("due_at") < _micros(before)
    return Lead(tuple(and_(tickets.c.state == s, late) for s in OPEN), ("due_before",))


def areas_lead(areas: Sequence[str]) -> Lead:
    """Tickets of areas."""
    columns = (tickets.c.unit_grid, tickets.c.responsible_grid)
    return Lead(tuple(_prefixed(c, area) for c in columns for area in areas), ("areas",))


def time_lead(since: datetime, until: datetime) -> Lead:
    """Tickets opened in a span."""
    opened = number("opened_at")
    return Lead((and_(opened >= _micros(since), opened < _micros(until)),), ("time",))


def kinds_lead(wanted: TicketFilter) -> Lead:
    """Tickets of a state, and of a category or priority if the filter names one."""
    name = "priority" if wanted.priority else "category"
    values, is_of_state = getattr(wanted, name), tickets.c.state.in_(wanted.state or STATES)
    if not values:
        return Lead((is_of_state,), ("state",))
    return Lead((and_(tickets.c[name].in_(values), is_of_state),), (name, "state"))


def sifting(wanted: TicketFilter, led: Sequence[str] = ()) -> list[ColumnElement[bool]]:
    """The conditions of a filter, without those that lead; none of them tempts an index."""
    c = tickets.c
    conditions: list[ColumnElement[bool]] = []
    for name in ("category", "state", "priority"):
        values = getattr(wanted, name)
        if values and name not in led:
            conditions.append(hidden(c[name]).in_(values))
    for name in CODES:
        value = getattr(wanted, name)
        if value is not None and name not in led:
            conditions.append(hidden(c[name]) == value)
    if wanted.areas and "areas" not in led:
        conditions.append(_in_areas(wanted.areas, hidden))
    if wanted.text is not None and "text" not in led:
        conditions.append(_begins(wanted.text, hidden))
    if wanted.due_before is not None and "due_before" not in led:
        late = func.coalesce(number("due_at"), 1 << 62) < _micros(wanted.due_before)
        conditions += [late, hidden(c.state).in_(OPEN)]
    if "time" not in led:
        conditions += opened_within(wanted, hidden(number("opened_at")))
    if wanted.box is not None:
        conditions.append(_in_box(wanted.box))
    return conditions


def opened_within(wanted: TicketFilter, opened: ColumnElement[Any]) -> list[ColumnElement[bool]]:
    """Since and until, over the instant of opening as given."""
    conditions = []
    if wanted.since is not None:
        conditions.append(opened >= _micros(wanted.since))
    if wanted.until is not None:
        conditions.append(opened < _micros(wanted.until))
    return conditions


def _in_box(box: Bounds) -> ColumnElement[bool]:
    west, south, east, north = box
    lat, lon = tickets.c.lat_deg, tickets.c.lon_deg
    across = and_(_value(west) > _value(east), or_(lon >= west, lon <= east))
    return and_(lat.between(south, north), or_(lon.between(west, east), across))


def _in_areas(areas: Sequence[str], shown: Callable[[Any], Any]) -> ColumnElement[bool]:
    columns = [shown(tickets.c[name]) for name in ("unit_grid", "responsible_grid")]
    return or_(*(_prefixed(column, area) for column in columns for area in areas))


def _begins(words: str, shown: Callable[[Any], Any]) -> ColumnElement[bool]:
    return or_(*(_prefixed(shown(tickets.c[name]), words) for name in NAMES))


def _prefixed(column: Any, prefix: Any) -> ColumnElement[bool]:
    end = (
        bindparam(f"{prefix.key}_end", None) if isinstance(prefix, BindParameter) else prefix + LAST
    )
    return and_(column >= prefix, column < end)
