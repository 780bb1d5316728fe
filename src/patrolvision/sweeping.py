"""`patrolvision sweeping`: litter on the segments of a sweeper's round, before and after it."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from patrolvision import records, wiring
from patrolvision.config import settings_on
from patrolvision.errors import EXIT_OK, EXIT_SOME_ITEMS_FAILED, CallError, ItemError
from patrolvision.listing import counted, print_table
from patrolvision.report.sweeping import (
    Density,
    Effect,
    LitterSeen,
    change,
    effects,
    sweeps,
    together,
)
from patrolvision.types import Datum, TelemetrySample

if TYPE_CHECKING:
    from patrolvision.store.sql_store import SqlStore
    from patrolvision.tickets.grids import GridIndex

COLUMNS = (
    "segment", "start", "swept_m", "before_passes", "before_per_km", "after_passes", "after_per_km",
    "change",
)  # fmt: skip
ALL = "all"  # the row of all segments together
LONGEST_WITHIN_H = 24.0 * 31


def effects_of(
    store: SqlStore, grids: GridIndex, routes: Sequence[Sequence[TelemetrySample]], within_h: float
) -> list[Effect]:
    """What the rounds did to each segment, by time; each route's samples in order of time."""
    from patrolvision.store.standing import looks_between, sights_of

    within = timedelta(hours=within_h)
    swept = [sweep for route in routes for sweep in sweeps(route, grids.codes_at)]
    if not swept:
        return []
    span = min(s.start for s in swept) - within, max(s.end for s in swept) + within
    litter = (
        LitterSeen(r["incident_id"], r["mission_id"], r["first_seen"], r["lat_deg"], r["lon_deg"])
        for r in sights_of(store.engine, "litter", *span)
    )
    looks = looks_between(store.engine, *span)
    swept.sort(key=lambda sweep: (sweep.start, sweep.segment))
    return effects(swept, looks, litter, grids.codes_at, within)


def record(effect: Effect) -> dict[str, Any]:
    """One sweep as JSON values."""
    sweep = effect.sweep
    about = {"start": sweep.start.isoformat(), "end": sweep.end.isoformat()}
    densities = _densities(effect.before, effect.after)
    return {"segment": sweep.segment, **about, "swept_m": round(sweep.swept_m, 1), **densities}


def total(found: Sequence[Effect]) -> dict[str, Any]:
    """The row of all sweeps whose segment was looked at both before and after."""
    fair = [e for e in found if e.before.passes and e.after.passes]
    before, after = together(e.before for e in fair), together(e.after for e in fair)
    swept_m = round(sum(e.sweep.swept_m for e in fair), 1)
    about = {"start": None, "end": None, "swept_m": swept_m}
    return {"segment": ALL, **about, **_densities(before, after)}


def _densities(before: Density, after: Density) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for name, density in (("before", before), ("after", after)):
        told[f"{name}_passes"] = density.passes
        told[f"{name}_km"] = round(density.km, 3)
        told[f"{name}_things"] = density.things
        told[f"{name}_per_km"] = None if density.per_km is None else round(density.per_km, 3)
    changed = change(before, after)
    return {**told, "change": None if changed is None else round(changed, 3)}


def features(found: Sequence[Effect], grids: GridIndex) -> dict[str, Any]:
    """The sweeps as a GeoJSON FeatureCollection of their segments."""
    shapes = grids.areas("segment")
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "id": f"{e.sweep.segment}@{e.sweep.start.isoformat()}",
                "geometry": shapes[e.sweep.segment],
                "properties": record(e),
            }
            for e in found
        ],
    }


def _routes(
    paths: Sequence[Path], timezone: str, datum: Datum
) -> tuple[list[list[TelemetrySample]], int]:
    """The samples of each file that can be read, by time, and how many could not."""
    from patrolvision.sources.telemetry import read_telemetry

    zone = ZoneInfo(settings_on(timezone).timezone)
    read: list[list[TelemetrySample]] = []
    failed = 0
    for path in paths:
        try:
            log = read_telemetry(path, timezone=zone, datum=datum)
        except ItemError as error:
            sys.stderr.write(f"patrolvision: {error}\n")
            failed += 1
        else:
            read.append(sorted(log.samples, key=lambda sample: sample.at))
    return read, failed


def main(args: argparse.Namespace) -> int:
    """`patrolvision sweeping`."""
    if not 0 < args.within_h <= LONGEST_WITHIN_H:
        raise CallError(f"--within-h must lie in (0, {LONGEST_WITHIN_H:.0f}], got {args.within_h}")
    routes, failed = _routes(args.routes, args.timezone, args.datum)
    store = wiring.store(args.db, create=False)
    try:
        grids = wiring.grids(args.grids) or wiring.stored_grids(store)
        if grids is None:
            raise CallError("--grids: the store holds no grids, name a file of them")
        found = effects_of(store, grids, routes, args.within_h)
    finally:
        store.close()
    _print(found, grids, args.format)
    return EXIT_SOME_ITEMS_FAILED if failed else EXIT_OK


def _print(found: Sequence[Effect], grids: GridIndex, form: str) -> None:
    rows = [record(effect) for effect in found]
    if form == "geojson":
        sys.stdout.write(json.dumps(features(found, grids), ensure_ascii=False) + "\n")
        return
    rows += [total(found)] if rows else []
    if form == "json":
        sys.stdout.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    elif form == "csv":
        csv.writer(sys.stdout).writerows(records.csv_rows(rows))
    else:
        print_table(rows, COLUMNS, f"{counted(len(found), 'sweeps')} of a segment")
