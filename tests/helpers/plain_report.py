"""The report of a period reckoned plainly: one ticket, one event, one look after the other.

It shares with the program the values, the way between looks and the names of the figures, nothing
of how they are counted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from patrolvision import wiring
from patrolvision.geo.geodesy import distance_m
from patrolvision.report.observed import km_observed
from patrolvision.report.period import Period
from patrolvision.store import SqlStore
from patrolvision.store.crews import stored_crews
from patrolvision.tickets.categories import Catalogue
from patrolvision.tickets.causes import Cause
from patrolvision.tickets.scoring import score
from patrolvision.types import GridCodes, Ticket, TicketEvent

OVER = ("closed", "rejected")
KINDS = ("all", "category", "unit_grid", "responsible_grid", "segment", "crew", "contractor")
HOUR = timedelta(hours=1)
Turns = list[tuple[str | None, TicketEvent]]


@dataclass
class Life:
    """A ticket up to an instant."""

    ticket: Ticket
    events: list[TicketEvent]

    @property
    def turns(self) -> Turns:
        before: list[str | None] = [None, *(e.state for e in self.events[:-1])]
        pairs = zip(before, self.events, strict=True)
        return [(was, e) for was, e in pairs if was != e.state]

    @property
    def state(self) -> str:
        return self.events[-1].state

    def first(self, state: str) -> datetime | None:
        return next((e.at for e in self.events if e.state == state), None)

    @property
    def over(self) -> TicketEvent | None:
        """The event that ended it, if it is over."""
        if self.state not in OVER:
            return None
        return next(e for _, e in reversed(self.turns) if e.state == self.state)

    @property
    def handled_at(self) -> datetime | None:
        seen: dict[str, datetime] = {}
        for was, event in self.turns:
            if was in OVER:
                seen = {}
            seen[event.state] = event.at
        over = self.over
        return seen.get("feedback") or seen.get("verified") or (over.at if over else None)

    def said(self, name: str, events: Iterable[TicketEvent]) -> list[Any]:
        return [e.data[name] for e in events if e.data.get(name)]

    @property
    def assignee(self) -> str | None:
        if said := self.said("assignee", self.events):
            return str(said[-1])
        is_said_later = self.said("assignee", self.ticket.history)
        return self.ticket.assignee if self.first("dispatched") and not is_said_later else None

    @property
    def due_at(self) -> datetime | None:
        if said := self.said("due_at", self.events):
            return datetime.fromisoformat(said[-1])
        is_said_later = self.said("due_at", self.ticket.history)
        return self.ticket.due_at if self.first("filed") and not is_said_later else None

    @property
    def cause(self) -> str:
        over = self.over
        return str((over.data.get("cause") if over else None) or "not stated")

    def end(self, true_causes: Collection[tuple[str, str]]) -> str:
        """Which count its end belongs to."""
        over = self.over
        if over is None or self.state == "closed":
            return "solved"
        if over.action == "merge":
            return "duplicates"
        is_true = any((kind, self.cause) in true_causes for kind in ("*", self.ticket.category))
        return "declined" if is_true else "false_alarms"


@dataclass
class Tally:
    """What is known of one row."""

    n: Counter[str] = field(default_factory=Counter)
    hours: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))


def plain_report(
    store: SqlStore,
    catalogue: Catalogue,
    period: Period,
    causes: Collection[Cause] = (),
    covers: Callable[[GridCodes], bool] | None = None,
) -> dict[str, Any]:
    """The rows, series, false alarms, hot spots and ledger of a report."""
    true_causes = {(c.category, c.code) for c in causes if not c.false_alarm}
    lives = [
        Life(ticket, events)
        for ticket in store.tickets()
        if (events := [e for e in ticket.history if e.at < period.as_of])
        and (covers is None or covers(ticket.grid))
    ]
    found = _places(_seen(store, lives, period), catalogue)
    returned = sorted((p for p in found if len(p) >= 2), key=_rank)
    hot = [p for p in returned if _is_hot(p, period)]
    alarms = Counter(
        (life.ticket.category, life.cause)
        for life in lives
        if life.over and period.holds(life.over.at) and life.end(true_causes) == "false_alarms"
    )
    return {
        "rows": _rows(store, catalogue, period, lives, true_causes, covers),
        "series": _series(lives, period),
        "false_alarms": [
            {"category": kind, "cause": why, "count": n}
            for (kind, why), n in sorted(alarms.items())
        ],
        "hot_spots": [_place_record(p) for p in hot],
        "ledger": [_place_record(p) for p in returned[:500]],
        "ledger_places": len(returned),
    }


def _counts(life: Life, period: Period, true_causes: Collection[tuple[str, str]]) -> Counter[str]:
    n: Counter[str] = Counter()
    over, due = life.over, life.due_at
    for name, at in (("found", life.events[0].at), ("filed", life.first("filed")),
                     ("dispatched", life.first("dispatched"))):  # fmt: skip
        n[name] = int(at is not None and period.holds(at))
    if over and period.holds(over.at):
        n[life.end(true_causes)] += 1
        if life.state == "closed":
            handled = life.handled_at
            n["with_deadline"] = int(due is not None)
            n["solved_in_time"] = int(handled is not None and due is not None and handled <= due)
    for was, event in life.turns:
        if period.holds(event.at):
            n["reopened"] += was in OVER
            n["sent_back"] += was in ("feedback", "verified") and event.state == "handling"
    for event in life.events:
        if period.holds(event.at) and event.action in ("urge", "escalate"):
            n[f"{event.action}d"] += 1
    n["open_at_end"] = int(life.state not in OVER)
    is_with_crew = life.state in ("filed", "dispatched", "handling")
    n["overdue_at_end"] = int(is_with_crew and due is not None and due < period.as_of)
    earlier = [e.state for e in life.events if e.at < period.start]
    n["open_at_start"] = int(bool(earlier) and earlier[-1] not in OVER)
    return +n


def _rows(
    store: SqlStore, catalogue: Catalogue, period: Period, lives: Iterable[Life],
    true_causes: Collection[tuple[str, str]], covers: Callable[[GridCodes], bool] | None,
) -> list[dict[str, Any]]:  # fmt: skip
    grids = wiring.stored_grids(store, period.as_of)
    looks = [k for k in store.looks_since(period.start) if period.holds(k.start)]
    km = km_observed(looks, grids.codes_at if grids else None)
    if covers is not None:
        km = {
            (kind, code): way
            for (kind, code), way in km.items()
            if covers(GridCodes(code if kind == "unit_grid" else None,
                                code if kind == "responsible_grid" else None))
        }  # fmt: skip
    crews = stored_crews(store.engine, period.as_of)
    tallies: dict[tuple[str, str], Tally] = defaultdict(Tally)
    tallies["all", ""]
    for life in lives:
        n = _counts(life, period, true_causes)
        if not n:
            continue
        for key in _keys(life, crews):
            tally = tallies[key]
            tally.n += n
            began = life.first("filed") or life.events[0].at
            for name, since, until in (
                ("filed", life.events[0].at, life.first("filed")),
                ("dispatched", began, life.first("dispatched")),
                ("solved", began, life.over and life.over.at),
            ):
                if n[name] and until:
                    tally.hours[name].append((until - since) / HOUR)
    for key in km:
        tallies[key]
    order = sorted(tallies, key=lambda key: (KINDS.index(key[0]), key[1]))
    return [_row(key, tallies[key], km, crews, catalogue) for key in order]


def _keys(life: Life, crews: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str]]:
    grid, crew = life.ticket.grid, life.assignee
    codes = {
        "category": life.ticket.category, "unit_grid": grid.unit_grid,
        "responsible_grid": grid.responsible_grid, "segment": grid.segment, "crew": crew,
        "contractor": crews[crew].get("contractor") if crew in crews else None,
    }  # fmt: skip
    return [("all", ""), *((kind, code) for kind, code in codes.items() if code)]


def _row(
    key: tuple[str, str], tally: Tally, km: Mapping[tuple[str, str], float],
    crews: Mapping[str, Mapping[str, Any]], catalogue: Catalogue,
) -> dict[str, Any]:  # fmt: skip
    kind, code = key
    n, hours = tally.n, tally.hours

    def share(part: float, whole: float) -> float | None:
        return round(part / whole, 4) if whole > 0 else None

    def middle(name: str) -> float | None:
        return round(median(hours[name]), 2) if hours[name] else None

    way = km.get(key, km.get(("all", "")) if kind == "category" else None)
    counted = ("found", "filed", "dispatched", "solved", "solved_in_time", "false_alarms",
               "duplicates", "declined", "reopened", "sent_back", "urged", "escalated",
               "open_at_start", "open_at_end", "overdue_at_end")  # fmt: skip
    crew = crews.get(code) if kind == "crew" else None
    row: dict[str, Any] = {
        "kind": kind,
        "key": code,
        "name": str(crew.get("name") or code) if crew else code,
        **{name: n[name] for name in counted},
        "completion_rate": share(n["solved"], n["solved"] + n["open_at_end"]),
        "in_time_rate": share(n["solved_in_time"], n["with_deadline"]),
        "false_rate": share(n["false_alarms"], n["false_alarms"] + n["filed"]),
        "reopened_rate": share(n["reopened"], n["solved"]),
        "median_file_h": middle("filed"),
        "median_dispatch_h": middle("dispatched"),
        "median_solve_h": middle("solved"),
        "km_observed": None if way is None else round(way, 3),
        "found_per_km": share(n["found"], round(way, 3)) if way else None,
    }
    measures = {k: v for k, v in row.items() if k not in ("kind", "key", "name")}
    return {**row, "score": score(catalogue.scoring, kind, measures)}


def _series(lives: Iterable[Life], period: Period) -> list[dict[str, Any]]:
    zone = ZoneInfo(period.timezone)
    form = {"day": "%H", "year": "%Y-%m"}.get(period.kind, "%m-%d")
    days = (period.last - period.first).days + 1
    steps = [f"{hour:02}" for hour in range(24)] if period.kind == "day" else list(
        dict.fromkeys((period.first + timedelta(days=k)).strftime(form) for k in range(days))
    )  # fmt: skip
    found: Counter[str] = Counter()
    solved: Counter[str] = Counter()
    for life in lives:
        if period.holds(life.events[0].at):
            found[life.events[0].at.astimezone(zone).strftime(form)] += 1
        if life.state == "closed" and life.over and period.holds(life.over.at):
            solved[life.over.at.astimezone(zone).strftime(form)] += 1
    return [{"label": step, "found": found[step], "solved": solved[step]} for step in steps]


@dataclass(frozen=True)
class Seen:
    """A ticket and its founding place."""

    ticket: Ticket
    at: datetime
    place: tuple[float, float]


def _seen(store: SqlStore, lives: Iterable[Life], period: Period) -> list[Seen]:
    observations = {o.id: o for o in store.observations()}
    incidents = {i.id: i for i in store.incidents()}
    since = min(period.as_of - timedelta(days=365), period.start - timedelta(days=30))
    seen = []
    for life in lives:
        ticket, at = life.ticket, life.events[0].at
        if ticket.parent is not None or life.state == "rejected" or at < since:
            continue
        mine = [observations[o] for o in incidents[ticket.incident_id].observation_ids]
        place = min(mine, key=lambda o: (o.first_seen, o.id)).place if mine else ticket.place
        seen.append(Seen(ticket, at, (place.lat_deg, place.lon_deg)))
    return sorted(seen, key=lambda s: (s.at, s.ticket.id))


def _places(seen: Iterable[Seen], catalogue: Catalogue) -> list[list[Seen]]:
    found: list[list[Seen]] = []
    for one in seen:
        reach = catalogue.categories[one.ticket.category].hot_spot_m
        near = [
            (float(distance_m(*group[0].place, *one.place)), group[0].ticket.id, group)
            for group in found
            if group[0].ticket.category == one.ticket.category
        ]
        near = [n for n in near if n[0] <= reach]
        if near:
            min(near, key=lambda n: n[:2])[2].append(one)
        else:
            found.append([one])
    return found


def _is_hot(place: list[Seen], period: Period) -> bool:
    month = timedelta(days=30)
    return any(
        third.at - first.at <= month and first.at + month >= period.start
        for first, third in zip(place, place[2:], strict=False)
    )


def _rank(place: list[Seen]) -> tuple[int, datetime, str]:
    return -len(place), place[0].at, place[0].ticket.id


def _place_record(place: list[Seen]) -> dict[str, Any]:
    first = place[0].ticket
    return {
        "category": first.category,
        "times": len(place),
        "lat_deg": round(place[0].place[0], 5),
        "lon_deg": round(place[0].place[1], 5),
        "unit_grid": first.grid.unit_grid,
        "responsible_grid": first.grid.responsible_grid,
        "segment": first.grid.segment,
        "first_found": place[0].at.isoformat(),
        "last_found": place[-1].at.isoformat(),
        "ticket_ids": [s.ticket.id for s in place],
    }
