"""What stands before every route: rate, size and origin."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from helpers.office_people import fresh_store
from patrolvision.api.app import create_app
from patrolvision.api.guard import MAX_ADDRESSES, Bucket
from patrolvision.config import OfficeSettings
from patrolvision.store.sql_store import SqlStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    opened = fresh_store(tmp_path)
    yield opened
    opened.close()


def test_one_address_is_held_to_its_rate_and_another_is_not(store: SqlStore) -> None:
    app = create_app(store, OfficeSettings(requests_per_minute=5))
    here, there = TestClient(app), TestClient(app, client=("192.0.2.7", 1))
    answers = [here.get("/api/v1/causes") for _ in range(7)]
    assert [a.status_code for a in answers] == [200] * 5 + [429] * 2
    assert answers[-1].headers["content-type"] == "application/problem+json"
    assert 0 < int(answers[-1].headers["retry-after"]) <= 13
    assert there.get("/api/v1/causes").status_code == 403


def test_a_body_is_held_to_its_size_whether_or_not_it_names_it(store: SqlStore) -> None:
    client = TestClient(create_app(store, OfficeSettings(body_max_bytes=1000)))
    json = {"Content-Type": "application/json"}
    named = client.post("/api/v1/session", content=b"x" * 1001, headers=json)
    unnamed = client.post("/api/v1/session", content=iter([b"x" * 600] * 2), headers=json)
    assert (named.status_code, unnamed.status_code) == (413, 413)
    fine = client.post("/api/v1/session", content=b'{"name": "a", "password": "b"}', headers=json)
    assert fine.status_code == 401


@pytest.mark.parametrize(
    "origin", ["http://[", "http://[x]", "null", "evil", "http://testserver:8"]
)
def test_an_origin_that_is_no_address_is_somebody_elses(store: SqlStore, origin: str) -> None:
    client = TestClient(create_app(store))
    headers = {"Origin": origin, "Cookie": "pv_session=x"}
    assert client.post("/api/v1/session", headers=headers, json={}).status_code == 403


FORM_DOORS = ("/open311/v2/requests.xml", "/api/v1/tickets/t/pictures")


@pytest.mark.parametrize("door", FORM_DOORS)
@pytest.mark.parametrize("charset", ["unicode_escape", "undefined", "punycode", '"utf-16"', "*=x"])
def test_a_form_in_an_odd_character_set_is_refused(
    store: SqlStore, door: str, charset: str
) -> None:
    client = TestClient(create_app(store))
    part = b'--X\r\nContent-Disposition: form-data; name="description"\r\n\r\n\\ud800\r\n--X--\r\n'
    kind = f"multipart/form-data; boundary=X; charset={charset}"
    refused = client.post(door, content=part, headers={"Content-Type": kind})
    assert refused.status_code == 415
    usual = kind.replace(charset, "UTF-8")
    assert client.post(door, content=part, headers={"Content-Type": usual}).status_code != 415


@given(st.lists(st.floats(0, 5), min_size=1, max_size=200), st.integers(1, 60))
def test_a_bucket_never_lets_more_through_than_its_size_and_rate(
    pauses: list[float], per_minute: int
) -> None:
    now = 0.0
    bucket = Bucket(per_minute, lambda: now)
    passed = 0
    for pause in pauses:
        now += pause
        passed += bucket.wait_s("a") == 0.0
        assert passed <= per_minute + now * per_minute / 60.0 + 1e-6


def test_a_bucket_says_how_long_to_wait() -> None:
    now = 0.0
    bucket = Bucket(2, lambda: now)
    assert [bucket.wait_s("a"), bucket.wait_s("a"), bucket.wait_s("b")] == [0.0, 0.0, 0.0]
    wait_s = bucket.wait_s("a")
    assert wait_s == pytest.approx(30.0)
    now += wait_s + 1e-6
    assert bucket.wait_s("a") == 0.0


def test_many_addresses_fill_no_memory() -> None:
    bucket = Bucket(5, lambda: 0.0)
    for k in range(MAX_ADDRESSES + 50):
        bucket.wait_s(str(k))
    assert len(bucket._left) == MAX_ADDRESSES
