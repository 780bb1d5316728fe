"""The seven steps of a ticket and the legal moves between them, as data.

受理 reported, 立案 filed, 派遣 dispatched, 处置 handling,
反馈 feedback, 核查 verified, 结案 closed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from patrolvision.errors import CallError
from patrolvision.types import Ticket, TicketEvent, TicketState

MOVES: Mapping[TicketState, tuple[TicketState, ...]] = MappingProxyType(
    {
        "reported": ("filed", "rejected"),
        "filed": ("dispatched", "rejected"),
        "dispatched": ("handling", "rejected"),
        "handling": ("feedback",),
        "feedback": ("verified", "handling"),  # not solved: back to the crew
        "verified": ("closed", "handling"),
        "closed": (),
        "rejected": (),
    }
)


def move(ticket: Ticket, to_state: TicketState, actor: str, at: datetime, note: str = "") -> Ticket:
    """The ticket one step on, with the step in its history.

    CallError when the table has no such move, or the step would lie before the last one.
    """
    legal = MOVES[ticket.state]
    if to_state not in legal:
        choice = " or ".join(legal) or "nothing: it is at its end"
        raise CallError(
            f"ticket {ticket.id} is {ticket.state} and cannot become {to_state}, only {choice}"
        )
    if at.tzinfo is None:
        raise CallError(f"ticket {ticket.id}: the time of a move needs an offset from UTC")
    if ticket.history and at < ticket.history[-1].at:
        last = ticket.history[-1].at.isoformat()
        raise CallError(f"ticket {ticket.id}: {at.isoformat()} is before its last move, {last}")
    event = TicketEvent(at=at, state=to_state, actor=actor, note=note)
    return replace(ticket, state=to_state, history=(*ticket.history, event))
