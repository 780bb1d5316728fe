"""Lists, single things, clusters, tiles, layers and what devices send, through the API."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import mapbox_vector_tile
import pytest
from fastapi.testclient import TestClient

from helpers.many_tickets import T0, write
from helpers.office_people import fresh_store, key
from helpers.street_lines import two_passes
from patrolvision import records, wiring
from patrolvision.api import shapes
from patrolvision.api.app import create_app
from patrolvision.api.problems import Problem
from patrolvision.api.routes import coverage, events, observations
from patrolvision.api.security import Office, Principal
from patrolvision.config import OfficeSettings
from patrolvision.store import SqlStore, changes, quads
from patrolvision.store.engine import reading, writing
from patrolvision.store.office_reads import ticket_rows
from patrolvision.store.schema import tickets as tickets_table

COUNT = 130


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    opened = fresh_store(tmp_path)
    with writing(opened.engine) as connection:
        write(connection, COUNT, seed=2, share_over=0.5)
    yield opened
    opened.close()


@pytest.fixture
def client(store: SqlStore) -> TestClient:
    settings = OfficeSettings(open_reading=True, requests_per_minute=0)
    return TestClient(create_app(store, settings))


def turned(client: TestClient, path: str) -> list[dict[str, Any]]:
    """All pages of a list, by its links."""
    found: list[dict[str, Any]] = []
    while True:
        answer = client.get(path)
        assert answer.status_code == 200, answer.text
        found += answer.json()
        link = answer.headers.get("link")
        if link is None:
            return found
        assert link.endswith('; rel="next"')
        path = link[1 : link.index(">")]


def test_pages_by_their_links_hold_every_ticket_once_and_keep_the_filter(
    client: TestClient,
) -> None:
    everything = turned(client, "/api/v1/tickets?limit=17")
    assert len({t["ticket_id"] for t in everything}) == len(everything) == COUNT
    closed = turned(client, "/api/v1/tickets?limit=17&state=closed&state=rejected&sort=due")
    assert {t["ticket_id"] for t in closed} == {
        t["ticket_id"] for t in everything if t["state"] in ("closed", "rejected")
    }


def test_a_listed_ticket_is_the_ticket_s_record_and_more(
    client: TestClient, store: SqlStore
) -> None:
    by_id = {t["ticket_id"]: t for t in turned(client, "/api/v1/tickets?limit=100")}
    for ticket in store.tickets():
        record, told = records.ticket_to_record(ticket), by_id[ticket.id]
        assert told["sigma_m"] == pytest.approx(record.pop("sigma_m"))
        assert {name: told[name] for name in record} == record
        assert told["incident"]["observations"] == 2


def test_incidents_and_observations_are_their_records(tmp_path: Path) -> None:
    store = fresh_store(tmp_path)
    client = TestClient(create_app(store, OfficeSettings(open_reading=True)))
    bearer = {"Authorization": f"Bearer {key(store, 'observations:write')}"}
    assert client.post("/api/v1/observations", json=two_passes(), headers=bearer).json()["new"] == 4
    seen = {o["id"]: o for o in client.get("/api/v1/observations").json()}
    assert seen == {o.id: records.observation_to_record(o) for o in store.observations()}
    found = client.get("/api/v1/incidents").json()
    assert found == [records.incident_to_record(i) for i in store.incidents() if i.kind != "watch"]
    store.close()


def test_what_is_posted_twice_changes_nothing_and_bad_items_are_named(tmp_path: Path) -> None:
    store = fresh_store(tmp_path)
    client = TestClient(create_app(store, OfficeSettings(open_reading=True)))
    bearer = {"Authorization": f"Bearer {key(store, 'observations:write')}"}
    lines = two_passes()
    sent = [*lines, {**lines[0], "id": "bad", "confidence": 7}, "nonsense"]
    first = client.post("/api/v1/observations", json=sent, headers=bearer).json()
    assert (first["accepted"], first["new"]) == (4, 4)
    assert [(f["index"], f["field"]) for f in first["failed"]] == [(4, "confidence"), (5, None)]
    digest = store.digest()
    again = client.post("/api/v1/observations", json=lines, headers=bearer).json()
    assert (again["accepted"], again["new"], again["failed"]) == (4, 0, [])
    assert store.digest() == digest
    assert len(client.get("/api/v1/tickets").json()) == 1  # the heap; no zone forbids the car
    none_good = client.post("/api/v1/observations", json=["x"], headers=bearer)
    assert none_good.status_code == 422
    assert none_good.headers["content-type"] == "application/problem+json"
    store.close()


def test_a_key_without_the_scope_sends_nothing(tmp_path: Path) -> None:
    store = fresh_store(tmp_path)
    client = TestClient(create_app(store))
    assert client.post("/api/v1/observations", json=two_passes()).status_code == 401
    bearer = {"Authorization": f"Bearer {key(store, 'heartbeat')}"}
    assert client.post("/api/v1/coverage", json=[], headers=bearer).status_code == 403
    assert store.counts()["observations"] == 0
    store.close()


def test_posts_side_by_side_lose_nothing_and_count_each_observation_once(tmp_path: Path) -> None:
    store = fresh_store(tmp_path)
    client = TestClient(create_app(store, OfficeSettings(requests_per_minute=0)))
    bearer = {"Authorization": f"Bearer {key(store, 'observations:write')}"}
    new: list[int] = []

    def send(number: int) -> None:
        car = f"{number % 4}-"
        lines = [
            {**line, "id": car + line["id"], "mission_id": car + line["mission_id"]}
            for line in two_passes()
        ]
        new.append(client.post("/api/v1/observations", json=lines, headers=bearer).json()["new"])

    threads = [threading.Thread(target=send, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(new) == store.counts()["observations"] == 16
    assert len([i for i in store.incidents() if i.category == "litter"]) == 1
    store.close()


@pytest.mark.parametrize(
    "path",
    [
        "tickets?bbox=1,2,3", "tickets?bbox=200,0,201,1", "tickets?polygon=POINT(1 2)",
        "tickets?polygon=POLYGON((0 0,1 1,1 0,0 1,0 0))", "tickets?cursor=eyJhIjoxfQ",
        "tickets?polygon=CURVEPOLYGON((0 0,1 0,1 1,0 0))",
        "tickets?state=gone", "tickets?since=2026-01-01T00:00:00", "tickets?limit=1001",
        "tickets?text=%00", "incidents?kind=x", "observations?sort=due", "coverage?bbox=a,b,c,d",
        "clusters?zoom=99", "stats?days=0", "events?after=-1",
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused_with_a_problem(client: TestClient, path: str) -> None:
    answer = client.get(f"/api/v1/{path}")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


def test_a_polygon_lets_through_what_lies_in_it(client: TestClient) -> None:
    triangle = "POLYGON((113.0 22.6,113.4 22.6,113.2 23.1,113.0 22.6))"
    import shapely

    shape = shapely.from_wkt(triangle)
    inside = {
        t["ticket_id"]
        for t in turned(client, "/api/v1/tickets?limit=100")
        if shapely.intersects_xy(shape, t["lon_deg"], t["lat_deg"])
    }
    told = turned(client, f"/api/v1/tickets?limit=20&polygon={triangle}")
    assert {t["ticket_id"] for t in told} == inside
    assert 0 < len(inside) < COUNT


def test_clusters_and_tiles_add_up_to_the_tickets(client: TestClient) -> None:
    features = client.get("/api/v1/clusters?zoom=3").json()["features"]
    assert sum(f["properties"]["count"] for f in features) == COUNT
    z, x, y = quads.tile_at(22.84, 113.23, 5)
    tile = client.get(f"/api/v1/tiles/tickets/{z}/{x}/{y}.mvt")
    assert tile.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    layer = mapbox_vector_tile.decode(tile.content)["tickets"]
    assert sum(f["properties"]["count"] for f in layer["features"]) == COUNT
    still_open = client.get(f"/api/v1/tiles/tickets/{z}/{x}/{y}.mvt?closed=false")
    layer = mapbox_vector_tile.decode(still_open.content)["tickets"]
    assert {f["properties"].get("state") for f in layer["features"]}.isdisjoint({"closed"})
    assert client.get("/api/v1/tiles/tickets/3/8/0.mvt").status_code == 404


def test_stats_say_what_there_is(client: TestClient) -> None:
    told = client.get("/api/v1/stats?days=366").json()
    assert told["tickets"]["total"] == COUNT == sum(told["tickets"]["by_state"].values())
    assert sum(day["total"] for day in told["opened_by_day"]) == COUNT
    assert told["closed"]["count"] == told["tickets"]["by_state"]["closed"]


def test_the_layers_of_ogc_lead_from_page_to_page(client: TestClient) -> None:
    landing = client.get("/ogc/").json()
    data = next(link["href"] for link in landing["links"] if link["rel"] == "data")
    layers = client.get(data).json()["collections"]
    assert {"tickets", "incidents", "unit_grids", "zones"} <= {layer["id"] for layer in layers}
    href, ids = "/ogc/collections/tickets/items?limit=50", []
    while href:
        answer = client.get(href)
        assert answer.headers["content-type"] == "application/geo+json"
        page = answer.json()
        assert page["numberReturned"] == len(page["features"])
        ids += [feature["id"] for feature in page["features"]]
        href = next((link["href"] for link in page["links"] if link["rel"] == "next"), "")
    assert len(set(ids)) == len(ids) == COUNT
    one = client.get(f"/ogc/collections/tickets/items/{ids[0]}").json()
    assert one["id"] == ids[0] and {link["rel"] for link in one["links"]} == {"self", "collection"}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("bbox=113,22,114,23", 200), ("datetime=2026-01-01T00:00:00Z/..", 200), ("limit=9999", 200),
        ("bbox=1,2,3", 400), ("datetime=yesterday", 400), ("limit=0", 400), ("colour=red", 400),
        ("datetime=2026-02-01T00:00:00Z/2026-01-01T00:00:00Z", 400),
    ],
)  # fmt: skip
def test_ogc_answers_400_where_the_standard_asks_for_it(
    client: TestClient, query: str, status: int
) -> None:
    assert client.get(f"/ogc/collections/incidents/items?{query}").status_code == status
    assert client.get("/ogc/collections/nothing/items").status_code == 404


def test_an_ogc_limit_above_the_largest_page_is_cut_and_no_error(client: TestClient) -> None:
    """OGC API Features part 1, /req/core/fc-limit-definition."""
    answer = client.get("/ogc/collections/tickets/items?limit=99999")
    assert answer.status_code == 200
    assert 0 < answer.json()["numberReturned"] <= 1000


def test_ogc_intervals_hold_what_was_there_at_the_time(client: TestClient) -> None:
    until = (T0 + timedelta(minutes=10)).isoformat().replace("+00:00", "Z")
    page = client.get(f"/ogc/collections/tickets/items?limit=100&datetime=../{until}").json()
    assert page["numberReturned"] == 21  # one each half minute, both ends included


@pytest.mark.parametrize(
    ("ends", "status"),
    [
        ("../9999-12-31T23:59:59.999999Z", 200), ("0001-01-01T00:00:00Z/..", 200),
        ("../9999-12-31T23:59:59.999999-14:00", 400), ("0001-01-01T00:00:00%2B14:00/..", 400),
    ],
)  # fmt: skip
def test_ogc_intervals_may_reach_to_the_ends_of_the_calendar(
    client: TestClient, ends: str, status: int
) -> None:
    for layer in ("tickets", "observations"):
        answer = client.get(f"/ogc/collections/{layer}/items?datetime={ends}")
        assert answer.status_code == status


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00%2B14:00"])
def test_before_the_calendar_nobody_looked(client: TestClient, at: str) -> None:
    assert client.get(f"/api/v1/coverage/unit?at={at}").status_code == 422


def test_events_tell_what_changed_after_a_position(client: TestClient, store: SqlStore) -> None:
    with reading(store.engine) as connection:
        before = changes.Follower.from_now(connection)
        newest = max(before.told)
        (one,) = ticket_rows(connection, ["t-00000007"])
    with writing(store.engine) as connection:
        seventh = tickets_table.c.id == "t-00000007"
        connection.execute(tickets_table.update().where(seventh).values(priority="urgent"))
    text = client.get(f"/api/v1/events?follow=false&after={newest}").text
    assert "event: ticket.changed" in text
    assert '"ticket_id":"t-00000007"' in text
    assert shapes.ticket(one.ticket, one.events, one.incident)["ticket_id"] == "t-00000007"
    with reading(store.engine) as connection:
        assert [c.ticket_id for c in before.look(connection)] == ["t-00000007"]
        assert before.look(connection) == []


def test_health_fails_when_a_stream_is_silent_and_not_when_it_has_ended(
    client: TestClient, store: SqlStore
) -> None:
    assert client.get("/healthz").status_code == 200
    changes.beat(store.engine, "stream:cam1", T0, {"silent_s": 30})
    answer = client.get("/healthz")
    assert answer.status_code == 503
    failing = [check["name"] for check in answer.json()["checks"] if not check["ok"]]
    assert failing == ["stream:cam1"]
    assert 'patrolvision_check_ok{name="stream:cam1"} 0' in client.get("/metrics").text
    changes.still(store.engine, "stream:cam1")
    assert client.get("/healthz").status_code == 200


def test_metrics_count_answers_by_route_and_the_log_holds_no_query(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="patrolvision.access"):
        client.get("/api/v1/tickets/t-00000001?secret=pvk_1_2")
    assert 'route="/api/v1/tickets/{ticket_id}",status="200"' in client.get("/metrics").text
    assert "pvk_1_2" not in caplog.text
    assert '"path":"/api/v1/tickets/t-00000001"' in caplog.text


def test_who_heard_of_more_than_there_is_begins_anew(client: TestClient, store: SqlStore) -> None:
    """A database put back from a copy: the positions after it are given once more."""
    with reading(store.engine) as connection:
        newest = changes.newest_position(connection)

    def heard(position: int) -> str:
        headers = {"Last-Event-ID": str(position)}
        return client.get("/api/v1/events?follow=false", headers=headers).text

    assert "event: reset" not in heard(newest)
    assert [heard(newest + 1), heard(10**20 - 1)] == ["event: reset\ndata: {}\n\n"] * 2


def test_who_may_read_no_more_is_told_no_more(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "ASK_AGAIN_S", -1.0)
    settings = OfficeSettings()
    office = Office(store, settings, Path(), wiring.office_rules(settings))
    answers: list[Principal | Problem] = [Principal("rita", "viewer"), Problem(401, "signed out")]

    async def still() -> Principal:
        answer = answers.pop(0)
        if isinstance(answer, Problem):
            raise answer
        return answer

    def touch() -> None:
        with writing(store.engine) as connection:
            one = tickets_table.c.id == "t-00000009"
            urged = tickets_table.c.urged + 1
            connection.execute(tickets_table.update().where(one).values(urged=urged))

    async def listen() -> list[bytes]:
        lines = events._lines(office, events.Feed(office), Principal("rita", "viewer"), still, None)
        heard = [await anext(lines)]
        touch()
        heard.append(await anext(lines))
        touch()
        return [*heard, *[line async for line in lines]]

    first, second = asyncio.run(listen())
    assert b"listening" in first
    assert b"t-00000009" in second


@pytest.mark.parametrize(
    ("scope", "status"),
    [("coverage:write", 200), ("observations:write", 200), ("heartbeat", 403)],
)
def test_looks_are_taken_from_a_key_that_may_send_them(
    tmp_path: Path, scope: str, status: int
) -> None:
    store = fresh_store(tmp_path)
    sent = {"Authorization": f"Bearer {key(store, scope)}"}
    client = TestClient(create_app(store))
    answer = client.post("/api/v1/coverage", json=coverage.BODY["example"], headers=sent)
    assert answer.status_code == status
    store.close()


ODD = [
    ("observations", {"id": "x" * 201}), ("observations", {"model_release": "x" * 201}),
    ("coverage", {"mission_id": "x" * 201}),
    ("observations", {"class": {}}), ("observations", {"class": [[]]}),
    ("coverage", {"classes": [{}]}), ("coverage", {"classes": [["litter"]]}),
    ("coverage", {"start": "1970-01-01T00:00:00Z"}),
]  # fmt: skip


@pytest.mark.parametrize(("door", "change"), ODD)
def test_what_no_pass_can_have_seen_is_named_and_refused(
    tmp_path: Path, door: str, change: dict[str, Any]
) -> None:
    bodies = {"observations": observations.BODY["example"], "coverage": coverage.BODY["example"]}
    store = fresh_store(tmp_path)
    sent = {"Authorization": f"Bearer {key(store, 'observations:write')}"}
    client = TestClient(create_app(store))
    fine = client.post(f"/api/v1/{door}", json=bodies[door], headers=sent)
    refused = client.post(f"/api/v1/{door}", json={**bodies[door], **change}, headers=sent)
    assert (fine.status_code, refused.status_code) == (200, 422)
    store.close()
