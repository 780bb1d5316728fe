"""The figures of a period: one row for everything, and one each for every category, grid cell, road
segment, crew and contractor that had anything to do with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from statistics import median

from patrolvision.report.facts import OVER, Facts, turns
from patrolvision.report.period import Period

ROW_KINDS = (
    "all", "category", "unit_grid", "responsible_grid", "segment", "crew", "contractor",
)  # fmt: skip
HOUR = timedelta(hours=1)
Key = tuple[str, str]  # kind, code


@dataclass(frozen=True, slots=True)
class Figures:
    """One row. Counts are of tickets or events in the period, medians in hours, rates in [0, 1].

    declined: rejected for a cause that does not call the detection wrong.
    completion_rate: solved of solved and still open; in_time_rate: of the solved that had a
    deadline, those that the crew had handled by then; false_rate: of what was decided (filed or
    rejected); reopened_rate: reopenings for each solved one. None: there was nothing to divide by.
    """

    kind: str
    key: str
    name: str
    found: int
    filed: int
    dispatched: int
    solved: int
    solved_in_time: int
    false_alarms: int
    duplicates: int
    declined: int
    reopened: int
    sent_back: int
    urged: int
    escalated: int
    open_at_start: int
    open_at_end: int
    overdue_at_end: int
    completion_rate: float | None
    in_time_rate: float | None
    false_rate: float | None
    reopened_rate: float | None
    median_file_h: float | None
    median_dispatch_h: float | None
    median_solve_h: float | None
    km_observed: float | None
    found_per_km: float | None
    score: float | None = None

    def measures(self) -> dict[str, float | None]:
        """Name -> value of every number, for the scoring rules."""
        return {name: getattr(self, name) for name in MEASURED}


MEASURED = tuple(f.name for f in fields(Figures) if f.name not in ("kind", "key", "name", "score"))


@dataclass(slots=True)
class _Tally:
    counts: Counter[str] = field(default_factory=Counter)
    file_h: list[float] = field(default_factory=list)
    dispatch_h: list[float] = field(default_factory=list)
    solve_h: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CrewInfo:
    """What a report says of a crew, as it was at the period's end."""

    name: str
    contractor: str | None = None


def figures(
    facts: Iterable[Facts],
    period: Period,
    crews: Mapping[str, CrewInfo],
    km: Mapping[Key, float],
) -> list[Figures]:
    """All rows, in the order of ROW_KINDS and by key; the first is that of everything.

    km is the way observed by kind and code; km["all", ""] is the whole.
    """
    tallies: dict[Key, _Tally] = {("all", ""): _Tally()}
    for ticket in facts:
        happened = _happened(ticket, period)
        if not happened:
            continue
        for key in _keys(ticket, crews):
            _add(tallies.setdefault(key, _Tally()), happened, ticket, period)
    for key in km:
        tallies.setdefault(key, _Tally())
    order = {kind: k for k, kind in enumerate(ROW_KINDS)}
    return [
        _row(key, tallies[key], crews, km)
        for key in sorted(tallies, key=lambda key: (order[key[0]], key[1]))
    ]


def false_alarms(facts: Iterable[Facts], period: Period) -> list[tuple[str, str, int]]:
    """(category, cause, how many) of what was rejected as false in the period."""
    found: Counter[tuple[str, str]] = Counter(
        (ticket.category, ticket.cause or "")
        for ticket in facts
        if "false_alarms" in _happened(ticket, period)
    )
    return [(category, cause, n) for (category, cause), n in sorted(found.items())]


def _keys(ticket: Facts, crews: Mapping[str, CrewInfo]) -> list[Key]:
    crew = crews.get(ticket.assignee or "")
    codes = {
        "category": ticket.category,
        "unit_grid": ticket.unit_grid,
        "responsible_grid": ticket.responsible_grid,
        "segment": ticket.segment,
        "crew": ticket.assignee,
        "contractor": crew.contractor if crew else None,
    }
    return [("all", ""), *((kind, code) for kind, code in codes.items() if code)]


def _happened(ticket: Facts, period: Period) -> Counter[str]:
    """What the ticket adds to each count of the period."""
    counts: Counter[str] = Counter()
    counts["found"] = period.holds(ticket.found_at)
    counts["filed"] = _within(ticket.filed_at, period)
    counts["dispatched"] = _within(ticket.dispatched_at, period)
    if ticket.state == "closed" and _within(ticket.over_at, period):
        counts["solved"] = 1
        counts["solved_with_deadline"] = ticket.due_at is not None
        counts["solved_in_time"] = _in_time(ticket)
    if ticket.state == "rejected" and _within(ticket.over_at, period):
        counts[_why_rejected(ticket)] = 1
    for before, event in turns(ticket.events):
        if period.holds(event.at):
            counts["reopened"] += before in OVER
            counts["sent_back"] += before in ("feedback", "verified") and event.state == "handling"
    for event in ticket.events:
        if period.holds(event.at):
            counts["urged"] += event.action == "urge"
            counts["escalated"] += event.action == "escalate"
    is_open = ticket.state not in OVER
    counts["open_at_end"] = is_open
    counts["overdue_at_end"] = _is_late(ticket, period.as_of)
    counts["open_at_start"] = _open_at(ticket, period.start)
    return Counter({name: int(count) for name, count in counts.items() if count})


def _why_rejected(ticket: Facts) -> str:
    if ticket.is_duplicate:
        return "duplicates"
    return "false_alarms" if ticket.is_false_alarm else "declined"


def _within(at: datetime | None, period: Period) -> bool:
    return at is not None and period.holds(at)


def _in_time(ticket: Facts) -> bool:
    handled, due = ticket.handled_at, ticket.due_at
    return handled is not None and due is not None and handled <= due


def _is_late(ticket: Facts, at: datetime) -> bool:
    is_with_crew = ticket.state in ("filed", "dispatched", "handling")
    return is_with_crew and ticket.due_at is not None and ticket.due_at < at


def _open_at(ticket: Facts, at: datetime) -> bool:
    before = [event.state for event in ticket.events if event.at < at]
    return bool(before) and before[-1] not in OVER


def _add(tally: _Tally, happened: Counter[str], ticket: Facts, period: Period) -> None:
    tally.counts.update(happened)
    if happened["filed"] and ticket.filed_at is not None:
        tally.file_h.append((ticket.filed_at - ticket.found_at) / HOUR)
    if happened["dispatched"] and ticket.dispatched_at is not None:
        begun = ticket.filed_at or ticket.found_at
        tally.dispatch_h.append((ticket.dispatched_at - begun) / HOUR)
    if happened["solved"] and ticket.over_at is not None:
        tally.solve_h.append((ticket.over_at - (ticket.filed_at or ticket.found_at)) / HOUR)


def _row(
    key: Key, tally: _Tally, crews: Mapping[str, CrewInfo], km: Mapping[Key, float]
) -> Figures:
    kind, code = key
    n = tally.counts
    way = km.get(key, km.get(("all", "")) if kind == "category" else None)
    crew = crews.get(code) if kind == "crew" else None
    return Figures(
        kind=kind,
        key=code,
        name=crew.name if crew else code,
        found=n["found"],
        filed=n["filed"],
        dispatched=n["dispatched"],
        solved=n["solved"],
        solved_in_time=n["solved_in_time"],
        false_alarms=n["false_alarms"],
        duplicates=n["duplicates"],
        declined=n["declined"],
        reopened=n["reopened"],
        sent_back=n["sent_back"],
        urged=n["urged"],
        escalated=n["escalated"],
        open_at_start=n["open_at_start"],
        open_at_end=n["open_at_end"],
        overdue_at_end=n["overdue_at_end"],
        completion_rate=_share(n["solved"], n["solved"] + n["open_at_end"]),
        in_time_rate=_share(n["solved_in_time"], n["solved_with_deadline"]),
        false_rate=_share(n["false_alarms"], n["false_alarms"] + n["filed"]),
        reopened_rate=_share(n["reopened"], n["solved"]),
        median_file_h=_median(tally.file_h),
        median_dispatch_h=_median(tally.dispatch_h),
        median_solve_h=_median(tally.solve_h),
        km_observed=None if way is None else round(way, 3),
        found_per_km=_share(n["found"], round(way, 3)) if way else None,
    )


def _share(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole > 0 else None


def _median(hours: list[float]) -> float | None:
    return round(median(hours), 2) if hours else None
