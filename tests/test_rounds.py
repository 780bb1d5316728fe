"""The office's rounds on a real store: who climbs, who is sent, and that twice is once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from helpers.command_line import in_process
from helpers.office_days import FIRST_DAY, HOUR, incident_at, moved, new_ticket, save
from patrolvision import rounds
from patrolvision.config import OfficeSettings
from patrolvision.desk import perform
from patrolvision.store import SqlStore, open_store
from patrolvision.store.crews import StoredPosition, save_crew, save_position
from patrolvision.store.map_tables import ticket_changes
from patrolvision.tickets.workflow import Act
from patrolvision.types import Ticket
from patrolvision.wiring import office_rules

SETTINGS = OfficeSettings(timezone="Asia/Shanghai")
NOON = FIRST_DAY + 12 * HOUR  # of a holiday: no office works until the day after the next
RULES = office_rules(SETTINGS)


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    opened = open_store(url)
    yield opened
    opened.close()


def keep(store: SqlStore, count: int, *, due_at: datetime | None = None) -> list[Ticket]:
    made = [incident_at(f"i{k:02}", NOON, 60.0 * k, 0.0) for k in range(count)]
    tickets = [moved(new_ticket(i), "file", NOON, due_at=due_at) for _, i in made]
    save(store, [o for o, _ in made], [i for _, i in made], tickets)
    return tickets


def crew(store: SqlStore, name: str, **other: object) -> None:
    content = {"name": name, "skills": ["cleaning"], "areas": [], "duty": "24/7", **other}
    save_crew(store.engine, name, content, "x", NOON, is_new=True)


def by_id(store: SqlStore) -> dict[str, Ticket]:
    return {ticket.id: ticket for ticket in store.tickets()}


def test_an_overdue_ticket_is_raised_once_and_the_outbox_hears_of_it(store: SqlStore) -> None:
    (late,) = keep(store, 1, due_at=NOON + HOUR)
    back_to_work = FIRST_DAY + timedelta(days=2, hours=9)  # 6 May, 09:00
    times = (NOON, NOON + 2 * HOUR, NOON + 3 * HOUR, back_to_work + 30 * HOUR)
    levels = [
        (rounds.one_round(store, SETTINGS, at).escalated, by_id(store)[late.id].level)
        for at in times
    ]
    assert levels == [(0, 0), (1, 1), (0, 1), (1, 2)]
    history = by_id(store)[late.id].history
    assert [e.note for e in history if e.action == "escalate"] == [
        "overdue: Town 镇街", "overdue: District 区",
    ]  # fmt: skip
    told = [m.payload["event"]["action"] for m in store.messages()]
    assert told == ["escalate", "escalate"]


def test_crews_are_sent_within_the_budget_nearest_first_and_the_rest_waits(store: SqlStore) -> None:
    tickets = keep(store, 30)
    crew(store, "far")
    crew(store, "near")
    crew(store, "off", duty="Mo-Fr 03:00-04:00")
    for name, north_m in (("far", 5000.0), ("near", 10.0), ("off", 0.0)):
        save_position(store.engine, StoredPosition(name, NOON, 22.84 + north_m / 110_750, 113.23))
    areas = {ticket.grid.responsible_grid for ticket in tickets}
    done = rounds.one_round(store, SETTINGS, NOON, send=True)
    sent = [ticket for ticket in store.tickets() if ticket.state == "dispatched"]
    assert {t.assignee for t in sent} == {"near"}
    assert done.dispatched == len(sent) == min(30, 20 * len(areas))
    assert done.dispatched + done.held_back == 30
    distances = [t.history[-1].data["distance_m"] for t in sent]
    assert min(distances) == 10


def test_nobody_is_sent_without_a_fitting_crew_and_urgent_ones_pass_a_full_budget(
    store: SqlStore,
) -> None:
    tickets = keep(store, 25)
    assert rounds.one_round(store, SETTINGS, NOON, send=True) == rounds.Round(held_back=25)
    crew(store, "c")
    urgent = [replace(t, priority="urgent") for t in tickets[-5:]]
    with store.transaction() as transaction:
        transaction.save_tickets(urgent)
    rounds.one_round(store, SETTINGS, NOON, send=True)
    now = by_id(store)
    assert all(now[t.id].state == "dispatched" for t in urgent)


def test_a_deadline_is_set_at_filing_and_kept_in_the_history(store: SqlStore) -> None:
    made = incident_at("i", NOON, 0.0, 0.0)
    save(store, [made[0]], [made[1]], [new_ticket(made[1])])
    act = Act("file", "li", NOON, "dispatcher")
    filed = perform(store, RULES, new_ticket(made[1]).id, act)
    assert filed is not None
    assert filed.due_at == FIRST_DAY + timedelta(days=3, hours=9.5)  # 7 May, 09:30
    assert datetime.fromisoformat(filed.history[-1].data["due_at"]) == filed.due_at


def test_news_of_tickets_is_kept_for_a_week_and_the_newest_always(store: SqlStore) -> None:
    keep(store, 3)
    told = select(func.count()).select_from(ticket_changes)

    def news() -> int:
        with store.engine.connect() as connection:
            return int(connection.execute(told).scalar_one())

    before, now = news(), datetime.now(UTC)
    assert before >= 3
    rounds.one_round(store, SETTINGS, now)
    assert news() == before
    rounds.one_round(store, SETTINGS, now + timedelta(days=8))
    assert news() == 1


def test_the_command_makes_a_round_and_says_what_it_did(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path}/p.db"
    opened = open_store(url)
    keep(opened, 2, due_at=NOON + HOUR)
    crew(opened, "c")
    opened.close()
    done = in_process(capsys, "office", "tick", "--db", url, "--dispatch", "--json")
    assert done.rc == 0, done.err
    assert done.summary == {"escalated": 2, "dispatched": 2, "held_back": 0}
    again = in_process(capsys, "office", "tick", "--db", url, "--dispatch")
    assert again.out == "0 escalated, 0 dispatched, 0 held back\n"


def test_the_server_makes_its_rounds_beside_its_work(store: SqlStore) -> None:
    (late,) = keep(store, 1, due_at=NOON + HOUR)
    ended = time.monotonic() + 20.0
    with rounds.background(store, SETTINGS, every_s=0.05, clock=lambda: NOON + 2 * HOUR):
        while by_id(store)[late.id].level == 0 and time.monotonic() < ended:
            time.sleep(0.05)
    assert by_id(store)[late.id].level == 1
