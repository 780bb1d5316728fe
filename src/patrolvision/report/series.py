"""Found and solved over the hours of a day, the days of a week or month, the months of a year."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from patrolvision.report.period import Period
from patrolvision.report.tally import QUARTER_US, Tally
from patrolvision.types.instants import instant_of

HOURS = 24


@dataclass(frozen=True, slots=True)
class Bucket:
    """One step of the series; label is an hour (00), a date (05-04) or a month (2026-05)."""

    label: str
    found: int
    solved: int


def series(tally: Tally, period: Period) -> list[Bucket]:
    """Every step of the period in order, those without anything included."""
    zone = ZoneInfo(period.timezone)
    found, solved = (_by_label(seen, period, zone) for seen in (tally.found, tally.solved))
    labels = dict.fromkeys(_labels(period))
    return [Bucket(label, found[label], solved[label]) for label in labels]


def _by_label(seen: Mapping[int, int], period: Period, zone: ZoneInfo) -> Counter[str]:
    counts: Counter[str] = Counter()
    for quarter, n in seen.items():
        counts[_label(instant_of(quarter * QUARTER_US), period, zone)] += n
    return counts


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
