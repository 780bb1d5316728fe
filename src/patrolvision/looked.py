"""`patrolvision coverage`: when each road segment and grid cell was last looked at, how often, how
far. The API gives the same; both come from `areas_looked`.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from patrolvision import records, wiring
from patrolvision.errors import EXIT_OK, CallError
from patrolvision.listing import counted, print_table
from patrolvision.report.looked import (
    MONTH,
    WEEK,
    YEAR,
    AreaLooked,
    Key,
    km_of_days,
    looked_of,
    metres_in,
    passes_at,
)
from patrolvision.report.sheet import LAYERS, Arrays, Ground, Map, packed, sheet_of, unpacked
from patrolvision.store import look_sheets
from patrolvision.store.areas import area_sha256, stored_area, superseded
from patrolvision.store.look_sheets import DAY_US, Part
from patrolvision.types.columns import UNKNOWN
from patrolvision.types.instants import instant_of, micros_of

if TYPE_CHECKING:
    from patrolvision.store.sql_store import SqlStore

AT_ONCE = 16  # days
MAP_KEPT_FOR = timedelta(days=62)  # for the reports of the month before
CODES_DAY = -1  # stands for all: the codes of the map
COLUMNS = ("code", "last_looked_at", "passes_7d", "passes_30d", "km_7d", "km_30d")


def areas_looked(store: SqlStore, ground: Ground, layer: str, at: datetime) -> list[AreaLooked]:
    """Every area of a layer (unit, responsible or segment) by code, as of an instant.

    CallError at the very beginning of the calendar.
    """
    sheets = _Sheets(store, ground)
    try:
        at_us, since_us, month_us = micros_of(at), micros_of(at - YEAR), micros_of(at - MONTH)
    except OverflowError as error:
        raise CallError(f"at: {at.isoformat()} has no year before it in the calendar") from error
    count = len(ground.codes(layer))
    last_us = np.full(count, UNKNOWN)
    one_by_one: list[int] = []
    for day, ends_us, last in sheets.of(sheets.days(since_us, at_us), f"{layer} last"):
        is_whole = _is_whole(day, since_us, at_us)
        if is_whole:
            last_us[last["area"]] = np.maximum(last_us[last["area"]], last["end"])
        if not is_whole or ends_us >= month_us:
            one_by_one.append(day)
    looks, met = (sheets.of(one_by_one, part) for part in ("looks", layer))
    looked = looked_of(
        layer, [(day, each, of) for (day, _, each), (_, _, of) in zip(looks, met, strict=True)]
    )
    inside = (looked.start_us >= since_us) & (looked.start_us < at_us)
    look, area = looked.met[:, inside[looked.met[0]]]
    np.maximum.at(last_us, area, looked.end_us[look])
    found = []
    for span in (WEEK, MONTH):
        keep = inside & (looked.end_us >= micros_of(at - span))
        km = metres_in(looked, keep, layer, ground) / 1000.0
        found += [passes_at(looked, keep, count).tolist(), km.tolist()]
    return [
        AreaLooked(
            code,
            None if end_us == UNKNOWN else instant_of(end_us),
            passes_7d,
            passes_30d,
            round(km_7d, 3),
            round(km_30d, 3),
        )
        for code, end_us, passes_7d, km_7d, passes_30d, km_30d in zip(
            ground.codes(layer), last_us.tolist(), *found, strict=True
        )
    ]


def km_of_period(
    store: SqlStore, ground: Ground, start: datetime, end: datetime
) -> dict[Key, float]:
    """Kilometres by (kind, code) of the looks that begin in [start, end), as km_observed gives."""
    sheets, start_us, end_us = _Sheets(store, ground), micros_of(start), micros_of(end)
    days = sheets.days(start_us, end_us)
    whole = [day for day in days if _is_whole(day, start_us, end_us)]
    others = [day for day in days if not _is_whole(day, start_us, end_us)]
    found = (
        (part, sheet)
        for part, some in (("way", whole), ("looks", others))
        for _, _, sheet in sheets.of(some, part)
    )
    return km_of_days(found, start_us, end_us, ground)


def make_sheets(store: SqlStore, now: datetime, *, most: int) -> int:
    """Make the sheets that the year's newest days lack on the office's map; how many were made."""
    engine = store.engine
    first, last = look_sheets.day_of(now - YEAR), look_sheets.day_of(now)
    grids = area_sha256(engine, "grids")
    missing = [] if grids is None else look_sheets.days_without(engine, grids, first, last)[-most:]
    ground = ground_of(store) if missing else None
    if ground is None:
        return 0
    sheets = _Sheets(store, ground)
    for day in reversed(missing):
        sheets.make(day)
    return len(missing)


def forget_sheets(store: SqlStore, now: datetime, *, most: int) -> int:
    """Throw away the sheets of maps that the office replaced long ago; of how many days.

    A report of a period that such a map belongs to makes them again.
    """
    old = superseded(store.engine, "grids", now - MAP_KEPT_FOR)
    return look_sheets.forget(store.engine, old, most=most)


def ground_of(store: SqlStore, as_of: datetime | None = None) -> Ground | None:
    """The grids that the office put into the store, as they were at an instant; None: none."""
    from patrolvision.tickets.grids import GridIndex

    area = stored_area(store.engine, "grids", as_of)
    if area is None:
        return None
    return Ground(area.sha256, lambda: GridIndex.from_text(area.content, "the stored grids"))


def no_ground() -> Ground:
    """A city without a map."""
    from patrolvision.tickets.grids import GridIndex

    return Ground("", lambda: GridIndex({}))


def _is_whole(day: int, since_us: int, until_us: int) -> bool:
    return since_us <= day * DAY_US and (day + 1) * DAY_US <= until_us


class _Sheets:
    """The sheets of a store's days on a map: those that are kept, the others made and kept."""

    def __init__(self, store: SqlStore, ground: Ground) -> None:
        self._engine, self._ground = store.engine, ground
        known = look_sheets.parts(self._engine, ground.id, [CODES_DAY], "codes")
        if known:
            ground.learn(unpacked(known[CODES_DAY].content))
        else:
            codes = packed({layer: list(ground.codes(layer)) for layer in LAYERS})
            look_sheets.keep(self._engine, ground.id, CODES_DAY, 0, 0, {"codes": codes})

    def days(self, since_us: int, until_us: int) -> list[int]:
        """The days on which something was looked at that reach into [since, until)."""
        return look_sheets.looked_days(self._engine, since_us // DAY_US, (until_us - 1) // DAY_US)

    def of(self, days: Sequence[int], part: str) -> Iterator[tuple[int, int, Arrays]]:
        """Each day, the last end of its looks, and a part of its sheet."""
        for start in range(0, len(days), AT_ONCE):
            some = days[start : start + AT_ONCE]
            held = look_sheets.parts(self._engine, self._ground.id, some, part)
            for day in some:
                found = held[day] if day in held else self.make(day)[part]
                yield day, found.ends_us, unpacked(found.content)

    def make(self, day: int) -> dict[str, Part]:
        """The parts of a day's sheet, made now and kept."""
        looks, version = look_sheets.looks_of_day(self._engine, day)
        made = sheet_of(looks, day * DAY_US, self._ground)
        ends_us = int(looks.end_us[looks.start_us >= day * DAY_US].max(initial=0))
        look_sheets.keep(self._engine, self._ground.id, day, version, ends_us, made)
        return {name: Part(ends_us, content) for name, content in made.items()}


def record(area: AreaLooked) -> dict[str, Any]:
    """An area as JSON values."""
    last = area.last_looked_at
    return {**asdict(area), "last_looked_at": None if last is None else last.isoformat()}


def features(found: Iterable[AreaLooked], grids: Map, layer: str) -> dict[str, Any]:
    """Areas as a GeoJSON FeatureCollection with their geometries."""
    shapes = grids.areas(layer)
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "id": area.code,
                "geometry": shapes[area.code],
                "properties": {"layer": layer, **record(area)},
            }
            for area in found
        ],
    }


def _instant(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise CallError(f"--at must be ISO 8601 with an offset, found {text!r}") from error
    if at.tzinfo is None:
        raise CallError(f"--at must have an offset from UTC, found {text!r}")
    return at


def main(args: argparse.Namespace) -> int:
    """`patrolvision coverage`."""
    at = _instant(args.at)
    store = wiring.store(args.db, create=False)
    try:
        given = wiring.grids(args.grids)
        ground = ground_of(store) if given is None else Ground(given.id, lambda: given)
        if ground is None:
            raise CallError("--grids: the store holds no grids, name a file of them")
        found = areas_looked(store, ground, args.layer, at)
    finally:
        store.close()
    rows = [record(area) for area in found]
    if args.format == "json":
        sys.stdout.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    elif args.format == "geojson":
        json.dump(features(found, ground.map, args.layer), sys.stdout, ensure_ascii=False)
        sys.stdout.write("\n")
    elif args.format == "csv":
        csv.writer(sys.stdout).writerows(records.csv_rows(rows))
    else:
        print_table(rows, COLUMNS, _title(found, args.layer))
    return EXIT_OK


def _title(found: list[AreaLooked], layer: str) -> str:
    unseen = sum(not area.passes_30d for area in found)
    what = {"segment": "segments", "unit": "unit cells", "responsible": "responsible cells"}[layer]
    return f"{counted(len(found), what)}, {unseen} of them not looked at within 30 days"
