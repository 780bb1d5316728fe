"""Devices: cars, drones, cameras and sensors, with what they carry and when they were heard of."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from patrolvision.api import queries
from patrolvision.api.problems import Problem
from patrolvision.api.routes.crews import AHEAD, BEHIND, Code, Text
from patrolvision.api.security import Office, Principal, reader, requires, requires_scope
from patrolvision.store import devices as stored

SCOPE = "heartbeat"
SILENT_AFTER = timedelta(minutes=5)
MOST_BYTES = 20_000  # of one device's free JSON
Kind = Literal["car", "drone", "camera", "sensor"]
Names = Annotated[list[Text], Field(max_length=50)]
Json = dict[str, Any]


class Algorithm(BaseModel):
    """What analyses the device's footage: a line of the algorithm registry."""

    model_config = ConfigDict(extra="forbid")

    name: Text
    version: Text
    owner: Text | None = None
    classes: Names = []
    thresholds: dict[Text, Annotated[float, Field(ge=0, le=1)]] = {}
    schedule: Text | None = None  # as opening hours
    input_kind: Literal["video", "photo", "stream", "reading"] | None = None


class NewDevice(BaseModel):
    """A device as its owner registers it; calibration is the camera file's content."""

    model_config = ConfigDict(extra="forbid")

    id: Code
    kind: Kind
    name: Text | None = None
    owner: Text | None = None
    camera_model: Text | None = None
    calibration: Json | None = None
    calibrated_on: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")] | None = None
    lat_deg: Annotated[float, Field(ge=-90, le=90)] | None = None  # where it is mounted
    lon_deg: Annotated[float, Field(ge=-180, le=180)] | None = None
    algorithms: Annotated[list[Algorithm], Field(max_length=50)] = []


class Heartbeat(BaseModel):
    """What a device says of itself."""

    model_config = ConfigDict(extra="forbid")

    at: AwareDatetime | None = None  # None: now
    status: Text | None = None
    battery: Annotated[float, Field(ge=0, le=1)] | None = None
    disk_free_gb: Annotated[float, Field(ge=0, le=1e9)] | None = None
    software: Text | None = None
    newest_frame_at: AwareDatetime | None = None


class ShownDevice(BaseModel):
    """A device; is_alive: heard of within the last five minutes."""

    model_config = ConfigDict(extra="allow")

    id: str
    kind: str
    registered_at: datetime
    heard_at: datetime | None
    is_alive: bool
    heartbeat: Json | None


def router(office: Office) -> APIRouter:
    """Devices over the office's store."""
    engine = office.store.engine
    router = APIRouter(prefix="/api/v1", tags=["devices"])

    @router.get("/devices")
    def devices(
        who: Annotated[Principal, Depends(reader(office))],
        kind: Kind | None = None,
        after: Annotated[
            str,
            Query(
                max_length=64,
                pattern=queries.NO_CONTROL,
                description="the last id of the page before",
            ),
        ] = "",
        limit: queries.Limit = 1000,
    ) -> list[ShownDevice]:
        """Devices by id, a page at a time."""
        found = stored.stored_devices(engine, kind=kind, after=after, limit=limit)
        return [_shown(device, office.clock()) for device in found]

    @router.post("/devices", status_code=201)
    def registered(
        new: NewDevice, who: Annotated[Principal, Depends(requires(office, "dispatcher"))]
    ) -> ShownDevice:
        """Register a device, or change what is registered of it."""
        content = new.model_dump(exclude={"id", "kind"}, exclude_none=True, mode="json")
        _check_size(content)
        now = office.clock()
        return _shown(stored.save_device(engine, new.id, new.kind, content, now), now)

    @router.post("/devices/{device_id}/heartbeat")
    def alive(
        device_id: queries.Id,
        beat: Heartbeat,
        who: Annotated[Principal, Depends(requires_scope(office, SCOPE, "dispatcher"))],
    ) -> ShownDevice:
        """Note that a device is alive, and what it says of itself."""
        if who.device is not None and who.device != device_id:
            raise Problem(403, f"{who.name} speaks for the device {who.device} only")
        now = office.clock()
        at = beat.at or now
        if not now - BEHIND <= at <= now + AHEAD:
            raise Problem(422, f"at: {at.isoformat()} is not of the past year")
        said = beat.model_dump(exclude={"at"}, exclude_none=True, mode="json")
        if not stored.heard(engine, device_id, at, said):
            raise Problem(404, f"there is no device {device_id}")
        found = stored.stored_device(engine, device_id)
        assert found is not None
        return _shown(found, now)

    return router


def _check_size(content: Json) -> None:
    try:
        size = len(orjson.dumps(content))
    except (TypeError, ValueError) as error:
        raise Problem(422, f"calibration: {error}") from error
    if size > MOST_BYTES:
        raise Problem(422, f"calibration: a device may have {MOST_BYTES} bytes, found {size}")
    if b"\\u0000" in orjson.dumps(content):
        raise Problem(422, "calibration: no text may hold a NUL character")


def _shown(device: stored.StoredDevice, now: datetime) -> ShownDevice:
    is_alive = device.heard_at is not None and now - device.heard_at <= SILENT_AFTER
    known = {
        "id": device.id,
        "kind": device.kind,
        "registered_at": device.registered_at,
        "heard_at": device.heard_at,
        "is_alive": is_alive,
        "heartbeat": dict(device.heartbeat) if device.heartbeat else None,
    }
    return ShownDevice(**{**device.content, **known})
