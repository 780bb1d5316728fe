"""What the lists answer, for OpenAPI: the answers themselves are written without these models."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Covariance = list[list[float]]
AT = "2026-05-04T08:00:00+00:00"


class _Documented(BaseModel):
    model_config = ConfigDict(extra="allow")


def _example(**values: Any) -> ConfigDict:
    return ConfigDict(extra="allow", json_schema_extra={"examples": [values]})


class TicketEvent(_Documented):
    """One line of a ticket's append-only history."""

    at: AwareDatetime
    state: str
    actor: str
    note: str
    action: str
    data: dict[str, Any]


class IncidentBrief(_Documented):
    """What a ticket tells of its incident."""

    status: str
    kind: str
    class_name: str = Field(alias="class")
    score: float
    cov_en_m2: Covariance
    first_seen: AwareDatetime
    last_seen: AwareDatetime
    removed_at: AwareDatetime | None
    zone_id: str | None
    observations: int


class Ticket(_Documented):
    """A ticket; the seven steps are reported … closed (受理 立案 派遣 处置 反馈 核查 结案)."""

    model_config = _example(
        ticket_id="t-9a1f53c07be2d418", number="2026-0000017", incident_id="i-41c7", version=3,
        category="litter", state="dispatched", priority="normal", lat_deg=22.84, lon_deg=113.23,
        sigma_m=1.6, unit_grid="440606-001", responsible_grid="R-12", segment="S-7",
        assignee="crew-3", opened_at=AT, due_at="2026-05-05T08:00:00+00:00", level=0, urged=0,
        parent=None, merged_into=None, incident=None, history=[],
    )  # fmt: skip

    ticket_id: str
    number: str | None
    incident_id: str
    category: str
    state: str
    priority: str
    lat_deg: float
    lon_deg: float
    sigma_m: float
    unit_grid: str | None
    responsible_grid: str | None
    segment: str | None
    assignee: str | None
    opened_at: AwareDatetime
    due_at: AwareDatetime | None
    level: int
    urged: int
    parent: str | None
    merged_into: str | None
    version: int
    incident: IncidentBrief | None
    history: list[TicketEvent]


class Picture(_Documented):
    """A picture of a ticket: what the patrols saw, and what the crew sent afterwards."""

    id: str
    kind: str
    url: str
    at: AwareDatetime | None
    lat_deg: float | None
    lon_deg: float | None
    sha256: str | None
    hidden: float | None = None


class Proposal(_Documented):
    """What a later look proposes: verification, or that the ticket goes back."""

    kind: Literal["verify", "send_back"]
    at: AwareDatetime
    before: str | None = Field(description="id of the picture before")
    after: str | None = Field(description="id of the picture after")


class WholeTicket(Ticket):
    """A ticket with its pictures and what a later look proposes."""

    pictures: list[Picture]
    proposal: Proposal | None


class Incident(_Documented):
    """One hazard, however often and by whomever it was found."""

    model_config = _example(
        incident_id="i-41c7", category="litter", status="existing", lat_deg=22.84, lon_deg=113.23,
        cov_en_m2=[[2.0, 0.1], [0.1, 1.5]], first_seen=AT, last_seen=AT,
        observation_ids=["d0v1-17"], mission_ids=["d0v1"], zone_id=None, score=0.83,
        kind="enforce", priority="normal", previous_incident_id=None, removed_at=None,
        evidence={}, **{"class": "litter"},
    )  # fmt: skip

    incident_id: str
    category: str
    status: str
    lat_deg: float
    lon_deg: float
    cov_en_m2: Covariance
    first_seen: AwareDatetime
    last_seen: AwareDatetime
    observation_ids: list[str]
    mission_ids: list[str]
    zone_id: str | None
    score: float
    kind: str
    class_name: str = Field(alias="class")
    priority: str
    previous_incident_id: str | None
    removed_at: AwareDatetime | None
    evidence: dict[str, Any]


class Observation(_Documented):
    """One thing on the ground, as one pass saw it."""

    model_config = _example(
        id="d0v1-17", mission_id="d0v1", stream_id="car1", first_seen=AT,
        last_seen="2026-05-04T08:00:02+00:00", lat_deg=22.84, lon_deg=113.23,
        cov_en_m2=[[4.8, 0.0], [0.0, 4.8]], confidence=0.83, frames=12, speed_mps=0.1,
        speed_sigma_mps=0.4, **{"class": "litter"},
    )  # fmt: skip

    id: str
    mission_id: str
    stream_id: str
    class_name: str = Field(alias="class")
    first_seen: AwareDatetime
    last_seen: AwareDatetime
    lat_deg: float
    lon_deg: float
    cov_en_m2: Covariance
    confidence: float
    frames: int
    speed_mps: float | None = None
    speed_sigma_mps: float | None = None


class Look(_Documented):
    """What a pass could have seen: an incident well inside that was not seen is gone."""

    model_config = _example(
        id="d0v1-s3", mission_id="d0v1", start=AT, end="2026-05-04T08:00:05+00:00",
        classes=["litter", "fire", "car"], detection_probability=0.9,
        polygon=[[113.230, 22.840], [113.231, 22.840], [113.231, 22.841]],
    )  # fmt: skip

    id: str
    mission_id: str
    start: AwareDatetime
    end: AwareDatetime
    classes: list[str]
    polygon: list[list[float]]
    detection_probability: float


class Failure(BaseModel):
    """One item of a batch that cannot be true."""

    index: int
    field: str | None
    error: str


class Accepted(BaseModel):
    """What became of a batch; what was there before changes nothing."""

    accepted: int
    new: int
    failed: list[Failure]
