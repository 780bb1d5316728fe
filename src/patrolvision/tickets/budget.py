"""What is sent first when not everything can be sent: the most valuable, urgent ones always."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from patrolvision.tickets.categories import Catalogue
from patrolvision.types import Ticket

PRIORITY_VALUE = {"normal": 1.0, "high": 3.0, "urgent": 10.0}
OUTSIDE = ""  # the area of what lies in no responsible grid


def area_of(ticket: Ticket) -> str:
    """The area whose budget a dispatch uses up: the responsible grid."""
    return ticket.grid.responsible_grid or OUTSIDE


def value_of(ticket: Ticket, now: datetime, catalogue: Catalogue) -> float:
    """How much it is worth to send somebody: category × priority, growing with the waiting.

    Without a unit. Doubles in waiting_doubles_h, so that nothing waits for ever.
    """
    weight = catalogue.categories[ticket.category].value * PRIORITY_VALUE[ticket.priority]
    doubles_h = catalogue.dispatch_number("waiting_doubles_h", area_of(ticket))
    waited_h = max((now - ticket.history[0].at) / timedelta(hours=1), 0.0)
    return weight * (1.0 + waited_h / doubles_h if doubles_h > 0 else 1.0)


def most_valuable_first(
    tickets: Iterable[Ticket], now: datetime, catalogue: Catalogue
) -> list[Ticket]:
    """The tickets in the order in which they are sent: urgent ones, then by value, then by id."""
    return sorted(tickets, key=lambda t: _rank(t, now, catalogue))


def may_be_sent(ticket: Ticket, catalogue: Catalogue, spent: Mapping[str, int]) -> bool:
    """Whether the area's budget has room for the ticket; urgent ones need none."""
    area = area_of(ticket)
    most = catalogue.dispatch_number("dispatches_per_run", area)
    return ticket.priority == "urgent" or spent.get(area, 0) + 1 <= most


def _rank(ticket: Ticket, now: datetime, catalogue: Catalogue) -> tuple[bool, float, str]:
    return ticket.priority != "urgent", -value_of(ticket, now, catalogue), ticket.id
