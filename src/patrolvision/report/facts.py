"""A ticket as it stood at an instant, read from its append-only history.

Nothing that happened later shows, so that a report of a past period gives the same figures however
often it is made. What a history does not record (the place) is not used here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from patrolvision.types import Ticket, TicketEvent, TicketState

OVER = frozenset({"closed", "rejected"})
UNNAMED_CAUSE = "not stated"


@dataclass(frozen=True, slots=True)
class Facts:
    """What was known of a ticket at an instant; events are those before it, oldest first.

    handled_at is when the crew last reported back; without that, when it was verified or closed.
    """

    id: str
    category: str
    unit_grid: str | None
    responsible_grid: str | None
    segment: str | None
    state: TicketState
    assignee: str | None
    due_at: datetime | None
    found_at: datetime
    filed_at: datetime | None
    dispatched_at: datetime | None
    handled_at: datetime | None
    over_at: datetime | None
    cause: str | None
    is_duplicate: bool
    is_false_alarm: bool  # rejected, and not for a cause that says otherwise
    events: tuple[TicketEvent, ...]


def facts_of(
    ticket: Ticket, as_of: datetime, true_causes: Collection[tuple[str, str]] = ()
) -> Facts | None:
    """The ticket as it stood just before the instant; None if it was not there yet.

    true_causes are (category or `*`, code) of rejections that do not call the detection wrong.
    """
    events = tuple(event for event in ticket.history if event.at < as_of)
    if not events:
        return None
    last = events[-1]
    over_at = _last_turn(events, last.state) if last.state in OVER else None
    cause = _cause(events) if last.state == "rejected" else None
    is_merged = last.state == "rejected" and turns(events)[-1][1].action == "merge"
    is_true = any((kind, cause) in true_causes for kind in ("*", ticket.category))
    return Facts(
        id=ticket.id,
        category=ticket.category,
        unit_grid=ticket.grid.unit_grid,
        responsible_grid=ticket.grid.responsible_grid,
        segment=ticket.grid.segment,
        state=last.state,
        assignee=_assignee(ticket, events),
        due_at=_due_at(ticket, events),
        found_at=events[0].at,
        filed_at=_first(events, "filed"),
        dispatched_at=_first(events, "dispatched"),
        handled_at=_handled_at(events, over_at),
        over_at=over_at,
        cause=cause,
        is_duplicate=is_merged,
        is_false_alarm=last.state == "rejected" and not is_merged and not is_true,
        events=events,
    )


def turns(events: Sequence[TicketEvent]) -> list[tuple[TicketState | None, TicketEvent]]:
    """The events that changed the state, each with the state before it."""
    before: TicketState | None = None
    changed: list[tuple[TicketState | None, TicketEvent]] = []
    for event in events:
        if event.state != before:
            changed.append((before, event))
        before = event.state
    return changed


def _first(events: Sequence[TicketEvent], state: str) -> datetime | None:
    return next((event.at for event in events if event.state == state), None)


def _last_turn(events: Sequence[TicketEvent], state: str) -> datetime:
    return [event.at for _, event in turns(events) if event.state == state][-1]


def _handled_at(events: Sequence[TicketEvent], over_at: datetime | None) -> datetime | None:
    """When the crew last reported back in this round, else when somebody saw that it was done."""
    handled: dict[str, datetime] = {}
    for before, event in turns(events):
        if before in OVER:
            handled.clear()
        handled[event.state] = event.at
    return handled.get("feedback") or handled.get("verified") or over_at


def _assignee(ticket: Ticket, events: Sequence[TicketEvent]) -> str | None:
    said = [event.data["assignee"] for event in events if event.data.get("assignee")]
    if said:
        return str(said[-1])
    # Histories that are older than the actions do not say who was sent.
    was_sent = any(event.state == "dispatched" for event in events)
    is_said_later = any(event.data.get("assignee") for event in ticket.history)
    return ticket.assignee if was_sent and not is_said_later else None


def _due_at(ticket: Ticket, events: Sequence[TicketEvent]) -> datetime | None:
    said = [event.data["due_at"] for event in events if event.data.get("due_at")]
    if said:
        return datetime.fromisoformat(str(said[-1]))
    is_said_later = any(event.data.get("due_at") for event in ticket.history)
    return None if is_said_later or _first(events, "filed") is None else ticket.due_at


def _cause(events: Sequence[TicketEvent]) -> str:
    rejected = [event for _, event in turns(events) if event.state == "rejected"]
    return str(rejected[-1].data.get("cause") or UNNAMED_CAUSE)
