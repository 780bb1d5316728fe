"""How many tickets stand where, for every zoom of the map, without counting a million of them.

ticket_tiles holds the sums, ticket_deltas what was written since the last fold; a reader adds the
two, so the figures are right at every instant. One process at a time folds.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from sqlalchemy import (
    Connection,
    Engine,
    bindparam,
    delete,
    func,
    literal_column,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite

from patrolvision.store import quads, ranged, rows, straight
from patrolvision.store.engine import writing
from patrolvision.store.map_tables import ticket_deltas, ticket_tiles

DEEPEST = 17  # zoom of the smallest tiles that are summed, some 300 m wide
LEVELS = (0, *range(3, DEEPEST + 1))
BATCH = 50_000
FOLD_LOCK = 0x7061_7472_7469
KINDS = ("category", "state", "priority")
MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Kinds:
    """Which tickets count; an empty tuple asks for nothing."""

    category: tuple[str, ...] = ()
    state: tuple[str, ...] = ()
    priority: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cluster:
    """The tickets of one tile: how many, and their mean place."""

    key: int
    count: int
    lat_deg: float
    lon_deg: float


def waiting(connection: Connection) -> int:
    """How many changes are not folded yet."""
    return int(connection.execute(select(func.count()).select_from(ticket_deltas)).scalar_one())


def fold(engine: Engine, *, batch: int = BATCH) -> int:
    """Add waiting changes to the sums; how many. 0 as well while another process is at it."""
    with writing(engine) as connection:
        if engine.name == "postgresql":
            lock = text("SELECT pg_try_advisory_xact_lock(:key)")
            if not connection.execute(lock, {"key": FOLD_LOCK}).scalar():
                return 0
        oldest = select(ticket_deltas.c.position).order_by(ticket_deltas.c.position).limit(batch)
        taken = delete(ticket_deltas).where(ticket_deltas.c.position.in_(oldest))
        found = connection.execute(taken.returning(ticket_deltas)).mappings().all()
        if sums := _summed(found):
            connection.execute(_adding(engine.name), sums)
        return len(found)


def _adding(dialect: str) -> Any:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement: Any = insert(ticket_tiles)
    new = statement.excluded
    added = {name: ticket_tiles.c[name] + new[name] for name in ("count", "lat_e6", "lon_e6")}
    return statement.on_conflict_do_update(index_elements=["key", *KINDS], set_=added)


def _summed(found: Sequence[rows.Stored]) -> list[rows.Row]:
    """Rows to add to ticket_tiles, of every level, by key."""
    if not found:
        return []
    kinds = sorted({tuple(row[name] for name in KINDS) for row in found})
    code_of = {kind: code for code, kind in enumerate(kinds)}
    kind = np.array([code_of[tuple(row[name] for name in KINDS)] for row in found])
    quad = np.array([row["quad"] for row in found], np.int64)
    change = np.array([row["change"] for row in found], np.int64)
    place = np.array([(row["lat_deg"], row["lon_deg"]) for row in found])
    columns = np.column_stack([change, change[:, None] * np.round(place * MICRO).astype(np.int64)])
    result: list[rows.Row] = []
    for level in LEVELS:
        key = (1 << 2 * level) | (quad >> 2 * (quads.ZOOM - level))
        result += _level_rows(np.column_stack([key, kind]), columns, kinds)
    return result


def _level_rows(groups: Any, columns: Any, kinds: Sequence[tuple[str, ...]]) -> Iterable[rows.Row]:
    order = np.lexsort((groups[:, 1], groups[:, 0]))
    groups, columns = groups[order], columns[order]
    is_first = np.r_[True, (groups[1:] != groups[:-1]).any(axis=1)]
    sums = np.add.reduceat(columns, np.flatnonzero(is_first), axis=0)
    for (key, kind), (count, lat, lon) in zip(
        groups[is_first].tolist(), sums.tolist(), strict=True
    ):
        if count or lat or lon:
            named = dict(zip(KINDS, kinds[kind], strict=True))
            yield {"key": key, **named, "count": count, "lat_e6": lat, "lon_e6": lon}


def totals(connection: Connection) -> dict[tuple[str, str, str], int]:
    """(category, state, priority) -> how many tickets there are."""
    counts: dict[tuple[str, str, str], int] = {}
    for statement in _totals():
        for category, state, priority, count in straight.fetched(connection, statement, {}):
            kind = (category, state, priority)
            counts[kind] = counts.get(kind, 0) + int(count)
    return {kind: count for kind, count in counts.items() if count}


@lru_cache(maxsize=1)
def _totals() -> tuple[Any, Any]:
    """Of what is folded, and of what is not."""
    tile, delta = ticket_tiles.c, ticket_deltas.c
    folded = select(*(tile[name] for name in KINDS), tile["count"])
    kinds = [delta[name] for name in KINDS]
    return (
        folded.where(tile.key == literal_column(str(quads.key_of(0, 0)))),
        select(*kinds, func.sum(delta.change)).group_by(*kinds),
    )


def clusters(
    connection: Connection, ranges: Sequence[quads.Range], zoom: int, kinds: Kinds
) -> list[Cluster]:
    """The tiles of a zoom that hold tickets, within ranges of places, by key.

    Zooms that are not summed are answered with the tiles of the next one above that is.
    """
    zoom = max(level for level in LEVELS if level <= zoom)
    ranges = quads.joined([_whole(quad_range, zoom) for quad_range in ranges])
    sums: dict[int, list[int]] = {}
    engine = connection.dialect.name
    keys = ranged.parameters([quads.keys_in(one, zoom) for one in ranges], engine)
    for key, n, lat, lon in straight.fetched(connection, _folded(kinds, engine), keys):
        sums[key] = [int(n), int(lat), int(lon)]
    for quad, *_, change, lat_deg, lon_deg in _unfolded(connection, ranges, kinds):
        known = sums.setdefault(quads.key_of(quad, zoom), [0, 0, 0])
        known[0] += change
        known[1] += change * round(lat_deg * MICRO)
        known[2] += change * round(lon_deg * MICRO)
    return [
        Cluster(key, n, lat / n / MICRO, lon / n / MICRO)
        for key, (n, lat, lon) in sorted(sums.items())
        if n > 0
    ]


def counts_in(connection: Connection, box: quads.Bounds) -> dict[str, int]:
    """About how many tickets of each state stand in a box: those of every small tile it meets."""
    west, south, east, north = box
    wide = max((east - west) % 360.0, north - south, 1e-6)
    zoom = min(max(int(math.log2(360.0 / wide)) + 3, 3), DEEPEST)
    ranges = quads.joined([_whole(one, zoom) for one in quads.quads_covering(box)])
    counts: dict[str, int] = {}
    engine = connection.dialect.name
    keys = ranged.parameters([quads.keys_in(one, zoom) for one in ranges], engine)
    for state, count in straight.fetched(connection, _states_in(engine), keys):
        counts[state] = counts.get(state, 0) + int(count)
    for row in _unfolded(connection, ranges, Kinds()):
        counts[row[2]] = counts.get(row[2], 0) + row[5]
    return counts


@lru_cache(maxsize=2)
def _states_in(dialect: str) -> Any:
    within, tiles = ranged.rows_in(ticket_tiles, "key", dialect)
    counted = select(tiles.c.state, func.sum(tiles.c.count)).select_from(within)
    return counted.group_by(tiles.c.state)


def _whole(quad_range: quads.Range, zoom: int) -> quads.Range:
    """The range, widened to whole tiles."""
    first, last = quads.keys_in(quad_range, zoom)
    return quads.quads_under(first)[0], quads.quads_under(last)[1]


@lru_cache(maxsize=256)
def _folded(kinds: Kinds, dialect: str) -> Any:
    """Key, count and summed place of the tiles in ranges of keys."""
    within, tiles = ranged.rows_in(ticket_tiles, "key", dialect)
    sums = (func.sum(tiles.c[name]) for name in ("count", "lat_e6", "lon_e6"))
    of = [tiles.c[name].in_(values) for name, values in _asked(kinds).items() if values]
    return select(tiles.c.key, *sums).select_from(within).where(*of).group_by(tiles.c.key)


UNFOLDED = ("quad", "category", "state", "priority", "position", "change", "lat_deg", "lon_deg")


def _unfolded(connection: Connection, ranges: Sequence[quads.Range], kinds: Kinds) -> Iterable[Any]:
    """The columns UNFOLDED of the changes in ranges of places, of the kinds asked for."""
    if not ranges:
        return
    firsts, asked = [first for first, _ in ranges], list(_asked(kinds).values())
    bounds = {"first": ranges[0][0], "last": ranges[-1][1]}
    for row in straight.fetched(connection, _waiting(), bounds):
        place = bisect_right(firsts, row[0]) - 1
        is_of = all(not values or row[k + 1] in values for k, values in enumerate(asked))
        if place >= 0 and row[0] <= ranges[place][1] and is_of:
            yield row


@lru_cache(maxsize=1)
def _waiting() -> Any:
    columns = [ticket_deltas.c[name] for name in UNFOLDED]
    quad = ticket_deltas.c.quad
    return select(*columns).where(quad.between(bindparam("first", None), bindparam("last", None)))


def _asked(kinds: Kinds) -> dict[str, tuple[str, ...]]:
    return {name: getattr(kinds, name) for name in KINDS}
