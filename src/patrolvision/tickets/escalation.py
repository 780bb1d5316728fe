"""The ladder of an overdue ticket: village, town, district, as the levels table says."""

from __future__ import annotations

from datetime import datetime

from patrolvision.tickets.categories import Catalogue, Level
from patrolvision.tickets.deadlines import overdue_hours
from patrolvision.types import Ticket

WITH_THE_CREW = frozenset({"filed", "dispatched", "handling"})


def level_due(ticket: Ticket, now: datetime, catalogue: Catalogue) -> Level:
    """The rung on which the ticket belongs by now; the lowest unless somebody is late with it.

    What a crew has reported back waits for the office and climbs no further.
    """
    lowest = catalogue.levels[0]
    if ticket.state not in WITH_THE_CREW or ticket.due_at is None or now <= ticket.due_at:
        return lowest
    late_h = overdue_hours(ticket, now, catalogue)
    return [level for level in catalogue.levels if level.overdue_hours <= late_h][-1]


def escalation(
    ticket: Ticket, current: str | None, now: datetime, catalogue: Catalogue
) -> Level | None:
    """The higher rung to which the ticket is to be raised now; None if it stays where it is.

    Asked again after it was raised the answer is None, so that the job may run as often as it
    likes. A ticket never climbs down.
    """
    names = [level.level for level in catalogue.levels]
    due = level_due(ticket, now, catalogue)
    standing = names.index(current) if current in names else 0
    return due if names.index(due.level) > standing else None
