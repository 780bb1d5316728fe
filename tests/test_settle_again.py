"""A mission analysed again, with another model or other zones, replaces what it had said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from patrolvision.geo.geodesy import offset
from patrolvision.incidents.memory import MemoryNeighbourhood
from patrolvision.incidents.neighbourhood import findings_under
from patrolvision.pipeline import Judged, Settled, places_of, settle
from patrolvision.rules.rulebook import Rulebook
from patrolvision.store import evidence_log
from patrolvision.store.engine import reading
from patrolvision.store.sql_store import SqlStore, open_store
from patrolvision.tickets import Act, done
from patrolvision.types import Finding, GeoPoint, Look, Observation

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


def test_a_ticket_that_an_analysis_withdrew_comes_back_when_another_confirms_it(
    store: SqlStore,
) -> None:
    run(store, "m", heap("m-1", "m"))
    run(store, "m")
    [rejected] = store.tickets()
    assert rejected.state == "rejected"
    run(store, "m", heap("m-1", "m"))
    [ticket] = store.tickets()
    assert ticket.id == rejected.id
    assert ticket.state == "reported"
    assert [e.action for e in ticket.history] == ["raise", "reject", "reopen"]
    before = store.digest()
    run(store, "m", heap("m-1", "m"))
    assert store.digest() == before


def test_a_ticket_that_a_person_rejected_stays_so(store: SqlStore) -> None:
    run(store, "m", heap("m-1", "m"))
    [ticket] = store.tickets()
    at = AT + timedelta(hours=1)
    with store.transaction() as transaction:
        rejected = done(ticket, Act("reject", "rita", at, "reviewer", cause="leaves"))
        transaction.save_tickets([rejected])
    run(store, "m")
    run(store, "m", heap("m-1", "m"))
    assert [t.state for t in store.tickets()] == ["rejected"]


def test_what_is_settled_tells_the_outbox_once(store: SqlStore) -> None:
    for _ in range(2):
        run(store, "m", heap("m-1", "m"))
    run(store, "m")
    [ticket] = store.tickets()
    told = [(m.id, m.topic) for m in store.messages()]
    assert told == [(f"{ticket.id}:0", "ticket.raised"), (f"{ticket.id}:1", "ticket.moved")]


def test_the_pictures_of_what_is_settled_enter_the_evidence_log_once(store: SqlStore) -> None:
    seen = heap("m-1", "m")
    picture = {"sha256": "ab" * 32, "captured_at": AT.isoformat(), "view": "wide"}
    [finding] = Rulebook().findings([seen])
    shown = replace(finding, evidence={**finding.evidence, "pictures": [picture]})
    for _ in range(2):
        with store.transaction() as transaction:
            settle(transaction, Judged((seen,), (shown,)), mission_id="m")
    with reading(store.engine) as connection:
        lines = list(evidence_log.lines(connection))
    assert [(line["sha256"], line["what"], line["subject"]) for line in lines] == [
        ("ab" * 32, "kept", "m-1")
    ]


@pytest.mark.parametrize("lon_deg", [113.23, 180.0])
def test_a_look_asks_for_its_own_ground_only_even_across_the_date_line(lon_deg: float) -> None:
    west, east = lon_deg - 0.0004, lon_deg + 0.0004
    east -= 360.0 if east > 180.0 else 0.0
    ring = ((-17.0, west), (-17.0, east), (-16.9997, east), (-16.9997, west))
    seen = Look("l1", "m1", AT, AT + timedelta(seconds=9), frozenset({"litter"}), ring, 0.9)
    claimed = places_of(Judged((), (), (seen,)))
    assert len(claimed) == 4
    assert all(-180.0 <= lon <= 180.0 for _, lon in claimed)

    def litter(name: str, lon: float) -> Finding:
        place = GeoPoint(-16.9998, lon, np.eye(2))
        about = Observation(name, "m1", "car1", "litter", AT, AT, place, 0.9, frames=12)
        return Finding(f"f{name}", "litter", "enforce", about, 0.8)

    near = MemoryNeighbourhood()
    near.save([litter("west", west), litter("east", east), litter("far", lon_deg - 0.01)])
    assert {f.id for f in findings_under([seen], near)} == {"fwest", "feast"}
