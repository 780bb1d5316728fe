"""Devices: cars, drones, cameras and sensors, with what they carry and when they were heard of."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from patrolvision.api import queries
from patrolvision.api.acting import check_time
from patrolvision.api.intake import Layers
from patrolvision.api.problems import Problem
from patrolvision.api.routes.crews import Code, Text
from patrolvision.api.security import Office, Principal, reader, requires, requires_scope
from patrolvision.api.sensing import SensorEvent, take
from patrolvision.store import devices as stored
from patrolvision.tickets.sensors import load_sensors

SCOPE = "heartbeat"
EVENTS = "telemetry"  # the scope of sensors that tell of events
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

    @field_validator("calibration")
    @classmethod
    def _storable(cls, content: Json | None) -> Json | None:
        try:
            orjson.dumps(content)
        except orjson.JSONEncodeError as error:
            raise ValueError(str(error)) from error
        return content

    @field_validator("calibrated_on")
    @classmethod
    def _in_the_calendar(cls, day: str | None) -> str | None:
        if day is not None:
            date.fromisoformat(day)
        return day


class Heartbeat(BaseModel):
    """What a device says of itself."""

    model_config = ConfigDict(extra="forbid")

    at: AwareDatetime | None = None  # None: now
    status: Text | None = None
    battery: Annotated[float, Field(ge=0, le=1)] | None = None
    disk_free_gb: Annotated[float, Field(ge=0, le=1e9)] | None = None
    software: Text | None = None
    newest_frame_at: AwareDatetime | None = None


class Event(BaseModel):
    """What a sensor noticed; events are those of the office's sensors table."""

    model_config = ConfigDict(extra="forbid")

    event: Annotated[Text, Field(examples=["full_bin"])]
    at: AwareDatetime | None = None  # None: now
    value: Annotated[float, Field(ge=-1e12, le=1e12)] | None = None


class Candidate(BaseModel):
    """The incident that an event belongs to; new: the event founded it."""

    incident_id: str
    kind: str
    new: bool


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
    in_force = Layers(office)
    sensors = load_sensors(office.settings.table_files)

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
        new: NewDevice,
        who: Annotated[Principal, Depends(requires(office, "dispatcher", everywhere=True))],
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
        now = office.clock()
        at = _checked(who, device_id, beat.at or now, now)
        said = beat.model_dump(exclude={"at"}, exclude_none=True, mode="json")
        if not stored.heard(engine, device_id, at, said):
            raise Problem(404, f"there is no device {device_id}")
        found = stored.stored_device(engine, device_id)
        assert found is not None
        return _shown(found, now)

    @router.post("/devices/{device_id}/events")
    def noticed(
        device_id: queries.Id,
        event: Event,
        who: Annotated[Principal, Depends(requires_scope(office, EVENTS, "dispatcher"))],
    ) -> Candidate:
        """Take a sensor's event as a candidate that waits for a person in the queue.

        Events that go on in one place are one incident, together with what patrols saw there.
        """
        now = office.clock()
        at = _checked(who, device_id, event.at or now, now)
        device = stored.stored_device(engine, device_id)
        if device is None:
            raise Problem(404, f"there is no device {device_id}")
        rule = sensors.get(event.event)
        if rule is None:
            known = ", ".join(sorted(sensors))
            raise Problem(422, f"event: expected one of {known}, found {event.event!r}")
        lat_deg, lon_deg = (device.content.get(name) for name in ("lat_deg", "lon_deg"))
        if lat_deg is None or lon_deg is None:
            raise Problem(422, f"device {device_id} is registered without lat_deg and lon_deg")
        told = SensorEvent(device_id, event.event, at, lat_deg, lon_deg, event.value)
        case, is_new = take(office.store, told, rule, *in_force.now())
        return Candidate(incident_id=case.id, kind=case.kind, new=is_new)

    return router


def _checked(who: Principal, device_id: str, at: datetime, now: datetime) -> datetime:
    """The instant, if it can be true and the device speaks for itself."""
    if who.device is not None and who.device != device_id:
        raise Problem(403, f"{who.name} speaks for the device {who.device} only")
    check_time(at, now)
    return at.astimezone(UTC)


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
