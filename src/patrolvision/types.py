"""Every value that travels, in the order in which it appears on the way from footage to ticket.

Arrays per frame in the pixel world; one object per thing in the map world; geolocation is the
crossing. All values are frozen and picklable and check their shape when they are born. Angles are
degrees, distances metres, times aware datetimes; every coordinate is WGS-84 with latitude before
longitude.
The axes behind every angle are drawn in docs/frames.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Image = NDArray[np.uint8]

LensModel = Literal["brown", "fisheye"]
Platform = Literal["car", "drone"]
# What the house knows by itself; a registered algorithm may name others (training/registry.py).
HAZARDS = ("litter", "illegal_parking", "open_fire")
Category = str
IncidentStatus = Literal["new", "existing", "removed", "dismissed"]
IncidentKind = Literal["enforce", "warning", "review", "watch"]
TicketState = Literal[
    "reported", "filed", "dispatched", "handling", "feedback", "verified", "closed", "rejected"
]

DETECTOR_CLASSES = (
    "litter",
    "fire",
    "smoke",
    "person",
    "bicycle",
    "car",
    "motorcycle",
    "bus",
    "truck",
)
VEHICLE_CLASSES = frozenset({"car", "truck", "bus", "motorcycle"})


def _check(claim: bool, message: str) -> None:
    if not claim:
        raise ValueError(message)


def _check_aware(at: datetime, name: str) -> None:
    if at.tzinfo is None:
        raise ValueError(f"{name} must be an aware datetime, got {at!r}")


def _check_position(lat_deg: float, lon_deg: float) -> None:
    if not -90.0 <= lat_deg <= 90.0:
        raise ValueError(f"lat_deg must lie in [-90, 90], got {lat_deg}")
    if not -180.0 <= lon_deg <= 180.0:
        raise ValueError(f"lon_deg must lie in [-180, 180], got {lon_deg}")


@dataclass(frozen=True, slots=True)
class Mission:
    """One recording with its surroundings: the unit of work, of retry and of distribution."""

    id: str
    media: str  # a file, a folder of photos, or a stream address
    stream_id: str
    telemetry: Path | None = None  # None: look beside and inside the media
    camera: Path | None = None
    zones: Path | None = None
    grids: Path | None = None
    started_at: datetime | None = None  # instant of the first frame; None: from the media itself
    telemetry_timezone: str | None = None  # IANA name, for telemetry that carries no zone
    clock_offset_s: float = 0.0  # added to the video's time to get the telemetry's
    input_px: int | None = None  # longer side of what the detector looks at; None: its card's


@dataclass(frozen=True, slots=True)
class TelemetrySample:
    """What a recorder wrote at one instant, untouched; None where the format does not say.

    heading/pitch/roll are the vehicle's; gimbal_* are the camera's own absolute angles.
    alt_takeoff_m is a drone's height above its take-off point, height_m above the ground below.
    """

    at: datetime
    lat_deg: float
    lon_deg: float
    alt_msl_m: float | None = None
    alt_takeoff_m: float | None = None
    height_m: float | None = None
    speed_mps: float | None = None
    course_deg: float | None = None  # direction of travel over the ground
    heading_deg: float | None = None
    pitch_deg: float | None = None
    roll_deg: float | None = None
    gimbal_heading_deg: float | None = None
    gimbal_pitch_deg: float | None = None
    gimbal_roll_deg: float | None = None
    hfov_deg: float | None = None
    sigma_position_m: float | None = None
    sigma_heading_deg: float | None = None

    def __post_init__(self) -> None:
        _check_aware(self.at, "at")
        _check_position(self.lat_deg, self.lon_deg)


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the camera is and where its optical axis points, at one instant.

    height_m is above the ground below. The sigmas are one standard deviation; sigma_position_m is
    per axis, and it and sigma_heading_deg are mostly shared by a whole pass (a bias, not noise).
    """

    at: datetime
    lat_deg: float
    lon_deg: float
    height_m: float
    heading_deg: float
    pitch_deg: float
    roll_deg: float
    sigma_position_m: float
    sigma_heading_deg: float
    sigma_pitch_deg: float
    sigma_roll_deg: float
    sigma_height_m: float = 0.0
    speed_mps: float | None = None
    course_deg: float | None = None

    def __post_init__(self) -> None:
        _check_aware(self.at, "at")
        _check_position(self.lat_deg, self.lon_deg)
        values = (self.height_m, self.heading_deg, self.pitch_deg, self.roll_deg)
        _check(all(np.isfinite(values)), f"pose must be finite, got {values}")
        sigmas = (
            self.sigma_position_m,
            self.sigma_heading_deg,
            self.sigma_pitch_deg,
            self.sigma_roll_deg,
            self.sigma_height_m,
        )
        _check(all(np.isfinite(s) and s >= 0 for s in sigmas), f"sigmas must be >= 0, got {sigmas}")


@dataclass(frozen=True, slots=True)
class Lens:
    """How a pixel becomes a ray; OpenCV's models and order of coefficients.

    brown: k1 k2 p1 p2 k3 (4, 5 or 8 coefficients); fisheye: k1 k2 k3 k4 (equidistant).
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    model: LensModel = "brown"
    distortion: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        _check(
            self.width > 0 and self.height > 0,
            f"size must be > 0, got {self.width}x{self.height}",
        )
        _check(self.fx > 0 and self.fy > 0, f"focal lengths must be > 0, got {self.fx}, {self.fy}")
        allowed = (0, 4) if self.model == "fisheye" else (0, 4, 5, 8)
        _check(
            len(self.distortion) in allowed,
            f"{self.model} takes {allowed} coefficients, got {len(self.distortion)}",
        )


@dataclass(frozen=True, slots=True)
class Mount:
    """How the camera sits on the vehicle; lever arm is right, forward, up from the GNSS antenna."""

    height_m: float = 1.8
    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0
    lever_arm_m: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Sigma:
    """One standard deviation of each thing that makes a place uncertain."""

    position_m: float = 2.5
    heading_deg: float = 1.0
    pitch_deg: float = 0.5
    roll_deg: float = 0.5
    pixel: float = 2.0
    height_m: float = 0.05


@dataclass(frozen=True, slots=True)
class Camera:
    """A lens, how it is mounted, on what, and how far each of these may be trusted."""

    name: str
    platform: Platform
    lens: Lens
    mount: Mount = field(default_factory=Mount)
    sigma: Sigma = field(default_factory=Sigma)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture at one instant. image is (H, W, 3) uint8 BGR, upright (rotation applied)."""

    stream_id: str
    index: int  # position in the source, counting every frame that was read
    captured_at: datetime
    image: Image
    pose: Pose | None = None
    media: str = ""

    def __post_init__(self) -> None:
        _check_aware(self.captured_at, "captured_at")
        _check(
            self.image.ndim == 3 and self.image.shape[2] == 3 and self.image.dtype == np.uint8,
            f"image must be (H, W, 3) uint8, got {self.image.shape} {self.image.dtype}",
        )


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """The N boxes of one frame, in pixels of that frame: origin top-left, x right, y down."""

    xyxy: NDArray[np.float32]  # (N, 4)
    confidence: NDArray[np.float32]  # (N,) in [0, 1]
    class_id: NDArray[np.int64]  # (N,) index into the model's classes
    track_id: NDArray[np.int64] | None = None  # (N,); -1: not (yet) part of a track

    def __post_init__(self) -> None:
        n = len(self.xyxy)
        _check(self.xyxy.shape == (n, 4), f"xyxy must be (N, 4), got {self.xyxy.shape}")
        _check(
            self.confidence.shape == (n,), f"confidence must be ({n},), got {self.confidence.shape}"
        )
        _check(self.class_id.shape == (n,), f"class_id must be ({n},), got {self.class_id.shape}")
        if self.track_id is not None:
            _check(
                self.track_id.shape == (n,), f"track_id must be ({n},), got {self.track_id.shape}"
            )

    def __len__(self) -> int:
        return len(self.xyxy)

    def select(self, index: NDArray[Any]) -> Detections:
        """The detections that a boolean mask or an index array picks, in its order."""
        track_id = None if self.track_id is None else self.track_id[index]
        return Detections(self.xyxy[index], self.confidence[index], self.class_id[index], track_id)

    @staticmethod
    def none() -> Detections:
        """No detections."""
        return Detections(
            np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64)
        )


@dataclass(frozen=True, slots=True)
class FrameCounts:
    """Every frame accounted for: read = analysed + the sum of skipped, by reason."""

    read: int
    analysed: int
    skipped: Mapping[str, int]
    without_pose: int = 0  # of the analysed; reasons are in pose_problems
    pose_problems: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        accounted = self.analysed + sum(self.skipped.values())
        _check(self.read == accounted, f"read {self.read} frames but accounted for {accounted}")


@dataclass(frozen=True, slots=True, eq=False)
class GeoPoint:
    """A place on the ground and its error: cov_en_m2 (2, 2), east then north, positive definite."""

    lat_deg: float
    lon_deg: float
    cov_en_m2: FloatArray

    def __post_init__(self) -> None:
        _check_position(self.lat_deg, self.lon_deg)
        cov = np.asarray(self.cov_en_m2, dtype=np.float64)
        object.__setattr__(self, "cov_en_m2", cov)
        if cov.shape != (2, 2):
            raise ValueError(f"cov_en_m2 must be (2, 2), got {cov.shape}")
        (ee, en), (ne, nn) = cov.tolist()  # four floats are checked faster than a small array
        largest = max(abs(ee), abs(en), abs(ne), abs(nn))
        _check(isfinite(ee + en + ne + nn), "cov_en_m2 must be finite")
        _check(abs(en - ne) <= 1e-6 * max(1.0, largest), "cov_en_m2 must be symmetric")
        _check(ee > 0 and ee * nn - en * ne > 0, "cov_en_m2 must be positive definite")

    @property
    def sigma_m(self) -> float:
        """Standard deviation along the ellipse's long axis."""
        return float(np.sqrt(np.linalg.eigvalsh(self.cov_en_m2)[-1]))


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
        _check_aware(self.first_seen, "first_seen")
        _check_aware(self.last_seen, "last_seen")
        _check(self.last_seen >= self.first_seen, "last_seen must not be before first_seen")
        _check(
            0.0 <= self.confidence <= 1.0, f"confidence must lie in [0, 1], got {self.confidence}"
        )
        _check(self.frames >= 1, f"frames must be >= 1, got {self.frames}")


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
        _check_aware(self.start, "start")
        _check_aware(self.end, "end")
        _check(self.end >= self.start, "end must not be before start")
        _check(len(self.polygon) >= 3, "polygon needs at least three corners")
        p = self.detection_probability
        _check(0.0 <= p <= 1.0, f"detection_probability must lie in [0, 1], got {p}")


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule's claim about one observation; its id is derived from its evidence.

    kind: enforce (may become a ticket), warning (a warning-phase zone: never a crew's ticket),
    review (doubtful: a person decides), watch (not yet a hazard: a vehicle within its grace time;
    kept so that a later sight can prove the dwell, shown to nobody).
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
        _check_aware(self.at, "at")
        _check(all(self.groups) and len(self.groups) > 0, "every group needs an observation")


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
        _check_aware(self.at, "at")


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


@dataclass(frozen=True, slots=True)
class ModelRelease:
    """A detector as it may be used: its weights, classes, thresholds and provenance."""

    name: str
    version: str
    folder: Path
    classes: tuple[str, ...]
    input_width: int
    input_height: int
    thresholds: Mapping[str, float]
    nms_iou: float
    card: Mapping[str, Any]

    @property
    def id(self) -> str:
        """name@version: what every observation carries."""
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, slots=True)
class MissionRecord:
    """A mission that is over: its presence with the same digest means there is nothing left to do.

    digest is over everything that shaped the result (media, telemetry, settings, model); counts are
    what the summary says about it.
    """

    id: str
    digest: str
    state: Literal["done", "failed"]
    counts: Mapping[str, int]
    finished_at: datetime

    def __post_init__(self) -> None:
        _check_aware(self.finished_at, "finished_at")
