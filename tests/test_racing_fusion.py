"""Eight processes fuse one street at once: no duplicate, nothing lost."""

from __future__ import annotations

import multiprocessing
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Event

import numpy as np
import pytest
from sqlalchemy import text

from patrolvision.errors import ClaimError
from patrolvision.geo.geodesy import offset
from patrolvision.incidents.hand import merge
from patrolvision.pipeline import Judged, decide, settle, take_in
from patrolvision.rules.rulebook import Rulebook
from patrolvision.store import open_store
from patrolvision.types import GeoPoint, Observation

FORK = multiprocessing.get_context("fork")  # no store is open when a test forks
START = datetime(2026, 5, 4, tzinfo=UTC)
FAR = GeoPoint(22.86, 113.23, 2.0 * np.eye(2))
RACERS, THINGS, SPACING_M = 8, 12, 14.0


def seen_by(racer: int) -> list[Observation]:
    """One pass along the street: every thing once, 1.2 m off, with a shift of the pass."""
    rng = np.random.default_rng(racer)
    shift = rng.normal(0, 1.2, 2)
    found = []
    for k in range(THINGS):
        east, north = np.array([SPACING_M * k, 0.0]) + shift + rng.normal(0, 0.4, 2)
        lat, lon = offset(22.84, 113.23, east, north)
        at = START + timedelta(hours=racer, seconds=2.0 * k)
        place = GeoPoint(float(lat), float(lon), 2.0 * np.eye(2))
        found.append(
            Observation(f"{racer}-{k}", f"m{racer}", "car", "litter", at, at, place, 0.9, 5)
        )
    return found


def race(url: str, racer: int, way: str, start: Event) -> None:
    store, rules = open_store(url), Rulebook()
    seen = seen_by(racer)
    start.wait()
    step = 1 if way == "one by one" else 4
    for low in range(0, len(seen), step):
        some = seen[low : low + step]
        with store.transaction() as transaction:
            act = take_in if way == "one by one" else settle
            act(transaction, Judged(tuple(some), tuple(rules.findings(some))), rules=rules)
    store.close()


@pytest.mark.parametrize("way", ["one by one", "four at once"])
def test_eight_processes_on_one_street_make_no_duplicate_and_lose_nothing(
    url: str, way: str
) -> None:
    open_store(url).close()
    start = FORK.Event()
    racers = [FORK.Process(target=race, args=(url, n, way, start)) for n in range(RACERS)]
    for racer in racers:
        racer.start()
    start.set()
    for racer in racers:
        racer.join(timeout=120)
    assert [racer.exitcode for racer in racers] == [0] * RACERS
    store = open_store(url)
    incidents = [i for i in store.incidents() if i.status != "dismissed"]
    assert store.counts()["observations"] == RACERS * THINGS
    assert sorted(o for i in incidents for o in i.observation_ids) == sorted(
        f"{racer}-{k}" for racer in range(RACERS) for k in range(THINGS)
    )
    things = {tuple({o.split("-")[1] for o in i.observation_ids}) for i in incidents}
    assert len(incidents) == len(things) == THINGS
    assert all(len(i.observation_ids) == RACERS for i in incidents)
    store.close()


def test_fusion_that_reaches_beyond_its_claim_claims_everything(url: str) -> None:
    """A person said that two things two kilometres apart are one; a third sight joins them."""
    store, rules = open_store(url), Rulebook()
    far = [replace(o, place=o.place if k == 0 else FAR) for k, o in enumerate(seen_by(0)[:2])]
    with store.transaction() as transaction:
        settle(transaction, Judged(tuple(far), tuple(rules.findings(far))), rules=rules)
    one, other = store.incidents()
    with store.transaction() as transaction:
        decide(transaction, merge(one, other, actor="clerk", at=START), rules=rules)
    again = seen_by(1)[:1]
    with store.transaction() as transaction:
        settle(transaction, Judged(tuple(again), tuple(rules.findings(again))), rules=rules)
    (left,) = (i for i in store.incidents() if i.status != "dismissed")
    assert set(left.observation_ids) == {"0-0", "0-1", "1-0"}
    store.close()


def test_what_a_failed_attempt_claimed_is_free_again(url: str) -> None:
    store = open_store(url)
    if store.engine.name == "sqlite":
        store.close()
        pytest.skip("SQLite: its one writer holds everything; PostgreSQL alone has claims to free")
    with store.transaction() as one:
        with suppress(ClaimError), one.attempt():
            one.claim([(22.84, 113.23)])
            one.hold([-1])
        with store.transaction() as two:
            two.connection.execute(text("SET LOCAL lock_timeout = '5s'"))
            two.claim_all()  # an error after five seconds if anything were still held
            mine = "locktype = 'advisory' AND granted AND pid = pg_backend_pid()"
            held = two.connection.execute(text(f"SELECT count(*) FROM pg_locks WHERE {mine}"))
            assert held.scalar_one() >= 1
    store.close()
