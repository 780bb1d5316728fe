"""Working time: hours of the week, holidays and make-up working days, on one city's clock.

Wall-clock hours become instants day by day and all reckoning is done on instants, so that an hour
is an hour on the days when the clocks change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from patrolvision.errors import ConfigError

DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
ALWAYS = "24/7"
DAY_MINUTES = 24 * 60
LONGEST_PAUSE_DAYS = 400  # without a working minute: then the calendar is wrong, not the holiday

Spans = tuple[tuple[int, int], ...]  # minutes of a day, in order, apart
Week = tuple[Spans, Spans, Spans, Spans, Spans, Spans, Spans]
_RANGE = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")


def weekly_hours(text: str) -> Week:
    """Hours such as `Mo-Fr 08:30-12:00,14:00-17:30; Sa 09:00-12:00`, `22:00-06:00` or `24/7`.

    Without days they are every day's; an end at or before its start lies on the next day.
    ValueError says which part is not understood.
    """
    minutes: list[list[tuple[int, int]]] = [[] for _ in DAYS]
    if text.strip() == ALWAYS:
        text = "00:00-24:00"
    for part in filter(None, (p.strip() for p in text.split(";"))):
        words = part.split()
        if len(words) > 2:
            raise ValueError(f"{part!r} is not days and hours")
        days = _days(words[0]) if len(words) == 2 else range(7)
        for span in words[-1].split(","):
            start, end = _span(span)
            for day in days:
                minutes[day].append((start, min(end, DAY_MINUTES)))
                if end > DAY_MINUTES:
                    minutes[(day + 1) % 7].append((0, end - DAY_MINUTES))
    if not any(minutes):
        raise ValueError("no hours are given")
    mo, tu, we, th, fr, sa, su = (_joined(spans) for spans in minutes)
    return mo, tu, we, th, fr, sa, su


def _days(text: str) -> list[int]:
    days: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first not in DAYS or (last or first) not in DAYS:
            raise ValueError(f"{part!r} names no days; days are {' '.join(DAYS)}")
        start, end = DAYS.index(first), DAYS.index(last or first)
        days += [day % 7 for day in range(start, end + 1 + 7 * (end < start))]
    return days


def _span(text: str) -> tuple[int, int]:
    match = _RANGE.fullmatch(text)
    hours = [int(part) for part in match.groups()] if match else [99]
    if match is None or hours[0] > 23 or hours[2] > 24 or max(hours[1], hours[3]) > 59:
        raise ValueError(f"{text!r} is not a span such as 08:30-17:30")
    start, end = 60 * hours[0] + hours[1], 60 * hours[2] + hours[3]
    if end > DAY_MINUTES:
        raise ValueError(f"{text!r} ends after 24:00")
    return start, end if end > start else end + DAY_MINUTES


def _joined(spans: list[tuple[int, int]]) -> Spans:
    joined: list[tuple[int, int]] = []
    for start, end in sorted(span for span in spans if span[1] > span[0]):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return tuple(joined)


@dataclass(frozen=True, slots=True)
class WorkCalendar:
    """When a city works; extra_days are make-up working days, with the hours of their weekday's
    column if it has any, else a Monday's (or the first day's that has hours).
    """

    week: Week
    timezone: str = "UTC"
    holidays: frozenset[date] = frozenset()
    extra_days: frozenset[date] = frozenset()

    def __post_init__(self) -> None:
        if not any(self.week):
            raise ValueError("a calendar needs working hours")

    def is_working(self, at: datetime) -> bool:
        """Whether the instant lies in working time, opening and closing included."""
        return any(start <= at <= end for start, end in self._spans_from(self._eve(at), days=3))

    def add(self, at: datetime, working: timedelta) -> datetime:
        """The instant (UTC) at which so much working time has passed since the instant given.

        From outside working time the count begins at the next opening; an amount that is used up
        at closing time ends there and not at the next opening. ConfigError if the calendar has no
        working time for more than a year.
        """
        if working < timedelta(0):
            raise ValueError(f"working time must not be negative, got {working}")
        left, at = working, at.astimezone(UTC)
        for start, end in self._spans_from(self._eve(at)):
            if end < at:
                continue
            start = max(start, at)
            if left <= end - start:
                return start + left
            left -= end - start
        raise ConfigError("the working hours and holidays leave no working time for over a year")

    def between(self, start: datetime, end: datetime) -> timedelta:
        """Working time from one instant to a later one; nothing if they are the other way."""
        total = timedelta(0)
        if end <= start:
            return total
        first, last = self._eve(start), self._eve(end)
        for opening, closing in self._spans_from(first, days=(last - first).days + 2):
            total += max(min(closing, end) - max(opening, start), timedelta(0))
        return total

    def years_unknown(self, start: datetime, end: datetime) -> tuple[int, ...]:
        """The years of a span, on the city's clock, of which no holiday is known.

        Their weekdays count as working days. None for a clock that knows no holidays at all.
        """
        known = {day.year for day in self.holidays}
        zone = _zone(self.timezone)
        years = range(start.astimezone(zone).year, end.astimezone(zone).year + 1)
        return tuple(year for year in years if known and year not in known)

    def _eve(self, at: datetime) -> date:
        """The day before, because its hours may end at the very instant, at midnight."""
        return at.astimezone(_zone(self.timezone)).date() - timedelta(days=1)

    def _minutes(self, day: date) -> Spans:
        if day in self.extra_days:
            return self.week[day.weekday()] or next(spans for spans in self.week if spans)
        return () if day in self.holidays else self.week[day.weekday()]

    def _spans_from(
        self, day: date, days: int | None = None
    ) -> Iterator[tuple[datetime, datetime]]:
        """Working spans in order and apart, from a day on; each (start, end) in UTC."""
        before = datetime.min.replace(tzinfo=UTC)
        idle = 0
        while idle <= LONGEST_PAUSE_DAYS and (days is None or days > 0):
            minutes = self._minutes(day)
            for first, last in minutes:
                start, end = (_instant(day, m, self.timezone) for m in (first, last))
                # A wall-clock time that the change of clocks leaves out lies after the next hour's.
                start = max(start, before)
                if end > start:
                    yield start, end
                    before = end
            idle = 0 if minutes else idle + 1
            day += timedelta(days=1)
            days = None if days is None else days - 1


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _instant(day: date, minute: int, timezone: str) -> datetime:
    if minute == DAY_MINUTES:
        day, minute = day + timedelta(days=1), 0
    wall = datetime.combine(day, time(minute // 60, minute % 60), tzinfo=_zone(timezone))
    return wall.astimezone(UTC)
