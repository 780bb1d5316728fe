"""Where a message goes: pure decisions from the message and the sinks there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from patrolvision.ports import Sink
from patrolvision.types import OutboxMessage, Route

FIRST_WORDS = ("ticket.raised", "fire.alert")


def subject_of(message: OutboxMessage) -> str:
    """Whose order the message keeps: its ticket's, else its incident's, else its own."""
    named = (message.payload.get(name) for name in ("ticket_id", "incident_id"))
    return next((str(value) for value in named if value), message.id)


def is_urgent(message: OutboxMessage) -> bool:
    """Whether it must not wait for a digest: a fire alert, or an urgent ticket's first word."""
    if message.topic == "fire.alert":
        return True
    return message.topic in FIRST_WORDS and message.payload.get("priority") == "urgent"


def plan_for(sinks: Sequence[Sink]) -> Callable[[OutboxMessage], Route]:
    """The routing of these sinks."""

    def plan(message: OutboxMessage) -> Route:
        wanted = tuple(sink.name for sink in sinks if sink.wants(message))
        return Route(subject_of(message), wanted, is_urgent(message))

    return plan
