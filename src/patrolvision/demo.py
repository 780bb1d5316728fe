"""The main job on the project's own sample clips, held against what was really planted there."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from patrolvision import batch, wiring
from patrolvision.config import Settings, checked, default_sample_dir, load_missions
from patrolvision.deliver import print_tickets
from patrolvision.errors import EXIT_OK, EXIT_SOME_ITEMS_FAILED, ConfigError
from patrolvision.geo.geodesy import distance_m
from patrolvision.listing import counted

REACH_M = 4.0  # of a ticket around the thing it means, beside its own stated error
TIMEZONE = "Asia/Shanghai"
CREWS: dict[str, dict[str, Any]] = {  # by id, as the API keeps them
    name: {"name": words, "skills": [skill], "areas": [], "duty": "24/7"}
    for name, words, skill in (
        ("sweepers", "Sweepers 保洁班", "cleaning"),
        ("wardens", "Parking wardens 停车管理班", "parking"),
        ("firewatch", "Fire watch 消防巡查班", "fire"),
    )
}


@dataclass(frozen=True, slots=True)
class Planted:
    """A thing that stands in the street of the sample clips."""

    id: str
    category: str
    lat_deg: float
    lon_deg: float


@dataclass(frozen=True, slots=True)
class Score:
    """Tickets against truth; a planted thing is found by its nearest ticket of its category."""

    planted: int
    found: int
    duplicates: int  # further tickets for a thing that has one
    wrong: int  # tickets that mean nothing planted
    missed: tuple[str, ...]
    errors_m: tuple[float, ...]  # distance of each found thing's ticket


def load_truth(path: Path) -> list[Planted]:
    """The planted things of a truth.geojson."""
    try:
        features = json.loads(path.read_text(encoding="utf-8"))["features"]
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"{path}: is not a truth GeoJSON ({error})") from error
    return [
        Planted(
            f["properties"]["id"],
            f["properties"]["category"],
            f["geometry"]["coordinates"][1],
            f["geometry"]["coordinates"][0],
        )
        for f in features
    ]


def score(tickets: Sequence[dict[str, Any]], planted: Sequence[Planted]) -> Score:
    """Pairs of a category, nearest first, one ticket to one thing, within reach."""
    pairs = []
    for k, ticket in enumerate(tickets):
        reach_m = REACH_M + 2.0 * ticket["sigma_m"]
        for thing in planted:
            if thing.category != ticket["category"]:
                continue
            apart = float(
                distance_m(ticket["lat_deg"], ticket["lon_deg"], thing.lat_deg, thing.lon_deg)
            )
            if apart <= reach_m:
                pairs.append((apart, k, thing.id))
    used: set[int] = set()
    found: dict[str, float] = {}
    for apart, k, thing_id in sorted(pairs):
        if k not in used and thing_id not in found:
            used.add(k)
            found[thing_id] = apart
    near = {k for _, k, _ in pairs}
    return Score(
        planted=len(planted),
        found=len(found),
        duplicates=len(near - used),
        wrong=len(tickets) - len(near),
        missed=tuple(p.id for p in planted if p.id not in found),
        errors_m=tuple(round(v, 2) for v in found.values()),
    )


def verdict(result: Score) -> str:
    """The score in words."""
    lines = [
        f"against truth: {result.found} of {result.planted} planted things found once, "
        f"{counted(result.duplicates, 'duplicates')}, "
        f"{counted(result.wrong, 'tickets')} for nothing"
    ]
    if result.errors_m:
        middle = sorted(result.errors_m)[len(result.errors_m) // 2]
        lines.append(
            f"distance of a ticket from its thing: median {middle:.1f} m, "
            f"largest {max(result.errors_m):.1f} m"
        )
    if result.missed:
        lines.append(f"missed: {', '.join(result.missed)}")
    return "\n".join(lines)


def _equip_office(settings: Settings, samples: Path) -> None:
    """Give `serve` over this store what an office has besides: cells, kerb rules, crews."""
    zones, grids = samples / "zones.geojson", samples / "grids.geojson"
    with closing(wiring.store(settings.database_url)) as store:
        wiring.equip(store, datetime.now(UTC), zones=zones, grids=grids, crews=CREWS)


def main(args: argparse.Namespace) -> int:
    """`patrolvision demo`: starts from an empty output folder of its own making."""
    samples = args.samples or default_sample_dir()
    missions = load_missions(samples / "missions.toml")
    planted = load_truth(samples / "truth.geojson")
    for leftover in ("patrol.db", "patrol.db-wal", "patrol.db-shm"):
        (args.out / leftover).unlink(missing_ok=True)
    shutil.rmtree(args.out / "evidence", ignore_errors=True)
    settings = checked(
        Settings,
        {"out": args.out, "timezone": TIMEZONE, "analysis_fps": None},
        where="the demo",
    )
    failed: dict[str, str] = {}
    done = batch.run(settings, missions, failed, title="A street seen three times")
    _equip_office(settings, samples)
    result = score(done["ticket_list"], planted)
    done["truth"] = {
        "planted": result.planted,
        "found": result.found,
        "duplicates": result.duplicates,
        "wrong": result.wrong,
        "missed": list(result.missed),
        "errors_m": list(result.errors_m),
    }
    if args.json:
        sys.stdout.write(json.dumps(done, ensure_ascii=False) + "\n")
    else:
        print_tickets(done)
        sys.stdout.write(verdict(result) + "\n")
    return EXIT_SOME_ITEMS_FAILED if failed else EXIT_OK
