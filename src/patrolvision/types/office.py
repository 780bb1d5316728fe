"""The office: tickets, their history, and what the world is told of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from patrolvision.types.ground import GeoPoint
from patrolvision.types.names import Category, TicketState, check_aware


@dataclass(frozen=True, slots=True)
class GridCodes:
    """The three administrative codes of a place; None where no cell or segment covers it."""

    unit_grid: str | None = None
    responsible_grid: str | None = None
    segment: str | None = None


@dataclass(frozen=True, slots=True)
class TicketEvent:
    """One line of a ticket's append-only history: what was done, and the state it led to."""

    at: datetime
    state: TicketState
    actor: str
    note: str = ""
    action: str = ""  # as in tickets/workflow.py; "" in histories that are older than the actions
    data: Mapping[str, Any] = field(default_factory=dict)  # JSON values: cause, picture, parts …


@dataclass(frozen=True, slots=True)
class Ticket:
    """An incident on the office's desk, or one part of it after a split."""

    id: str
    incident_id: str
    category: Category
    state: TicketState
    priority: Literal["normal", "high", "urgent"]
    place: GeoPoint
    grid: GridCodes
    history: tuple[TicketEvent, ...]
    assignee: str | None = None
    due_at: datetime | None = None
    number: str | None = None  # given when the ticket is filed
    level: int = 0  # how far it was escalated
    urged: int = 0  # how often somebody asked for haste
    merged_into: str | None = None  # the ticket that goes on for this one
    parent: str | None = None  # the ticket that this one was split from

    @property
    def version(self) -> int:
        """Length of the history: what a caller names to say which state he acts upon."""
        return len(self.history)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A person's word on a detection; what retraining learns from."""

    id: str
    incident_id: str
    ticket_id: str | None
    category: str
    class_name: str
    verdict: Literal["confirmed", "false"]
    cause: str | None
    actor: str
    at: datetime
    model_releases: tuple[str, ...]
    observation_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PictureNote:
    """A line of the evidence log: a picture, by the hash of its bytes, was kept or has expired."""

    sha256: str
    what: Literal["kept", "expired"]
    at: datetime
    subject: str  # the observation or ticket that it shows
    actor: str

    def __post_init__(self) -> None:
        check_aware(self.at, "at")


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """Something the world must hear of at least once; id is its idempotency key."""

    id: str
    topic: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Route:
    """Where an outbox message goes, and whose order it keeps; what is urgent never waits."""

    subject: str  # messages of one subject reach a sink in their order
    sinks: tuple[str, ...]
    is_urgent: bool = False


@dataclass(frozen=True, slots=True)
class NoticePolicy:
    """How often one sink may be told: once in cooldown_s of one subject, max_per_hour of all.

    What comes meanwhile waits and goes out as one digest. The default tells everything at once.
    """

    cooldown_s: float = 0.0
    max_per_hour: int | None = None
    digest_size: int = 100


@dataclass(frozen=True, slots=True)
class Delivery:
    """Messages on their way to one sink, held by one worker for a while.

    key is the same whenever these messages are sent again: receivers know a repetition by it.
    """

    sink: str
    key: str
    messages: tuple[OutboxMessage, ...]
    attempts: int  # this one included
    lease: str
