"""Words and arrays that several values share, and the checks that they make when they are born."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Image = NDArray[np.uint8]

LensModel = Literal["brown", "fisheye"]
Platform = Literal["car", "drone"]
Datum = Literal["WGS-84", "GCJ-02"]  # only the first inside; the other at a border, by name
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


def check(claim: bool, message: str) -> None:
    """Raise ValueError unless the claim holds."""
    if not claim:
        raise ValueError(message)


def check_aware(at: datetime, name: str) -> None:
    """Raise ValueError for a time without an offset."""
    if at.tzinfo is None:
        raise ValueError(f"{name} must be an aware datetime, got {at!r}")


def check_position(lat_deg: float, lon_deg: float) -> None:
    """Raise ValueError for what is no place in WGS-84."""
    if not -90.0 <= lat_deg <= 90.0:
        raise ValueError(f"lat_deg must lie in [-90, 90], got {lat_deg}")
    if not -180.0 <= lon_deg <= 180.0:
        raise ValueError(f"lon_deg must lie in [-180, 180], got {lon_deg}")
