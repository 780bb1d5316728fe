"""What the map shows of a window: clusters from the sums of tiles, single tickets where few stand.

A filter beyond category, state and priority is not summed: then at most COUNTED tickets that pass
it are read and put together here, the newest first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Integer, bindparam, select

from patrolvision.store import pyramid, quads, ranged, rows, sql, straight
from patrolvision.store.pages import RowFilter, page_of
from patrolvision.store.pyramid import Cluster, Kinds
from patrolvision.store.quads import Range
from patrolvision.store.schema import looks, tickets
from patrolvision.store.ticket_filters import TicketFilter, sifting
from patrolvision.store.ticket_pages import page

SINGLES = 200  # as few tickets as this are shown one by one, at any zoom
ALONE = 100  # clusters of one that are shown as the ticket that they are
COUNTED = 10_000
FINER = 3  # zooms between a tile of the map and the clusters in it: 64 clusters in a tile
SHOWN = (
    "id", "number", "category", "state", "priority", "lat_deg", "lon_deg", "assignee", "quad",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shown:
    """What a window shows: clusters of several, and the rows (SHOWN) of single tickets."""

    clusters: Sequence[Cluster]
    singles: Sequence[rows.Stored]


def shown(
    connection: Connection, ranges: Sequence[Range], zoom: int, wanted: TicketFilter
) -> Shown:
    """The tickets of ranges of places, for clusters as small as tiles of a zoom.

    The box of the filter is not looked at: the ranges are the window.
    """
    kinds = Kinds(wanted.category, wanted.state, wanted.priority)
    if not _is_summed(wanted):
        return _counted_here(connection, ranges, zoom, wanted)
    if zoom > pyramid.DEEPEST:
        found = _singles(connection, ranges, kinds, COUNTED)
        return _together(found, zoom) if len(found) > 10 * SINGLES else Shown((), found)
    summed = pyramid.clusters(connection, ranges, zoom, kinds)
    if sum(cluster.count for cluster in summed) <= SINGLES:
        return Shown((), _singles(connection, ranges, kinds, COUNTED))
    alone = [quads.quads_under(cluster.key) for cluster in summed if cluster.count == 1][:ALONE]
    singles = _singles(connection, alone, kinds, 2 * ALONE) if alone else []
    resolved = {quads.key_of(row["quad"], zoom) for row in singles}
    return Shown([c for c in summed if c.count > 1 or c.key not in resolved], singles)


def _is_summed(wanted: TicketFilter) -> bool:
    others = (
        wanted.holds, wanted.since, wanted.until, wanted.assignee, wanted.unit_grid,
        wanted.responsible_grid, wanted.segment, wanted.text, wanted.due_before,
    )  # fmt: skip
    return not wanted.areas and all(value is None for value in others)


def _singles(
    connection: Connection, ranges: Sequence[Range], kinds: Kinds, most: int
) -> list[rows.Stored]:
    engine = connection.dialect.name
    asked = ranged.parameters(ranges, engine) | {"most": most}
    found = straight.fetched(connection, _in_ranges(kinds, engine), asked)
    return [dict(zip(SHOWN, row, strict=True)) for row in found]


@lru_cache(maxsize=256)
def _in_ranges(kinds: Kinds, dialect: str) -> Any:
    """The columns SHOWN, all of which stand in the index of places."""
    wanted = TicketFilter(category=kinds.category, state=kinds.state, priority=kinds.priority)
    chosen = select(*(tickets.c[name] for name in SHOWN)).where(*sifting(wanted))
    if dialect == "postgresql":
        within, found = ranged.looked_up(chosen, tickets.c.quad)
        statement = select(found).select_from(within)
    else:
        within, _ = ranged.rows_in(tickets, "quad", dialect)
        statement = chosen.select_from(within)
    return statement.limit(bindparam("most", None, type_=Integer))


def _counted_here(
    connection: Connection, ranges: Sequence[Range], zoom: int, wanted: TicketFilter
) -> Shown:
    ids = page(connection, wanted, "newest", COUNTED).ids
    columns = [tickets.c[name] for name in SHOWN]
    found: list[rows.Stored] = []
    for start in range(0, len(ids), sql.CHUNK):
        chosen = select(*columns).where(tickets.c.id.in_(ids[start : start + sql.CHUNK]))
        some = connection.execute(chosen).mappings()
        found += [row for row in some if any(a <= row["quad"] <= b for a, b in ranges)]
    return Shown((), found) if len(found) <= SINGLES else _together(found, zoom)


def _together(found: Sequence[rows.Stored], zoom: int) -> Shown:
    """Rows put together by the tile of a zoom in which they lie."""
    tiles: dict[int, list[rows.Stored]] = {}
    for row in found:
        tiles.setdefault(quads.key_of(row["quad"], min(zoom, quads.ZOOM)), []).append(row)
    clusters = [
        Cluster(
            key,
            len(some),
            sum(row["lat_deg"] for row in some) / len(some),
            sum(row["lon_deg"] for row in some) / len(some),
        )
        for key, some in sorted(tiles.items())
        if len(some) > 1
    ]
    return Shown(clusters, [some[0] for some in tiles.values() if len(some) == 1])


def looks_in(connection: Connection, wanted: RowFilter, most: int) -> list[rows.Stored]:
    """The newest looks that the filter lets through, such as those that may reach into a box."""
    found, _ = page_of(connection, looks, wanted, limit=most)
    return found
