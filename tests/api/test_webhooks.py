"""Who is told, managed over the API; and what an outbox looks like from there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from helpers.listening import listening
from helpers.office_people import fresh_store, key
from patrolvision.api.app import create_app
from patrolvision.config import NeighboursFile, OfficeSettings
from patrolvision.neighbours import Neighbours
from patrolvision.relay.webhook import signature
from patrolvision.store.sql_store import SqlStore
from patrolvision.types import OutboxMessage

AT = datetime(2026, 5, 4, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    store = fresh_store(tmp_path)
    yield store
    store.close()


def client(store: SqlStore, role: str | None = "admin", **settings: Any) -> TestClient:
    app = create_app(store, OfficeSettings(**settings), clock=lambda: AT)
    return TestClient(app, headers={"Authorization": f"Bearer {key(store, role=role)}"})


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """For requests that change nothing."""
    store = fresh_store(tmp_path_factory.mktemp("office"))
    yield client(store)
    store.close()


def put(store: SqlStore, *names: str) -> None:
    with store.transaction() as transaction:
        transaction.enqueue(
            [OutboxMessage(n, "ticket.moved", {"ticket_id": n[0], "state": "filed"}) for n in names]
        )


def test_a_webhook_is_told_until_it_is_removed(store: SqlStore) -> None:
    office = client(store, allow_private_webhooks=True)
    told = Neighbours(store, NeighboursFile(allow_private=True), lambda: AT)
    with listening() as neighbour:
        answer = office.post("/api/v1/webhooks", json={"url": neighbour.url})
        assert answer.status_code == 201
        made = answer.json()
        put(store, "a-1")
        told.round()
        [request] = neighbour.requests
        assert request.headers["webhook-signature"] == signature(
            made["secret"], "a-1", int(AT.timestamp()), request.body
        )
        neighbour.answer = lambda request: (500, {}, b"")
        put(store, "a-2")
        told.round()
        assert office.delete(f"/api/v1/webhooks/{made['id']}").status_code == 204
        put(store, "a-3")
        told.round()
    assert neighbour.keys() == ["a-1", "a-2"]
    assert office.get("/api/v1/webhooks").json() == []
    seen = office.get("/api/v1/outbox").json()
    assert seen["sinks"] == {f"webhook:{made['id']}": {"done": 1, "dead": 1}}
    assert [(d["message_id"], d["state"]) for d in seen["deliveries"]] == [
        ("a-2", "dead"),
        ("a-1", "done"),
    ]


def test_a_secret_is_shown_once(store: SqlStore) -> None:
    office = client(store)
    made = office.post("/api/v1/webhooks", json={"url": "https://93.184.216.34/in"})
    assert made.headers["cache-control"] == "no-store"
    assert made.json()["secret"].startswith("whsec_")
    assert "secret" not in json.dumps(office.get("/api/v1/webhooks").json())


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://localhost:9000/x",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://2130706433/",
        "ftp://city.example/",
        "http://user@city.example/",
        "javascript:alert(1)",
        "",
    ],
)
def test_an_address_in_our_own_network_or_none_is_refused(admin: TestClient, url: str) -> None:
    answer = admin.post("/api/v1/webhooks", json={"url": url})
    assert answer.status_code == 422
    assert "url" in answer.json()["detail"]


def test_only_an_admin_manages_webhooks(store: SqlStore) -> None:
    office = client(store, role="dispatcher")
    assert office.get("/api/v1/webhooks").status_code == 403
    assert office.get("/api/v1/outbox").status_code == 403
    assert office.post("/api/v1/webhooks", json={"url": "https://a.example"}).status_code == 403


def test_a_dead_letter_is_tried_again_by_hand(store: SqlStore) -> None:
    office = client(store, allow_private_webhooks=True)
    instants = iter(AT + timedelta(hours=k) for k in range(1000))
    told = Neighbours(
        store, NeighboursFile(allow_private=True, max_attempts=1), lambda: next(instants)
    )
    with listening() as neighbour:
        made = office.post("/api/v1/webhooks", json={"url": neighbour.url}).json()
        neighbour.answer = lambda request: (410, {}, b"")
        put(store, "a-1")
        told.round()
        neighbour.answer = lambda request: (204, {}, b"")
        address = f"/api/v1/outbox/webhook:{made['id']}/a-1/retry"
        assert office.post(address).status_code == 204
        told.round()
        assert office.post(address).status_code == 404
    assert neighbour.keys() == ["a-1", "a-1"]
