"""Crews, devices, zones, grids, categories, reports and exports through the API."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from helpers.office_days import LAT, LON, fill, incident_at, moved, new_ticket, save
from helpers.office_people import START, Clock, hire, key, signed_in
from patrolvision.api.app import create_app
from patrolvision.config import OfficeSettings
from patrolvision.store import SqlStore, open_store

CREW = {"id": "c1", "name": "东区一队", "skills": ["cleaning"], "areas": ["R"], "duty": "24/7"}
CELL = {
    "type": "Feature",
    "properties": {"layer": "unit", "code": "U1"},
    "geometry": {
        "type": "Polygon",
        "coordinates": [[[113, 22], [114, 22], [114, 23], [113, 23], [113, 22]]],
    },
}
ZONE = {**CELL, "properties": {"zone_id": "z", "rule": "no_parking"}}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    opened = open_store(f"sqlite:///{tmp_path / 'patrol.db'}")
    yield opened
    opened.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(store: SqlStore, clock: Clock) -> FastAPI:
    made = create_app(
        store, OfficeSettings(timezone="Asia/Shanghai", idle_hours=1000.0), clock=clock
    )
    for name, role in (("dora", "dispatcher"), ("vera", "viewer"), ("ada", "admin")):
        hire(store, name, role)
    hire(store, "chen", "crew", crew="c1")
    hire(store, "rita", "viewer", "R1")
    return made


@pytest.fixture
def dora(app: FastAPI, store: SqlStore) -> TestClient:
    return signed_in(app, store, "dora")


def collection(*features: Any) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features)}


def one_ticket(store: SqlStore) -> str:
    seen, incident = incident_at("i1", START, 0.0, 0.0)
    ticket = moved(new_ticket(incident), "file", START, due_at=START + timedelta(hours=4))
    save(store, [seen], [incident], [ticket])
    return ticket.id


def test_a_crew_is_added_changed_and_followed(
    app: FastAPI, store: SqlStore, dora: TestClient, clock: Clock
) -> None:
    for crew, status in ((CREW, 201), (CREW, 201), ({**CREW, "name": "other"}, 409)):
        assert dora.post("/api/v1/crews", json=crew).status_code == status
    changed = dora.patch("/api/v1/crews/c1", json={"contractor": "玉洁", "duty": "Mo 08:00-20:00"})
    assert (changed.json()["contractor"], changed.json()["on_duty"]) == ("玉洁", True)
    assert dora.patch("/api/v1/crews/c9", json={}).status_code == 404
    chen = signed_in(app, store, "chen")
    here = {"lat_deg": LAT, "lon_deg": LON}
    assert chen.post("/api/v1/crews/c1/position", json=here).json() == {"new": True}
    assert chen.post("/api/v1/crews/c2/position", json=here).status_code == 403
    device = {"Authorization": f"Bearer {key(store, 'position')}"}
    client = TestClient(app)
    old = {**here, "at": (START - timedelta(minutes=1)).isoformat()}
    assert client.post("/api/v1/crews/c1/position", json=old, headers=device).json() == {
        "new": False
    }
    (shown,) = dora.get("/api/v1/crews").json()
    assert shown["position"]["is_fresh"]
    clock.go(minutes=16)
    (shown,) = dora.get("/api/v1/crews").json()
    assert not shown["position"]["is_fresh"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"duty": "some day"}, "duty"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"id": "a b"}, "id"),
        ({"name": "\x00"}, "name"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_crew_that_cannot_be_is_refused_by_field(
    dora: TestClient, change: dict[str, Any], field: str
) -> None:
    answer = dora.post("/api/v1/crews", json={**CREW, **change})
    assert answer.status_code == 422
    assert field in answer.json()["detail"]
    assert answer.headers["content-type"] == "application/problem+json"


def test_candidates_come_best_first_and_say_why_others_may_not_go(
    store: SqlStore, dora: TestClient
) -> None:
    ticket = one_ticket(store)
    for name, other in (("near", {}), ("far", {}), ("fire", {"skills": ["fire"]})):
        dora.post("/api/v1/crews", json={**CREW, "id": name, **other})
    for name, lat in (("near", LAT), ("far", LAT + 0.05), ("fire", LAT)):
        dora.post(f"/api/v1/crews/{name}/position", json={"lat_deg": lat, "lon_deg": LON})
    found = dora.get(f"/api/v1/tickets/{ticket}/candidates").json()
    assert [c["crew"] for c in found] == ["near", "far"]
    assert [c["distance_m"] for c in found] == pytest.approx([0.0, 5537.0], abs=1.0)
    everybody = dora.get(f"/api/v1/tickets/{ticket}/candidates?all=true").json()
    assert everybody[-1]["why_not"] == "lacks the skill cleaning"
    assert dora.get("/api/v1/tickets/t-none/candidates").status_code == 404


def test_a_device_is_registered_and_heard_of(
    app: FastAPI, store: SqlStore, dora: TestClient, clock: Clock
) -> None:
    car = {
        "id": "car-7", "kind": "car", "owner": "patrol", "camera_model": "X5",
        "calibration": {"lens": {"fx": 1400.0}},
        "algorithms": [{"name": "patrol-n", "version": "0.1.0", "classes": ["litter"],
                        "thresholds": {"litter": 0.4}, "input_kind": "video"}],
    }  # fmt: skip
    made = dora.post("/api/v1/devices", json=car)
    assert made.status_code == 201
    assert (made.json()["is_alive"], made.json()["calibration"]) == (
        False,
        {"lens": {"fx": 1400.0}},
    )
    beat = {"Authorization": f"Bearer {key(store, 'heartbeat')}"}
    client = TestClient(app)
    said = client.post("/api/v1/devices/car-7/heartbeat", json={"battery": 0.8}, headers=beat)
    assert (said.json()["is_alive"], said.json()["heartbeat"]) == (True, {"battery": 0.8})
    assert client.post("/api/v1/devices/x/heartbeat", json={}, headers=beat).status_code == 404
    clock.go(minutes=6)
    (shown,) = dora.get("/api/v1/devices?kind=car").json()
    assert not shown["is_alive"]
    assert dora.get("/api/v1/devices?kind=drone").json() == []
    huge = {**car, "calibration": {"a": "x" * 30_000}}
    assert dora.post("/api/v1/devices", json=huge).status_code == 422


def test_a_full_bin_waits_in_the_queue_as_one_incident_however_often_it_is_told(
    app: FastAPI, store: SqlStore, dora: TestClient
) -> None:
    sensor = {"id": "bin-3", "kind": "sensor", "lat_deg": LAT, "lon_deg": LON}
    dora.post("/api/v1/devices", json=sensor)
    dora.post("/api/v1/devices", json={"id": "bin-4", "kind": "sensor"})
    client = TestClient(app, headers={"Authorization": f"Bearer {key(store, 'telemetry')}"})
    said = []
    for minutes in (40, 40, 20, 0):
        at = (START - timedelta(minutes=minutes)).isoformat()
        told = {"event": "full_bin", "at": at, "value": 0.97}
        said.append(client.post("/api/v1/devices/bin-3/events", json=told).json())
    assert len({one["incident_id"] for one in said}) == 1
    assert [(one["kind"], one["new"]) for one in said] == [
        ("review", True), ("review", True), ("review", False), ("review", False),
    ]  # fmt: skip
    assert [len(incident.observation_ids) for incident in store.incidents()] == [3]
    assert list(store.tickets()) == []
    for address, event, status in (
        ("bin-3", "vibration", 422), ("bin-4", "full_bin", 422), ("bin-5", "full_bin", 404),
    ):  # fmt: skip
        answer = client.post(f"/api/v1/devices/{address}/events", json={"event": event})
        assert answer.status_code == status, answer.text


def test_a_layer_in_another_datum_is_kept_in_wgs84(dora: TestClient) -> None:
    assert (
        dora.put("/api/v1/grids", json={**collection(CELL), "datum": "GCJ-02"}).status_code == 200
    )
    kept = dora.get("/api/v1/grids").json()
    assert "datum" not in kept
    assert kept["features"][0]["geometry"] != CELL["geometry"], "the map draws WGS-84"
    answer = dora.put("/api/v1/grids", json={**collection(CELL), "datum": "BD-09"})
    assert (answer.status_code, "BD-09" in answer.text) == (422, True)


def test_zones_and_grids_are_checked_as_their_files_are_and_kept_in_versions(
    dora: TestClient,
) -> None:
    assert dora.get("/api/v1/grids").json() == collection()
    assert dora.put("/api/v1/grids", json=collection(CELL)).json()["version"] == 1
    assert dora.put("/api/v1/grids", json=collection(CELL)).json()["version"] == 1
    given = dora.get("/api/v1/grids")
    assert (given.json(), given.headers["etag"]) == (collection(CELL), '"1"')
    at = {"lat": 22.5, "lon": 113.0}  # on the border
    assert dora.get("/api/v1/grids/at", params=at).json()["unit_grid"] == "U1"
    assert dora.get("/api/v1/grids/at?lat=91&lon=0").status_code == 422
    wrong = {**CELL, "properties": {"layer": "unit"}}
    answer = dora.put("/api/v1/grids", json=collection(CELL, wrong))
    assert answer.status_code == 422
    assert "feature 1: code" in answer.json()["detail"]
    assert dora.put("/api/v1/zones", json=collection(ZONE)).json()["features"] == 1
    bad = {**ZONE, "properties": {"zone_id": "z2", "rule": "no_fun"}}
    answer = dora.put("/api/v1/zones", json=collection(bad))
    assert "zone 'z2': rule" in answer.json()["detail"]
    assert dora.get("/api/v1/zones").json() == collection(ZONE)
    for content, kind, status in (
        (b"\xff", "application/json", 422),
        (b"{}", "application/json", 422),
        (b"[" * 100_000, "application/json", 422),
        (b'{"a":"\x00"}', "application/json", 422),
        (b"x", "text/plain", 415),
    ):
        for layer in ("zones", "grids"):
            sent = dora.put(f"/api/v1/{layer}", content=content, headers={"Content-Type": kind})
            assert sent.status_code == status, (layer, content[:10])


def test_categories_are_given_with_deadlines_and_sources(dora: TestClient) -> None:
    said = dora.get("/api/v1/categories").json()
    litter = next(c for c in said["categories"] if c["category"] == "litter")
    assert (litter["name_zh"], litter["code"]) == ("暴露垃圾", "0102")
    assert {d["priority"]: d["hours"] for d in litter["deadlines"]}["urgent"] == 2
    assert litter["source"]
    assert [level["level"] for level in said["levels"]] == ["village", "town", "district"]


def test_writing_is_for_dispatchers(app: FastAPI, store: SqlStore) -> None:
    vera = signed_in(app, store, "vera")
    for method, address in (
        ("post", "crews"), ("patch", "crews/c1"), ("post", "devices"), ("put", "zones"),
        ("put", "grids"), ("post", "crews/c1/position"), ("post", "devices/d/heartbeat"),
        ("post", "reports/day/2026-05-03/revisions"),
    ):  # fmt: skip
        answer = vera.request(method, f"/api/v1/{address}", json={})
        assert answer.status_code == 403, address
        assert TestClient(app).request(method, f"/api/v1/{address}", json={}).status_code == 401


def test_a_report_is_given_in_four_forms_the_same_each_time(
    app: FastAPI, store: SqlStore, clock: Clock
) -> None:
    fill(store, days=3, a_day=15)
    clock.now = datetime(2026, 6, 1, tzinfo=UTC)
    ada = signed_in(app, store, "ada", hours=1000.0)
    address = "/api/v1/reports/day/2026-05-05"
    for form in ("json", "csv", "xlsx", "html"):
        first, second = (ada.get(address, params={"format": form, "lang": "zh"}) for _ in "ab")
        assert first.status_code == 200
        assert first.content == second.content
    assert ada.get(address).json()["rows"][0]["found"] == 15
    only = ada.get(address, params={"rows": ["crew"]}).json()["rows"]
    assert {row["kind"] for row in only} == {"all", "crew"}
    for anew, revision in (("false", 1), ("false", 1), ("true", 2)):
        kept = ada.post(f"{address}/revisions", params={"anew": anew})
        assert kept.json() == {"revision": revision, "complete": True}
    assert ada.get(address).json()["revision"] == 2
    assert ada.get("/api/v1/reports/day/2027-01-01").status_code == 422
    assert ada.get("/api/v1/reports/day/2026-02-30").status_code == 422
    assert ada.get("/api/v1/reports/era/2026-02-03").status_code == 422
    rita = signed_in(app, store, "rita", hours=1000.0)
    rows = rita.get(address).json()["rows"]
    assert 0 < rows[0]["found"] < 15
    assert {r["key"] for r in rows if r["kind"] == "responsible_grid"} == {"R1"}


def test_exports_hold_every_ticket_that_fits(app: FastAPI, store: SqlStore) -> None:
    fill(store, days=2, a_day=10)
    vera = signed_in(app, store, "vera")
    text = vera.get("/api/v1/export/tickets?format=csv").text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len({row["ticket_id"] for row in rows}) == 20
    assert [row["opened_at"] for row in rows] == sorted(row["opened_at"] for row in rows)
    closed = vera.get("/api/v1/export/tickets?format=geojson&state=closed").json()
    assert 0 < len(closed["features"]) < 20
    assert closed["features"][0]["geometry"]["type"] == "Point"
    book = vera.get("/api/v1/export/tickets?format=xlsx").content
    with ZipFile(io.BytesIO(book)) as archive:
        assert archive.read("xl/worksheets/sheet1.xml").count(b"<row ") == 21
    rita = signed_in(app, store, "rita")
    mine = list(csv.DictReader(io.StringIO(rita.get("/api/v1/export/tickets").text)))
    assert {row["responsible_grid"] for row in mine} == {"R1"}


def test_a_text_that_looks_like_a_formula_is_disarmed_in_csv(app: FastAPI, store: SqlStore) -> None:
    seen, incident = incident_at("i1", START, 0.0, 0.0)
    filed = moved(new_ticket(incident), "file", START)
    sent = moved(filed, "dispatch", START, assignee='=HYPERLINK("x")')
    save(store, [seen], [incident], [sent])
    text = signed_in(app, store, "vera").get("/api/v1/export/tickets").text
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["assignee"] == '\'=HYPERLINK("x")'


def test_a_notice_is_a_page_of_pdf_with_its_chinese_text(app: FastAPI, store: SqlStore) -> None:
    pytest.importorskip("reportlab", reason="pip install 'patrolvision[pdf]'")
    ticket = one_ticket(store)
    vera = signed_in(app, store, "vera")
    answer = vera.get(f"/api/v1/tickets/{ticket}/notice.pdf")
    assert answer.status_code == 200
    assert answer.content.startswith(b"%PDF-")
    assert b"STSong-Light" in answer.content
    assert answer.content == vera.get(f"/api/v1/tickets/{ticket}/notice.pdf").content
    assert vera.get("/api/v1/tickets/t-none/notice.pdf").status_code == 404
    rita = signed_in(app, store, "rita")
    grid = json.loads(vera.get(f"/api/v1/tickets/{ticket}").text)["responsible_grid"]
    expected = 200 if grid == "R1" else 403
    assert rita.get(f"/api/v1/tickets/{ticket}/notice.pdf").status_code == expected


@pytest.mark.parametrize(
    "content",
    ['{"a": ' + "[" * 300 + "]" * 300 + "}", '{"\\ud800": 1}', '{"a": "\\ud800"}'],
    ids=["deep", "surrogate key", "surrogate"],
)
def test_a_calibration_that_cannot_be_kept_is_refused(
    app: FastAPI, store: SqlStore, content: str
) -> None:
    body = '{"id": "car-9", "kind": "car", "calibration": ' + content + "}"
    dora = signed_in(app, store, "dora")
    headers = {"Content-Type": "application/json"}
    assert dora.post("/api/v1/devices", content=body, headers=headers).status_code == 422
    day = {"id": "car-9", "kind": "car", "calibrated_on": "2026-02-30"}
    assert dora.post("/api/v1/devices", json=day).status_code == 422
    assert dora.get("/api/v1/devices").json() == []


@pytest.mark.parametrize("kind", ["zones", "grids"])
@pytest.mark.parametrize("note", ["\\ud800", "\x00", "\ufeff"])
def test_a_layer_that_nobody_could_read_again_is_not_kept(
    app: FastAPI, store: SqlStore, kind: str, note: str
) -> None:
    feature = {"zones": ZONE, "grids": CELL}[kind]
    text = json.dumps({"type": "FeatureCollection", "features": [feature]})
    if note == "\ufeff":
        text = note + text
    else:
        text = text.replace('"Feature"', f'"Feature", "note": "{note}"')
    dora = signed_in(app, store, "dora")
    headers = {"Content-Type": "application/geo+json"}
    put = dora.put(f"/api/v1/{kind}", content=text.encode(), headers=headers)
    assert put.status_code == 422
    assert dora.get(f"/api/v1/{kind}").headers["etag"] == '"0"'


@pytest.mark.parametrize("name", ["a\x00", "\x0b", "x" * 201])
def test_a_zone_or_cell_with_a_name_that_no_column_takes_is_refused(
    app: FastAPI, store: SqlStore, name: str
) -> None:
    dora = signed_in(app, store, "dora")
    for kind, feature, field in (("zones", ZONE, "zone_id"), ("grids", CELL, "code")):
        properties = {**feature["properties"], field: name}
        features = [{**feature, "properties": properties}]
        layer = {"type": "FeatureCollection", "features": features}
        assert dora.put(f"/api/v1/{kind}", json=layer).status_code == 422
