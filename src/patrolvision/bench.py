"""The public benchmark: cities whose truth is known, through the same code as `patrolvision fuse`.

Each city is written as the files of the contracts and fused from them, in one call or shuffled, cut
and repeated in several; what the store then holds is scored against the truth, beside two baselines
on the same observations.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from patrolvision import wiring
from patrolvision.errors import EXIT_OK
from patrolvision.fuse import fuse, read_observations
from patrolvision.geo.geodesy import local_en
from patrolvision.geo.pairs import pairs_within
from patrolvision.incidents.association import components
from patrolvision.simulate.scoring import counting, parking
from patrolvision.simulate.writing import write_city
from patrolvision.types import FloatArray, Incident, Observation

TIMES_TOLD = 1.2  # of a shuffled city: every fifth line comes a second time
Row = dict[str, Any]


def dbscan_by_class_and_day(
    observations: Sequence[Observation], radius_m: float = 10.0
) -> dict[str, str]:
    """The baseline of the open systems: chains of sights within 10 m, per class and UTC day.

    DBSCAN with a minimum of one point is the connected parts of the neighbourhood graph (Ester et
    al., KDD 1996).
    """
    groups: dict[tuple[str, str], list[Observation]] = defaultdict(list)
    for o in observations:
        groups[o.class_name, o.first_seen.date().isoformat()].append(o)
    found: dict[str, str] = {}
    for key, seen in groups.items():
        xy = _places(seen)
        label = components(len(seen), *pairs_within(xy, xy, radius_m))
        found |= {o.id: f"{key}-{k}" for o, k in zip(seen, label, strict=True)}
    return found


def nearest_neighbour(observations: Sequence[Observation], radius_m: float = 6.0) -> dict[str, str]:
    """The baseline of a simple tracker: each sight joins the nearest running mean of its class."""
    found: dict[str, str] = {}
    for class_name in sorted({o.class_name for o in observations}):
        seen = sorted(
            (o for o in observations if o.class_name == class_name),
            key=lambda o: (o.first_seen, o.id),
        )
        mean, count = np.zeros((len(seen), 2)), np.zeros(len(seen))
        used = 0
        for o, place in zip(seen, _places(seen), strict=True):
            apart = np.hypot(*(mean[:used] - place).T)
            k = int(np.argmin(apart)) if used else 0
            if not used or apart[k] > radius_m:
                k, used = used, used + 1
            mean[k] = (mean[k] * count[k] + place) / (count[k] + 1)
            count[k] += 1
            found[o.id] = f"{class_name}-{k}"
    return found


def _places(seen: Sequence[Observation]) -> FloatArray:
    lat = np.array([o.place.lat_deg for o in seen])
    lon = np.array([o.place.lon_deg for o in seen])
    return np.stack(local_en(lat[0], lon[0], lat, lon), axis=-1)


BASELINES: Mapping[str, Callable[[Sequence[Observation]], dict[str, str]]] = {
    "DBSCAN 10 m a day": dbscan_by_class_and_day,
    "nearest neighbour": nearest_neighbour,
}


def city_rows(folder: Path, preset: str, seed: int, *, parts: int) -> list[Row]:
    """The rows of one city: patrolvision first, then the baselines."""
    write_city(folder, preset=preset, seed=seed)
    since = time.perf_counter()
    incidents, ticketed = _fused(folder, seed, parts)
    seconds = time.perf_counter() - since
    observations = read_observations(folder / "observations.jsonl", {})
    told = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    truth: dict[str, str | None] = dict.fromkeys(told["false_alarms"])
    truth |= {o: thing["id"] for thing in told["things"] for o in thing["observation_ids"]}
    verdicts = {thing["id"]: thing for thing in told["things"] if "illegal" in thing}
    about: Row = {"city": preset, "seed": seed, "observations": len(observations)}
    if verdicts:
        cases = {i.id: i.observation_ids for i in incidents if i.id in ticketed}
        cases = {id: ids for id, ids in cases.items() if any(truth.get(o) in verdicts for o in ids)}
        score = asdict(parking(cases, truth, verdicts))
        return [about | {"way": "patrolvision", "seconds": round(seconds, 1), "parking": score}]
    found = {o: i.id for i in incidents for o in i.observation_ids}
    ours = counting(found, truth)
    rows = [about | {"way": "patrolvision", "seconds": round(seconds, 1), "counting": asdict(ours)}]
    for name, way in BASELINES.items():
        rows.append(about | {"way": name, "counting": asdict(counting(way(observations), truth))})
    return rows


def _fused(folder: Path, seed: int, parts: int) -> tuple[list[Incident], set[str]]:
    """The incidents after fusing a city's files, and the ids of those that have a ticket."""
    db = f"sqlite:///{folder / 'city.db'}"
    for file in _parts(folder, seed, parts):
        fuse(
            argparse.Namespace(
                observations=file,
                coverage=folder / "coverage.jsonl",
                zones=folder / "zones.geojson",
                grids=None,
                timezone="UTC",
                db=db,
            )
        )
    store = wiring.store(db)
    try:
        incidents = [i for i in store.incidents() if i.status != "dismissed" and i.kind != "watch"]
        return incidents, {ticket.incident_id for ticket in store.tickets()}
    finally:
        store.close()


def _parts(folder: Path, seed: int, parts: int) -> list[Path]:
    """The city's lines as one file; or shuffled, some of them twice, and cut into several."""
    whole = folder / "observations.jsonl"
    if parts == 1:
        return [whole]
    lines = whole.read_text(encoding="utf-8").splitlines()
    chance = random.Random(seed)
    lines += chance.sample(lines, round((TIMES_TOLD - 1) * len(lines)))
    chance.shuffle(lines)
    files = [folder / f"part{k}.jsonl" for k in range(parts)]
    for k, file in enumerate(files):
        file.write_text("\n".join(lines[k::parts]) + "\n", encoding="utf-8")
    return files


def table(rows: Sequence[Row]) -> str:
    """The rows as two tables in Markdown, one for counting and one for parking."""
    return "\n\n".join(filter(None, (_table(rows, "counting"), _table(rows, "parking"))))


def _table(rows: Sequence[Row], kind: str) -> str:
    chosen = [row for row in rows if kind in row]
    if not chosen:
        return ""
    names = list(chosen[0][kind])
    lines = [
        "| " + " | ".join(["city", "seed", "way", *names]) + " |",
        "|" + "---|" * (3 + len(names)),
    ]
    for row in chosen:
        cells = [row["city"], row["seed"], row["way"], *(_cell(row[kind][n]) for n in names)]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {n}" for name, n in value.items()) or "none"
    return str(value)


def main(args: argparse.Namespace) -> int:
    """`patrolvision bench fusion`."""
    rows: list[Row] = []
    for preset in args.cities:
        for seed in args.seeds:
            sys.stderr.write(f"{preset} {seed} …\n")
            with tempfile.TemporaryDirectory(prefix="patrolvision-bench-") as folder:
                rows += city_rows(Path(folder), preset, seed, parts=args.parts)
    sys.stdout.write(table(rows) + "\n")
    if args.json:
        sys.stdout.write(json.dumps({"parts": args.parts, "rows": rows}) + "\n")
    return EXIT_OK
