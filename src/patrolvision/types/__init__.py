"""Every value that travels, in the order in which it appears on the way from footage to ticket.

Arrays per frame in the pixel world; one object per thing in the map world; geolocation is the
crossing. All values are frozen and picklable and check their shape when they are born. Angles are
degrees, distances metres, times aware datetimes; every coordinate is WGS-84 with latitude before
longitude.
The axes behind every angle are drawn in docs/frames.md.
"""

from __future__ import annotations

from patrolvision.types.ground import (
    Anchor,
    Finding,
    GeoPoint,
    HandDecision,
    Incident,
    Look,
    Matrix,
    Observation,
    Sight,
)
from patrolvision.types.models import MissionRecord, ModelRelease
from patrolvision.types.names import (
    DETECTOR_CLASSES,
    HAZARDS,
    VEHICLE_CLASSES,
    Category,
    Datum,
    FloatArray,
    Image,
    IncidentKind,
    IncidentStatus,
    LensModel,
    Platform,
    TicketState,
)
from patrolvision.types.office import (
    Delivery,
    GridCodes,
    NoticePolicy,
    OutboxMessage,
    PictureNote,
    Route,
    Ticket,
    TicketEvent,
    Verdict,
)
from patrolvision.types.pixel import (
    Camera,
    Detections,
    Frame,
    FrameCounts,
    Lens,
    Mission,
    Mount,
    Pose,
    Sigma,
    TelemetrySample,
)

__all__ = [
    "DETECTOR_CLASSES",
    "HAZARDS",
    "VEHICLE_CLASSES",
    "Anchor",
    "Camera",
    "Category",
    "Datum",
    "Delivery",
    "Detections",
    "Finding",
    "FloatArray",
    "Frame",
    "FrameCounts",
    "GeoPoint",
    "GridCodes",
    "HandDecision",
    "Image",
    "Incident",
    "IncidentKind",
    "IncidentStatus",
    "Lens",
    "LensModel",
    "Look",
    "Matrix",
    "Mission",
    "MissionRecord",
    "ModelRelease",
    "Mount",
    "NoticePolicy",
    "Observation",
    "OutboxMessage",
    "PictureNote",
    "Platform",
    "Pose",
    "Route",
    "Sight",
    "Sigma",
    "TelemetrySample",
    "Ticket",
    "TicketEvent",
    "TicketState",
    "Verdict",
]
