"""A year of a city's office as rows: a million tickets with their incidents and histories."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import numpy as np

from helpers.many_tickets import CATEGORIES, PATH
from patrolvision.store import open_store, pyramid
from patrolvision.store.lives import kept_line
from patrolvision.store.near import cell_of
from patrolvision.store.quads import quad_of
from patrolvision.types.instants import instant_of, micros_of

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
        "life",
    ),
    "ticket_events": (
        "ticket_id", "position", "at", "state", "actor", "note", "action", "data",
    ),
}  # fmt: skip
Rows = dict[str, list[tuple[Any, ...]]]
Maker = Callable[[int], Iterator[Rows]]
Columns = Mapping[str, tuple[str, ...]]


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
        f"2026-{number:07d}" if has_crew else None, 0, 0, len(path), life_of(at, path),
    ))  # fmt: skip
    for position, name in enumerate(path):
        rows["ticket_events"].append((
            one, position, at + position * 3_600_000_000, name,
            "desk" if position else "patrolvision", "", "", "{}",
        ))  # fmt: skip


def life_of(at: int, path: Sequence[str]) -> str | None:
    """The line of a history of one step an hour."""
    told = ((at + k * 3_600_000_000, state) for k, state in enumerate(path))
    return kept_line((instant_of(us), state, "", {}) for us, state in told)


def fill(url: str, count: int, maker: Maker = made, tables: Columns = TABLES) -> None:
    """The tables, filled without the triggers; the map's sums are made afterwards."""
    store = open_store(url)
    with closing(store):
        engine = _fill_sqlite if store.engine.name == "sqlite" else _fill_postgresql
        engine(store, maker(count), tables)
        with store.engine.begin() as connection:
            columns = "quad, category, state, priority, lat_deg, lon_deg"
            connection.exec_driver_sql(
                f"INSERT INTO ticket_deltas ({columns}, change) SELECT {columns}, 1 FROM tickets"
            )
        while pyramid.fold(store.engine, batch=250_000):
            pass


def _fill_sqlite(store: Any, made_rows: Iterator[Rows], tables: Columns) -> None:
    with closing(sqlite3.connect(store.engine.url.database)) as raw:
        raw.execute("PRAGMA synchronous = OFF")
        raw.execute("PRAGMA cache_size = -1000000")
        names = ("trigger", "index")
        made_of = "SELECT type, name, sql FROM sqlite_master WHERE type IN (?, ?) AND sql NOT NULL"
        dropped = raw.execute(made_of, names).fetchall()
        for kind, name, _ in dropped:
            raw.execute(f"DROP {kind} {name}")
        for rows in made_rows:
            for table, columns in tables.items():
                marks = ", ".join("?" * len(columns))
                words = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"
                raw.executemany(words, rows[table])
            raw.commit()
        for _, _, words in sorted(dropped):
            raw.execute(words)
        raw.execute("ANALYZE")
        raw.commit()


def _fill_postgresql(store: Any, made_rows: Iterator[Rows], tables: Columns) -> None:
    alone = store.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    with alone as connection:
        for name, value in (("fsync", "off"), ("max_wal_size", "8GB"), ("work_mem", "64MB")):
            connection.exec_driver_sql(f"ALTER SYSTEM SET {name} = '{value}'")
        connection.exec_driver_sql("SELECT pg_reload_conf()")
    with store.engine.begin() as connection:
        raw = connection.connection.driver_connection
        names = ", ".join(f"'{table}'" for table in tables)
        made_of = f"""SELECT indexname, indexdef FROM pg_indexes
            WHERE tablename IN ({names}) AND indexname LIKE 'ix_%%'"""
        dropped = connection.exec_driver_sql(made_of).all()
        for name, _ in dropped:
            connection.exec_driver_sql(f"DROP INDEX {name}")
        for table in tables:  # ours, and those that look up foreign keys
            connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        for rows in made_rows:
            for table, columns in tables.items():
                with raw.cursor() as cursor:
                    words = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
                    with cursor.copy(words) as copy:
                        for row in rows[table]:
                            copy.write_row(row)
        for table in tables:
            connection.exec_driver_sql(f"ALTER TABLE {table} ENABLE TRIGGER ALL")
        for _, words in dropped:
            connection.exec_driver_sql(words)
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")
