"""How fast the office's API answers with a million tickets, and how fast it takes observations.

    python benchmarks/api.py [--tickets 1000000] [--engine sqlite|postgresql] [--clients 50]
                             [--seconds 15] [--workers N] [--keep FOLDER]

Without --pause every client asks again as soon as it is answered. Server and clients share
this machine. PostgreSQL is a cluster of its own on loopback (tests/helpers), thrown away after.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import socket
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from helpers.databases import private_cluster
from helpers.many_tickets import CATEGORIES, PATH
from patrolvision.api import credentials
from patrolvision.config import OfficeSettings
from patrolvision.store import open_store, pyramid
from patrolvision.store.accounts import ApiKey, SqlAccounts
from patrolvision.store.near import cell_of
from patrolvision.store.quads import quad_of, tile_at
from patrolvision.store.schema import micros_of

FORK = multiprocessing.get_context("fork")
PAUSE_S = 0.0  # between an answer and the next question, on average; --pause
LAT, LON, SPREAD = 22.84, 113.23, 0.12  # one sigma: a city of some 50 km
BEGIN = datetime(2025, 11, 1, tzinfo=UTC)
SPAN_S = 365 * 86_400
TABLES: dict[str, tuple[str, ...]] = {
    "incidents": (
        "id", "category", "kind", "status", "class_name", "cell", "lat_deg", "lon_deg",
        "cov_ee_m2", "cov_en_m2", "cov_nn_m2", "first_seen", "last_seen", "observation_ids",
        "mission_ids", "score", "priority", "evidence",
    ),
    "tickets": (
        "id", "incident_id", "category", "state", "priority", "cell", "lat_deg", "lon_deg",
        "cov_ee_m2", "cov_en_m2", "cov_nn_m2", "unit_grid", "responsible_grid", "segment",
        "assignee", "due_at", "opened_at", "quad", "number", "level", "urged", "version",
    ),
    "ticket_events": (
        "ticket_id", "position", "at", "state", "actor", "note", "action", "data",
    ),
}  # fmt: skip
Rows = dict[str, list[tuple[Any, ...]]]


def made(count: int, seed: int = 1, chunk: int = 50_000) -> Iterator[Rows]:
    """A year of a city's tickets, nine of ten of them over, in chunks."""
    r = np.random.default_rng(seed)
    first, step = micros_of(BEGIN), SPAN_S * 1_000_000 // count
    for start in range(0, count, chunk):
        n = min(chunk, count - start)
        lat, lon = LAT + r.normal(0, SPREAD, n), LON + r.normal(0, SPREAD, n)
        category = r.choice(3, n, p=(0.7, 0.28, 0.02))
        step_of = r.choice(8, n, p=(0.02, 0.01, 0.02, 0.02, 0.02, 0.01, 0.82, 0.08))
        high, hours = r.random(n) < 0.1, r.uniform(2, 72, n)
        rows: Rows = {name: [] for name in TABLES}
        for k in range(n):
            number = start + k
            _add(
                rows, number, first + number * step, float(lat[k]), float(lon[k]),
                CATEGORIES[category[k]], int(step_of[k]), bool(high[k]), float(hours[k]),
            )  # fmt: skip
        yield rows


def _add(
    rows: Rows, number: int, at: int, lat: float, lon: float, category: str, step: int,
    is_high: bool, hours: float,
) -> None:  # fmt: skip
    path = PATH[: step + 1] if step < 7 else ("reported", "rejected")
    state, over = path[-1], path[-1] in ("closed", "rejected")
    priority = "urgent" if category == "open_fire" else "high" if is_high else "normal"
    place = (cell_of(lat, lon), lat, lon, 2.0, 0.1, 1.5)
    one, incident = f"t-{number:08d}", f"i-{number:08d}"
    rows["incidents"].append((
        incident, category, "enforce", "removed" if over else "existing", "litter", *place, at,
        at + 300_000_000, f'["o-{number}-1","o-{number}-2"]', f'["m-{number // 50}"]', 0.8,
        priority, "{}",
    ))  # fmt: skip
    has_crew = len(path) > 2
    unit = f"U{int((lat - LAT + 1) * 500):04d}{int((lon - LON + 1) * 500):04d}"
    rows["tickets"].append((
        one, incident, category, state, priority, *place, unit, f"R{unit[1:4]}{unit[5:8]}",
        f"S{number * 7919 % 4784:04d}", f"crew-{number % 200:03d}" if has_crew else None,
        at + int(hours * 3.6e9) if len(path) > 1 else None, at, quad_of(lat, lon),
        f"2026-{number:07d}" if has_crew else None, 0, 0, len(path),
    ))  # fmt: skip
    for position, name in enumerate(path):
        rows["ticket_events"].append((
            one, position, at + position * 3_600_000_000, name,
            "desk" if position else "patrolvision", "", "", "{}",
        ))  # fmt: skip


def fill(url: str, count: int) -> None:
    """The tables, filled without the triggers; the map's sums are made afterwards."""
    store = open_store(url)
    with closing(store):
        (_fill_sqlite if store.engine.name == "sqlite" else _fill_postgresql)(store, count)
        with store.engine.begin() as connection:
            columns = "quad, category, state, priority, lat_deg, lon_deg"
            connection.exec_driver_sql(
                f"INSERT INTO ticket_deltas ({columns}, change) SELECT {columns}, 1 FROM tickets"
            )
        while pyramid.fold(store.engine, batch=250_000):
            pass


def _fill_sqlite(store: Any, count: int) -> None:
    with closing(sqlite3.connect(store.engine.url.database)) as raw:
        raw.execute("PRAGMA synchronous = OFF")
        raw.execute("PRAGMA cache_size = -1000000")
        names = ("trigger", "index")
        made_of = "SELECT type, name, sql FROM sqlite_master WHERE type IN (?, ?) AND sql NOT NULL"
        dropped = raw.execute(made_of, names).fetchall()
        for kind, name, _ in dropped:
            raw.execute(f"DROP {kind} {name}")
        for rows in made(count):
            for table, columns in TABLES.items():
                marks = ", ".join("?" * len(columns))
                words = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"
                raw.executemany(words, rows[table])
            raw.commit()
        for _, _, words in sorted(dropped):
            raw.execute(words)
        raw.execute("ANALYZE")
        raw.commit()


def _fill_postgresql(store: Any, count: int) -> None:
    alone = store.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    with alone as connection:
        for name, value in (("fsync", "off"), ("max_wal_size", "8GB"), ("work_mem", "64MB")):
            connection.exec_driver_sql(f"ALTER SYSTEM SET {name} = '{value}'")
        connection.exec_driver_sql("SELECT pg_reload_conf()")
    with store.engine.begin() as connection:
        raw = connection.connection.driver_connection
        names = ", ".join(f"'{table}'" for table in TABLES)
        made_of = f"""SELECT indexname, indexdef FROM pg_indexes
            WHERE tablename IN ({names}) AND indexname LIKE 'ix_%%'"""
        dropped = connection.exec_driver_sql(made_of).all()
        for name, _ in dropped:
            connection.exec_driver_sql(f"DROP INDEX {name}")
        for table in TABLES:  # ours, and those that look up foreign keys
            connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        for rows in made(count):
            for table, columns in TABLES.items():
                with raw.cursor() as cursor:
                    words = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
                    with cursor.copy(words) as copy:
                        for row in rows[table]:
                            copy.write_row(row)
        for table in TABLES:
            connection.exec_driver_sql(f"ALTER TABLE {table} ENABLE TRIGGER ALL")
        for _, words in dropped:
            connection.exec_driver_sql(words)
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")


def _serve(url: str, listening: socket.socket) -> None:
    import uvicorn

    from patrolvision.api.app import create_app

    settings = OfficeSettings(requests_per_minute=0, open_reading=True)
    app = create_app(open_store(url), settings)
    config = uvicorn.Config(app, log_level="critical", access_log=False)
    uvicorn.Server(config).run(sockets=[listening])


@contextmanager
def serving(url: str, workers: int) -> Iterator[tuple[int, Callable[[], float]]]:
    """A port on which so many workers answer, and what CPU seconds they have used so far."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(256)
        processes = [FORK.Process(target=_serve, args=(url, listening)) for _ in range(workers)]
        for process in processes:
            process.start()
        try:
            pids = [process.pid for process in processes]
            yield listening.getsockname()[1], lambda: sum(_cpu_s(pid) for pid in pids)
        finally:
            for process in processes:
                process.terminate()
                process.join(10)
                process.kill()


def _cpu_s(pid: int | None) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Client:
    """One keep-alive connection: as little work as a client can make."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Status and body of one request."""
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line[15:])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length:")
        )
        return int(head[9:12]), await self._reader.readexactly(length)


def get(path: str) -> bytes:
    """A request without a body."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def post(path: str, content: bytes, key: str) -> bytes:
    """A request with JSON."""
    lines = (
        f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {key}",
        "Content-Type: application/json", f"Content-Length: {len(content)}", "", "",
    )  # fmt: skip
    return "\r\n".join(lines).encode() + content


async def _load(
    port: int, clients: int, seconds: float, requests: Callable[[random.Random], bytes], tag: int
) -> list[float]:
    took: list[float] = []
    ends_at = time.perf_counter() + seconds

    async def one(number: int) -> None:
        client, r = Client(port), random.Random(f"{tag}-{number}")
        await asyncio.sleep(PAUSE_S * r.random())  # nobody begins with everybody
        while (begun := time.perf_counter()) < ends_at:
            status, body = await client.ask(requests(r))
            if status != 200:
                raise SystemExit(f"answered {status}: {body[:300]!r}")
            took.append(time.perf_counter() - begun)
            await asyncio.sleep(PAUSE_S * r.uniform(0.5, 1.5))

    await asyncio.gather(*(one(number) for number in range(clients)))
    return took


def measured(
    port: int,
    clients: int,
    seconds: float,
    requests: Callable[[random.Random], bytes],
    tag: int = 0,
) -> dict[str, float]:
    """Requests a second and percentiles in ms."""
    took = asyncio.run(_load(port, clients, seconds, requests, tag))
    cuts = statistics.quantiles(took, n=100)
    rate = len(took) / seconds
    return {
        "per_s": round(rate, 1),
        **{f"p{p}_ms": round(1e3 * cuts[p - 1], 1) for p in (50, 95, 99)},
    }


def a_list(r: random.Random) -> bytes:
    """A page of a list in one of its orders, some way down."""
    sort = r.choice(("newest", "newest", "due", "priority", "oldest"))
    until = (
        (BEGIN + timedelta(seconds=r.uniform(0.1, 1.0) * SPAN_S)).isoformat().replace("+", "%2B")
    )
    return get(
        f"/api/v1/tickets?sort={sort}&limit=50" + (f"&until={until}" if sort == "newest" else "")
    )


def a_filter(r: random.Random) -> bytes:
    """A page of what a desk looks for."""
    lat, lon, half = r.gauss(LAT, 0.08), r.gauss(LON, 0.08), r.choice((0.002, 0.01, 0.05))
    box = f"bbox={lon - half:.5f},{lat - half:.5f},{lon + half:.5f},{lat + half:.5f}"
    asked = r.choice((
        box, f"{box}&closed=false", f"{box}&category=litter&state=closed", "closed=false",
        "state=dispatched&state=handling&category=illegal_parking", "overdue=true",
        f"assignee=crew-{r.randrange(200):03d}&closed=false", f"segment=S{r.randrange(4784):04d}",
        f"text=2026-00{r.randrange(10_000):04d}", "priority=urgent&closed=false&sort=due",
    ))  # fmt: skip
    return get(f"/api/v1/tickets?{asked}&limit=50")


def a_tile(r: random.Random) -> bytes:
    """A tile of the map at some zoom, with or without a filter."""
    zoom = r.randint(6, 17)
    z, x, y = tile_at(r.gauss(LAT, 0.08), r.gauss(LON, 0.08), zoom)
    asked = r.choice(("", "", "?closed=false", "?category=litter&closed=false", "?priority=high"))
    return get(f"/api/v1/tiles/tickets/{z}/{x}/{y}.mvt{asked}")


def observations(batch: int, key: str) -> Callable[[random.Random], bytes]:
    """Posts of so many observations of a car's drive through the city."""
    run = os.urandom(4).hex()
    counter = iter(range(1 << 60))

    def request(r: random.Random) -> bytes:
        lat, lon = r.gauss(LAT, SPREAD), r.gauss(LON, SPREAD)
        number = next(counter)
        at = datetime.now(UTC) - timedelta(minutes=10)
        drive = [
            {
                "id": f"{run}-{number}-{k}", "mission_id": f"{run}-{number % 50}",
                "stream_id": "car1", "class": "litter",
                "first_seen": (at + timedelta(seconds=k)).isoformat(),
                "last_seen": (at + timedelta(seconds=k + 2)).isoformat(),
                "lat_deg": lat + 0.00012 * k, "lon_deg": lon,
                "cov_en_m2": [[2.0, 0.0], [0.0, 2.0]], "confidence": 0.8, "frames": 9,
            }
            for k in range(batch)
        ]  # fmt: skip
        return post(
            "/api/v1/observations", json.dumps(drive if batch > 1 else drive[0]).encode(), key
        )

    return request


def device_key(url: str) -> str:
    """A device's key, as an admin would have made it."""
    key_id, key, secret_sha256 = credentials.new_key()
    scopes = ("observations:write",)
    made_key = ApiKey(key_id, "car", None, scopes, (), None, datetime.now(UTC), "benchmark")
    with closing(open_store(url)) as store:
        SqlAccounts(store.engine).add_key(made_key, secret_sha256)
    return key


def run(url: str, args: argparse.Namespace, workers: int) -> None:
    """Print the figures of one engine."""
    with serving(url, workers) as (port, cpu_s):

        def told(name: str, clients: int, requests: Callable[[random.Random], bytes]) -> None:
            begun = cpu_s()
            found = measured(port, clients, args.seconds, requests)
            found["cpu_ms_each"] = round(
                1e3 * (cpu_s() - begun) / (found["per_s"] * args.seconds), 1
            )
            print(f"{name}, {workers} workers, {clients} clients: {found}", flush=True)

        asyncio.run(_until_it_answers(port))
        for name, requests in {"list": a_list, "filter": a_filter, "tile": a_tile}.items():
            measured(port, args.clients, 3.0, requests, tag=1)  # warms the caches
            told(name, args.clients, requests)
        if args.posts:
            key = device_key(url)
            for batch, clients in ((1, 50), (20, 8), (200, 2)):
                told(f"posts of {batch} observations", clients, observations(batch, key))


async def _until_it_answers(port: int) -> None:
    for _ in range(100):
        try:
            if (await Client(port).ask(get("/healthz")))[0] == 200:
                return
        except OSError:
            await asyncio.sleep(0.2)
    raise SystemExit("the server does not answer")


@contextmanager
def database(engine: str, keep: Path | None) -> Iterator[str]:
    """The URL of an empty database of the engine, or of a kept SQLite file."""
    if engine == "postgresql":
        with private_cluster() as url:
            yield url
    elif keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield f"sqlite:///{keep / 'many.db'}"
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/many.db"


def main() -> None:
    """One engine, filled and measured."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tickets", type=int, default=1_000_000)
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--pause", type=float, default=0.0, metavar="S", help="thinking time")
    parser.add_argument("--posts", action="store_true", help="measure posts of observations too")
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="keep the SQLite file for next time"
    )
    args = parser.parse_args()
    global PAUSE_S
    PAUSE_S = args.pause
    with database(args.engine, args.keep) as url:
        is_kept = args.keep is not None and (args.keep / "many.db").exists()
        if not is_kept:
            begun = time.perf_counter()
            fill(url, args.tickets)
            print(f"{args.engine}: {args.tickets} tickets in {time.perf_counter() - begun:.0f} s")
        run(url, args, args.workers)


if __name__ == "__main__":
    main()
