"""What every IncidentStore promises, run on each engine that is there.

SQLite always. PostgreSQL when PATROLVISION_TEST_PG_URL names a database whose owner may create
schemas, or is the word `private`: then a cluster of its own is started on loopback and thrown away.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import count
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np
import pytest

from patrolvision.errors import StoreError
from patrolvision.incidents.memory import MemoryNeighbourhood
from patrolvision.records import (
    incident_to_record,
    look_to_record,
    observation_to_record,
    ticket_to_record,
)
from patrolvision.store import SqlStore, open_store
from patrolvision.types import (
    Anchor,
    Finding,
    GeoPoint,
    GridCodes,
    HandDecision,
    Incident,
    Look,
    MissionRecord,
    Observation,
    OutboxMessage,
    Sight,
    Ticket,
    TicketEvent,
)

PG_VARIABLE = "PATROLVISION_TEST_PG_URL"
T0 = datetime(2026, 5, 4, 0, 0, 0, 123457, tzinfo=UTC)
LAT, LON = 22.84, 113.23
FORK = multiprocessing.get_context("fork")  # no store is open when a test forks
METRE_NORTH_DEG = 1 / 110_750  # at this latitude, to 0.1 %


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    opened = open_store(url)
    yield opened
    opened.close()


def place(north_m: float = 0.0) -> GeoPoint:
    return GeoPoint(LAT + north_m * METRE_NORTH_DEG, LON, np.array([[4.8, 0.1], [0.1, 0.3]]))


def observation(name: str, north_m: float = 0.0, after_s: float = 0.0) -> Observation:
    at = T0 + timedelta(seconds=after_s)
    return Observation(
        name, "m1", "car1", "litter", at, at + timedelta(seconds=2), place(north_m), 0.83, 12
    )


def rich_observation() -> Observation:
    sight = Sight("a/b 文.mp4", 7, T0, (1.5, 2.0, 3.25, 4.1), 0.1 + 0.2)
    return replace(
        observation("o-rich"),
        first_seen=datetime(2026, 5, 4, 8, 0, 0, 1, tzinfo=timezone(timedelta(hours=8))),
        speed_mps=0.1,
        speed_sigma_mps=1 / 3,
        bias_cov_en_m2=np.array([[1.0, 0.0], [0.0, 1e-9]]),
        size_m2=0.7,
        model_release="patrol-n@0.1.0",
        sights=(sight, sight),
    )


def incident(name: str, *members: str, north_m: float = 0.0) -> Incident:
    return Incident(
        id=name,
        category="litter",
        kind="enforce",
        status="new",
        class_name="litter",
        place=place(north_m),
        first_seen=T0,
        last_seen=T0 + timedelta(seconds=2),
        observation_ids=members,
        mission_ids=("m1",),
        zone_id=None,
        score=0.83,
        evidence={"why": [1, 2.5, None, {"文": "值"}]},
    )


def ticket(name: str, incident_id: str, *states: str) -> Ticket:
    events = tuple(
        TicketEvent(T0 + timedelta(hours=k), state, "somebody", "noted")  # type: ignore[arg-type]
        for k, state in enumerate(states)
    )
    grid = GridCodes("U1", None, "S3")
    return Ticket(name, incident_id, "litter", events[-1].state, "high", place(), grid, events)


def look(name: str, side_m: float = 100.0) -> Look:
    side = side_m * METRE_NORTH_DEG
    ring = ((LAT, LON), (LAT + side, LON), (LAT + side, LON + side), (LAT, LON + side))
    return Look(name, "m1", T0, T0 + timedelta(seconds=9), frozenset({"litter", "car"}), ring, 0.9)


def test_an_observation_comes_back_as_it_went_in(store: SqlStore) -> None:
    with store.transaction() as tx:
        assert tx.add_observations([rich_observation(), observation("o1")]) == 2
    found = {o.id: o for o in store.observations()}
    assert found["o-rich"].first_seen == rich_observation().first_seen
    assert observation_to_record(found["o1"]) == observation_to_record(observation("o1"))
    expected = replace(rich_observation(), first_seen=T0.replace(microsecond=1))
    assert observation_to_record(found["o-rich"]) == observation_to_record(expected)


def test_an_incident_a_ticket_and_a_look_come_back_as_they_went_in(store: SqlStore) -> None:
    removed = replace(
        incident("i1", "o2", "o1"), status="removed", removed_at=T0, previous_incident_id="i0"
    )
    desk = replace(ticket("t1", "i1", "reported", "filed"), assignee="crew 3", due_at=T0)
    with store.transaction() as tx:
        tx.add_observations([observation("o1"), observation("o2")])
        assert tx.save_incidents([removed]) == 1
        assert tx.save_tickets([desk]) == 1
        assert tx.add_looks([look("l1")]) == 1
    assert [incident_to_record(i) for i in store.incidents()] == [incident_to_record(removed)]
    assert [ticket_to_record(t) for t in store.tickets()] == [ticket_to_record(desk)]
    assert list(store.looks_since(T0)) == [look("l1")]
    assert [look_to_record(x) for x in store.looks_since(T0)] == [look_to_record(look("l1"))]
    assert list(store.looks_since(T0 + timedelta(seconds=10))) == []


def test_a_finding_comes_back_with_its_observation(store: SqlStore) -> None:
    claim = Finding("f1", "litter", "review", rich_observation(), 0.5, "z1", "high", {"p": 0.1})
    with store.transaction() as tx:
        tx.add_observations([rich_observation()])
        assert tx.save_findings([claim]) == 1
        (found,) = tx.findings_around([(LAT, LON)], 1.0)
    assert replace(found, observation=claim.observation) == claim
    assert found.observation.sights == rich_observation().sights


def test_what_a_pass_saw_that_another_saw_too_tells_its_shift(store: SqlStore) -> None:
    """In the store as in memory: of this pass, of a thing of two, near enough, and not itself."""
    told = np.array([[2.0, 0.1], [0.1, 3.0]])
    seen = [
        observation("itself", 0.0),
        replace(observation("late", 10.0, after_s=9.0), bias_cov_en_m2=told),
        observation("early", 20.0, after_s=3.0),
        observation("new", 30.0),
        observation("loose", 35.0),
        observation("far", 70.0),
        replace(observation("other", 15.0), mission_id="m2"),
    ]
    of_two = [(name, f"i-{name}") for name in ("itself", "late", "early", "far", "other")]
    incidents = [
        replace(incident(id, name, north_m=5.0), mission_ids=("m1", "m2")) for name, id in of_two
    ]
    incidents.append(incident("i-new", "new"))
    findings = [Finding(f"f{o.id}", "litter", "enforce", o, 0.8) for o in seen]
    memory = MemoryNeighbourhood()
    memory.save(findings, incidents=incidents)
    with store.transaction() as tx:
        tx.add_observations(seen)
        tx.save_findings(findings)
        tx.save_incidents(incidents)
        found = tx.anchors_around((LAT, LON), 60.0, "m1", but="itself")
    assert found == memory.anchors_around((LAT, LON), 60.0, "m1", but="itself")
    here, total = place(5.0), (4.8, 0.1, 0.3)
    on_map = (here.lat_deg, here.lon_deg, total)
    assert found == [
        Anchor(place(20.0).lat_deg, LON, total, None, *on_map),
        Anchor(place(10.0).lat_deg, LON, total, (2.0, 0.1, 3.0), *on_map),
    ]


def test_what_passes_saw_around_places_is_found_whether_or_not_anything_is_said_of_it(
    store: SqlStore,
) -> None:
    seen = [observation("near", 5.0), observation("far", 60.0), rich_observation()]
    other = replace(observation("other", 5.0), mission_id="m2")
    with store.transaction() as tx:
        tx.add_observations([*seen, other])
        assert tx.observations_around([], 50.0, ["m1"]) == []
        found = tx.observations_around([(LAT, LON)], 50.0, ["m1", "m3"])
        both = tx.observations_around([(LAT, LON), (place(70.0).lat_deg, LON)], 20.0, ["m1"])
    assert [o.id for o in found] == ["near", "o-rich"]
    assert observation_to_record(found[0]) == observation_to_record(seen[0])
    assert [o.id for o in both] == ["far", "near", "o-rich"]


def test_a_finding_that_is_unsaid_leaves_its_incident_and_nothing_else(store: SqlStore) -> None:
    findings = [
        Finding(f"f{name}", "litter", "enforce", observation(name), 0.8) for name in ("o1", "o2")
    ]
    with store.transaction() as tx:
        tx.add_observations([finding.observation for finding in findings])
        tx.save_findings(findings)
        tx.save_incidents([incident("i1", "o1", "o2")])
        (before,) = tx.unsay(findings[:1])
        assert before.observation_ids == ("o1", "o2")
        assert [f.id for f in tx.findings_of(["o1", "o2"])] == ["fo2"]
        assert tx.memberships(["o1", "o2"]) == {("litter", "i1"): frozenset({"o2"})}
    assert store.counts()["observations"] == 2


def test_a_look_across_the_date_line_is_found_from_both_sides_and_from_nowhere_else(
    store: SqlStore,
) -> None:
    ring = ((-17.0, 179.999), (-17.0, -179.999), (-16.999, -179.999), (-16.999, 179.999))
    across = replace(look("l1"), polygon=ring)
    with store.transaction() as tx:
        assert tx.add_looks([across]) == 1
        for lon_deg in (179.9995, -179.9995, 180.0, -180.0):
            assert tx.looks_around([(-16.9995, lon_deg)], 5.0) == [across]
        assert tx.looks_around([(-16.9995, 178.0)], 5.0) == []
        assert tx.looks_around([(-16.9995, 0.0)], 5.0) == []


def fill(store: SqlStore) -> tuple[int, ...]:
    with store.transaction() as tx:
        tx.claim([(LAT, LON)])
        observations = [observation(f"o{k}", k, k) for k in range(20)]
        changes = [tx.add_observations(observations)]
        changes.append(
            tx.save_findings(
                [Finding(f"f{o.id}", "litter", "enforce", o, 0.8) for o in observations]
            )
        )
        changes.append(tx.save_incidents([incident("i1", "o1", "o2"), incident("i2", "o3")]))
        changes.append(tx.save_tickets([ticket("t1", "i1", "reported")]))
        changes.append(tx.add_looks([look("l1")]))
        changes.append(tx.enqueue([OutboxMessage("x", "tickets", {"n": 1})]))
        tx.finish_mission(MissionRecord("m1", "d", "done", {"observations": 20}, T0))
    return tuple(changes)


def test_a_decision_by_hand_comes_back_until_it_is_undone(store: SqlStore) -> None:
    split = HandDecision("h1", "litter", (("o1", "o2"), ("o3",)), "me", T0, "two heaps")
    empty = store.digest()
    with store.transaction() as tx:
        assert [tx.save_hand_decisions([split]) for _ in range(2)] == [1, 0]
        assert tx.hand_decisions() == [split]
    assert store.digest() != empty
    back = replace(split, undone_at=T0 + timedelta(days=1), undone_by="you")
    with store.transaction() as tx:
        tx.save_hand_decisions([back])
        assert tx.hand_decisions() == []
    assert store.hand_decisions() == [back]


def test_the_second_run_of_a_mission_changes_nothing(store: SqlStore) -> None:
    assert fill(store) == (20, 20, 2, 1, 1, 1)
    before = store.counts(), store.digest()
    assert fill(store) == (0, 0, 0, 0, 0, 0)
    assert (store.counts(), store.digest()) == before
    assert before[0]["observations"] == 20
    assert before[0]["incident_observations"] == 3
    assert store.mission("m1") == MissionRecord("m1", "d", "done", {"observations": 20}, T0)
    assert store.mission("m2") is None


def test_the_same_id_twice_in_one_call_counts_once(store: SqlStore) -> None:
    later = replace(observation("o1"), confidence=0.9)
    with store.transaction() as tx:
        assert tx.add_observations([observation("o1"), later]) == 1
        assert tx.enqueue([OutboxMessage("x", "a", {}), OutboxMessage("x", "b", {})]) == 1
    assert [o.confidence for o in store.observations()] == [0.9]
    assert [m.topic for m in store.messages()] == ["a"]


def test_changed_content_is_one_change_and_alters_the_digest(store: SqlStore) -> None:
    fill(store)
    before = store.digest()
    with store.transaction() as tx:
        changed = [replace(observation("o1", 1, 1), frames=13), observation("o2", 2, 2)]
        assert tx.add_observations(changed) == 1
    assert store.digest() != before


def test_the_digest_does_not_depend_on_the_order_of_writing(
    store: SqlStore, tmp_path: Path
) -> None:
    other = open_store(f"sqlite:///{tmp_path / 'other.db'}")
    names = [f"o{k}" for k in range(30)]
    for target, order in ((store, names), (other, names[::-1])):
        for name in order:
            with target.transaction() as tx:
                tx.add_observations([observation(name)])
    assert store.digest() == other.digest()
    other.close()


def test_what_is_near_is_decided_by_the_exact_distance(store: SqlStore) -> None:
    distances = {"at 24.9 m": 24.9, "at 25.1 m": 25.1, "far": 5000.0, "here": 0.0, "south": -24.9}
    with store.transaction() as tx:
        tx.add_observations([observation(f"o-{n}", north) for n, north in distances.items()])
        tx.save_incidents([incident(n, f"o-{n}", north_m=m) for n, m in distances.items()])
        near = {i.id for i in tx.incidents_near("litter", LAT, LON, 25.0)}
        assert near == {"at 24.9 m", "here", "south"}
        assert len(tx.incidents_near("litter", LAT, LON, 6000.0)) == 5
        assert tx.incidents_near("open_fire", LAT, LON, 25.0) == []


@pytest.mark.parametrize(
    ("lat_deg", "lon_deg", "other_lat_deg", "other_lon_deg"),
    [
        pytest.param(10.0, 180.0, 10.0, -179.99999, id="across the date line"),
        pytest.param(10.0, -180.0, 10.0, 179.99999, id="across it the other way"),
        pytest.param(-0.000001, 20.0, 0.000001, 20.0, id="across the equator"),
        pytest.param(89.99999, 0.0, 89.99999, 180.0, id="across the pole"),
        pytest.param(60.0, 24.999999, 60.0, 25.000001, id="across the edge of a cell"),
    ],
)
def test_neighbours_meet_across_every_seam_of_the_globe(
    store: SqlStore, lat_deg: float, lon_deg: float, other_lat_deg: float, other_lon_deg: float
) -> None:
    there = GeoPoint(other_lat_deg, other_lon_deg, np.eye(2))
    with store.transaction() as tx:
        tx.save_incidents([replace(incident("i1"), place=there)])
        assert [i.id for i in tx.incidents_near("litter", lat_deg, lon_deg, 5.0)] == ["i1"]


def test_a_look_is_near_when_its_box_is(store: SqlStore) -> None:
    wide = look("wide", 40_000.0)
    with store.transaction() as tx:
        tx.add_looks([look("l1"), wide])

        def near(north_m: float, radius_m: float) -> list[str]:
            place = LAT + north_m * METRE_NORTH_DEG, LON
            return [x.id for x in tx.looks_around([place], radius_m)]

        assert near(50.0, 1.0) == ["l1", "wide"]
        assert near(-9.0, 10.0) == ["l1", "wide"]
        assert near(-11.0, 10.0) == []
        assert near(120.0, 10.0) == ["wide"]


def test_incidents_are_found_by_their_observations(store: SqlStore) -> None:
    fill(store)
    with store.transaction() as tx:
        assert [i.id for i in tx.incidents_with(["o2", "o3", "o4", "unknown"])] == ["i1", "i2"]
        assert tx.incidents_with([]) == []


@pytest.mark.parametrize("many", [1, 6])
def test_a_transaction_finds_what_it_has_just_written(store: SqlStore, many: int) -> None:
    seen = [f"o{k}" for k in range(many)]  # a few rows and many take different ways
    held = [incident(f"i{k}", name) for k, name in enumerate(seen)]
    about = [ticket(f"t{k}", i.id, "reported") for k, i in enumerate(held)]
    with store.transaction() as transaction:
        assert transaction.add_observations([observation(name) for name in seen]) == many
        assert transaction.incidents_with(seen) == []
        assert transaction.memberships(seen) == {}
        assert transaction.save_incidents(held) == many
        assert [i.id for i in transaction.incidents_with(seen)] == [i.id for i in held]
        assert set(transaction.memberships(seen).values()) == {frozenset({o}) for o in seen}
        assert transaction.tickets_about([i.id for i in held]) == []
        assert transaction.save_tickets(about) == many
        told = transaction.tickets_about([i.id for i in held])
        assert [ticket_to_record(t) for t in told] == [ticket_to_record(t) for t in about]
        assert transaction.add_observations([observation(name) for name in seen]) == 0
        assert transaction.save_incidents(held) == transaction.save_tickets(about) == 0
        assert [i.id for i in transaction.incidents_with(seen)] == [i.id for i in held]
    with pytest.raises(StoreError, match="only grow"), store.transaction() as transaction:
        transaction.save_tickets([ticket("t0", "i0", "filed")])


def test_an_observation_moves_from_one_incident_to_another(store: SqlStore) -> None:
    fill(store)
    with store.transaction() as tx:
        tx.save_incidents([incident("i1", "o1", "o2", "o3"), incident("i2")])
        assert [i.id for i in tx.incidents_with(["o3"])] == ["i1"]


def test_two_incidents_cannot_share_an_observation(store: SqlStore) -> None:
    fill(store)
    before = store.digest()
    with pytest.raises(StoreError, match="one incident of a category"), store.transaction() as tx:
        tx.save_incidents([incident("i3", "o1")])
    assert store.digest() == before


def test_an_incident_has_one_ticket(store: SqlStore) -> None:
    fill(store)
    with pytest.raises(StoreError, match="one ticket only"), store.transaction() as tx:
        tx.save_tickets([ticket("t2", "i1", "reported")])
    with store.transaction() as tx:
        assert {k: t.id for k, t in tx.tickets_of(["i1", "i2"]).items()} == {"i1": "t1"}


def test_a_history_grows_and_is_never_rewritten(store: SqlStore) -> None:
    fill(store)
    with store.transaction() as tx:
        assert tx.save_tickets([ticket("t1", "i1", "reported", "filed")]) == 1
        assert tx.save_tickets([ticket("t1", "i1", "reported", "filed")]) == 0
    with pytest.raises(StoreError, match="only grow"), store.transaction() as tx:
        tx.save_tickets([ticket("t1", "i1", "reported", "rejected")])
    with pytest.raises(StoreError, match="only grow"), store.transaction() as tx:
        tx.save_tickets([ticket("t1", "i1", "reported")])
    assert [e.state for t in store.tickets() for e in t.history] == ["reported", "filed"]


def test_what_fails_in_the_middle_leaves_nothing(store: SqlStore) -> None:
    fill(store)
    before = store.counts(), store.digest()
    with pytest.raises(KeyError, match="broken"), store.transaction() as tx:
        tx.add_observations([observation("new")])
        tx.save_incidents([incident("i9", "new")])
        raise KeyError("broken")
    assert (store.counts(), store.digest()) == before


def test_an_incident_of_unknown_observations_is_refused(store: SqlStore) -> None:
    with pytest.raises(StoreError), store.transaction() as tx:
        tx.save_incidents([incident("i1", "never stored")])
    assert store.counts()["incidents"] == 0


def test_listings_are_in_order_and_filtered_and_whole(store: SqlStore) -> None:
    total = 2500  # more than two pages
    with store.transaction() as tx:
        tx.add_observations([observation(f"o{k:04d}", after_s=(k * 7) % 100) for k in range(total)])
        tx.save_incidents([incident("i1"), replace(incident("i2"), status="dismissed")])
    listed = [(o.first_seen, o.id) for o in store.observations()]
    assert len(listed) == total
    assert listed == sorted(listed)
    assert [i.id for i in store.incidents(status="dismissed")] == ["i2"]
    assert [i.id for i in store.incidents(category="litter", kind="enforce")] == ["i1", "i2"]
    assert list(store.incidents(category="open_fire")) == []
    assert list(store.tickets(state="reported")) == []


def test_a_listing_may_be_read_while_something_is_written(store: SqlStore) -> None:
    with store.transaction() as tx:
        tx.add_observations([observation(f"o{k}") for k in range(3)])
    listing = store.observations()
    next(listing)
    with store.transaction() as tx:
        tx.add_observations([observation("late")])
    assert len(list(listing)) >= 2


def _add_where_nothing_is(url: str, racer: int, start: Event) -> None:
    store = open_store(url)
    start.wait()
    for k in range(8):
        here = place(k * 40.0)
        seen = replace(observation(f"r{racer}-{k}"), place=here)
        with store.transaction() as tx:
            tx.claim([(here.lat_deg, here.lon_deg)])
            tx.add_observations([seen])
            known = tx.incidents_near("litter", here.lat_deg, here.lon_deg, 10.0)
            members = known[0].observation_ids if known else ()
            name = known[0].id if known else f"i-{seen.id}"
            tx.save_incidents([incident(name, *members, seen.id, north_m=k * 40.0)])
    store.close()


def test_eight_racers_on_one_street_make_no_duplicate_and_lose_nothing(url: str) -> None:
    start = FORK.Event()
    racers = [FORK.Process(target=_add_where_nothing_is, args=(url, n, start)) for n in range(8)]
    for racer in racers:  # they also race for the creation of the tables
        racer.start()
    start.set()
    for racer in racers:
        racer.join(timeout=60)
    assert [racer.exitcode for racer in racers] == [0] * 8
    store = open_store(url)
    incidents = list(store.incidents())
    assert store.counts()["observations"] == 64
    assert len(incidents) == 8
    assert sorted(len(i.observation_ids) for i in incidents) == [8] * 8
    store.close()


def _write_for_ever(url: str, committed: Connection) -> None:
    store = open_store(url)
    for k in count():
        with store.transaction() as tx:
            tx.add_observations([observation(f"o{k}")])
            tx.save_incidents([incident(f"i{k}", f"o{k}")])
            tx.save_tickets([ticket(f"t{k}", f"i{k}", "reported")])
        committed.send_bytes(b".")


@pytest.mark.parametrize("after_s", [0.002, 0.021, 0.047, 0.083])
def test_a_killed_process_leaves_whole_transactions(url: str, after_s: float) -> None:
    open_store(url).close()
    ours, theirs = FORK.Pipe(duplex=False)
    writer = FORK.Process(target=_write_for_ever, args=(url, theirs))
    writer.start()
    theirs.close()
    ours.recv_bytes()
    time.sleep(after_s)
    writer.kill()
    writer.join()
    said = 1
    with contextlib.suppress(EOFError):
        while ours.recv_bytes():
            said += 1
    ours.close()
    store = open_store(url)
    counts = store.counts()
    assert counts["observations"] >= said, "what was committed is there"
    same = {counts[t] for t in ("observations", "incidents", "tickets", "ticket_events")}
    assert len(same) == 1, "no transaction is there in part"
    with store.transaction() as tx:
        assert tx.add_observations([observation("after")]) == 1
    store.close()
