"""Cars, drones, cameras and sensors: what each is, and when it was last heard of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, select, update
from sqlalchemy.dialects import postgresql, sqlite

from patrolvision.store.dispatch_tables import devices
from patrolvision.store.engine import reading, writing

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StoredDevice:
    """A device; content is what its owner registered, heartbeat what it said of itself last."""

    id: str
    kind: str
    registered_at: datetime
    content: Record
    heard_at: datetime | None = None
    heartbeat: Record | None = None


def save_device(
    engine: Engine, device_id: str, kind: str, content: Record, at: datetime
) -> StoredDevice:
    """Register a device or change what is registered; when it was first and last heard stays."""
    values = {"id": device_id, "kind": kind, "registered_at": at, "content": dict(content)}
    with writing(engine) as connection:
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        statement: Any = insert(devices)
        statement = statement.on_conflict_do_update(
            index_elements=["id"],
            set_={name: statement.excluded[name] for name in ("kind", "content")},
        )
        connection.execute(statement, values)
    found = stored_device(engine, device_id)
    assert found is not None
    return found


def heard(engine: Engine, device_id: str, at: datetime, said: Record) -> bool:
    """Note that a device is alive, unless it was heard later already; False if it is unknown."""
    known = devices.c.id == device_id
    newer = known & (devices.c.heard_at.is_(None) | (devices.c.heard_at <= at))
    with writing(engine) as connection:
        if connection.execute(select(devices.c.id).where(known)).first() is None:
            return False
        connection.execute(update(devices).where(newer).values(heard_at=at, heartbeat=dict(said)))
        return True


def stored_device(engine: Engine, device_id: str) -> StoredDevice | None:
    """The device of an id."""
    with reading(engine) as connection:
        row = connection.execute(select(devices).where(devices.c.id == device_id)).mappings()
        return next(map(_device, row), None)


def stored_devices(
    engine: Engine, *, kind: str | None = None, after: str = "", limit: int = 1000
) -> list[StoredDevice]:
    """Devices by id, those after an id, of one kind if it is named."""
    statement = select(devices).where(devices.c.id > after).order_by(devices.c.id).limit(limit)
    if kind is not None:
        statement = statement.where(devices.c.kind == kind)
    with reading(engine) as connection:
        return [_device(row) for row in connection.execute(statement).mappings()]


def _device(row: Mapping[Any, Any]) -> StoredDevice:
    return StoredDevice(
        id=row["id"],
        kind=row["kind"],
        registered_at=row["registered_at"],
        content=row["content"],
        heard_at=row["heard_at"],
        heartbeat=row["heartbeat"],
    )
