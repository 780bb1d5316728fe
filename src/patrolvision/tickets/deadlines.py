"""Until when a ticket must be handled: hours of a clock per city, category and priority."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from patrolvision.tickets.calendar import WorkCalendar
from patrolvision.tickets.categories import ANY, Catalogue, DeadlineRule
from patrolvision.types import Ticket

HOLIDAYS_AHEAD = timedelta(days=60)  # a ticket filed today is seldom due later


def deadline_rule(ticket: Ticket, catalogue: Catalogue) -> DeadlineRule | None:
    """The rule that fits best: own city before any, category before any, priority before any."""
    fitting = [
        rule
        for rule in catalogue.deadlines
        if rule.category in (ANY, ticket.category) and rule.priority in (ANY, ticket.priority)
    ]
    return max(fitting, key=_narrowness, default=None)


def _narrowness(rule: DeadlineRule) -> tuple[bool, bool, bool]:
    return rule.city != ANY, rule.category != ANY, rule.priority != ANY


def deadline_for(
    ticket: Ticket,
    at: datetime,
    calendar: Mapping[str, WorkCalendar] | None,
    categories: Catalogue,
) -> datetime | None:
    """When a ticket that is filed at the instant must be handled (UTC); None without a rule.

    calendar overrides the catalogue's clocks by name; None takes them as they are.
    """
    rule = deadline_rule(ticket, categories)
    if rule is None:
        return None
    clocks = categories.clocks if calendar is None else calendar
    return clocks[rule.clock].add(at, timedelta(hours=rule.hours))


def years_unknown(
    ticket: Ticket, at: datetime, due_at: datetime, catalogue: Catalogue
) -> tuple[int, ...]:
    """The years that the ticket's time crosses and whose holidays nobody has told the clock."""
    rule = deadline_rule(ticket, catalogue)
    return () if rule is None else catalogue.clocks[rule.clock].years_unknown(at, due_at)


def holiday_warning(catalogue: Catalogue, now: datetime) -> str | None:
    """What to tell whoever runs the office when deadlines may soon be reckoned without holidays."""
    missing = catalogue.clocks["working"].years_unknown(now, now + HOLIDAYS_AHEAD)
    if not missing:
        return None
    years = " and ".join(map(str, missing))
    return (
        f"holidays.csv has no day of {years}: deadlines count its weekdays as working days until "
        "its holidays are added (mainland China's are announced in the autumn before)"
    )


def overdue_hours(ticket: Ticket, now: datetime, catalogue: Catalogue) -> float:
    """Working hours since the ticket's deadline, by the clock of its rule; 0 before it."""
    rule = deadline_rule(ticket, catalogue)
    if ticket.due_at is None or now <= ticket.due_at:
        return 0.0
    clock = catalogue.clocks["working" if rule is None else rule.clock]
    return clock.between(ticket.due_at, now) / timedelta(hours=1)
