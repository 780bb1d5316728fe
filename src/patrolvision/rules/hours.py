"""When a rule is in force: OSM opening_hours, with public holidays and the zone's own clock.

An OpeningHours object holds the country's holidays and cannot be pickled, and finding the country
costs a second the first time; so zones carry the text, and the parsed form is cached here. The
country and the sun come from the zone's place, and only for texts that ask for them.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

from opening_hours import OpeningHours, State, validate

ALWAYS = "24/7"
_NEEDS_PLACE = re.compile(r"\b(PH|SH)\b|sun(rise|set)|dawn|dusk", re.IGNORECASE)
_DAY = r"(?:(?:Mo|Tu|We|Th|Fr|Sa|Su)(?:-(?:Mo|Tu|We|Th|Fr|Sa|Su))?|PH|SH)"
_DAYS_THEN = re.compile(rf"\s*({_DAY}(?:\s*,\s*{_DAY})*)(?=\s|$)(.*)", re.DOTALL)
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
Force = Literal["open", "closed", "unknown"]


@lru_cache(maxsize=4096)
def _parsed(text: str, timezone: str, place: tuple[float, float] | None) -> Any:
    return OpeningHours(text, timezone=ZoneInfo(timezone), coords=place)


def is_valid(text: str) -> bool:
    """Whether the text is in opening_hours syntax."""
    return bool(text.strip()) and bool(validate(text))


def with_holidays(text: str, days: Collection[date]) -> str:
    """The text with these public holidays beside those that the library knows.

    It knows one day of each of mainland China's festivals, which last up to eight. A rule that
    names PH by itself or in a list of weekdays is said again for the days; other uses of PH stay.
    """
    if not days:
        return text
    said = []
    for rule in text.split(";"):
        said.append(rule)
        found = _DAYS_THEN.fullmatch(rule)
        if found and "PH" in re.split(r"\s*,\s*", found[1]):
            said.append(f" {_spans(days)}{found[2]}")
    told = ";".join(said)
    return told if is_valid(told) else text  # a comment may hold a semicolon


def _spans(days: Collection[date]) -> str:
    """Days in opening_hours syntax, those in a row as one span."""
    spans: list[list[date]] = []
    for day in sorted(days):
        if spans and day - spans[-1][1] == timedelta(days=1):
            spans[-1][1] = day
        else:
            spans.append([day, day])
    return ",".join(
        "-".join(f"{d.year} {_MONTHS[d.month - 1]} {d.day:02}" for d in s) for s in spans
    )


def state_at(text: str, timezone: str, lat_deg: float, lon_deg: float, at: datetime) -> Force:
    """open, closed or unknown at the instant; hours are the wall clock's of the timezone.

    Holidays are those of the country the place lies in; sun times those of the place.
    """
    if text == ALWAYS:
        return "open"
    place = (round(lat_deg, 1), round(lon_deg, 1)) if _NEEDS_PLACE.search(text) else None
    state, _ = _parsed(text, timezone, place).state(at.astimezone(ZoneInfo(timezone)))
    if state == State.OPEN:
        return "open"
    return "closed" if state == State.CLOSED else "unknown"
