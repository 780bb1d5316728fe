"""Every report says what a plain reckoning says, ticket by ticket, of any office."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from helpers.office_days import FIRST_DAY, HOUR, LAT, LON, Cells, fill, moved
from helpers.plain_report import plain_report
from patrolvision import reporting
from patrolvision.report.period import PeriodKind, period_of
from patrolvision.store import SqlStore, open_store
from patrolvision.store.areas import save_area
from patrolvision.store.crews import save_crew
from patrolvision.store.engine import writing
from patrolvision.store.schema import tickets as table
from patrolvision.tickets.categories import load_catalogue
from patrolvision.tickets.causes import load_causes
from patrolvision.tickets.workflow import Act, MoveError, parts_of
from patrolvision.types import GridCodes, Ticket, TicketEvent

CATALOGUE, CAUSES = load_catalogue(timezone="Asia/Shanghai"), load_causes()
LONG_AFTER = datetime(2027, 3, 1, tzinfo=UTC)
ACTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("urge", {"note": "please"}), ("escalate", {"data": {"level": 1}}),
    ("hand_over", {"assignee": "c-west", "note": "full"}), ("merge", {"into": "t-x"}),
    ("reject", {"cause": "solved_itself"}), ("reopen", {"note": "back", "due_at": None}),
    ("send_back", {"note": "still there"}), ("confirm", {}), ("verify", {}), ("close", {}),
)  # fmt: skip


def stirred(ticket: Ticket, rng: random.Random) -> Ticket:
    """The ticket after some more acts that its state allows."""
    at = ticket.history[-1].at
    for _ in range(rng.choice((0, 0, 1, 3, 6))):
        action, given = rng.choice(ACTS)
        at += rng.choice((0.0, 0.3, 9.0)) * HOUR
        if action == "reopen":
            given = {**given, "due_at": at + 7 * HOUR}
        try:
            ticket = moved(ticket, action, at, **given)
        except MoveError:
            continue
    return ticket


def of_old(ticket: Ticket) -> Ticket:
    """The ticket with a history that is older than acts and what they say."""
    plain = tuple(TicketEvent(e.at, e.state, e.actor) for e in ticket.history)
    return replace(ticket, history=plain, assignee="c-old", due_at=plain[0].at + 30 * HOUR)


def random_office(store: SqlStore, seed: int) -> None:
    """Days of an office in which everything happens that the table of moves allows."""
    rng = random.Random(seed)
    fill(store, days=4, a_day=30, seed=seed)
    changed: list[Ticket] = []
    for ticket in store.tickets():
        more = stirred(ticket, rng)
        if more.state in ("reported", "filed") and rng.random() < 0.3:
            act = Act("split", "Li", more.history[-1].at + HOUR, "admin", parts=2)
            changed += [replace(part, number=None) for part in parts_of(more, act)]
        changed.append(more)
    with store.transaction() as transaction:
        transaction.save_tickets(changed)
    _age(store, rng)
    for name, contractor in (("c-east", "A"), ("c-west", "A"), ("c-fire", None)):
        crew = {"name": name.upper(), "contractor": contractor}
        save_crew(store.engine, name, crew, "x", FIRST_DAY, is_new=True)
    save_area(store.engine, "grids", json.dumps(grids()), "x", FIRST_DAY)


def _age(store: SqlStore, rng: random.Random) -> None:
    """Some histories lose their acts, as they were once written; some rows their line."""
    old = [replace(of_old(t), id=f"{t.id}-old", incident_id=t.incident_id, parent=t.id, number=None)
           for t in store.tickets() if rng.random() < 0.2]  # fmt: skip
    with store.transaction() as transaction:
        transaction.save_tickets([replace(t, parent=t.id[:-4]) for t in old])
    without = [t.id for t in store.tickets() if rng.random() < 0.3]
    with writing(store.engine) as connection:
        connection.execute(update(table).where(table.c.id.in_(without)).values(life=None))


def grids() -> dict[str, Any]:
    """Unit cells of about 500 m around the office, in the codes of office_days.Cells."""
    features = []
    for row in range(17, 24):
        for column in range(17, 24):
            south, west = LAT - 0.1 + 0.005 * row, LON - 0.1 + 0.005 * column
            ring = [[west, south], [west + 0.005, south], [west + 0.005, south + 0.005],
                    [west, south + 0.005], [west, south]]  # fmt: skip
            code = Cells().codes_at(south + 0.0025, west + 0.0025).unit_grid
            features.append({
                "type": "Feature", "properties": {"layer": "unit", "code": code},
                "geometry": {"type": "Polygon", "coordinates": [ring]},
            })  # fmt: skip
    return {"type": "FeatureCollection", "features": features}


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    opened = open_store(url)
    yield opened
    opened.close()


PERIODS: tuple[tuple[PeriodKind, date, datetime], ...] = (
    ("day", date(2026, 5, 4), LONG_AFTER), ("day", date(2026, 5, 6), LONG_AFTER),
    ("day", date(2026, 5, 6), FIRST_DAY + 61.3 * HOUR), ("week", date(2026, 5, 6), LONG_AFTER),
    ("month", date(2026, 5, 6), FIRST_DAY + timedelta(days=3)),
    ("month", date(2026, 6, 6), LONG_AFTER),
    ("year", date(2026, 5, 6), LONG_AFTER), ("year", date(2027, 1, 1), LONG_AFTER),
)  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_report_of_a_random_office_says_what_a_plain_reckoning_says(
    store: SqlStore, seed: int
) -> None:
    random_office(store, seed)
    for kind, day, now in PERIODS:
        for covers in (None, in_the_first_district):
            made = reporting.report_of(
                store, CATALOGUE, kind, day, now, causes=CAUSES, covers=covers, live=True
            )
            period = period_of(kind, day, CATALOGUE.timezone, now)
            plain = plain_report(store, CATALOGUE, period, CAUSES, covers)
            assert json.dumps({name: made[name] for name in plain}) == json.dumps(plain), kind


def in_the_first_district(codes: GridCodes) -> bool:
    return codes.responsible_grid == "R1"


def test_a_random_office_has_all_that_is_counted(store: SqlStore) -> None:
    random_office(store, 1)
    report = reporting.report_of(
        store, CATALOGUE, "year", date(2026, 5, 6), LONG_AFTER, causes=CAUSES
    )
    whole = report["rows"][0]
    assert not [name for name, value in whole.items() if value in (0, None) and name not in
                ("open_at_start",)]  # fmt: skip
    assert {row["kind"] for row in report["rows"]} == {
        "all", "category", "unit_grid", "responsible_grid", "segment", "crew", "contractor",
    }  # fmt: skip
    assert report["hot_spots"]
