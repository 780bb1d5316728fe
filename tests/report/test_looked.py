"""What was looked at when, by segment and cell."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from helpers.command_line import in_process
from helpers.office_days import FIRST_DAY, HOUR, LAT, LON, METRE, patrol, save
from patrolvision.api.app import create_app
from patrolvision.config import OfficeSettings
from patrolvision.looked import forget_sheets, make_sheets
from patrolvision.store import SqlStore, open_store
from patrolvision.store.areas import save_area

DAY = timedelta(days=1)
AT = FIRST_DAY + 20 * DAY


def road(code: str, east_m: float) -> dict[str, Any]:
    """A road of 600 m to the north; the patrols drive the one at 0 m."""
    line = [[LON + east_m * METRE, LAT + north * METRE] for north in (0.0, 600.0)]
    return {
        "type": "Feature",
        "properties": {"layer": "segment", "code": code},
        "geometry": {"type": "LineString", "coordinates": line},
    }


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Three passes on the driven road, one of them a fortnight old; none on the other."""
    address = f"sqlite:///{tmp_path / 'p.db'}"
    store = open_store(address)
    for mission, days in (("m0", 5.0), ("m1", 18.0), ("m2", 19.0)):
        save(store, [], [], [], patrol(mission, FIRST_DAY + days * DAY, looks=21))
    grids = {"type": "FeatureCollection", "features": [road("driven", 0.0), road("idle", 500.0)]}
    save_area(store.engine, "grids", json.dumps(grids), "x", FIRST_DAY)
    store.close()
    return address


def expected(last: datetime) -> list[dict[str, Any]]:
    return [
        {"code": "driven", "last_looked_at": last.isoformat(), "passes_7d": 2, "passes_30d": 3,
         "km_7d": 1.2, "km_30d": 1.8},
        {"code": "idle", "last_looked_at": None, "passes_7d": 0, "passes_30d": 0, "km_7d": 0.0,
         "km_30d": 0.0},
    ]  # fmt: skip


def last_look() -> datetime:
    return max(look.end for look in patrol("m2", FIRST_DAY + 19 * DAY, looks=21))


def test_the_command_tells_what_was_driven_and_what_nobody_looked_at(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    done = in_process(capsys, "coverage", "--db", url, "--at", AT.isoformat(), "--format", "json")
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert [
        {**r, "km_7d": round(r["km_7d"], 2), "km_30d": round(r["km_30d"], 2)} for r in rows
    ] == (expected(last_look()))


@pytest.mark.parametrize("form", ["table", "csv", "geojson"])
def test_every_format_holds_both_segments(
    form: str, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    done = in_process(capsys, "coverage", "--db", url, "--at", AT.isoformat(), "--format", form)
    assert done.rc == 0
    assert "driven" in done.out
    assert "idle" in done.out
    if form == "geojson":
        kinds = [f["geometry"]["type"] for f in json.loads(done.out)["features"]]
        assert kinds == ["LineString", "LineString"]


@pytest.mark.parametrize("at", ["yesterday", "2026-05-04T08:00:00"])
def test_an_instant_without_an_offset_is_refused_in_a_sentence(
    at: str, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    done = in_process(capsys, "coverage", "--db", url, "--at", at)
    assert done.rc == 2
    assert "--at" in done.complaints[0]


def test_a_store_without_grids_asks_for_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address = f"sqlite:///{tmp_path / 'q.db'}"
    open_store(address).close()
    done = in_process(capsys, "coverage", "--db", address)
    assert done.rc == 2
    assert "--grids" in done.complaints[0]


def test_the_office_gets_the_same_as_json_and_as_a_layer(url: str) -> None:
    store: SqlStore = open_store(url)
    settings = OfficeSettings(open_reading=True, requests_per_minute=0)
    client = TestClient(create_app(store, settings))
    asked = {"at": AT.isoformat()}
    rows = client.get("/api/v1/coverage/segment", params=asked).json()
    assert [(r["code"], r["passes_7d"], r["passes_30d"]) for r in rows] == [
        ("driven", 2, 3),
        ("idle", 0, 0),
    ]
    layer = client.get("/api/v1/coverage/segment", params={**asked, "format": "geojson"}).json()
    assert [f["properties"]["code"] for f in layer["features"]] == ["driven", "idle"]
    assert client.get("/api/v1/coverage/unit", params=asked).json() == []
    assert client.get("/api/v1/coverage/street", params=asked).status_code == 422
    store.close()


def test_looks_of_a_mission_more_than_ten_minutes_apart_are_two_passes(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    store = open_store(url)
    long_after = FIRST_DAY + 100 * DAY
    later = patrol("m9", long_after + HOUR, looks=3)
    later = [replace(look, id=f"{look.id}-later") for look in later]
    other = patrol("n9", long_after, looks=3)
    save(store, [], [], [], [*later, *other, *patrol("m9", long_after, looks=3)])
    store.close()
    at = (long_after + DAY).isoformat()
    done = in_process(capsys, "coverage", "--db", url, "--at", at, "--format", "json")
    driven, _ = (json.loads(line) for line in done.out.splitlines())
    assert (driven["passes_7d"], driven["passes_30d"]) == (3, 3)


def test_the_offices_round_makes_the_sheets_that_are_missing_the_newest_days_first(
    url: str,
) -> None:
    store = open_store(url)
    made = [make_sheets(store, AT, most=2) for _ in range(3)]
    assert made == [2, 1, 0]
    save(store, [], [], [], patrol("m3", FIRST_DAY + 19.5 * DAY, looks=2))
    assert [make_sheets(store, AT, most=2) for _ in range(2)] == [1, 0]
    store.close()


def test_the_sheets_of_a_map_are_thrown_away_two_months_after_it_was_replaced(url: str) -> None:
    store = open_store(url)
    make_sheets(store, AT, most=9)
    of_both = store.counts()["look_sheets"]
    other = {"type": "FeatureCollection", "features": [road("driven", 0.0)]}
    save_area(store.engine, "grids", json.dumps(other), "x", AT)
    make_sheets(store, AT, most=9)
    assert forget_sheets(store, AT + 61 * DAY, most=9) == 0
    rounds = [forget_sheets(store, AT + 63 * DAY, most=2) for _ in range(3)]
    assert rounds == [2, 2, 0]  # three days of looks, and the codes of the map
    assert store.counts()["look_sheets"] == of_both
    assert make_sheets(store, AT + DAY, most=9) == 0  # those of the map in force are all there
    store.close()


def test_a_map_that_came_back_keeps_its_sheets(url: str) -> None:
    store = open_store(url)
    make_sheets(store, AT, most=9)
    first = {"type": "FeatureCollection", "features": [road("driven", 0.0), road("idle", 500.0)]}
    other = {"type": "FeatureCollection", "features": [road("driven", 0.0)]}
    save_area(store.engine, "grids", json.dumps(other), "x", AT)
    save_area(store.engine, "grids", json.dumps(first), "x", AT + DAY)
    assert forget_sheets(store, AT + 300 * DAY, most=9) == 0
    assert make_sheets(store, AT, most=9) == 0
    store.close()
