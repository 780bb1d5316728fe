"""The office's API over a store with one incident."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from patrolvision.api.app import create_app
from patrolvision.pipeline import Judged, settle
from patrolvision.rules.rulebook import Rulebook
from patrolvision.store.sql_store import SqlStore, open_store
from patrolvision.types import GeoPoint, Observation

AT = datetime(2026, 5, 4, 0, 0, tzinfo=UTC)


def heap(name: str, mission: str) -> Observation:
    place = GeoPoint(22.84, 113.23, np.eye(2) * 0.5)
    return Observation(
        name, mission, "car1", "litter", AT, AT, place, 0.9, frames=12, model_release="m@1"
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    opened = open_store(f"sqlite:///{tmp_path / 'patrol.db'}")
    seen = (heap("a", "drive-1"), heap("b", "drive-2"))
    with opened.transaction() as transaction:
        settle(transaction, Judged(seen, tuple(Rulebook().findings(seen))))
    yield opened
    opened.close()


def test_two_passes_of_one_heap_are_one_ticket(store: SqlStore) -> None:
    client = TestClient(create_app(store))
    tickets = client.get("/api/v1/tickets").json()
    incidents = client.get("/api/v1/incidents").json()
    assert [t["incident_id"] for t in tickets] == [i["incident_id"] for i in incidents]
    assert sorted(incidents[0]["mission_ids"]) == ["drive-1", "drive-2"]


def test_geojson_has_longitude_first(store: SqlStore) -> None:
    features = TestClient(create_app(store)).get("/api/v1/tickets?format=geojson").json()
    assert features["type"] == "FeatureCollection"
    assert features["features"][0]["geometry"]["coordinates"] == pytest.approx([113.23, 22.84])


def test_a_limit_is_kept_and_a_silly_one_refused(store: SqlStore) -> None:
    client = TestClient(create_app(store))
    assert len(client.get("/api/v1/observations?limit=1").json()) == 1
    assert client.get("/api/v1/observations?limit=0").status_code == 422


def test_health_counts_what_is_there(store: SqlStore) -> None:
    answer = TestClient(create_app(store)).get("/healthz")
    assert answer.status_code == 200
    assert answer.json()["tickets"] == 1


def test_another_computer_is_not_answered(store: SqlStore) -> None:
    client = TestClient(create_app(store), client=("192.0.2.7", 5000))
    assert client.get("/api/v1/tickets").status_code == 403
