"""A mission analysed again, with another model or other zones, replaces what it had said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from patrolvision.geo.geodesy import offset
from patrolvision.pipeline import Judged, Settled, settle
from patrolvision.rules.rulebook import Rulebook
from patrolvision.store.sql_store import SqlStore, open_store
from patrolvision.types import GeoPoint, Observation

AT = datetime(2026, 5, 4, 0, 0, tzinfo=UTC)


def heap(name: str, mission: str, east_m: float = 0.0) -> Observation:
    lat, lon = offset(22.84, 113.23, east_m, 0.0)
    place = GeoPoint(float(lat), float(lon), np.eye(2) * 0.4)
    until = AT + timedelta(seconds=3)
    return Observation(name, mission, "car1", "litter", AT, until, place, 0.9, frames=12)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    opened = open_store(f"sqlite:///{tmp_path / 'patrol.db'}")
    yield opened
    opened.close()


def run(store: SqlStore, mission: str, *seen: Observation) -> Settled:
    judged = Judged(seen, tuple(Rulebook().findings(seen)))
    with store.transaction() as transaction:
        return settle(transaction, judged, mission_id=mission)


def standing(store: SqlStore) -> list[tuple[str, tuple[str, ...]]]:
    return [(i.id, i.observation_ids) for i in store.incidents() if i.status != "dismissed"]


def test_the_same_analysis_again_changes_nothing(store: SqlStore) -> None:
    run(store, "m", heap("m-1", "m"))
    before = store.digest()
    again = run(store, "m", heap("m-1", "m"))
    assert (again.observations, again.incidents, again.tickets) == (0, 0, 0)
    assert store.digest() == before


def test_another_analysis_of_a_recording_makes_no_second_incident(store: SqlStore) -> None:
    run(store, "m", heap("m-1", "m"))
    [(incident_id, _)] = standing(store)
    run(store, "m", heap("m-2", "m", east_m=0.4))
    assert standing(store) == [(incident_id, ("m-2",))]
    [ticket] = store.tickets()
    assert (ticket.incident_id, ticket.state) == (incident_id, "reported")


def test_what_a_new_analysis_does_not_confirm_is_withdrawn_with_its_ticket(store: SqlStore) -> None:
    run(store, "m", heap("m-1", "m"), heap("m-9", "m", east_m=30.0))
    run(store, "m", heap("m-1", "m"))
    assert [ids for _, ids in standing(store)] == [("m-1",)]
    assert sorted(t.state for t in store.tickets()) == ["rejected", "reported"]
    assert [o.id for o in store.observations()] == ["m-1"]


def test_an_incident_of_two_passes_keeps_the_other_pass(store: SqlStore) -> None:
    run(store, "m", heap("m-1", "m"))
    run(store, "n", replace(heap("n-1", "n"), first_seen=AT, last_seen=AT))
    run(store, "n")
    assert [ids for _, ids in standing(store)] == [("m-1",)]
