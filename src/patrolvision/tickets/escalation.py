"""The ladder of an overdue ticket: village, town, district, as the levels table says."""

from __future__ import annotations

from datetime import datetime

from patrolvision.tickets.categories import Catalogue, Level
from patrolvision.tickets.deadlines import overdue_hours
from patrolvision.types import Ticket

WITH_THE_CREW = frozenset({"filed", "dispatched", "handling"})


def level_due(ticket: Ticket, now: datetime, catalogue: Catalogue) -> int:
    """The rung (from 0, the lowest) on which the ticket belongs by now: 0 unless a crew is late.

    What a crew has reported back waits for the office and climbs no further.
    """
    if ticket.state not in WITH_THE_CREW or ticket.due_at is None or now <= ticket.due_at:
        return 0
    late_h = overdue_hours(ticket, now, catalogue)
    return sum(level.overdue_hours <= late_h for level in catalogue.levels) - 1


def escalation(ticket: Ticket, now: datetime, catalogue: Catalogue) -> int | None:
    """The higher rung to which the ticket is to be raised now; None if it stays where it is.

    Asked again after it was raised the answer is None, so that the job may run as often as it
    likes. A ticket never climbs down.
    """
    due = level_due(ticket, now, catalogue)
    return due if due > ticket.level else None


def level_name(level: int, catalogue: Catalogue) -> Level:
    """The row of a ticket's level; the highest for a level of a longer ladder than today's."""
    return catalogue.levels[min(level, len(catalogue.levels) - 1)]
