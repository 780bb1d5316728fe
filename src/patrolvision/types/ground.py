"""The map: one object per thing, with where it is and how surely."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import hypot, isfinite, sqrt
from typing import Any, Literal, NamedTuple

import numpy as np

from patrolvision.types.names import (
    Category,
    FloatArray,
    IncidentKind,
    IncidentStatus,
    check,
    check_aware,
    check_position,
)


@dataclass(frozen=True, slots=True, eq=False)
class GeoPoint:
    """A place on the ground and its error: cov_en_m2 (2, 2), east then north, positive definite."""

    lat_deg: float
    lon_deg: float
    cov_en_m2: FloatArray

    def __post_init__(self) -> None:
        check_position(self.lat_deg, self.lon_deg)
        cov = np.asarray(self.cov_en_m2, dtype=np.float64)
        object.__setattr__(self, "cov_en_m2", cov)
        if cov.shape != (2, 2):
            raise ValueError(f"cov_en_m2 must be (2, 2), got {cov.shape}")
        (ee, en), (ne, nn) = cov.tolist()  # four floats are checked faster than a small array
        largest = max(abs(ee), abs(en), abs(ne), abs(nn))
        if not isfinite(ee + en + ne + nn):
            raise ValueError("cov_en_m2 must be finite")
        if not abs(en - ne) <= 1e-6 * max(1.0, largest):
            raise ValueError("cov_en_m2 must be symmetric")
        if not (ee > 0 and ee * nn - en * ne > 0):
            raise ValueError("cov_en_m2 must be positive definite")

    @property
    def sigma_m(self) -> float:
        """Standard deviation along the ellipse's long axis."""
        (ee, en), (_, nn) = self.cov_en_m2.tolist()
        return sqrt((ee + nn) / 2 + hypot((ee - nn) / 2, en))


@dataclass(frozen=True, slots=True)
class Sight:
    """Where in the footage a thing was seen: enough to cut its picture."""

    media: str
    frame_index: int
    captured_at: datetime
    xyxy: tuple[float, float, float, float]
    confidence: float


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """One thing on the ground as one pass saw it.

    place.cov_en_m2 is the honest total; bias_cov_en_m2 (2, 2) is the part of it that the whole pass
    shares (GNSS, compass), None if unknown. speed is over the ground after the camera's own motion.
    """

    id: str
    mission_id: str
    stream_id: str
    class_name: str
    first_seen: datetime
    last_seen: datetime
    place: GeoPoint
    confidence: float
    frames: int
    speed_mps: float | None = None
    speed_sigma_mps: float | None = None
    bias_cov_en_m2: FloatArray | None = None
    size_m2: float | None = None  # area on the ground, from geometry
    model_release: str | None = None
    sights: tuple[Sight, ...] = ()  # first, best, last

    def __post_init__(self) -> None:
        check_aware(self.first_seen, "first_seen")
        check_aware(self.last_seen, "last_seen")
        check(self.last_seen >= self.first_seen, "last_seen must not be before first_seen")
        if not 0.0 <= self.confidence <= 1.0:
            raise ValueError(f"confidence must lie in [0, 1], got {self.confidence}")
        if self.frames < 1:
            raise ValueError(f"frames must be >= 1, got {self.frames}")


@dataclass(frozen=True, slots=True)
class Look:
    """What a pass could have seen: polygon is a ring of (lat_deg, lon_deg)."""

    id: str
    mission_id: str
    start: datetime
    end: datetime
    classes: frozenset[str]
    polygon: tuple[tuple[float, float], ...]
    detection_probability: float

    def __post_init__(self) -> None:
        check_aware(self.start, "start")
        check_aware(self.end, "end")
        check(self.end >= self.start, "end must not be before start")
        check(len(self.polygon) >= 3, "polygon needs at least three corners")
        p = self.detection_probability
        check(0.0 <= p <= 1.0, f"detection_probability must lie in [0, 1], got {p}")


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule's claim about one observation; its id is derived from its evidence.

    kind: enforce (may become a ticket), warning (a warning-phase zone: never a crew's ticket),
    review (doubtful: a person decides), watch (not yet a hazard: a vehicle within its grace time,
    kept so that a later sight can prove the dwell; or one whose class alone excuses it, kept to
    contradict sights that say another class; shown to nobody).
    """

    id: str
    category: Category
    kind: IncidentKind
    observation: Observation
    score: float
    zone_id: str | None = None
    priority: Literal["normal", "high", "urgent"] = "normal"
    evidence: Mapping[str, Any] = field(default_factory=dict)  # JSON values: why the rule says so


@dataclass(frozen=True, slots=True)
class Incident:
    """One hazard, however often and by whomever it was found."""

    id: str
    category: Category
    kind: IncidentKind
    status: IncidentStatus
    class_name: str
    place: GeoPoint
    first_seen: datetime
    last_seen: datetime
    observation_ids: tuple[str, ...]
    mission_ids: tuple[str, ...]
    zone_id: str | None
    score: float
    priority: Literal["normal", "high", "urgent"] = "normal"
    previous_incident_id: str | None = None  # the one that stood here before and was removed
    removed_at: datetime | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)


Matrix = tuple[float, float, float]  # a symmetric (2, 2): east-east, east-north, north-north


class Anchor(NamedTuple):
    """What a pass saw of a thing that another saw too, and where the map has it: tells its shift.

    Plain numbers, for many are read and each is used once.
    """

    lat_deg: float
    lon_deg: float
    cov_m2: Matrix
    bias_m2: Matrix | None  # as Observation.bias_cov_en_m2
    map_lat_deg: float
    map_lon_deg: float
    map_cov_m2: Matrix


@dataclass(frozen=True, slots=True)
class HandDecision:
    """What a person said of observations: each group is one thing, and no two groups are.

    One group: a merge; several: a split. Taken back if undone_at is set.
    """

    id: str
    category: Category
    groups: tuple[tuple[str, ...], ...]
    actor: str
    at: datetime
    note: str = ""
    undone_at: datetime | None = None
    undone_by: str | None = None

    def __post_init__(self) -> None:
        check_aware(self.at, "at")
        check(all(self.groups) and len(self.groups) > 0, "every group needs an observation")
