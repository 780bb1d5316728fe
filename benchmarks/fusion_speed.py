"""How fast observations are fused into SQLite beside a million stored incidents.

`--make` fills a database with incidents on a lattice of 30 m, by bulk inserts. Then, in turn in one
run: observations one by one through `take_in`; missions among the stored incidents, half of what
they see is known and half is new, through `settle`; a simulated city at once on empty ground.
Beside them the ceiling: as many rows found and upserted elsewhere with nothing but sqlite3.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Table

from patrolvision.geo.geodesy import offset
from patrolvision.incidents.identity import incident_id
from patrolvision.pipeline import Judged, settle, take_in
from patrolvision.rules.rulebook import Rulebook
from patrolvision.simulate.city import CitySettings, build_city
from patrolvision.store import SqlStore, near, open_store, rows, schema
from patrolvision.types import GeoPoint, Incident, Look, Observation
from patrolvision.types.instants import micros_of

LAT_DEG, LON_DEG = 31.2, 121.4
SPACING_M = 30.0
START = datetime(2026, 5, 3, tzinfo=UTC)
A_ROW = 100  # sights of a pass along one row of the lattice
MISSIONS = (100, 1000)
A_MISSION = 500  # incidents that one pass of the stored history found
COV = 4.81 * np.eye(2)


def stored(number: int, rng: np.random.Generator) -> Iterator[tuple[Observation, Incident]]:
    """One observation and its incident at each node of a lattice, jittered by 5 m."""
    side = int(np.ceil(np.sqrt(number)))
    for row in range(side):
        count = min(side, number - row * side)
        if count <= 0:
            return
        east = SPACING_M * np.arange(count) + rng.uniform(-5, 5, count)
        north = SPACING_M * row + rng.uniform(-5, 5, count)
        lat, lon = offset(LAT_DEG, LON_DEG, east, north)
        for k in range(count):
            mission = f"h{row}-{k // A_MISSION}"
            at = START + timedelta(seconds=3.0 * (k % A_MISSION) + 10.0 * row)
            place = GeoPoint(float(lat[k]), float(lon[k]), COV)
            seen = Observation(
                f"{mission}-{k}", mission, "car0", "litter", at, at + timedelta(seconds=2), place,
                0.9, 10, 0.0, 0.3,
            )  # fmt: skip
            yield seen, incident_of(seen)


def incident_of(seen: Observation) -> Incident:
    """An incident that one pass saw once."""
    return Incident(
        incident_id("litter", seen.id), "litter", "enforce", "new", "litter", seen.place,
        seen.first_seen, seen.last_seen, (seen.id,), (seen.mission_id,), None, 0.99,
        evidence={"findings": 1, "missed_passes": 0},
    )  # fmt: skip


def plain_pairs(seen: Sequence[Observation]) -> list[tuple[Observation, Incident]]:
    """Each observation with an incident of its own."""
    return [(observation, incident_of(observation)) for observation in seen]


def make(path: Path, number: int) -> None:
    """A database that holds so many incidents."""
    store = open_store(f"sqlite:///{path}")
    rules, rng = Rulebook(), np.random.default_rng(7)
    batch: list[tuple[Observation, Incident]] = []
    for pair in stored(number, rng):
        batch.append(pair)
        if len(batch) == 20_000:
            _put(store, rules, batch)
            batch = []
    _put(store, rules, batch)
    store.close()


def _put(store: SqlStore, rules: Rulebook, batch: Sequence[tuple[Observation, Incident]]) -> None:
    seen = [observation for observation, _ in batch]
    with store.transaction() as transaction:
        transaction.add_observations(seen)
        transaction.save_findings(rules.findings(seen))
        transaction.save_incidents([incident for _, incident in batch])


def passing(number: int, mission: str, rng: np.random.Generator) -> list[Observation]:
    """What another pass sees along rows of the lattice: every other sight is of something new.

    A hundred sights a row, from a node to halfway to the next and on, with the shift of the pass.
    """
    row, column = int(rng.integers(1, 900)), int(rng.integers(1, 900))
    shift = rng.normal(0, 2.0, 2)
    found = []
    for k in range(number):
        rows, half = divmod(k, A_ROW)
        node = np.array([SPACING_M * (column + half / 2), SPACING_M * (row + rows)])
        east, north = node + shift + rng.normal(0, 0.9, 2)
        lat, lon = offset(LAT_DEG, LON_DEG, east, north)
        at = START + timedelta(days=1, seconds=3.0 * k)
        place = GeoPoint(float(lat), float(lon), COV)
        seen = Observation(
            f"{mission}-{k}", mission, "car1", "litter", at, at + timedelta(seconds=2), place,
            0.9, 10, 0.0, 0.3,
        )  # fmt: skip
        found.append(seen)
    return found


def one_by_one(store: SqlStore, seen: Sequence[Observation]) -> tuple[list[float], list[float]]:
    """Seconds of each association with its commit: by the clock, and of the processor."""
    rules, spent, worked = Rulebook(), [], []
    for observation in seen:
        since, busy = time.perf_counter(), time.process_time()
        with store.transaction() as transaction:
            judged = Judged((observation,), tuple(rules.findings([observation])))
            take_in(transaction, judged, rules=rules)
        spent.append(time.perf_counter() - since)
        worked.append(time.process_time() - busy)
    return spent, worked


def at_once(
    store: SqlStore, seen: Sequence[Observation], looks: Sequence[Look]
) -> tuple[float, float]:
    """Seconds, by the clock and of the processor, of fusing all of these in one transaction."""
    since, busy, rules = time.perf_counter(), time.process_time(), Rulebook()
    judged = Judged(tuple(seen), tuple(rules.findings(seen)), tuple(looks))
    with store.transaction() as transaction:
        settle(transaction, judged, rules=rules)
    return time.perf_counter() - since, time.process_time() - busy


class Bare:
    """The ceiling: the same rows found and upserted with nothing but sqlite3."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("PRAGMA cache_size = -65536")

    def one_by_one(self, pairs: Sequence[tuple[Observation, Incident]]) -> list[float]:
        """Seconds of each transaction."""
        spent = []
        for pair in pairs:
            since = time.perf_counter()
            self._db.execute("BEGIN IMMEDIATE")
            self._put([pair])
            self._db.execute("COMMIT")
            spent.append(time.perf_counter() - since)
        return spent

    def at_once(self, pairs: Sequence[tuple[Observation, Incident]]) -> float:
        """Seconds of one transaction with all."""
        since = time.perf_counter()
        self._db.execute("BEGIN IMMEDIATE")
        self._put(pairs)
        self._db.execute("COMMIT")
        return time.perf_counter() - since

    def _put(self, pairs: Sequence[tuple[Observation, Incident]]) -> None:
        for seen, _ in pairs:
            ranges = near.ranges_around(seen.place.lat_deg, seen.place.lon_deg, 20.0)
            for low, high in ranges:
                self._db.execute(
                    "SELECT id, lat_deg, lon_deg FROM incidents WHERE cell BETWEEN ? AND ?",
                    (low, high),
                ).fetchall()
        rules = Rulebook()
        findings = rules.findings([seen for seen, _ in pairs])
        self._upsert(schema.observations, [rows.observation_row(seen) for seen, _ in pairs])
        self._upsert(schema.findings, [rows.finding_row(finding) for finding in findings])
        self._upsert(schema.incidents, [rows.incident_row(incident) for _, incident in pairs])
        members = [("litter", o, i.id) for _, i in pairs for o in i.observation_ids]
        self._db.executemany("REPLACE INTO incident_observations VALUES (?, ?, ?)", members)

    def _upsert(self, table: Table, found: Sequence[rows.Row]) -> None:
        names = list(found[0])
        sets = ", ".join(f"{name} = excluded.{name}" for name in names[1:])
        self._db.executemany(
            f"INSERT INTO {table.name} ({', '.join(names)}) "
            f"VALUES ({', '.join('?' * len(names))}) ON CONFLICT (id) DO UPDATE SET {sets}",
            [[_plain(row[name]) for name in names] for row in found],
        )


def _plain(value: Any) -> Any:
    if isinstance(value, (list, dict)):
        return schema.canonical_json(value)
    return micros_of(value) if isinstance(value, datetime) else value


def measured(path: Path, alone: int) -> dict[str, Any]:
    """The figures of one run; ours and the ceiling's in turn, each pass on rows of its own."""
    rng = np.random.default_rng()
    store, bare = open_store(f"sqlite:///{path}", create=False), Bare(path)
    name = f"p{rng.integers(2**40):x}"
    one_by_one(store, passing(20, name + "w", rng))  # statements are compiled, pages are read
    plain = np.array(bare.one_by_one(plain_pairs(passing(alone, name + "b", rng))))
    spent, worked = map(np.array, one_by_one(store, passing(alone, name, rng)))
    told: dict[str, Any] = {
        "load": os.getloadavg()[0],
        "incidents_stored": store.counts()["incidents"],
        "alone_ms": {"p50": _ms(spent, 0.5), "p99": _ms(spent, 0.99)},
        "alone_processor_ms": {"p50": _ms(worked, 0.5), "p99": _ms(worked, 0.99)},
        "alone_bare_ms": {"p50": _ms(plain, 0.5), "p99": _ms(plain, 0.99)},
    }
    for size in MISSIONS:
        told |= _missions(store, bare, size, f"{name}s{size}", rng)
    told |= _city(store, name, rng)
    store.close()
    return told


def _missions(
    store: SqlStore, bare: Bare, size: int, name: str, rng: np.random.Generator
) -> dict[str, Any]:
    """Missions of so many observations, each in one transaction; the ceiling after each."""
    by_clock = busy = plain = 0.0
    count = max(2, 2000 // size)
    for k in range(count):
        one, two = at_once(store, passing(size, f"{name}-{k}", rng), ())
        by_clock, busy = by_clock + one, busy + two
        plain += bare.at_once(plain_pairs(passing(size, f"{name}-{k}b", rng)))
    done = count * size
    return {
        f"missions_of_{size}_per_s": round(done / by_clock),
        f"missions_of_{size}_per_processor_s": round(done / busy),
        f"missions_of_{size}_bare_per_s": round(done / plain),
    }


def _city(store: SqlStore, name: str, rng: np.random.Generator) -> dict[str, Any]:
    """A simulated city on ground of its own, which no run before had, in one transaction."""
    lon_deg, seed = LON_DEG + float(rng.uniform(-30, 30)), int(rng.integers(2**30))
    city = build_city(CitySettings(seed=seed, lat_deg=LAT_DEG - 0.5, lon_deg=lon_deg))
    seen = [
        replace(o, id=f"{name}-{o.id}", mission_id=f"{name}-{o.mission_id}")
        for o in city.observations
    ]
    looks = [
        replace(k, id=f"{name}-{k.id}", mission_id=f"{name}-{k.mission_id}") for k in city.looks
    ]
    by_clock, busy = at_once(store, seen, looks)
    return {
        "city_per_s": round(len(seen) / by_clock),
        "city_per_processor_s": round(len(seen) / busy),
    }


def _ms(seconds: np.ndarray[Any, Any], quantile: float) -> float:
    return round(1e3 * float(np.quantile(seconds, quantile)), 2)


def main() -> None:
    """Make the database, or measure on it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("db", type=Path)
    parser.add_argument("--make", type=int, metavar="INCIDENTS")
    parser.add_argument("--alone", type=int, default=1000, help="associations one by one")
    args = parser.parse_args()
    if args.make:
        make(args.db, args.make)
    else:
        print(json.dumps(measured(args.db, args.alone), indent=1))


if __name__ == "__main__":
    main()
