"""What the outbox is told of tickets: one message for each line of a history.

A message's id is the ticket's and the line's position, so that it is recognised however often it
is told; its payload is the ticket as it is then, with that line under `event`.
"""

from __future__ import annotations

from collections.abc import Iterable

from patrolvision import records
from patrolvision.types import OutboxMessage, Ticket


def announcements(tickets: Iterable[tuple[Ticket, int]]) -> list[OutboxMessage]:
    """A message for each line of each ticket's history from the position given on."""
    return [
        _message(ticket, position)
        for ticket, since in tickets
        for position in range(since, ticket.version)
    ]


def _message(ticket: Ticket, position: int) -> OutboxMessage:
    topic = "ticket.raised" if position == 0 else "ticket.moved"
    event = {**records.event_to_record(ticket.history[position]), "position": position}
    payload = {**records.ticket_to_record(ticket), "event": event}
    return OutboxMessage(f"{ticket.id}:{position}", topic, payload)
