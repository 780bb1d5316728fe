"""Found and solved over the hours of a day, the days of a week or month, the months of a year."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from patrolvision.report.facts import Facts
from patrolvision.report.period import Period

HOURS = 24


@dataclass(frozen=True, slots=True)
class Bucket:
    """One step of the series; label is an hour (00), a date (05-04) or a month (2026-05)."""

    label: str
    found: int
    solved: int


def series(facts: Iterable[Facts], period: Period) -> list[Bucket]:
    """Every step of the period in order, those without anything included."""
    zone = ZoneInfo(period.timezone)
    found: Counter[str] = Counter()
    solved: Counter[str] = Counter()
    for ticket in facts:
        if period.holds(ticket.found_at):
            found[_label(ticket.found_at, period, zone)] += 1
        over = ticket.over_at
        if ticket.state == "closed" and over is not None and period.holds(over):
            solved[_label(over, period, zone)] += 1
    labels = dict.fromkeys(_labels(period))
    return [Bucket(label, found[label], solved[label]) for label in labels]


def _label(at: datetime, period: Period, zone: ZoneInfo) -> str:
    local = at.astimezone(zone)
    if period.kind == "day":
        return f"{local:%H}"
    return f"{local:%Y-%m}" if period.kind == "year" else f"{local:%m-%d}"


def _labels(period: Period) -> Iterator[str]:
    if period.kind == "day":
        yield from (f"{hour:02}" for hour in range(HOURS))
        return
    day = period.first
    while day <= period.last:
        yield f"{day:%Y-%m}" if period.kind == "year" else f"{day:%m-%d}"
        day += timedelta(days=1)
