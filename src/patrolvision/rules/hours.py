"""When a rule is in force: OSM opening_hours, with public holidays and the zone's own clock.

An OpeningHours object holds the country's holidays and cannot be pickled, and finding the country
costs a second the first time; so zones carry the text, and the parsed form is cached here. The
country and the sun come from the zone's place, and only for texts that ask for them.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

from opening_hours import OpeningHours, State, validate

ALWAYS = "24/7"
_NEEDS_PLACE = re.compile(r"\b(PH|SH)\b|sun(rise|set)|dawn|dusk", re.IGNORECASE)
Force = Literal["open", "closed", "unknown"]


@lru_cache(maxsize=4096)
def _parsed(text: str, timezone: str, place: tuple[float, float] | None) -> Any:
    return OpeningHours(text, timezone=ZoneInfo(timezone), coords=place)


def is_valid(text: str) -> bool:
    """Whether the text is in opening_hours syntax."""
    return bool(text.strip()) and bool(validate(text))


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
