"""The office: which incident becomes a ticket, in which grid cell, and how it moves on."""

from patrolvision.tickets.grids import GridIndex
from patrolvision.tickets.office import deserves_ticket, ticket_for, ticket_id, updated
from patrolvision.tickets.workflow import MOVES, move

__all__ = [
    "MOVES",
    "GridIndex",
    "deserves_ticket",
    "move",
    "ticket_for",
    "ticket_id",
    "updated",
]
