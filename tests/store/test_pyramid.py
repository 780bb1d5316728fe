"""The sums of the map's tiles against counting, through any writes, folded or not."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from helpers.many_tickets import write
from patrolvision.store import SqlStore, open_store, pyramid, quads
from patrolvision.store.engine import reading, writing
from patrolvision.store.map_reads import shown
from patrolvision.store.pyramid import Kinds
from patrolvision.store.schema import ticket_events, tickets
from patrolvision.store.ticket_filters import TicketFilter

WORLD = [(0, (1 << 2 * quads.ZOOM) - 1)]
COUNT = 500


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    opened = open_store(url)
    with writing(opened.engine) as connection:
        write(connection, COUNT, seed=5)
    yield opened
    opened.close()


def counted(connection: Any, zoom: int, kinds: Kinds) -> Counter[int]:
    """key -> tickets, by looking at every one."""
    found: Counter[int] = Counter()
    for row in connection.execute(select(tickets)).mappings():
        wanted = (kinds.category, kinds.state, kinds.priority)
        has = (row["category"], row["state"], row["priority"])
        if all(not w or h in w for w, h in zip(wanted, has, strict=True)):
            found[quads.key_of(row["quad"], zoom)] += 1
    return found


def check(store: SqlStore) -> None:
    with reading(store.engine) as connection:
        for zoom in (0, 3, 9, 12, 17):
            for kinds in (
                Kinds(),
                Kinds(state=("closed", "filed")),
                Kinds(("litter",), ("closed",)),
            ):
                told = pyramid.clusters(connection, WORLD, zoom, kinds)
                assert {c.key: c.count for c in told} == counted(connection, zoom, kinds)
        assert sum(pyramid.totals(connection).values()) == sum(
            counted(connection, 0, Kinds()).values()
        )


def disturb(store: SqlStore, r: random.Random) -> None:
    """Move, change and delete some tickets."""
    with writing(store.engine) as connection:
        ids = list(connection.execute(select(tickets.c.id)).scalars())
        for one in r.sample(ids, 20):
            lat, lon = 22.84 + r.gauss(0, 0.1), 113.23 + r.gauss(0, 0.1)
            place = {"lat_deg": lat, "lon_deg": lon, "quad": quads.quad_of(lat, lon)}
            change = r.choice(({"state": "filed"}, {"priority": "urgent"}, place, {"level": 1}))
            connection.execute(update(tickets).where(tickets.c.id == one).values(**change))
        for one in r.sample(ids, 3):
            connection.execute(delete(ticket_events).where(ticket_events.c.ticket_id == one))
            connection.execute(delete(tickets).where(tickets.c.id == one))


def test_tiles_count_right_whatever_is_written_and_however_much_is_folded(store: SqlStore) -> None:
    r = random.Random(1)
    check(store)
    assert pyramid.fold(store.engine) == COUNT
    check(store)
    for batch in (7, 1000):
        disturb(store, r)
        check(store)
        assert pyramid.fold(store.engine, batch=batch) > 0
        check(store)


def test_a_cluster_stands_at_the_mean_of_its_tickets(store: SqlStore) -> None:
    pyramid.fold(store.engine)
    with reading(store.engine) as connection:
        rows = connection.execute(select(tickets.c.lat_deg, tickets.c.lon_deg)).all()
        (whole,) = pyramid.clusters(connection, WORLD, 0, Kinds())
    assert whole.count == len(rows)
    assert whole.lat_deg == pytest.approx(sum(r.lat_deg for r in rows) / len(rows), abs=1e-6)
    assert whole.lon_deg == pytest.approx(sum(r.lon_deg for r in rows) / len(rows), abs=1e-6)


@pytest.mark.parametrize(
    "wanted",
    [
        TicketFilter(),
        TicketFilter(state=("closed",)),
        TicketFilter(assignee="crew-007"),
        TicketFilter(areas=("R1128",)),
    ],
    ids=["all", "summed", "read one by one", "areas"],
)
def test_what_a_window_shows_adds_up_to_the_tickets_in_it(
    store: SqlStore, wanted: TicketFilter
) -> None:
    with reading(store.engine) as connection:
        rows = connection.execute(select(tickets)).mappings().all()
        for zoom in (3, 10, 14, 17, 20):
            found = shown(connection, WORLD, zoom, wanted)
            total = sum(c.count for c in found.clusters) + len(found.singles)
            expected = [
                row
                for row in rows
                if (not wanted.state or row["state"] in wanted.state)
                and (wanted.assignee is None or row["assignee"] == wanted.assignee)
                and (not wanted.areas or row["responsible_grid"].startswith("R1128"))
            ]
            assert total == len(expected)
            assert all(c.count > 1 for c in found.clusters) or len(found.singles) >= 100


def test_two_folders_at_once_fold_each_change_once(store: SqlStore) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as pool:
        folded = list(pool.map(lambda _: pyramid.fold(store.engine, batch=50), range(20)))
    while pyramid.fold(store.engine):
        pass
    assert sum(folded) <= COUNT
    check(store)
