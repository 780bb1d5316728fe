"""Instants as whole microseconds since 1970 (UTC), as the store and columns hold them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def micros_of(at: datetime) -> int:
    """Microseconds since 1970 of an aware datetime, exact."""
    return (at - EPOCH) // MICROSECOND


def instant_of(micros: int) -> datetime:
    """The datetime in UTC so many microseconds after 1970."""
    return EPOCH + timedelta(microseconds=micros)
