"""How long a picture is kept: days per category and state of the ticket it belongs to, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import get_args

from patrolvision.tickets.categories import ANY, category_names, rows_about
from patrolvision.types import TicketState

NO_TICKET = "no_ticket"
STATES = (*get_args(TicketState), NO_TICKET)
LONGEST_DAYS = 36_500.0


@dataclass(frozen=True, slots=True)
class Keeping:
    """One row: a ticket of this category and state keeps its pictures so long after its last move.

    category `*` is for those that have no row of their own.
    """

    category: str
    state: str
    days: float
    source: str


def load_retention(files: Mapping[str, Path] | None = None) -> tuple[Keeping, ...]:
    """The rows of the table; ConfigError naming file, row and column, also for a missing state."""
    found: dict[tuple[str, str], Keeping] = {}
    known = (ANY, *category_names(files))
    rows = rows_about("retention", ("category", "state", "days", "source"), files or {}, known)
    for row in rows:
        kept = Keeping(
            category=row.one_of("category", known),
            state=row.one_of("state", STATES),
            days=row.number_from("days", 0.0, LONGEST_DAYS),
            source=row.text("source"),
        )
        if (kept.category, kept.state) in found:
            raise row.wrong("state", "each state once for a category")
        found[kept.category, kept.state] = kept
    for state in STATES:
        if (ANY, state) not in found:
            raise rows[-1].wrong("state", f"a row for * and {state} somewhere in the table")
    return tuple(found.values())


def kept_for(rules: Sequence[Keeping], category: str, state: str) -> timedelta:
    """How long after its last move a ticket keeps its pictures."""
    by_key = {(rule.category, rule.state): rule for rule in rules}
    rule = by_key.get((category, state)) or by_key[ANY, state]
    return timedelta(days=rule.days)
