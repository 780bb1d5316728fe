"""GET /stats: the dashboard's figures."""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from pydantic import AwareDatetime, BaseModel, Field

from patrolvision.api import answers
from patrolvision.api.security import Office, Principal, reader
from patrolvision.store import figures
from patrolvision.store.engine import reading
from patrolvision.store.ticket_filters import OPEN

KEPT_S = 10.0  # how long figures are answered again before they are counted anew
MOST_KEPT = 64


class Tickets(BaseModel):
    """What there is now."""

    total: int
    open: int
    overdue: int
    by_state: dict[str, int]
    by_category: dict[str, int]
    by_priority: dict[str, int]


class Day(BaseModel):
    """What was opened on one day of the office's time zone."""

    day: str
    total: int
    by_category: dict[str, int]


class Closed(BaseModel):
    """What was closed in the period."""

    count: int
    in_time: int
    in_time_rate: float | None
    median_hours: float | None


class FalseAlarms(BaseModel):
    """What reviewers said in the period."""

    verdicts: int
    false: int
    rate: float | None


class HotSpot(BaseModel):
    """A place where one category came up three times or more in the period."""

    category: str
    count: int
    lat_deg: float
    lon_deg: float
    segment: str | None


class Stats(BaseModel):
    """The dashboard's figures, counted at an instant."""

    at: AwareDatetime
    days: int = Field(description="of the period that ends now")
    timezone: str
    tickets: Tickets
    opened_by_day: list[Day]
    closed: Closed
    false_alarms: FalseAlarms
    hot_spots: list[HotSpot]


def _now(kinds: dict[tuple[str, str, str], int], overdue: int) -> dict[str, Any]:
    sums: tuple[Counter[str], ...] = (Counter(), Counter(), Counter())
    for names, count in kinds.items():
        for counter, name in zip(sums, names, strict=True):
            counter[name] += count
    categories, states, priorities = map(dict, sums)
    return {
        "total": sum(states.values()),
        "open": sum(count for state, count in states.items() if state in OPEN),
        "overdue": overdue,
        "by_state": states,
        "by_category": categories,
        "by_priority": priorities,
    }


def _by_day(
    opened: Sequence[tuple[datetime, str, int]], since: datetime, now: datetime, zone: ZoneInfo
) -> list[dict[str, Any]]:
    day, last = since.astimezone(zone).date(), now.astimezone(zone).date()
    days: dict[str, Counter[str]] = {}
    while day <= last:
        days[day.isoformat()] = Counter()
        day += timedelta(days=1)
    for at, category, count in opened:
        name = at.astimezone(zone).date().isoformat()
        days.setdefault(name, Counter())[category] += count
    return [
        {"day": name, "total": sum(found.values()), "by_category": dict(found)}
        for name, found in sorted(days.items())
    ]


def _counted(office: Office, days: int, areas: tuple[str, ...]) -> dict[str, Any]:
    now, zone = office.clock(), ZoneInfo(office.settings.timezone)
    today = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    since = today - timedelta(days=days - 1)
    with reading(office.store.engine) as connection:
        kinds = figures.kinds(connection, areas)
        overdue = figures.overdue(connection, now, areas)
        return {
            "at": now,
            "days": days,
            "timezone": office.settings.timezone,
            "tickets": _now(kinds, overdue),
            "opened_by_day": _by_day(figures.opened(connection, since, areas), since, now, zone),
            "closed": figures.closed(connection, since, areas),
            "false_alarms": figures.false_alarms(connection, since),
            "hot_spots": figures.hot_spots(connection, since, areas),
        }


class _Kept:
    """Figures of the last seconds: a dashboard on every desk costs one count."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._lock = threading.Lock()
        self._kept: dict[tuple[int, tuple[str, ...]], tuple[float, dict[str, Any]]] = {}

    def figures(self, days: int, areas: tuple[str, ...]) -> dict[str, Any]:
        """The figures, counted now or a few seconds ago."""
        with self._lock:
            counted_s, found = self._kept.get((days, areas), (-1e9, {}))
            if time.monotonic() - counted_s > KEPT_S:
                found = _counted(self._office, days, areas)
                if len(self._kept) >= MOST_KEPT:
                    self._kept.clear()
                self._kept[days, areas] = time.monotonic(), found
            return found


def router(office: Office) -> APIRouter:
    """Figures over the office's store."""
    kept = _Kept(office)
    router = APIRouter(prefix="/api/v1", tags=["dashboard"])

    @router.get("/stats", responses={200: {"model": Stats}})
    def stats(
        who: Annotated[Principal, Depends(reader(office))],
        days: Annotated[int, Query(ge=1, le=366, description="today and the days before")] = 30,
    ) -> Response:
        """Counts by state, category and day, what was closed in time, false alarms, hot spots.

        Counted at most ten seconds ago.
        """
        return answers.body(kept.figures(days, who.areas))

    return router
