"""Offices side by side: citizens are answered, and tickets travel to another server and back."""

from __future__ import annotations

import email
import email.policy
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import pytest
import uvicorn

from helpers.command_line import in_process
from helpers.listening import Listener, Request, listening
from helpers.office_people import fresh_store, key
from patrolvision import neighbours as wired
from patrolvision.api.app import create_app
from patrolvision.api.citizens import Claim, take
from patrolvision.config import NeighboursFile, OfficeSettings, load_neighbours
from patrolvision.errors import ConfigError, DeliveryError
from patrolvision.neighbours import Neighbours
from patrolvision.pipeline import Judged, settle
from patrolvision.relay.http import HttpLimits
from patrolvision.relay.open311_push import Open311Sink, Pushed
from patrolvision.relay.services import load_services
from patrolvision.rules.rulebook import Rulebook
from patrolvision.store import SqlStore, open_store
from patrolvision.store.citizens import contact_of
from patrolvision.store.engine import reading
from patrolvision.tickets.announcements import announcements
from patrolvision.tickets.workflow import Act, Facts, done
from patrolvision.types import Delivery, GeoPoint, Observation, OutboxMessage, Ticket

AT = datetime(2026, 5, 4, 8, tzinfo=UTC)
LAT, LON = 22.84, 113.23


class Clock:
    def __init__(self) -> None:
        self.now = AT

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    store = fresh_store(tmp_path)
    yield store
    store.close()


def see_litter(store: SqlStore, name: str = "a", lon: float = LON) -> Ticket:
    place = GeoPoint(LAT, lon, np.eye(2))
    seen = Observation(name, f"drive-{name}", "car1", "litter", AT, AT, place, 0.95, frames=12)
    with store.transaction() as transaction:
        settled = settle(transaction, Judged((seen,), tuple(Rulebook().findings((seen,)))))
    return settled.raised[0]


def move(
    store: SqlStore, ticket: Ticket, action: str, into: Ticket | None = None, **more: Any
) -> Ticket:
    at = ticket.history[-1].at + timedelta(hours=1)
    act = Act(action, "somebody", at, role="admin", into=into and into.id, **more)
    after = done(ticket, act, Facts(into=into))
    with store.transaction() as transaction:
        transaction.save_tickets([after])
        transaction.enqueue(announcements([(after, ticket.version)]))
    return after


def report(store: SqlStore, token: str, lon: float = LON, **contact: str) -> None:
    service = load_services()["litter"]
    take(store, Claim(token, service, LAT, lon, AT, contact=contact))


def replies(folder: Path) -> list[email.message.EmailMessage]:
    texts = [path.read_bytes() for path in sorted(folder.glob("*.eml"))]
    return [email.message_from_bytes(t, policy=email.policy.default) for t in texts]  # type: ignore[misc]


def spool(folder: Path, **more: Any) -> NeighboursFile:
    entry = {"folder": folder, "from_address": "office@city.example"}
    return NeighboursFile.model_validate({"replies": entry, "retention_days": 30, **more})


def test_who_reported_is_told_when_the_ticket_ends_and_then_forgotten(
    store: SqlStore, tmp_path: Path
) -> None:
    clock, folder = Clock(), tmp_path / "spool"
    told = Neighbours(store, spool(folder), clock)
    ticket = see_litter(store)
    report(store, "r-1", email="ana@city.example")
    report(store, "r-2", phone="123")  # nobody to write to
    told.round()
    assert not folder.exists()
    move(store, ticket, "reject", cause="not_there")
    told.round()  # the ticket's end becomes replies
    told.round()  # and the replies are brought
    [mail] = replies(folder)
    assert mail["To"] == "ana@city.example"
    assert ticket.id in str(mail["Subject"])
    assert "Closed without action: not there." in mail.get_content()
    told.round()
    assert len(replies(folder)) == 1
    outbox = "".join(json.dumps(dict(message.payload)) for message in store.messages())
    assert "ana@" not in outbox, "no contact stands in the outbox"
    clock.now = AT + timedelta(days=29)
    told.round()
    assert contact(store, "r-1") is not None
    clock.now = AT + timedelta(days=31)
    told.round()
    assert (contact(store, "r-1"), contact(store, "r-2")) == (None, None)


def contact(store: SqlStore, report_id: str) -> dict[str, str] | None:
    with reading(store.engine) as connection:
        return contact_of(connection, report_id, store.seals)


def test_a_report_follows_its_ticket_into_another(store: SqlStore, tmp_path: Path) -> None:
    told = Neighbours(store, spool(tmp_path), Clock())
    first, second = see_litter(store, "a"), see_litter(store, "b", LON + 0.01)
    report(store, "r-1", email="ana@city.example")
    move(store, first, "merge", into=second)
    told.round()
    assert replies(tmp_path) == [], "it is not over: it goes on elsewhere"
    move(store, second, "reject", cause="gone")
    told.round()
    told.round()
    [mail] = replies(tmp_path)
    assert second.id in str(mail["Subject"])


def test_the_command_brings_what_waits_and_says_how_much(
    store: SqlStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ticket = see_litter(store)
    report(store, "r-1", email="ana@city.example")
    move(store, ticket, "reject", cause="gone")
    config = tmp_path / "neighbours.toml"
    config.write_text('[replies]\nfolder = "spool"\nfrom_address = "o@city.example"\n')
    url = store.engine.url.render_as_string(hide_password=False)
    done = in_process(capsys, "relay", "--db", url, "--config", config, "--once")
    assert done.rc == 0
    assert json.loads(done.out) == {"routed": 3, "delivered": 2, "failed": 0, "dead": 0}
    assert len(replies(tmp_path / "spool")) == 1, "paths are relative to the file"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[mqtt]\nport = 1\n", "mqtt.host"),
        ('[mqtt]\nhost = "h"\nsite = "a/#"\n', "mqtt.site"),
        ('[cap]\nsender = "city fires"\n', "cap.sender"),
        ('[[open311]]\nname = "x"\n', "open311.0.url"),
        ("nonsense = 1\n", "nonsense"),
    ],
)
def test_a_file_that_is_wrong_is_refused_by_field(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "n.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=named):
        load_neighbours(path)


@contextmanager
def served(store: SqlStore, **settings: Any) -> Iterator[str]:
    """Our own Open311 server on loopback, in a thread."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    app = create_app(store, OfficeSettings(**settings), clock=lambda: AT + timedelta(hours=2))
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    until = time.monotonic() + 20
    while not server.started and time.monotonic() < until:
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}/open311/v2"
    finally:
        server.should_exit = True
        thread.join()


def pushing(url: str, api_key: str) -> NeighboursFile:
    entry = {"name": "other", "url": url, "api_key": api_key, "services": {"litter": "litter"}}
    return NeighboursFile.model_validate({"allow_private": True, "open311": [entry]})


def test_a_ticket_is_pushed_to_another_server_once(store: SqlStore, tmp_path: Path) -> None:
    other = open_store(f"sqlite:///{tmp_path / 'other.db'}")
    with served(other) as url:
        told = Neighbours(store, pushing(url, key(other, "open311:write")), Clock())
        ticket = see_litter(store)
        assert told.round().delivered == 0, "it is not filed yet"
        filed = move(store, ticket, "file")
        assert told.round().delivered == 1
        [copy] = other.tickets()
        assert (copy.category, copy.state) == ("litter", "reported")
        assert copy.place.lat_deg == pytest.approx(LAT, abs=1e-6)
        sink = next(s for s in told.sinks() if isinstance(s, Open311Sink))
        pushed = sink.memory.known(ticket.id)
        assert pushed is not None and pushed.token is not None
        # Killed after the answer and before it was noted: it is posted again, and is the same.
        message = announcements([(filed, 1)])[0]
        sink.memory.keep(ticket.id, Pushed(None, None))
        forgetful = Open311Sink(sink.name, url, sink.api_key, sink.services, Forgetful(),
                                limits=HttpLimits(allow_private=True))  # fmt: skip
        forgetful.deliver(Delivery(sink.name, message.id, (message,), 2, "lease"))
        assert [t.id for t in other.tickets()] == [copy.id]
        assert forgetful.memory.known(ticket.id) == pushed
        assert forgetful.number(ticket.id) is None, "nobody there has looked at it yet"
        move(other, copy, "confirm")
        assert forgetful.number(ticket.id) == copy.id
    other.close()


class Forgetful:
    """relay.open311_push.PushMemory that begins empty."""

    def __init__(self) -> None:
        self.kept: dict[str, Pushed] = {}

    def known(self, ticket_id: str) -> Pushed | None:
        return self.kept.get(ticket_id)

    def keep(self, ticket_id: str, pushed: Pushed) -> None:
        self.kept[ticket_id] = pushed


@pytest.fixture
def neighbour() -> Iterator[Listener]:
    with listening() as listener:
        yield listener


def to(neighbour: Listener) -> Open311Sink:
    limits = HttpLimits(allow_private=True)
    return Open311Sink(
        "open311:x", neighbour.url, "k", {"litter": "42"}, Forgetful(), limits=limits
    )


def filed(attempts: int = 1) -> Delivery:
    payload = {
        "ticket_id": "t-1", "category": "litter", "state": "filed", "priority": "normal",
        "lat_deg": LAT, "lon_deg": LON, "sigma_m": 2.0,
        "event": {"at": AT.isoformat(), "state": "filed"},
    }  # fmt: skip
    message = OutboxMessage("t-1:1", "ticket.moved", payload)
    return Delivery("open311:x", message.id, (message,), attempts, "lease")


def test_a_second_try_first_asks_whether_the_first_arrived(neighbour: Listener) -> None:
    listed = (
        "<service_requests><request><service_request_id>7</service_request_id>"
        "<description>something else</description></request>"
        "<request><service_request_id>8</service_request_id>"
        "<description>Ticket: litter. [t-1]</description></request></service_requests>"
    )
    neighbour.answer = lambda request: (200, {}, listed.encode())
    sink = to(neighbour)
    sink.deliver(filed(attempts=2))
    assert [request.method for request in neighbour.requests] == ["GET"]
    assert sink.number("t-1") == "8"


@pytest.mark.parametrize(
    ("status", "content", "down", "final"),
    [
        (503, b"", True, False),
        (400, b"<errors/>", False, True),
        (403, b"<errors/>", False, False),  # a key may be mended
        (200, b"{}", False, False),
        (200, b"<service_requests/>", False, False),
        (200, b'<!DOCTYPE x [<!ENTITY a "b">]><x/>', False, False),
    ],
)
def test_an_answer_that_is_none_is_not_taken_for_one(
    neighbour: Listener, status: int, content: bytes, down: bool, final: bool
) -> None:
    neighbour.answer = lambda request: (status, {}, content)
    with pytest.raises(DeliveryError) as caught:
        to(neighbour).deliver(filed())
    assert (caught.value.is_down, caught.value.is_final) == (down, final)


def test_the_form_is_the_standard_s(neighbour: Listener) -> None:
    def answer(request: Request) -> tuple[int, dict[str, str], bytes]:
        return 200, {}, b"<service_requests><request><token>9</token></request></service_requests>"

    neighbour.answer = answer
    to(neighbour).deliver(filed())
    [request] = neighbour.requests
    assert request.path == "/requests.xml"
    assert request.headers["content-type"].startswith("application/x-www-form-urlencoded")
    assert request.headers["idempotency-key"] == "t-1"
    assert b"service_code=42&lat=22.8400000&long=113.2300000&description=" in request.body


def test_the_relay_in_the_background_brings_and_stops(store: SqlStore, tmp_path: Path) -> None:
    from patrolvision.relaying import BackgroundRelay

    ticket = see_litter(store)
    report(store, "r-1", email="ana@city.example")
    with BackgroundRelay(Neighbours(store, spool(tmp_path), wired.now)):
        move(store, ticket, "reject", cause="gone")
        until = time.monotonic() + 10
        while not replies(tmp_path) and time.monotonic() < until:
            time.sleep(0.02)
    assert len(replies(tmp_path)) == 1
    assert not [t for t in threading.enumerate() if t.name == "relay"]


def another(store: SqlStore, ticket: Ticket) -> Ticket:
    return next(t for t in store.tickets() if t.id == ticket.id)


def heard(store: SqlStore, ticket: Ticket) -> list[str]:
    return [e.note for e in another(store, ticket).history if e.action == "hear"]


def test_what_the_other_server_says_later_comes_into_the_ticket_once(
    store: SqlStore, tmp_path: Path
) -> None:
    clock, other = Clock(), open_store(f"sqlite:///{tmp_path / 'other.db'}")
    with served(other) as url:
        told = Neighbours(store, pushing(url, key(other, "open311:write")), clock)
        ticket = move(store, see_litter(store), "file")
        told.round()
        [copy] = other.tickets()
        assert heard(store, ticket) == [], "it has no number yet"
        copy = move(other, copy, "confirm")
        told.round()
        assert heard(store, ticket) == [], "it was asked a moment ago"
        clock.now += timedelta(minutes=15)
        told.round()
        assert heard(store, ticket) == ["open: Received, waits to be checked."]
        move(other, copy, "reject", cause="not_ours")
        for _ in range(3):
            clock.now += timedelta(minutes=15)
            told.round()
        assert heard(store, ticket)[1:] == ["closed: Closed without action: not ours."]
        last = another(store, ticket).history[-1]
        assert (last.actor, last.state) == ("open311:other", "filed"), "a person decides"
        assert last.data["service_request_id"] == copy.id
        messages = [m for m in store.messages() if m.payload.get("event", {}).get("action")]
        assert [m.payload["event"]["action"] for m in messages].count("hear") == 2
    other.close()


def test_an_ended_ticket_is_asked_of_no_more(store: SqlStore, neighbour: Listener) -> None:
    clock = Clock()
    neighbour.answer = lambda request: (200, {}, standing("open", "on it"))
    told = Neighbours(store, pushing(neighbour.url, "k"), clock)
    ticket = move(store, see_litter(store), "file")
    told.round()
    assert [request.method for request in neighbour.requests] == ["POST", "GET"]
    move(store, another(store, ticket), "reject", cause="gone")
    clock.now += timedelta(days=1)
    told.round()
    assert len(neighbour.requests) == 2


def test_a_server_that_is_down_is_asked_again_later_and_holds_nothing_up(
    store: SqlStore, neighbour: Listener
) -> None:
    clock, status = Clock(), 200
    neighbour.answer = lambda request: (status, {}, standing("closed", "Mended"))
    told = Neighbours(store, pushing(neighbour.url, "k"), clock)
    ticket = move(store, see_litter(store), "file")
    status = 503
    told.round()
    assert heard(store, ticket) == []
    status = 200
    clock.now += timedelta(minutes=16)
    told.round()
    assert heard(store, ticket) == ["closed: Mended"]


def standing(status: str, notes: str) -> bytes:
    return (
        "<service_requests><request><service_request_id>7</service_request_id>"
        f"<status>{status}</status><status_notes>{notes}</status_notes>"
        "</request></service_requests>"
    ).encode()


@pytest.mark.parametrize("takes_updates", [True, False])
def test_how_a_ticket_ends_is_told_where_the_server_takes_updates(
    store: SqlStore, neighbour: Listener, takes_updates: bool
) -> None:
    neighbour.answer = lambda request: (200, {}, standing("open", ""))
    file = pushing(neighbour.url, "k")
    entry = file.open311[0].model_copy(update={"updates": takes_updates})
    told = Neighbours(store, file.model_copy(update={"open311": [entry]}), Clock())
    ticket = move(store, see_litter(store), "file")
    told.round()
    ticket = move(store, ticket, "reject", cause="not_there")
    told.round()
    told.round()
    posts = [r for r in neighbour.requests if r.method == "POST"]
    assert [r.path for r in posts[1:]] == ["/servicerequestupdates.xml"] * takes_updates
    if takes_updates:
        said = dict(parse_qsl(posts[1].body.decode()))
        assert (said["service_request_id"], said["status"]) == ("7", "CLOSED")
        assert said["update_id"] == f"{ticket.id}:2" == posts[1].headers["idempotency-key"]
        assert said["description"] == f"Closed without action: not there. [{ticket.id}]"
