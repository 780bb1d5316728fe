"""What devices send is written in groups: by several workers at once, without waiting in vain."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from helpers.databases import empty_schema
from patrolvision import wiring
from patrolvision.api.intake import Intake, Post
from patrolvision.api.security import Office
from patrolvision.config import OfficeSettings
from patrolvision.store import SqlStore, open_store
from patrolvision.types import GeoPoint, Observation

START = datetime(2026, 5, 4, tzinfo=UTC)
STREETS = ((22.84, 113.23), (22.87, 113.23), (22.84, 113.26))  # kilometres apart
WORKERS, THINGS = 3, 8


@pytest.fixture
def postgres_store(postgres_url: str) -> Iterator[SqlStore]:
    with empty_schema(postgres_url) as url, closing(open_store(url)) as store:
        yield store


def intake(store: SqlStore) -> Intake:
    settings = OfficeSettings()
    return Intake(Office(store, settings, Path(), wiring.office_rules(settings)))


def post(name: str, lat_deg: float, lon_deg: float, hours: float = 0.0) -> Post:
    at, place = START + timedelta(hours=hours), GeoPoint(lat_deg, lon_deg, 2.0 * np.eye(2))
    mission = name.split("-")[0]
    return Post((Observation(name, mission, "car", "litter", at, at, place, 0.9, 5),))


def test_workers_that_write_at_once_lose_nothing_and_make_no_duplicate(url: str) -> None:
    """Three workers, each told by its own car of every thing of three streets, one by one."""
    stores = [open_store(url) for _ in range(WORKERS)]
    ways_in = [intake(store) for store in stores]
    jobs = [
        (way_in, post(f"m{n}-{street}-{k}", lat + 3e-4 * k, lon, hours=n))
        for k in range(THINGS)
        for street, (lat, lon) in enumerate(STREETS)
        for n, way_in in enumerate(ways_in)
    ]
    with ThreadPoolExecutor(len(jobs)) as pool:
        taken = list(pool.map(lambda job: job[0].take(job[1]), jobs))
    assert [one.new for one in taken] == [1] * len(jobs)
    incidents = [i for i in stores[0].incidents() if i.status != "dismissed"]
    assert len(incidents) == len(STREETS) * THINGS
    for incident in incidents:
        assert len({o.partition("-")[2] for o in incident.observation_ids}) == 1
        assert len(incident.observation_ids) == WORKERS
    assert len(list(stores[0].tickets())) == len(incidents)
    for store in stores:
        store.close()


def test_a_post_waits_for_who_writes_near_it_and_the_others_do_not(
    postgres_store: SqlStore,
) -> None:
    far, near, next_to_it = post("a-1", 22.9, 113.2), post("b-1", *STREETS[0]), STREETS[0]
    way_in = intake(postgres_store)
    with ThreadPoolExecutor(1) as pool, postgres_store.transaction() as other:
        other.claim([next_to_it])
        written = pool.submit(way_in.written, [far, near]).result(timeout=10)
        assert written == [far]
        assert postgres_store.counts()["observations"] == 1
    assert way_in.written([near]) == [near]
    assert (far.new, near.new) == (1, 1)
