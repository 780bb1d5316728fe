"""Fires to be fetched as CAP alerts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from fastapi.testclient import TestClient

from helpers.office_people import fresh_store
from patrolvision.api.app import create_app
from patrolvision.config import OfficeSettings
from patrolvision.pipeline import Judged, settle
from patrolvision.store.sql_store import SqlStore
from patrolvision.tickets.workflow import Act, done
from patrolvision.types import Finding, GeoPoint, Observation, Ticket

AT = datetime(2026, 5, 4, 8, tzinfo=UTC)
CAP = "{urn:oasis:names:tc:emergency:cap:1.2}"
PICTURE = b"not really a JPEG"
SHA256 = hashlib.sha256(PICTURE).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    store = fresh_store(tmp_path)
    yield store
    store.close()


def burning(store: SqlStore) -> Ticket:
    place = GeoPoint(22.84, 113.23, np.diag([100.0, 25.0]))
    seen = Observation("f", "drive", "car1", "fire", AT, AT, place, 0.95, frames=12)
    file = f"evidence/{SHA256[:2]}/{SHA256}.jpg"
    (store.folder / file).parent.mkdir(parents=True)
    (store.folder / file).write_bytes(PICTURE)
    kept = {"view": "wide", "file": file, "sha256": SHA256, "captured_at": AT.isoformat()}
    finding = Finding("f-1", "open_fire", "enforce", seen, 0.95, evidence={"pictures": [kept]})
    with store.transaction() as transaction:
        return settle(transaction, Judged((seen,), (finding,))).raised[0]


def test_a_fire_s_alerts_can_be_fetched_one_by_one(store: SqlStore) -> None:
    ticket = burning(store)
    confirmed = done(ticket, Act("confirm", "ana", AT + timedelta(minutes=5), role="reviewer"))
    with store.transaction() as transaction:
        transaction.save_tickets([confirmed])
    client = TestClient(create_app(store, clock=lambda: AT + timedelta(hours=1)))
    [listed] = client.get("/api/v1/alerts").json()
    assert listed == {
        "id": f"{ticket.id}.1",
        "ticket_id": ticket.id,
        "sent": "2026-05-04T08:05:00-00:00",
        "status": "Actual",
        "msg_type": "Alert",
        "url": f"/api/v1/alerts/{ticket.id}.1.cap",
    }
    newest, by_name = (
        client.get(url) for url in (f"/api/v1/alerts/{ticket.id}.cap", listed["url"])
    )
    assert newest.headers["content-type"] == "application/cap+xml"
    assert newest.content == by_name.content
    root = ET.fromstring(newest.content)
    assert root.findtext(f"{CAP}identifier") == listed["id"]
    circle = str(root.findtext(f"{CAP}info/{CAP}area/{CAP}circle"))
    assert circle == "22.840000,113.230000 0.024", "2.45 x 10 m"
    resource = root.find(f"{CAP}info/{CAP}resource")
    assert resource is not None
    assert resource.findtext(f"{CAP}digest") == hashlib.sha1(PICTURE).hexdigest()
    assert resource.findtext(f"{CAP}size") == str(len(PICTURE))
    draft = ET.fromstring(client.get(f"/api/v1/alerts/{ticket.id}.0.cap").content)
    assert draft.findtext(f"{CAP}status") == "Draft"


@pytest.mark.parametrize("name", ["t-none", "t-none.1", "{}.9"])
def test_an_alert_that_is_none_is_not_found(store: SqlStore, name: str) -> None:
    ticket = burning(store)
    client = TestClient(create_app(store, clock=lambda: AT))
    assert client.get(f"/api/v1/alerts/{name.format(ticket.id)}.cap").status_code == 404


def test_alerts_are_for_readers(store: SqlStore) -> None:
    settings: Any = OfficeSettings(open_reading=False)
    assert TestClient(create_app(store, settings)).get("/api/v1/alerts").status_code == 401
