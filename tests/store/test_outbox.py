"""The outbox's way out: order, leases, retries, digests, dead letters."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete

from helpers.databases import empty_schema
from helpers.office_people import fresh_store
from patrolvision.errors import CallError
from patrolvision.store import SqlStore, open_store, schema
from patrolvision.store.engine import writing
from patrolvision.store.neighbour_tables import deliveries
from patrolvision.store.outbox import SqlOutbox
from patrolvision.store.outbox_retention import prune
from patrolvision.types import NoticePolicy, OutboxMessage, Route

T0 = datetime(2026, 5, 4, 8, tzinfo=UTC)
LEASE_S = 60.0


def later(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


@pytest.fixture(scope="module")
def postgres_store(postgres_url: str) -> Iterator[SqlStore]:
    with empty_schema(postgres_url) as url:
        store = open_store(url)
        yield store
        store.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStore]:
    if request.param == "sqlite":
        store = fresh_store(tmp_path)
        yield store
        store.close()
        return
    store = request.getfixturevalue("postgres_store")
    yield store
    with writing(store.engine) as connection:
        connection.execute(delete(deliveries))
        connection.execute(delete(schema.outbox))


@pytest.fixture
def outbox(store: SqlStore) -> SqlOutbox:
    return SqlOutbox(store.engine)


def put(store: SqlStore, *names: str, priority: str = "normal") -> None:
    """Messages named `ticket-number`, such as a-1."""
    with store.transaction() as transaction:
        transaction.enqueue(
            [
                OutboxMessage(n, "ticket.moved", {"ticket_id": n[0], "priority": priority})
                for n in names
            ]
        )


def route(message: OutboxMessage) -> Route:
    urgent = message.payload["priority"] == "urgent"
    return Route(str(message.payload["ticket_id"]), ("sink",), urgent)


def sent(outbox: SqlOutbox, at: datetime, policy: NoticePolicy | None = None) -> list[list[str]]:
    """The ids of everything that may go now, delivery by delivery."""
    found = []
    while (delivery := outbox.claim("sink", at, LEASE_S, policy)) is not None:
        found.append([message.id for message in delivery.messages])
        outbox.done(delivery, at)
    return found


def test_a_message_is_routed_once(store: SqlStore, outbox: SqlOutbox) -> None:
    put(store, "a-1", "b-1")
    assert [outbox.route(route, T0), outbox.route(route, T0)] == [2, 0]
    assert sent(outbox, T0) == [["a-1"], ["b-1"]]


def test_what_nobody_wants_is_not_kept_waiting(store: SqlStore, outbox: SqlOutbox) -> None:
    put(store, "a-1")
    outbox.route(lambda message: Route("a", ()), T0)
    assert outbox.counts() == {"": {"waiting": 0}}


def test_a_subject_s_second_message_waits_for_its_first(store: SqlStore, outbox: SqlOutbox) -> None:
    put(store, "a-1", "a-2", "b-1")
    outbox.route(route, T0)
    first = outbox.claim("sink", T0, LEASE_S)
    assert first is not None and first.key == "a-1"
    assert sent(outbox, T0) == [["b-1"]], "b passes a, a-2 does not pass a-1"
    outbox.failed(first, "no answer", T0, later(30))
    assert sent(outbox, later(29)) == []
    assert sent(outbox, later(30)) == [["a-1"], ["a-2"]]


def test_a_dead_letter_lets_the_next_pass_and_can_be_revived(
    store: SqlStore, outbox: SqlOutbox
) -> None:
    put(store, "a-1", "a-2")
    outbox.route(route, T0)
    delivery = outbox.claim("sink", T0, LEASE_S)
    assert delivery is not None
    outbox.failed(delivery, "answered 400", T0, None)
    assert sent(outbox, T0) == [["a-2"]]
    [dead] = outbox.listed(state="dead")
    assert (dead["message_id"], dead["last_error"]) == ("a-1", "answered 400")
    outbox.revive("sink", "a-1", later(60))
    assert sent(outbox, later(60)) == [["a-1"]]
    with pytest.raises(CallError, match="no such dead letter"):
        outbox.revive("sink", "a-1", later(60))


def test_a_lease_that_ran_out_is_another_worker_s(store: SqlStore, outbox: SqlOutbox) -> None:
    put(store, "a-1")
    outbox.route(route, T0)
    slow = outbox.claim("sink", T0, LEASE_S)
    assert slow is not None
    assert outbox.claim("sink", later(59), LEASE_S) is None
    quick = outbox.claim("sink", later(60), LEASE_S)
    assert quick is not None and (quick.key, quick.attempts) == (slow.key, 2)
    assert outbox.done(quick, later(61))
    assert not outbox.done(slow, later(62)), "the slow one is told that it is late"


def test_what_was_not_tried_costs_no_attempt(store: SqlStore, outbox: SqlOutbox) -> None:
    put(store, "a-1")
    outbox.route(route, T0)
    delivery = outbox.claim("sink", T0, LEASE_S)
    assert delivery is not None
    outbox.release(delivery)
    again = outbox.claim("sink", T0, LEASE_S)
    assert again is not None and again.attempts == 1


def test_one_incident_is_told_once_in_the_cooldown_and_the_rest_in_a_digest(
    store: SqlStore, outbox: SqlOutbox
) -> None:
    policy = NoticePolicy(cooldown_s=600)
    put(store, "a-1")
    outbox.route(route, T0)
    assert sent(outbox, T0, policy) == [["a-1"]]
    put(store, "a-2", "a-3", "b-1")
    outbox.route(route, later(1))
    assert sent(outbox, later(599), policy) == [["b-1"]], "another incident is not held up"
    assert sent(outbox, later(601), policy) == [["a-2", "a-3"]]


def test_a_digest_that_was_sent_and_not_noted_is_the_same_when_sent_again(
    store: SqlStore, outbox: SqlOutbox
) -> None:
    policy = NoticePolicy(cooldown_s=600)
    put(store, "a-1", "a-2")
    outbox.route(route, T0)
    first = outbox.claim("sink", T0, LEASE_S, policy)
    put(store, "a-3")
    outbox.route(route, later(1))
    again = outbox.claim("sink", later(61), LEASE_S, policy)
    assert first is not None and again is not None
    assert again.key == first.key and again.key.startswith("digest-")
    assert [m.id for m in again.messages] == ["a-1", "a-2"], "what came later is not in it"


def test_the_last_message_of_the_hour_takes_everything_that_waits(
    store: SqlStore, outbox: SqlOutbox
) -> None:
    policy = NoticePolicy(max_per_hour=3)
    put(store, *(f"{name}-1" for name in "abcdefgh"))
    outbox.route(route, T0)
    assert sent(outbox, T0, policy) == [["a-1"], ["b-1"], [f"{n}-1" for n in "cdefgh"]]
    put(store, "a-2", "b-2")
    outbox.route(route, later(1))
    assert sent(outbox, later(3599), policy) == []
    assert sent(outbox, later(3601), policy)[0] == ["a-2"]


def test_what_is_urgent_waits_for_neither(store: SqlStore, outbox: SqlOutbox) -> None:
    policy = NoticePolicy(cooldown_s=600, max_per_hour=1)
    put(store, "a-1")
    outbox.route(route, T0)
    assert sent(outbox, T0, policy) == [["a-1"]]
    put(store, "b-1")
    put(store, "c-1", priority="urgent")
    outbox.route(route, later(1))
    assert sent(outbox, later(1), policy) == [["c-1"]]


def test_what_waits_for_a_sink_that_is_no_more_is_given_up(
    store: SqlStore, outbox: SqlOutbox
) -> None:
    put(store, "a-1", "a-2")
    outbox.route(route, T0)
    assert outbox.abandon("sink", T0) == 2
    assert outbox.counts()["sink"] == {"dead": 2}


def test_four_workers_bring_each_message_once_and_each_ticket_s_in_order(
    store: SqlStore, outbox: SqlOutbox
) -> None:
    names = [f"{name}-{k}" for k in range(5) for name in "abcdef"]
    put(store, *names)

    def work(_: int) -> list[str]:
        own = SqlOutbox(store.engine)
        own.route(route, T0)
        found = []
        for _ in range(200):
            delivery = own.claim("sink", T0, LEASE_S)
            if delivery is not None:
                found.append(delivery.key)
                brought.append(delivery.key)
                own.done(delivery, T0)
            elif len(brought) == len(names):
                break
        return found

    brought: list[str] = []
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(work, range(4)))
    assert sorted(key for part in parts for key in part) == sorted(names)
    for name in "abcdef":
        assert [key for key in brought if key[0] == name] == [f"{name}-{k}" for k in range(5)]


def ids(store: SqlStore) -> list[str]:
    return [message.id for message in store.messages()]


def test_what_was_brought_long_ago_is_let_go_and_what_was_not_stays(
    store: SqlStore, outbox: SqlOutbox
) -> None:
    put(store, "a-1", "b-1", "c-1", "d-1")
    outbox.route(lambda m: Route(m.id[0], ("sink",) * (m.id != "d-1"), False), T0)
    first = outbox.claim("sink", T0, LEASE_S)
    assert first is not None
    outbox.done(first, T0)
    second = outbox.claim("sink", T0, LEASE_S)
    assert second is not None
    outbox.failed(second, "refused", T0, None)  # a dead letter
    put(store, "e-1")  # nobody has routed it
    assert prune(store.engine, T0) == 0, "nothing is older than its first instant"
    assert prune(store.engine, later(1)) == 2
    assert ids(store) == ["b-1", "c-1", "e-1"], "a-1 was brought, d-1 nobody wanted"
    outbox.revive("sink", "b-1", later(2))
    assert sent(outbox, later(3)) == [["b-1"], ["c-1"]]
    assert prune(store.engine, later(3)) == 0, "brought just now"
    assert prune(store.engine, later(4)) == 2
    put(store, "f-1")
    outbox.route(route, later(5))
    assert sent(outbox, later(5)) == [["e-1"], ["f-1"]], "and the order holds"


def test_of_many_old_messages_each_goes_once(store: SqlStore, outbox: SqlOutbox) -> None:
    put(store, *(f"a-{k}" for k in range(2500)))
    while outbox.route(lambda m: Route("a", (), False), T0):
        pass
    put(store, "b-1")
    assert prune(store.engine, later(1), most=2000) == 2000
    assert prune(store.engine, later(1)) == 500
    assert ids(store) == ["b-1"]
