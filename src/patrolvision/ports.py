"""The Protocols: what has more than one implementation, and nothing else.

Each is kept honest by one contract suite in tests/contracts that every implementation runs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol, TypeVar

from patrolvision.types import (
    Anchor,
    Delivery,
    Detections,
    Finding,
    Frame,
    FrameCounts,
    HandDecision,
    Image,
    Incident,
    Look,
    MissionRecord,
    ModelRelease,
    NoticePolicy,
    Observation,
    OutboxMessage,
    PictureNote,
    Route,
    Ticket,
)

Item = TypeVar("Item")
Result = TypeVar("Result")


class FrameSource(Protocol):
    """Footage with its telemetry, as Frames in order of time.

    frames() yields only the frames to analyse; what was read but not yielded is in counts, by
    reason. A source is opened by its factory, so that a bad file fails before any work is done.
    """

    @property
    def duration_s(self) -> float | None:
        """Length of the footage; None for a live stream."""

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height of the upright pictures, in pixels."""

    def frames(self) -> Iterator[Frame]:
        """The frames to analyse; raises MediaError or TelemetryError where the media breaks."""

    def counts(self) -> FrameCounts:
        """What became of every frame read so far."""

    def close(self) -> None:
        """Release the media; may be called more than once."""


class Detector(Protocol):
    """Pictures in, boxes out; no memory of earlier pictures."""

    @property
    def release(self) -> ModelRelease:
        """Which weights these are; classes and thresholds come from here."""

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """One Detections per picture (H, W, 3) uint8 BGR, sizes may differ, in the order given.

        Boxes are in pixels of the picture given, already above the release's thresholds, NMS done.
        """

    def close(self) -> None:
        """Release the engine."""


class Tracker(Protocol):
    """The memory of one stream: gives the same thing the same track_id in successive frames."""

    def update(self, detections: Detections, frame: Frame) -> Detections:
        """The same detections in the same order with track_id set (-1: not confirmed)."""


class Rule(Protocol):
    """One kind of hazard: turns what was observed into claims."""

    def findings(self, observations: Sequence[Observation]) -> list[Finding]:
        """The claims these observations support, in the order of the observations."""


class StoreTransaction(Protocol):
    """Everything that must happen together around a place; committed when its context ends well."""

    def claim(self, places: Sequence[tuple[float, float]]) -> None:
        """Hold the neighbourhoods of these (lat_deg, lon_deg) until the transaction ends."""

    def claim_all(self) -> None:
        """Hold every place, for what may change far from where it begins; instead of claim."""

    def attempt(self) -> AbstractContextManager[None]:
        """What fails within is undone, its claims as well; the transaction itself goes on."""

    def add_observations(self, observations: Sequence[Observation]) -> int:
        """Store those whose id is new or whose content differs; how many that were."""

    def withdraw(
        self,
        mission_id: str,
        observation_ids: Sequence[str],
        finding_ids: Sequence[str],
        looks: Sequence[Look] = (),
    ) -> list[Incident]:
        """Forget what a mission had found beyond these ids; the incidents that rested on it.

        They come as they were and stay so until they are saved anew. Of the mission's looks those
        are forgotten that are not among these.
        """

    def unsay(self, findings: Sequence[Finding]) -> list[Incident]:
        """Forget stored findings; the incidents that rested on them, as withdraw tells of them."""

    def findings_of(self, observation_ids: Sequence[str]) -> list[Finding]:
        """Stored findings about these observations."""

    def save_findings(self, findings: Sequence[Finding]) -> int:
        """Insert or replace by id; how many changed. Their observations must be stored already."""

    def findings_around(
        self,
        places: Sequence[tuple[float, float]],
        radius_m: float,
        *,
        known: Collection[str] = (),
        missions: Sequence[str] = (),
    ) -> list[Finding]:
        """Stored findings within radius_m of any of the places, exactly, with their observations.

        Of every category, but for those known by id; if missions are given, only of these.
        """

    def observations_around(
        self, places: Sequence[tuple[float, float]], radius_m: float, missions: Sequence[str]
    ) -> list[Observation]:
        """What these missions saw within radius_m of any of the places, exactly."""

    def incidents_near(
        self, category: str, lat_deg: float, lon_deg: float, radius_m: float
    ) -> list[Incident]:
        """Stored incidents of the category within radius_m, exactly."""

    def incidents_around(
        self, places: Sequence[tuple[float, float]], radius_m: float
    ) -> list[Incident]:
        """Stored incidents of every category within radius_m of any of the places, exactly."""

    def anchors_around(
        self, place: tuple[float, float], radius_m: float, mission_id: str, *, but: str
    ) -> list[Anchor]:
        """What a mission saw within the radius of a place that another mission saw too.

        By first_seen and id, without the observation named in but; each with its incident's place.
        """

    def incidents_with(self, observation_ids: Sequence[str]) -> list[Incident]:
        """Stored incidents that hold any of these observations."""

    def memberships(
        self, observation_ids: Sequence[str]
    ) -> Mapping[tuple[str, str], frozenset[str]]:
        """(category, incident id) -> all observations of the incidents that hold any of these."""

    def hold(self, districts: Collection[int]) -> None:
        """Make sure that nobody else writes in these districts; ClaimError if they are not held."""

    def hand_decisions(self) -> list[HandDecision]:
        """What persons decided about which observations are one thing, and did not take back."""

    def save_hand_decisions(self, decisions: Sequence[HandDecision]) -> int:
        """Insert or replace by id; how many changed."""

    def save_incidents(self, incidents: Sequence[Incident]) -> int:
        """Insert or replace by id; how many changed. No two share an observation."""

    def save_tickets(self, tickets: Sequence[Ticket]) -> int:
        """Insert or replace by id, one ticket an incident; how many changed. History only grows."""

    def tickets_of(self, incident_ids: Sequence[str]) -> dict[str, Ticket]:
        """incident id -> its ticket, for those that have one."""

    def tickets_about(self, incident_ids: Sequence[str]) -> list[Ticket]:
        """The tickets of these incidents, those that were split from them included, by id."""

    def add_looks(self, looks: Sequence[Look]) -> int:
        """Store the looks whose id is new; how many that were."""

    def looks_of(self, mission_id: str) -> list[Look]:
        """Stored looks of the mission, by start and id."""

    def looks_around(self, places: Sequence[tuple[float, float]], radius_m: float) -> list[Look]:
        """Stored looks whose bounding box comes within radius_m of any of the places."""

    def enqueue(self, messages: Sequence[OutboxMessage]) -> int:
        """Put messages into the outbox; how many were new. A known id is left as it is."""

    def note_pictures(self, notes: Sequence[PictureNote]) -> int:
        """Add to the evidence log what is new of these pictures; how many lines. Call it last."""

    def mission(self, mission_id: str) -> MissionRecord | None:
        """What is known of a mission that is over; None if it never ended."""

    def finish_mission(self, record: MissionRecord) -> None:
        """Note that a mission is over, together with all that it found."""


class IncidentStore(Protocol):
    """What survives: observations, looks, incidents, tickets, missions, the outbox."""

    def transaction(self) -> AbstractContextManager[StoreTransaction]:
        """All or nothing; serialised against other writers around the same places."""

    def observations(self) -> Iterator[Observation]:
        """All observations, by first_seen and id."""

    def incidents(self) -> Iterator[Incident]:
        """All incidents, by first_seen and id."""

    def tickets(self) -> Iterator[Ticket]:
        """All tickets, by first history time and id."""

    def looks_since(self, at: datetime) -> Iterator[Look]:
        """Looks that end at or after the instant, by start and id."""

    def mission(self, mission_id: str) -> MissionRecord | None:
        """What is known of a mission that is over; None if it never ended."""

    def close(self) -> None:
        """Release the connections."""


class Outbox(Protocol):
    """The way out of what was enqueued: each message to each sink, by one worker at a time."""

    def route(self, plan: Callable[[OutboxMessage], Route], at: datetime) -> int:
        """Put new messages on their way to the sinks of their plan; how many they were."""

    def claim(
        self, sink: str, at: datetime, lease_s: float, policy: NoticePolicy | None = None
    ) -> Delivery | None:
        """The earliest messages that may go to the sink now, held for lease_s; None if none."""

    def done(self, delivery: Delivery, at: datetime) -> bool:
        """Note that the sink took it; False if the lease had run out."""

    def failed(
        self, delivery: Delivery, error: str, at: datetime, next_try_at: datetime | None
    ) -> bool:
        """Note why it was not taken, and when to try again; None: never."""


class Sink(Protocol):
    """A neighbour who is told: may hear of a delivery again, under the same key."""

    @property
    def name(self) -> str:
        """What its deliveries are kept under; never changes."""

    @property
    def policy(self) -> NoticePolicy:
        """How often it wants to be told."""

    def wants(self, message: OutboxMessage) -> bool:
        """Whether the message is for it."""

    def deliver(self, delivery: Delivery) -> None:
        """Bring it; DeliveryError if it was not taken."""


class Executor(Protocol):
    """Where missions run: work is a picklable function, an item a picklable value."""

    def map(self, work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """The result of each item, as they are done."""
