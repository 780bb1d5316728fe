"""Zones and grids as the office put them: every version is kept, the newest is in force."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Literal

from sqlalchemy import Engine, Select, select

from patrolvision.store.dispatch_tables import areas
from patrolvision.store.engine import reading, writing

AreaKind = Literal["zones", "grids"]


@dataclass(frozen=True, slots=True)
class StoredArea:
    """One version of a layer file; content is its GeoJSON text."""

    kind: AreaKind
    version: int
    since: datetime
    actor: str
    sha256: str
    content: str


def save_area(engine: Engine, kind: AreaKind, content: str, actor: str, at: datetime) -> StoredArea:
    """The new version that the content makes; the present one if it says just that already."""
    digest = hashlib.sha256(content.encode("utf-8")).hexdigest()
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("LOCK TABLE areas IN SHARE ROW EXCLUSIVE MODE")
        row = connection.execute(_newest(kind)).mappings().first()
        last = None if row is None else StoredArea(**row)
        if last is not None and last.sha256 == digest:
            return last
        version = 1 if last is None else last.version + 1
        new = StoredArea(kind, version, at, actor, digest, content)
        values = {
            "kind": kind, "version": version, "since": at, "actor": actor, "sha256": digest,
            "content": content,
        }  # fmt: skip
        connection.execute(areas.insert(), [values])
        return new


def area_version(engine: Engine, kind: AreaKind) -> int:
    """The number of the version in force; 0 while nothing was put. Cheap: to be asked often."""
    newest = select(areas.c.version).where(areas.c.kind == kind)
    newest = newest.order_by(areas.c.version.desc()).limit(1)
    with reading(engine) as connection:
        return int(connection.execute(newest).scalar() or 0)


def area_sha256(engine: Engine, kind: AreaKind) -> str | None:
    """The hash of the content in force; None while nothing was put. Cheap: to be asked often."""
    newest = select(areas.c.sha256).where(areas.c.kind == kind)
    with reading(engine) as connection:
        return connection.execute(newest.order_by(areas.c.version.desc()).limit(1)).scalar()


def stored_area(engine: Engine, kind: AreaKind, as_of: datetime | None = None) -> StoredArea | None:
    """The version in force, now or just before an instant; None if there was none.

    For an instant before the first version it is the first: tickets are dated by the footage, which
    may be older than the office's map.
    """
    with reading(engine) as connection:
        if as_of is not None:
            then = _newest(kind).where(areas.c.since < as_of)
            row = connection.execute(then).mappings().first()
            first = select(areas).where(areas.c.kind == kind).order_by(areas.c.version).limit(1)
            row = row or connection.execute(first).mappings().first()
        else:
            row = connection.execute(_newest(kind)).mappings().first()
    return None if row is None else StoredArea(**row)


def superseded(engine: Engine, kind: AreaKind, before: datetime) -> list[str]:
    """The hashes of contents that were in force, and have not been since an instant."""
    versions = select(areas.c.sha256, areas.c.since).where(areas.c.kind == kind)
    with reading(engine) as connection:
        found = connection.execute(versions.order_by(areas.c.version)).all()
    followed = zip_longest(found, (since for _, since in found[1:]))
    lasting = {sha256 for (sha256, _), end in followed if end is None or end >= before}
    return sorted({sha256 for sha256, _ in found} - lasting)


def _newest(kind: AreaKind) -> Select[tuple[object, ...]]:
    return select(areas).where(areas.c.kind == kind).order_by(areas.c.version.desc()).limit(1)
