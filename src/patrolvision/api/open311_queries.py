"""What a client of Open311 may ask for in a list: spans of time, states and pages."""

from __future__ import annotations

from datetime import datetime, timedelta

from patrolvision.api.open311_forms import GeoReportError
from patrolvision.relay.requests import STATES

SPAN = timedelta(days=90)
MOST = 1000


def span(start: str | None, end: str | None, now: datetime) -> tuple[datetime, datetime]:
    """The span of time asked for: at most 90 days, by default the last 90."""
    since, until = instant("start_date", start), instant("end_date", end)
    try:
        if since is None:
            since = (until or now) - SPAN
        if until is None:
            until = min(since + SPAN, max(now, since))
    except OverflowError as error:
        raise GeoReportError(400, "start_date and end_date: are too far from now") from error
    if since > until:
        raise GeoReportError(400, "start_date: lies after end_date")
    if until - since > SPAN:
        raise GeoReportError(400, "start_date and end_date: may not span more than 90 days")
    return since, until


def instant(name: str, text: str | None) -> datetime | None:
    """An instant with its offset; None if none was given."""
    if not text:
        return None
    try:
        # a "+" that was not encoded arrives as a space
        at = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        if at.tzinfo is None:
            raise ValueError
        at.timestamp()
    except (ValueError, OverflowError) as error:
        expected = "an instant with an offset, such as 2026-05-04T00:00:00Z"
        raise GeoReportError(400, f"{name}: expected {expected}, found {text!r}") from error
    return at


def states(status: str | None) -> tuple[str, ...]:
    """The tickets' states of a comma list of open and closed; none given: all."""
    named = listed(status) or list(STATES)
    unknown = [name for name in named if name not in STATES]
    if unknown:
        raise GeoReportError(400, f"status: expected open or closed, found {unknown[0]!r}")
    return tuple(state for name in dict.fromkeys(named) for state in STATES[name])


def paging(page: str | None, page_size: str | None) -> tuple[int, int]:
    """(limit, offset) of a page, the first being 1."""
    numbers = []
    for name, text, usual, most in (
        ("page", page, 1, 10_000),
        ("page_size", page_size, MOST, MOST),
    ):
        if text and not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
            raise GeoReportError(400, f"{name}: a whole number from 1 to {most}, found {text!r}")
        numbers.append(int(text) if text else usual)
    return numbers[1], (numbers[0] - 1) * numbers[1]


def listed(text: str | None) -> list[str]:
    """The parts of a comma list; PostgreSQL would stumble over a NUL, and nothing is named so."""
    return [part for part in (text or "").replace("\x00", "").split(",") if part]
