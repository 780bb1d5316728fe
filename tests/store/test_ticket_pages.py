"""Pages of tickets against the same question asked in plain Python, on each engine."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from helpers.many_tickets import CATEGORIES, PRIORITIES, STATES, T0, numbered, write
from patrolvision.store import SqlStore, open_store, ticket_pages
from patrolvision.store.engine import reading, writing
from patrolvision.store.schema import tickets
from patrolvision.store.ticket_filters import NAMES, OPEN, TicketFilter
from patrolvision.store.ticket_pages import Page, Sort, page
from patrolvision.types.instants import micros_of

COUNT = 600
RANK = {"urgent": 0, "high": 1, "normal": 2}


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    opened = open_store(url)
    with writing(opened.engine) as connection:
        write(connection, COUNT, seed=3, share_over=0.5, step=timedelta(minutes=7))
    yield opened
    opened.close()


def passes(row: Any, wanted: TicketFilter) -> bool:
    """Whether a ticket is asked for, said without SQL."""
    lat, lon, opened = row["lat_deg"], row["lon_deg"], row["opened_at"]
    if wanted.box is not None:
        west, south, east, north = wanted.box
        if not (south <= lat <= north and west <= lon <= east):
            return False
    if wanted.holds is not None and not wanted.holds([lat], [lon])[0]:
        return False
    if wanted.since is not None and opened < wanted.since:
        return False
    if wanted.until is not None and opened >= wanted.until:
        return False
    for name in ("category", "state", "priority"):
        if getattr(wanted, name) and row[name] not in getattr(wanted, name):
            return False
    for name in ("assignee", "unit_grid", "responsible_grid", "segment"):
        if getattr(wanted, name) is not None and row[name] != getattr(wanted, name):
            return False
    codes = [row["unit_grid"], row["responsible_grid"]]
    if wanted.areas and not any(c.startswith(a) for c in codes if c for a in wanted.areas):
        return False
    if wanted.text is not None and not any((row[n] or "").startswith(wanted.text) for n in NAMES):
        return False
    if wanted.due_before is None:
        return True
    return row["state"] in OPEN and row["due_at"] is not None and row["due_at"] < wanted.due_before


def rank(row: Any, sort: Sort) -> Any:
    opened = micros_of(row["opened_at"])
    if sort == "due":
        due = row["due_at"]
        return (due is None, micros_of(due) if due else 0, row["id"])
    return (opened, row["id"])


def expected(rows: list[Any], wanted: TicketFilter, sort: Sort) -> list[str]:
    found = [row for row in rows if passes(row, wanted)]
    found.sort(key=lambda row: rank(row, sort), reverse=sort in ("newest", "priority"))
    if sort == "priority":
        found.sort(key=lambda row: RANK[row["priority"]])
    return [row["id"] for row in found]


def all_pages(connection: Any, wanted: TicketFilter, sort: Sort, limit: int) -> list[str]:
    ids: list[str] = []
    got: Page = page(connection, wanted, sort, limit)
    ids += got.ids
    while got.next is not None:
        got = page(connection, wanted, sort, limit, got.next)
        ids += got.ids
        assert len(got.ids) <= limit
    return ids


def drawn(r: random.Random) -> TicketFilter:
    """A question that somebody might ask."""
    wanted = TicketFilter()
    lat, lon = 22.84 + r.gauss(0, 0.1), 113.23 + r.gauss(0, 0.1)
    half = r.choice((0.01, 0.05, 0.2))
    since = T0 + timedelta(hours=r.uniform(0, 60))
    choices: dict[str, Any] = {
        "box": (lon - half, lat - half, lon + half, lat + half),
        "since": since,
        "until": since + timedelta(hours=r.uniform(1, 40)),
        "category": tuple(r.sample(CATEGORIES, r.randint(1, 2))),
        "state": tuple(r.sample(STATES, r.randint(1, 6))),
        "priority": tuple(r.sample(PRIORITIES, r.randint(1, 2))),
        "assignee": f"crew-{r.randrange(200):03d}",
        "segment": f"S{r.randrange(COUNT):04d}",
        "responsible_grid": "R11281132",
        "areas": tuple(r.sample(("R11281132", "U112", "R1129", "nowhere"), 2)),
        "text": r.choice(("t-000001", "crew-00", "2026-00001", "U1128", "nothing")),
        "due_before": T0 + timedelta(hours=r.uniform(0, 80)),
        "holds": lambda lats, lons: [a + b > 136.07 for a, b in zip(lats, lons, strict=True)],
    }
    for name in r.sample(sorted(choices), r.choice((0, 1, 1, 2, 2, 3))):
        wanted = replace(wanted, **{name: choices[name]})
    return wanted


@pytest.mark.parametrize("narrow", [0, 10_000], ids=["read in order", "led by a filter"])
def test_pages_hold_what_was_asked_for_in_its_order_and_once(
    store: SqlStore, narrow: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ticket_pages, "NARROW", narrow)
    r = random.Random(narrow)
    sorts: tuple[Sort, ...] = ("newest", "oldest", "due", "priority")
    with reading(store.engine) as connection:
        rows = list(numbered(connection))
        filled = 0
        for round_ in range(60):
            wanted, sort = drawn(r), sorts[round_ % 4]
            ids = all_pages(connection, wanted, sort, r.choice((7, 50, 200)))
            assert ids == expected(rows, wanted, sort), (wanted, sort)
            filled += bool(ids)
    assert filled > 30  # else the questions were about nothing


def test_a_ticket_that_comes_while_pages_are_turned_moves_no_other(store: SqlStore) -> None:
    with reading(store.engine) as connection:
        first = page(connection, TicketFilter(), "newest", 10)
        rows = list(numbered(connection))
    with writing(store.engine) as connection:
        newest = max(rows, key=lambda row: row["opened_at"])
        later = {**newest, "id": "t-later", "incident_id": "i-00000000", "number": None}
        later |= {"parent": newest["id"], "opened_at": newest["opened_at"] + timedelta(hours=1)}
        connection.execute(tickets.insert(), [later])
    with reading(store.engine) as connection:
        second = page(connection, TicketFilter(), "newest", 10, first.next)
    assert list(first.ids + second.ids) == expected(rows, TicketFilter(), "newest")[:20]
