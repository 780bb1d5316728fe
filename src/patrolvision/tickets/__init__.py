"""The office: which incident becomes a ticket, in which grid cell, and how it moves on."""

from patrolvision.tickets.automatic import followed
from patrolvision.tickets.grids import GridIndex
from patrolvision.tickets.office import deserves_ticket, ticket_for, ticket_id, updated
from patrolvision.tickets.workflow import MOVES, Act, Facts, MoveError, done

__all__ = [
    "MOVES",
    "Act",
    "Facts",
    "GridIndex",
    "MoveError",
    "deserves_ticket",
    "done",
    "followed",
    "ticket_for",
    "ticket_id",
    "updated",
]
