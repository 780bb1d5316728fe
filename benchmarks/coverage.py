"""How long it takes to tell what was looked at: a year of a fleet, on a map of Shenyang's size.

    python benchmarks/coverage.py URL [--make DAYS] [--vehicles 20] [--km 60] [--layer unit] [--raw]

--make fills the database with the map of benchmarks/grids.py and DAYS of a fleet that drives its
roads at 30 km/h, a look every five seconds (42 m). The first call makes the sheets of the days, the
others read them; before each "again" one more look is stored. --raw reckons as it was done before
there were sheets. Processor time is of this process.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from grids import SIDE_DEG, SOUTH, WEST, city

from helpers.plain_coverage import plain_coverage
from patrolvision import looked, wiring
from patrolvision.store import SqlStore, open_store
from patrolvision.store.areas import save_area
from patrolvision.store.engine import writing
from patrolvision.store.look_sheets import note_changes
from patrolvision.store.rows import look_row
from patrolvision.store.schema import looks as table
from patrolvision.types import Look

END = datetime(2026, 11, 1, tzinfo=UTC)
METRE = 1 / 111_000
STEP_M, EVERY_S = 42.0, 5.0
CLASSES = frozenset({"litter", "fire", "car"})


def driven(day: int, vehicle: int, km: float, end: datetime) -> Iterator[Look]:
    """A day of a vehicle: to and fro along streets, a turn now and then."""
    rng = random.Random(day * 1000 + vehicle)
    at = end - timedelta(days=day) + timedelta(hours=rng.uniform(-16, -14))
    lat, lon = SOUTH + rng.random() * SIDE_DEG, WEST + rng.random() * SIDE_DEG
    heading = rng.randrange(4) * 0.5 * math.pi
    for k in range(int(km * 1000 / STEP_M)):
        if rng.random() < 0.1 or not (
            SOUTH < lat < SOUTH + SIDE_DEG and WEST < lon < WEST + SIDE_DEG
        ):
            heading += 0.5 * math.pi
        north, east = math.cos(heading) * METRE, math.sin(heading) * METRE * 1.34
        ring = [(0, -6), (0, 6), (30, 8), (55, 6), (62, 0), (55, -6), (30, -8)]
        corners = tuple((lat + a * north - b * east, lon + a * east + b * north) for a, b in ring)
        name = f"d{day}v{vehicle}"
        until = at + timedelta(seconds=EVERY_S)
        yield Look(f"{name}-look-{k}", name, at, until, CLASSES, corners, 0.5)
        lat, lon, at = lat + STEP_M * north, lon + STEP_M * east, until


def fill(store: SqlStore, days: int, vehicles: int, km: float) -> None:
    """The map and the looks, as rows."""
    features = city(1.0, random.Random(1))
    content = json.dumps({"type": "FeatureCollection", "features": features})
    save_area(store.engine, "grids", content, "benchmark", END - timedelta(days=400))
    for day in range(days):
        found = [look for v in range(vehicles) for look in driven(day, v, km, END)]
        with writing(store.engine) as connection:
            connection.execute(table.insert(), [look_row(look) for look in found])
            note_changes(connection, [look.start for look in found])


def timed(name: str, work: Callable[[], object]) -> None:
    """Do it and say how long it took."""
    begun, cpu = time.perf_counter(), time.process_time()
    work()
    print(
        f"{name:34} {time.perf_counter() - begun:7.2f} s by the clock, "
        f"{time.process_time() - cpu:7.2f} s of the processor",
        flush=True,
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--make", type=int, metavar="DAYS")
    parser.add_argument("--vehicles", type=int, default=20)
    parser.add_argument("--km", type=float, default=60.0)
    parser.add_argument("--layer", default="unit")
    parser.add_argument("--raw", action="store_true")
    args = parser.parse_args()
    with closing(open_store(args.url)) as store:
        if args.make:
            fill(store, args.make, args.vehicles, args.km)
        ground = looked.ground_of(store) or looked.no_ground()
        if args.raw:
            grids = wiring.stored_grids(store)
            assert grids is not None
            timed("look by look", lambda: plain_coverage(store, grids, args.layer, END))
            return
        ask = lambda: looked.areas_looked(store, ground, args.layer, END)  # noqa: E731
        timed(f"{args.layer}, first", ask)
        timed(f"{args.layer}, nothing new", ask)
        for k in range(2):
            with store.transaction() as transaction:
                name, at = f"new-{time.time_ns()}", END - timedelta(hours=1)
                ring = tuple(
                    np.array([(SOUTH, WEST), (SOUTH, WEST + METRE), (SOUTH + METRE, WEST)]).tolist()
                )
                transaction.add_looks(
                    [Look(name, name, at, at, CLASSES, tuple(map(tuple, ring)), 0.5)]
                )
            timed(f"{args.layer}, again with a new look ({k + 1})", ask)
        end = END - timedelta(hours=8)
        year = (end - timedelta(days=365), end)
        timed("the way of a year", lambda: looked.km_of_period(store, ground, *year))


if __name__ == "__main__":
    main()
