"""Who is limited to areas is shown nothing that lies outside of them, through whatever door."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.office_people import fresh_store, key
from patrolvision import desk
from patrolvision.api.app import create_app
from patrolvision.config import OfficeSettings
from patrolvision.evidence.pictures import keep_picture
from patrolvision.pipeline import Judged, settle
from patrolvision.store import SqlStore
from patrolvision.store.areas import save_area
from patrolvision.store.quads import tile_at
from patrolvision.tickets.categories import load_catalogue
from patrolvision.tickets.causes import load_causes
from patrolvision.tickets.grids import GridIndex
from patrolvision.tickets.workflow import Act
from patrolvision.types import Finding, GeoPoint, Look, Observation

AT = datetime(2026, 5, 4, 1, tzinfo=UTC)
WEST, SOUTH, CELL_DEG, SIDE = 113.20, 22.80, 0.01, 3
CLASSES = {"litter": "litter", "illegal_parking": "car", "open_fire": "fire"}
AREAS = ("R0", "R1", "R2", "U00", "U11", "U2", "Z")  # Z: there is no such cell
# What is said to everybody by design (the city's published requests), or is of no place.
PUBLISHED = ("/open311/v2/requests/", "/open311/v2/tokens/")
ENDLESS = ("/api/v1/events",)  # a stream; its narrowing has a test of its own


def grids() -> str:
    """3 x 3 unit cells of a hundredth of a degree, each column one responsible grid."""
    features = []
    for row, column in itertools.product(range(SIDE), range(SIDE)):
        west, south = WEST + column * CELL_DEG, SOUTH + row * CELL_DEG
        features.append(
            cell("unit", f"U{row}{column}", west, south, west + CELL_DEG, south + CELL_DEG)
        )
    for column in range(SIDE):
        west = WEST + column * CELL_DEG
        features.append(
            cell("responsible", f"R{column}", west, SOUTH, west + CELL_DEG, SOUTH + SIDE * CELL_DEG)
        )
    return json.dumps({"type": "FeatureCollection", "features": features})


def cell(layer: str, code: str, w: float, s: float, e: float, n: float) -> dict[str, Any]:
    ring = [[w, s], [e, s], [e, n], [w, n], [w, s]]
    properties = {"layer": layer, "code": code, "name": code, "level": 1, "owner": "city"}
    geometry = {"type": "Polygon", "coordinates": [ring]}
    return {"type": "Feature", "properties": properties, "geometry": geometry}


@dataclass
class City:
    """An office with things all over its cells, and some beyond; marks are what names each."""

    store: SqlStore
    app: FastAPI
    clients: dict[tuple[str, ...], TestClient] = field(default_factory=dict)
    marks: dict[str, frozenset[str]] = field(default_factory=dict)  # mark -> codes of its place

    def client(self, areas: tuple[str, ...]) -> TestClient:
        if areas not in self.clients:
            token = key(self.store, "read", role="dispatcher", areas=areas)
            self.clients[areas] = TestClient(self.app, headers={"Authorization": f"Bearer {token}"})
        return self.clients[areas]

    def hidden(self, areas: tuple[str, ...]) -> set[str]:
        """The marks of what lies outside of the areas."""
        return {mark for mark, codes in self.marks.items() if not is_in(codes, areas)}


def is_in(codes: frozenset[str], areas: tuple[str, ...]) -> bool:
    return not areas or any(code.startswith(area) for code in codes for area in areas)


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    folder = tmp_path_factory.mktemp("city")
    store, index = fresh_store(folder), GridIndex.from_text(grids(), "grids")
    save_area(store.engine, "grids", grids(), "test", AT - timedelta(days=90))
    app = create_app(
        store,
        OfficeSettings(open_reading=False, requests_per_minute=0, media=folder),
        clock=lambda: AT + timedelta(days=1),
    )
    city = City(store, app)
    rng = random.Random(3)
    for k in range(60):
        put(city, index, folder, rng, k)
    yield city
    store.close()


def put(city: City, index: GridIndex, folder: Path, rng: random.Random, k: int) -> None:
    """One thing, seen by a pass of its own: with its look, picture, incident and ticket."""
    lon = WEST + rng.uniform(-0.2, SIDE + 0.2) * CELL_DEG
    lat = SOUTH + rng.uniform(-0.2, SIDE + 0.2) * CELL_DEG
    if k % 6 == 0:  # on a border: decided the same way everywhere
        lon = WEST + rng.choice([1, 2]) * CELL_DEG
    codes = index.codes_at(lat, lon)
    places = frozenset(code for code in (codes.unit_grid, codes.responsible_grid) if code)
    category, mark = rng.choice(list(CLASSES)), f"mark{k:03}x"
    at = AT + timedelta(minutes=k)
    kept = keep_picture(np.full((24, 24, 3), k * 4, np.uint8), folder / "evidence")
    picture = {
        "view": "close", "file": kept.path.relative_to(folder).as_posix(), "sha256": kept.sha256,
        "width": 24, "height": 24, "captured_at": at.isoformat(), "mission_id": f"m-{mark}",
    }  # fmt: skip
    seen = Observation(
        f"o-{mark}", f"m-{mark}", "car1", CLASSES[category], at, at,
        GeoPoint(lat, lon, np.eye(2)), 0.95, 12,
    )  # fmt: skip
    kind = "review" if k % 5 == 0 else "enforce"
    finding = Finding(f"f-{mark}", category, kind, seen, 0.9, evidence={"pictures": [picture]})  # type: ignore[arg-type]
    d = 2e-5
    ring = ((lat - d, lon - d), (lat - d, lon + d), (lat + d, lon + d), (lat + d, lon - d))
    look = Look(f"l-{mark}", f"m-{mark}", at, at, frozenset({"person"}), ring, 0.5)
    with city.store.transaction() as transaction:
        settled = settle(transaction, Judged((seen,), (finding,), (look,)), grids=index)
    if k % 6:  # a look over a border is of both sides
        city.marks[mark] = places
        city.marks[kept.sha256] = places
    for incident in city.store.incidents():
        if seen.id in incident.observation_ids:
            city.marks[incident.id] = places
            if k % 5 == 0 and k % 2:
                judge(city.store, incident.id)
    for ticket in settled.raised:
        city.marks[ticket.id] = places
        if k % 3 == 0:
            judge(city.store, ticket.id)


def judge(store: SqlStore, wanted: str) -> None:
    rules = desk.Rules(load_catalogue(), load_causes())
    act = Act("verdict", "rita", AT + timedelta(hours=2), "reviewer", cause="not_there")
    desk.judge(store, rules, wanted, "false", act)


def doors(app: FastAPI, mark: str, place: tuple[float, float]) -> Iterator[str]:
    """Every address that is read, with the name given wherever one is asked for."""
    zoom = 14
    _, x, y = tile_at(*place, zoom)
    choices: Mapping[str, tuple[str, ...]] = {
        "form": ("json", "xml"), "name": ("incidents", "tickets", "observations", "coverage"),
        "z": (str(zoom),), "x": (str(x),), "y": (str(y),), "layer": ("unit", "responsible"),
        "period": ("day", "month"), "day": ("2026-05-04",), "service_code": ("litter",),
    }  # fmt: skip
    for path, calls in app.openapi()["paths"].items():
        if "get" not in calls or path.startswith(PUBLISHED) or path in ENDLESS:
            continue
        names = [part.split("}")[0] for part in path.split("{")[1:]]
        if path.startswith("/api/v1/evidence"):
            yield f"/api/v1/evidence/{mark}.jpg"
            continue
        for values in itertools.product(*(choices.get(name, (mark,)) for name in names)):
            yield path.format(**dict(zip(names, values, strict=True)))
    yield from (f"/api/v1/export/tickets?format={form}" for form in ("csv", "geojson"))
    yield from (f"/api/v1/{name}?format=geojson&limit=1000" for name in LISTS)
    yield from (f"/ogc/collections/{name}/items?limit=1000" for name in choices["name"])
    yield "/api/v1/queue?limit=200"


LISTS = ("tickets", "incidents", "observations", "coverage")


@settings(max_examples=6)
@given(
    areas=st.lists(st.sampled_from(AREAS), min_size=1, max_size=2, unique=True), pick=st.randoms()
)
def test_no_door_that_is_read_shows_anything_outside_the_areas(
    city: City, areas: list[str], pick: random.Random
) -> None:
    limited = tuple(areas)
    client, hidden = city.client(limited), city.hidden(limited)
    one = pick.choice(sorted(hidden))
    lat, lon = (start + pick.uniform(0, SIDE) * CELL_DEG for start in (SOUTH, WEST))
    for address in doors(city.app, one, (lat, lon)):
        answer = client.get(address)
        assert answer.status_code < 500, address
        text = answer.content.decode("utf-8", "replace").replace(
            one if one in address else "\0", ""
        )
        if answer.status_code != 200:
            continue
        shown = {mark for mark in hidden if mark in text}
        assert not shown, f"{address} shows {shown} to somebody of {limited}"


@pytest.mark.parametrize("name", LISTS)
def test_a_list_holds_all_that_lies_inside_page_by_page(city: City, name: str) -> None:
    everybody, client = city.client(()), city.client(("R1",))
    wanted = {
        mark for mark, codes in city.marks.items() if is_in(codes, ("R1",))
        and mark in everybody.get(f"/api/v1/{name}?limit=1000").text
    }  # fmt: skip
    assert wanted
    text, path = "", f"/api/v1/{name}?limit=3"
    while path:
        answer = client.get(path)
        text += answer.text
        link = answer.headers.get("link", "")
        path = link[1 : link.index(">")] if link else ""
    assert {mark for mark in wanted if mark not in text} == set()


def test_a_single_thing_outside_is_as_if_it_were_not_there(city: City) -> None:
    client = city.client(("U00",))
    [incident] = [m for m in city.hidden(("U00",)) if m.startswith("inc-")][:1]
    assert client.get(f"/api/v1/incidents/{incident}").status_code == 404
    assert city.client(()).get(f"/api/v1/incidents/{incident}").status_code == 200
    assert client.get(f"/ogc/collections/incidents/items/{incident}").status_code == 404


def test_without_grids_nothing_lies_in_an_area(tmp_path: Path) -> None:
    store = fresh_store(tmp_path)
    app = create_app(store, OfficeSettings(open_reading=False), clock=lambda: AT)
    city = City(store, app)
    put(city, GridIndex.from_text(grids(), "grids"), tmp_path, random.Random(1), 1)
    assert city.client(("R",)).get("/api/v1/incidents").json() == []
    assert len(city.client(()).get("/api/v1/incidents").json()) == 1
    store.close()


def test_the_queue_of_a_reviewer_of_an_area_holds_what_lies_there_and_no_more(city: City) -> None:
    whole = city.client(()).get("/api/v1/queue?limit=200").json()
    mine = city.client(("R1",)).get("/api/v1/queue?limit=200").json()

    def name(one: dict[str, Any]) -> str:
        return str(one.get("ticket_id") or one["incident_id"])

    inside = {name(one) for one in whole if is_in(city.marks[name(one)], ("R1",))}
    assert {name(one) for one in mine} == inside
    assert any(one.startswith("inc-") for one in inside), "doubtful incidents are among them"
    assert any(one.startswith("t-") for one in inside)
    assert len(city.client(("R1",)).get("/api/v1/queue?limit=1").json()) == 1
