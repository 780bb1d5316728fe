"""Sheets of what was looked at, one a day, kept as long as the looks of their day stay the same.

Whoever stores or forgets looks adds to `look_changes` in the same transaction. A sheet names the
changes that it was made after, of its day and the day before; it holds while there are no others.
So nobody has to wait, and a sheet that was made from less than there is by now is made again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import orjson
from sqlalchemy import (
    BigInteger,
    Connection,
    Engine,
    Text,
    delete,
    func,
    select,
    type_coerce,
)
from sqlalchemy.dialects import postgresql, sqlite

from patrolvision.store.engine import reading, writing
from patrolvision.store.looked_tables import look_changes, look_sheets
from patrolvision.store.schema import looks
from patrolvision.types.columns import LookColumns
from patrolvision.types.instants import instant_of, micros_of

DAY_US = 86_400 * 1_000_000


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a day's sheet; ends_us is the last end of the day's looks."""

    ends_us: int
    content: bytes


def note_changes(connection: Connection, starts: Iterable[datetime]) -> None:
    """Note that looks which begin then were added or forgotten."""
    days = sorted({day_of(at) for at in starts})
    if days:
        connection.execute(look_changes.insert(), [{"day": d, "changes": 1} for d in days])


def day_of(at: datetime) -> int:
    """The day (UTC) of an instant, since 1970."""
    return micros_of(at) // DAY_US


def looked_days(engine: Engine, first: int, last: int) -> list[int]:
    """The days of [first, last] on which anything was looked at, in order."""
    with reading(engine) as connection:
        found = _versions(connection, first, last)
    return sorted(day for day in found if first <= day <= last)


def days_without(engine: Engine, grids: str, first: int, last: int) -> list[int]:
    """The days of [first, last] with looks whose sheet is not kept or does not hold, in order."""
    table = look_sheets
    known = select(table.c.day, func.min(table.c.version)).where(
        table.c.grids == grids, table.c.day.between(first, last)
    )
    with reading(engine) as connection:
        versions = _versions(connection, first, last)
        held = {row[0]: row[1] for row in connection.execute(known.group_by(table.c.day))}
    return [
        day
        for day in sorted(versions)
        if first <= day <= last and held.get(day) != _version(versions, day)
    ]


def parts(engine: Engine, grids: str, days: Iterable[int], part: str) -> dict[int, Part]:
    """day -> the part, of those whose sheets are kept and hold."""
    wanted = sorted(days)
    if not wanted:
        return {}
    table = look_sheets
    chosen = select(table.c.day, table.c.version, table.c.ends_at, table.c.content).where(
        table.c.grids == grids, table.c.part == part, table.c.day.between(wanted[0], wanted[-1])
    )
    with reading(engine) as connection:
        versions = _versions(connection, wanted[0], wanted[-1])
        rows = connection.execute(chosen).all()
    asked = set(wanted)
    return {
        day: Part(ends_us, bytes(content))
        for day, version, ends_us, content in rows
        if day in asked and version == _version(versions, day)
    }


def looks_of_day(engine: Engine, day: int) -> tuple[LookColumns, int]:
    """The looks that begin on a day, each mission's last of the day before, and their version."""
    columns = _columns()
    today = select(*columns).where(*_on(day))
    before = select(*columns, _newest_first().label("rank")).where(*_on(day - 1))
    ranked = before.where(looks.c.mission_id.in_(select(looks.c.mission_id).where(*_on(day))))
    last = ranked.subquery()
    with reading(engine) as connection:
        version = _version(_versions(connection, day, day), day)
        rows = [tuple(row)[:-1] for row in connection.execute(select(last).where(last.c.rank == 1))]
        rows += map(tuple, connection.execute(today))
    rows.sort(key=lambda row: (row[1], row[2], row[0]))
    if not rows:
        return LookColumns([], np.zeros(0, np.int64), np.zeros(0, np.int64), []), version
    _, missions, starts, ends, rings = zip(*rows, strict=True)
    polygons = orjson.loads(f"[{','.join(rings)}]")
    return LookColumns(missions, np.array(starts), np.array(ends), polygons), version


def keep(
    engine: Engine, grids: str, day: int, version: int, ends_us: int, made: Mapping[str, bytes]
) -> None:
    """Keep a day's sheet, unless one is kept that was made after more changes."""
    head = {"grids": grids, "day": day, "version": version, "ends_at": ends_us}
    with writing(engine) as connection:
        insert = postgresql.insert if engine.name == "postgresql" else sqlite.insert
        statement: Any = insert(look_sheets)
        new = statement.excluded
        statement = statement.on_conflict_do_update(
            index_elements=["grids", "day", "part"],
            set_={name: new[name] for name in ("version", "ends_at", "content")},
            where=look_sheets.c.version < new.version,
        )
        rows = [{**head, "part": name, "content": content} for name, content in made.items()]
        connection.execute(statement, rows)
        _join_changes(connection, day)


def forget(engine: Engine, grids: Collection[str], *, most: int) -> int:
    """Throw away the sheets of some days on these maps, at most so many; how many days it were."""
    if not grids:
        return 0
    table = look_sheets
    theirs = table.c.grids.in_(sorted(grids))
    days = select(table.c.day).where(theirs).distinct().order_by(table.c.day).limit(most)
    with reading(engine) as connection:
        found = list(connection.execute(days).scalars())
    if found:
        with writing(engine) as connection:
            connection.execute(delete(table).where(theirs, table.c.day.in_(found)))
    return len(found)


def _join_changes(connection: Connection, day: int) -> None:
    """Put the changes of a day into one row; their sum stays."""
    gone = delete(look_changes).where(look_changes.c.day == day).returning(look_changes.c.changes)
    counts = list(connection.execute(gone).scalars())
    if counts:
        connection.execute(look_changes.insert(), [{"day": day, "changes": sum(counts)}])


def _versions(connection: Connection, first: int, last: int) -> dict[int, int]:
    """day -> changes of its looks, of the days [first - 1, last] that had any."""
    counted = select(look_changes.c.day, func.sum(look_changes.c.changes))
    counted = counted.where(look_changes.c.day.between(first - 1, last))
    found = connection.execute(counted.group_by(look_changes.c.day))
    return {int(day): int(changes) for day, changes in found}


def _version(versions: Mapping[int, int], day: int) -> int:
    # A hop may come from the evening before: both days count.
    return versions.get(day, 0) + versions.get(day - 1, 0)


def _columns() -> tuple[Any, ...]:
    start, end = (type_coerce(looks.c[name], BigInteger) for name in ("start_at", "end_at"))
    return looks.c.id, looks.c.mission_id, start, end, type_coerce(looks.c.polygon, Text)


def _on(day: int) -> tuple[Any, ...]:
    begin, end = instant_of(day * DAY_US), instant_of((day + 1) * DAY_US)
    return looks.c.start_at >= begin, looks.c.start_at < end


def _newest_first() -> Any:
    order = (looks.c.start_at.desc(), looks.c.id.desc())
    return func.row_number().over(partition_by=looks.c.mission_id, order_by=order)
