"""One act, one transaction, on both engines: racers, failures half-way, and numbers."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import create_engine, text

from patrolvision.desk import Rules, judge, perform
from patrolvision.pipeline import Judged, settle
from patrolvision.rules.rulebook import Rulebook
from patrolvision.store import evidence_log, migrate
from patrolvision.store.accounts import SqlAccounts
from patrolvision.store.engine import reading
from patrolvision.store.sql_store import SqlStore, open_store
from patrolvision.tickets.categories import load_catalogue
from patrolvision.tickets.causes import load_causes
from patrolvision.tickets.workflow import Act, MoveError
from patrolvision.types import GeoPoint, Observation, PictureNote, Ticket

AT = datetime(2026, 5, 4, tzinfo=UTC)
RULES = Rules(load_catalogue(), load_causes())


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    opened = open_store(url)
    yield opened
    opened.close()


def heaps(store: SqlStore, count: int = 1, hours: float = 0.0) -> list[Ticket]:
    """Tickets of so many heaps of litter, 200 m apart."""
    at = AT + timedelta(hours=hours)
    seen = [
        Observation(
            f"o{k}-{hours}", f"m{hours}", "car1", "litter", at, at,
            GeoPoint(22.84, 113.23 + 0.002 * k, np.eye(2) * 0.5), 0.9, 12,
        )
        for k in range(count)
    ]  # fmt: skip
    with store.transaction() as transaction:
        settle(transaction, Judged(tuple(seen), tuple(Rulebook().findings(seen))))
    return list(store.tickets())


def act(action: str, who: str = "dora", role: str = "dispatcher", **more: Any) -> Act:
    return Act(action, who, AT + timedelta(hours=1), role, **more)


def test_of_many_who_file_one_ticket_one_does_and_it_gets_one_number(store: SqlStore) -> None:
    [ticket] = heaps(store)

    def attempt(k: int) -> str:
        try:
            perform(store, RULES, ticket.id, act("file", f"dora{k}"))
        except MoveError as error:
            return error.reason
        return "done"

    with ThreadPoolExecutor(8) as pool:
        outcomes = sorted(pool.map(attempt, range(8)))
    assert outcomes == ["done"] + ["state"] * 7
    [filed] = store.tickets()
    assert (filed.version, filed.number) == (2, "20260504-00001")


def test_numbers_are_given_once_and_without_gaps(store: SqlStore) -> None:
    tickets = heaps(store, 12)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda t: perform(store, RULES, t.id, act("file")), tickets))
    numbers = sorted(t.number or "" for t in store.tickets())
    assert numbers == [f"20260504-{k:05d}" for k in range(1, 13)]


def test_a_look_that_settles_while_somebody_moves_loses_neither(store: SqlStore) -> None:
    [ticket] = heaps(store)
    perform(store, RULES, ticket.id, act("file"))

    def urge(k: int) -> None:
        perform(store, RULES, ticket.id, act("urge", note=f"n{k}"))

    with ThreadPoolExecutor(6) as pool:
        moved = [pool.submit(urge, k) for k in range(6)]
        settled = [pool.submit(heaps, store, 1, 2.0 + k) for k in range(6)]
        assert len([job.result() for job in moved]) == len([job.result() for job in settled])
    [after] = store.tickets()
    assert after.urged == 6
    assert sorted(e.note for e in after.history if e.action == "urge") == [
        f"n{k}" for k in range(6)
    ]
    told = [m.id for m in store.messages()]
    assert sorted(told, key=lambda i: int(i.rpartition(":")[2])) == [
        f"{ticket.id}:{k}" for k in range(after.version)
    ]


def test_what_fails_half_way_leaves_nothing_behind(store: SqlStore) -> None:
    [ticket] = heaps(store)
    before, told = store.digest(), len(list(store.messages()))

    def broken(transaction: object, changed: Ticket) -> None:
        raise RuntimeError("the power went")

    with pytest.raises(RuntimeError):
        perform(store, RULES, ticket.id, act("file"), after=broken)
    assert (store.digest(), len(list(store.messages()))) == (before, told)
    filed = perform(store, RULES, ticket.id, act("file"))
    assert filed is not None
    assert filed.number == "20260504-00001", "the number was given back"


def test_two_reviewers_judge_one_ticket_once(store: SqlStore) -> None:
    [ticket] = heaps(store)

    def attempt(who: str) -> bool:
        try:
            given = act("verdict", who, "reviewer", cause="leaves")
            judge(store, RULES, ticket.id, "false", given)
        except MoveError:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(attempt, ["rita", "ron"])) == [False, True]
    assert store.counts()["verdicts"] == 1


def test_pictures_noted_at_once_make_one_whole_chain(store: SqlStore) -> None:
    def note(k: int) -> None:
        with store.transaction() as transaction:
            transaction.note_pictures([PictureNote(f"{k:064x}", "kept", AT, f"s{k}", "x")])

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(note, range(18)))
    with reading(store.engine) as connection:
        lines = list(evidence_log.lines(connection))
    assert len(lines) == 18
    assert evidence_log.broken_at(iter(lines)) is None


def test_attempts_at_once_are_all_counted(store: SqlStore) -> None:
    accounts = SqlAccounts(store.engine)

    def attempt(k: int) -> int:
        return accounts.attempt(["name:rita", "address:a"], AT, timedelta(minutes=15))["name:rita"]

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(attempt, range(12))) == list(range(1, 13))


def test_a_deadline_is_set_when_a_ticket_is_filed(store: SqlStore) -> None:
    [ticket] = heaps(store)
    assert ticket.due_at is None
    filed = perform(store, RULES, ticket.id, act("file"))
    assert filed is not None
    assert filed.due_at is not None
    assert filed.due_at > AT


def test_nothing_is_found_under_a_name_that_is_not_there(store: SqlStore) -> None:
    assert perform(store, RULES, "t-none", act("file")) is None
    assert judge(store, RULES, "t-none", "confirmed", act("verdict", role="reviewer")) is None


def test_tickets_from_before_the_office_keep_their_histories(url: str) -> None:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    newest, migrate.SCHEMA_VERSION = migrate.SCHEMA_VERSION, "0002"
    try:
        open_store(url).close()
    finally:
        migrate.SCHEMA_VERSION = newest
    incident = (
        "INSERT INTO incidents (id, category, kind, status, class_name, cell, lat_deg, lon_deg, "
        "cov_ee_m2, cov_en_m2, cov_nn_m2, first_seen, last_seen, observation_ids, mission_ids, "
        "score, priority, evidence) VALUES ('i', 'litter', 'enforce', 'new', 'litter', 1, 22.84, "
        "113.23, 1, 0, 1, 0, 0, '[]', '[]', 0.9, 'normal', '{}')"
    )
    ticket = (
        "INSERT INTO tickets (id, incident_id, category, state, priority, cell, lat_deg, lon_deg, "
        "cov_ee_m2, cov_en_m2, cov_nn_m2, opened_at) VALUES ('t', 'i', 'litter', 'filed', "
        "'normal', 1, 22.84, 113.23, 1, 0, 1, 0)"
    )
    event = (
        "INSERT INTO ticket_events (ticket_id, position, at, state, actor, note) "
        "VALUES ('t', :k, :k, :state, 'a', 'n')"
    )
    with engine.begin() as connection:
        connection.execute(text(incident))
        connection.execute(text(ticket))
        for k, state in enumerate(("reported", "filed")):
            connection.execute(text(event), {"k": k, "state": state})
    engine.dispose()
    store = open_store(url)
    [kept] = store.tickets()
    assert [(e.state, e.action, e.note) for e in kept.history] == [
        ("reported", "", "n"), ("filed", "", "n"),
    ]  # fmt: skip
    assert (kept.number, kept.level, kept.version, kept.parent) == (None, 0, 2, None)
    changed = perform(store, RULES, "t", act("dispatch", assignee="crew-1"))
    assert changed is not None
    assert changed.version == 3
    store.close()
