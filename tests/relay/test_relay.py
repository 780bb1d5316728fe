"""The relay's round: signed, in order, patient with a neighbour that is down."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.listening import Listener, Request, listening
from helpers.office_people import fresh_store
from patrolvision.errors import DeliveryError
from patrolvision.relay.backoff import Backoff, delay_s
from patrolvision.relay.http import HttpLimits
from patrolvision.relay.loop import Relay, RelayRound
from patrolvision.relay.plan import is_urgent, plan_for, subject_of
from patrolvision.relay.webhook import WebhookSink, new_secret, signature
from patrolvision.store import SqlStore
from patrolvision.store.outbox import SqlOutbox
from patrolvision.types import Delivery, NoticePolicy, OutboxMessage

T0 = datetime(2026, 5, 4, 8, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HERE = HttpLimits(allow_private=True, connect_s=2.0, total_s=5.0)


class Clock:
    def __init__(self) -> None:
        self.now = T0

    def __call__(self) -> datetime:
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    store = fresh_store(tmp_path)
    yield store
    store.close()


@pytest.fixture
def neighbour() -> Iterator[Listener]:
    with listening() as listener:
        yield listener


@pytest.fixture
def relay(store: SqlStore, clock: Clock) -> Relay:
    backoff = Backoff(first_s=10, longest_s=100, max_attempts=3)
    return Relay(SqlOutbox(store.engine), clock, lambda: 0.0, backoff)


def hook(neighbour: Listener, clock: Clock, name: str = "webhook:w", **more: object) -> WebhookSink:
    return WebhookSink(name, neighbour.url + "/in", SECRET, clock, limits=HERE, **more)  # type: ignore[arg-type]


def put(store: SqlStore, *names: str, topic: str = "ticket.moved", **payload: str) -> None:
    with store.transaction() as transaction:
        transaction.enqueue(
            [OutboxMessage(name, topic, {"ticket_id": name[0], **payload}) for name in names]
        )


def test_the_signature_is_that_of_the_specification() -> None:
    # The example of standardwebhooks.com, which its libraries test themselves with.
    key, timestamp, body = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    assert (
        signature(SECRET, key, timestamp, body) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_a_webhook_can_be_verified_by_who_knows_the_secret(
    store: SqlStore, relay: Relay, clock: Clock, neighbour: Listener
) -> None:
    put(store, "a-1", category="litter")
    assert relay.round([hook(neighbour, clock)]) == RelayRound(routed=1, delivered=1)
    [request] = neighbour.requests
    head = request.headers
    signed = f"{head['webhook-id']}.{head['webhook-timestamp']}.".encode() + request.body
    secret = base64.b64decode(SECRET.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    assert head["webhook-signature"] == f"v1,{expected}"
    assert head["idempotency-key"] == head["webhook-id"] == "a-1"
    assert head["webhook-timestamp"] == str(int(T0.timestamp()))
    assert json.loads(request.body)["payload"] == {"ticket_id": "a", "category": "litter"}


def test_a_new_secret_signs() -> None:
    assert signature(new_secret(), "k", 0, b"") != signature(new_secret(), "k", 0, b"")


def test_what_is_refused_is_tried_again_under_the_same_key_and_then_is_dead(
    store: SqlStore, relay: Relay, clock: Clock, neighbour: Listener
) -> None:
    neighbour.answer = lambda request: (500, {}, b"out of order")
    put(store, "a-1")
    sinks = [hook(neighbour, clock)]
    assert relay.round(sinks) == RelayRound(routed=1, failed=1)
    assert relay.round(sinks) == RelayRound(), "not before its time"
    clock.pass_s(5)
    assert relay.round(sinks) == RelayRound(failed=1)
    clock.pass_s(10)
    assert relay.round(sinks) == RelayRound(failed=1, dead=1)
    assert neighbour.keys() == ["a-1"] * 3
    [dead] = SqlOutbox(store.engine).listed(state="dead")
    assert dead["last_error"] == "webhook:w: answered 500 out of order"


def test_one_refused_message_does_not_hold_up_other_tickets(
    store: SqlStore, relay: Relay, clock: Clock, neighbour: Listener
) -> None:
    def answer(request: Request) -> tuple[int, dict[str, str], bytes]:
        return (400 if request.headers["webhook-id"].startswith("a") else 200), {}, b""

    neighbour.answer = answer
    put(store, "a-1", "a-2", "b-1", "b-2")
    assert relay.round([hook(neighbour, clock)]) == RelayRound(routed=4, delivered=2, failed=1)
    assert neighbour.keys() == ["a-1", "b-1", "b-2"]


def test_a_neighbour_that_is_down_is_asked_once_a_round_and_holds_up_nobody(
    store: SqlStore, relay: Relay, clock: Clock, neighbour: Listener
) -> None:
    with listening() as down:
        down.answer = lambda request: (503, {}, b"")
        put(store, "a-1", "b-1", "c-1")
        sinks = [hook(down, clock, "webhook:down"), hook(neighbour, clock)]
        assert relay.round(sinks) == RelayRound(routed=3, delivered=3, failed=1)
        assert down.keys() == ["a-1"]


def test_a_webhook_hears_only_what_it_asked_for(
    store: SqlStore, relay: Relay, clock: Clock, neighbour: Listener
) -> None:
    put(store, "a-1", topic="ticket.raised", category="litter")
    put(store, "b-1", topic="ticket.raised", category="open_fire")
    put(store, "b-2", topic="ticket.moved", category="open_fire")
    asked = hook(
        neighbour, clock, topics=frozenset({"ticket.raised"}), categories=frozenset({"open_fire"})
    )
    relay.round([asked])
    assert neighbour.keys() == ["b-1"]


def test_ten_moves_of_one_incident_are_two_notices(
    store: SqlStore, relay: Relay, clock: Clock, neighbour: Listener
) -> None:
    sinks = [hook(neighbour, clock, policy=NoticePolicy(cooldown_s=900))]
    put(store, "a-0")
    relay.round(sinks)
    for k in range(1, 11):
        put(store, f"a-{k}")
        clock.pass_s(60)
        relay.round(sinks)
    assert len(neighbour.requests) == 1
    clock.pass_s(600)
    relay.round(sinks)
    digest = json.loads(neighbour.requests[1].body)
    assert digest["topic"] == "digest"
    assert [m["id"] for m in digest["messages"]] == [f"a-{k}" for k in range(1, 11)]


def test_a_message_s_subject_is_its_ticket() -> None:
    assert subject_of(OutboxMessage("m", "t", {"ticket_id": "t1", "incident_id": "i1"})) == "t1"
    assert subject_of(OutboxMessage("m", "t", {"ticket_id": None, "incident_id": "i1"})) == "i1"
    assert subject_of(OutboxMessage("m", "t", {})) == "m"


def test_a_fire_is_urgent_and_a_later_move_of_its_ticket_is_not() -> None:
    assert is_urgent(OutboxMessage("m", "fire.alert", {}))
    assert is_urgent(OutboxMessage("m", "ticket.raised", {"priority": "urgent"}))
    assert not is_urgent(OutboxMessage("m", "ticket.raised", {"priority": "high"}))
    assert not is_urgent(OutboxMessage("m", "ticket.moved", {"priority": "urgent"}))


@given(attempts=st.integers(1, 10_000), jitter=st.floats(0, 1, exclude_max=True))
def test_a_delay_grows_and_stays_within_its_bounds(attempts: int, jitter: float) -> None:
    backoff = Backoff(first_s=2, longest_s=600)
    full = min(2 * 2.0 ** min(attempts - 1, 60), 600)
    assert full / 2 <= delay_s(attempts, jitter, backoff) <= full
    assert delay_s(attempts, 0.0, backoff) <= delay_s(attempts + 1, 0.0, backoff)


def test_the_default_patience_outlasts_a_day() -> None:
    backoff = Backoff()
    total = sum(delay_s(k, 0.5, backoff) for k in range(1, backoff.max_attempts))
    assert 20 * 3600 < total < 30 * 3600


def test_a_digest_s_body_is_the_same_text_each_time(clock: Clock, neighbour: Listener) -> None:
    messages = tuple(OutboxMessage(f"m{k}", "ticket.moved", {"b": 1, "a": "é"}) for k in (1, 2))
    sink = hook(neighbour, clock)
    for _ in range(2):
        sink.deliver(Delivery("webhook:w", "digest-1", messages, 1, "lease"))
    first, second = neighbour.requests
    assert first.body == second.body and "é".encode() in first.body


def test_a_private_address_is_refused_unless_the_settings_allow_it(clock: Clock) -> None:
    sink = WebhookSink("webhook:w", "http://127.0.0.1:9/", SECRET, clock)
    with pytest.raises(DeliveryError, match="private network"):
        sink.deliver(Delivery("webhook:w", "m", (OutboxMessage("m", "t", {}),), 1, "lease"))


class Stumbling:
    """A sink with a mistake in it."""

    name, policy = "stumbling", NoticePolicy()

    def wants(self, message: OutboxMessage) -> bool:
        return True

    def deliver(self, delivery: Delivery) -> None:
        if delivery.key.startswith("a"):
            raise KeyError("history")


def test_a_sink_that_stumbles_over_a_message_goes_on_with_the_others(
    store: SqlStore, relay: Relay, caplog: pytest.LogCaptureFixture
) -> None:
    put(store, "a-1", "b-1")
    assert relay.round([Stumbling()]) == RelayRound(routed=2, delivered=1, failed=1)
    [waiting] = SqlOutbox(store.engine).listed(state="waiting")
    assert waiting["last_error"] == "stumbling: KeyError: 'history'"
    assert "the sink failed" in caplog.text


def test_a_message_that_nobody_survives_is_given_up(
    store: SqlStore, relay: Relay, clock: Clock, neighbour: Listener
) -> None:
    put(store, "a-1")
    sink = hook(neighbour, clock)
    outbox = SqlOutbox(store.engine)
    outbox.route(plan_for([sink]), clock())
    for _ in range(relay.backoff.max_attempts):  # each worker claims it and dies
        assert outbox.claim(sink.name, clock(), relay.lease_s) is not None
        clock.pass_s(relay.lease_s)
    assert relay.round([sink]) == RelayRound(failed=1, dead=1)
    assert neighbour.requests == []
