"""A day, week, month or year on a city's own clock, as two instants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from patrolvision.errors import CallError

PeriodKind = Literal["day", "week", "month", "year"]
KINDS: tuple[PeriodKind, ...] = get_args(PeriodKind)


@dataclass(frozen=True, slots=True)
class Period:
    """From start to before end (UTC); figures are as of as_of, which is end once it is past."""

    kind: PeriodKind
    first: date
    last: date  # inclusive
    timezone: str
    start: datetime
    end: datetime
    as_of: datetime

    @property
    def is_over(self) -> bool:
        """Whether nothing can happen any more that would belong to it."""
        return self.as_of == self.end

    def holds(self, at: datetime) -> bool:
        """Whether an instant lies in the period, as far as it has been seen."""
        return self.start <= at < self.as_of


def period_of(kind: PeriodKind, day: date, timezone: str, now: datetime) -> Period:
    """The period that a day lies in; a week is Monday to Sunday (ISO 8601).

    CallError for a period that has not begun yet, or at the ends of the calendar.
    """
    try:
        first, after = _bounds(kind, day)
        start, end = (_midnight(d, timezone) for d in (first, after))
    except (ValueError, OverflowError) as error:
        raise CallError(f"date {day}: there is no such {kind} in the calendar") from error
    if now <= start:
        raise CallError(f"date {day}: the {kind} has not begun yet, there is nothing to report")
    last = after - timedelta(days=1)
    return Period(kind, first, last, timezone, start, end, min(end, now.astimezone(UTC)))


def _bounds(kind: PeriodKind, day: date) -> tuple[date, date]:
    if kind == "day":
        return day, day + timedelta(days=1)
    if kind == "week":
        monday = day - timedelta(days=day.weekday())
        return monday, monday + timedelta(days=7)
    if kind == "month":
        first = day.replace(day=1)
        return first, (first + timedelta(days=31)).replace(day=1)
    return date(day.year, 1, 1), date(day.year + 1, 1, 1)


def _midnight(day: date, timezone: str) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(timezone)).astimezone(UTC)
