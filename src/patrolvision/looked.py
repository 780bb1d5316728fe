"""`patrolvision coverage`: when each road segment and grid cell was last looked at, how often, how
far. The API gives the same; both come from `areas_looked`.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from patrolvision import records, wiring
from patrolvision.errors import EXIT_OK, CallError
from patrolvision.listing import counted, print_table
from patrolvision.report.looked import YEAR, AreaLooked, LookedBook
from patrolvision.types import Look

if TYPE_CHECKING:
    from patrolvision.store.sql_store import SqlStore
    from patrolvision.tickets.grids import GridIndex

CHUNK = 5000  # looks at once
COLUMNS = ("code", "last_looked_at", "passes_7d", "passes_30d", "km_7d", "km_30d")


def areas_looked(store: SqlStore, grids: GridIndex, layer: str, at: datetime) -> list[AreaLooked]:
    """Every area of a layer (unit, responsible or segment) by code, as of an instant."""
    from patrolvision.store.periods import looks_of_period

    book = LookedBook(layer, at)
    for looks in _chunks(looks_of_period(store.engine, at - YEAR, at)):
        book.add(looks, grids.met_by(layer, [look.polygon for look in looks]))
    return book.areas(sorted(grids.areas(layer)), grids.codes_at)


def _chunks(looks: Iterable[Look]) -> Iterator[list[Look]]:
    rest = iter(looks)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk


def record(area: AreaLooked) -> dict[str, Any]:
    """An area as JSON values."""
    last = area.last_looked_at
    return {**asdict(area), "last_looked_at": None if last is None else last.isoformat()}


def features(found: Iterable[AreaLooked], grids: GridIndex, layer: str) -> dict[str, Any]:
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
        grids = wiring.grids(args.grids) or wiring.stored_grids(store)
        if grids is None:
            raise CallError("--grids: the store holds no grids, name a file of them")
        found = areas_looked(store, grids, args.layer, at)
    finally:
        store.close()
    rows = [record(area) for area in found]
    if args.format == "json":
        sys.stdout.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    elif args.format == "geojson":
        json.dump(features(found, grids, args.layer), sys.stdout, ensure_ascii=False)
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
