"""What a report is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from patrolvision.types import FrameCounts, Incident, Ticket

LatLon = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG to embed; caption says what is seen, when and by whom."""

    caption: str
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """One incident with its ticket (None: for review, a warning) and its pictures, best first."""

    incident: Incident
    ticket: Ticket | None
    pictures: tuple[Picture, ...] = ()
    severity: str = ""


@dataclass(frozen=True, slots=True)
class Recording:
    """One mission's line in the table of what was looked at, and its track on the map."""

    mission_id: str
    media: str
    started_at: datetime | None
    duration_s: float | None
    counts: FrameCounts | None
    observations: int
    findings: int
    track: tuple[LatLon, ...] = ()
    error: str | None = None
    notes: tuple[str, ...] = ()  # what a person should know before believing its places


@dataclass(frozen=True, slots=True)
class Shape:
    """A zone or a grid cell to draw: rings of (lat_deg, lon_deg); kind is a rule or a layer."""

    label: str
    kind: str
    rings: tuple[tuple[LatLon, ...], ...]
    closed: bool = True


@dataclass(frozen=True, slots=True)
class Report:
    """Everything on the page; generated_at is the only thing that differs between two runs."""

    title: str
    generated_at: datetime
    program: str
    model_release: str
    entries: tuple[Entry, ...]
    recordings: tuple[Recording, ...]
    zones: tuple[Shape, ...] = ()
    cells: tuple[Shape, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    timezone: str = "UTC"
