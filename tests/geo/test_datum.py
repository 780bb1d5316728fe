"""Coordinates of Chinese consumer maps become WGS-84 at the border, when they are named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.command_line import in_process
from patrolvision.errors import ConfigError
from patrolvision.geo.datum import gcj02_from_wgs84, in_wgs84, text_in_wgs84, wgs84_from_gcj02
from patrolvision.geo.geodesy import distance_m
from patrolvision.rules.zones import load_zones
from patrolvision.sources.telemetry import read_telemetry
from patrolvision.tickets.grids import GridIndex

FOSHAN = (22.84, 113.23)
# of the published implementation's own tests: WGS-84, GCJ-02
KNOWN = [
    ((31.1774276, 121.5272106), (31.17530398364597, 121.531541859215)),
    ((22.543847, 113.912316), (22.540796131694766, 113.9171764808363)),
    ((39.911954, 116.377817), (39.91334545536069, 116.38404722455657)),
]


@pytest.mark.parametrize(("wgs84", "gcj02"), KNOWN)
def test_places_agree_with_the_published_implementation(
    wgs84: tuple[float, float], gcj02: tuple[float, float]
) -> None:
    assert float(distance_m(*map(float, gcj02_from_wgs84(*wgs84)), *gcj02)) < 0.001
    assert float(distance_m(*map(float, wgs84_from_gcj02(*gcj02)), *wgs84)) < 0.001


@given(st.floats(18.0, 53.0), st.floats(75.0, 134.0))
def test_there_and_back_is_the_same_place(lat_deg: float, lon_deg: float) -> None:
    there = tuple(map(float, gcj02_from_wgs84(lat_deg, lon_deg)))
    back = tuple(map(float, wgs84_from_gcj02(*there)))
    assert float(distance_m(*back, lat_deg, lon_deg)) < 0.001
    assert float(distance_m(*there, lat_deg, lon_deg)) < 1000.0  # next to none near 37 N 97 E


@pytest.mark.parametrize("city", [FOSHAN, (39.9, 116.4), (31.2, 121.5), (30.6, 104.1)])
def test_the_shift_is_what_people_see_in_cities(city: tuple[float, float]) -> None:
    assert 300.0 < float(distance_m(*map(float, gcj02_from_wgs84(*city)), *city)) < 700.0


def test_outside_of_china_nothing_is_shifted() -> None:
    berlin = (52.52, 13.40)
    assert tuple(map(float, gcj02_from_wgs84(*berlin))) == berlin


def ring(side_deg: float = 0.001) -> list[list[float]]:
    """A square around Foshan as a Chinese map service gives it."""
    lat, lon = FOSHAN
    corners = [(lat, lon), (lat, lon + side_deg), (lat + side_deg, lon + side_deg), (lat, lon)]
    lats, lons = gcj02_from_wgs84(*np.array(corners).T)
    return [list(place) for place in zip(lons.tolist(), lats.tolist(), strict=True)]


def collection(geometry: dict[str, Any], properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    feature = {"type": "Feature", "properties": properties, "geometry": geometry}
    return {"type": "FeatureCollection", **more, "features": [feature]}


def polygon() -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [ring()]}


def write(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


def test_zones_and_grids_that_name_their_datum_lie_where_they_should(tmp_path: Path) -> None:
    zone = collection(polygon(), {"zone_id": "z", "rule": "no_parking"}, datum="GCJ-02")
    zones = load_zones(write(tmp_path / "z.geojson", zone))
    west, south, *_ = zones.zones[0].area.bounds
    assert float(distance_m(south, west, *FOSHAN)) < 0.001
    cell = collection(polygon(), {"layer": "unit", "code": "c"}, datum="GCJ-02")
    index = GridIndex.from_file(write(tmp_path / "g.geojson", cell))
    inside = FOSHAN[0] + 0.0003, FOSHAN[1] + 0.0006
    assert index.codes_at(*inside).unit_grid == "c"
    unnamed = {k: v for k, v in cell.items() if k != "datum"}
    assert GridIndex.from_file(write(tmp_path / "u.geojson", unnamed)).codes_at(*inside) != (
        index.codes_at(*inside)
    )


@pytest.mark.parametrize(
    "geometry",
    [
        {"type": "LineString", "coordinates": ring()[:2]},
        {"type": "Point", "coordinates": [*ring()[0], 12.5]},
        {"type": "MultiPolygon", "coordinates": [[ring()], [ring(0.002)]]},
    ],
    ids=lambda g: g["type"],
)
def test_every_geometry_is_moved_whole(geometry: dict[str, Any]) -> None:
    moved = in_wgs84(collection(geometry, {}, datum="GCJ-02"))["features"][0]["geometry"]
    flat, before = np.array(_flat(moved)), np.array(_flat(geometry))
    assert flat.shape == before.shape
    assert float(distance_m(flat[0][1], flat[0][0], *FOSHAN)) < 0.001
    assert moved["type"] == geometry["type"]
    if geometry["type"] == "Point":
        assert moved["coordinates"][2] == 12.5


def _flat(geometry: dict[str, Any]) -> list[list[float]]:
    found: list[list[float]] = []

    def walk(part: Any) -> None:
        if isinstance(part[0], list):
            for inner in part:
                walk(inner)
        else:
            found.append(part[:2])

    walk(geometry["coordinates"])
    return found


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"datum": "BD-09"}, r"datum: must be WGS-84 or GCJ-02, found 'BD-09'"),
        ({"datum": None}, r"datum: must be"),
        ({"crs": {"type": "name", "properties": {"name": "EPSG:3857"}}}, r"crs: .*EPSG:3857"),
        ({"crs": "EPSG:4326"}, r"crs: must be WGS-84"),
    ],
)
def test_another_datum_is_refused_by_name(more: dict[str, Any], said: str, tmp_path: Path) -> None:
    zone = collection(polygon(), {"zone_id": "z", "rule": "no_parking"}, **more)
    with pytest.raises(ConfigError, match=rf"z\.geojson: {said}"):
        load_zones(write(tmp_path / "z.geojson", zone))
    cell = collection(polygon(), {"layer": "unit", "code": "c"}, **more)
    with pytest.raises(ConfigError, match=rf"g\.geojson: {said}"):
        GridIndex.from_file(write(tmp_path / "g.geojson", cell))


@pytest.mark.parametrize(
    "name", ["urn:ogc:def:crs:OGC:1.3:CRS84", "urn:ogc:def:crs:EPSG::4326", "EPSG:4490"]
)
def test_the_crs_that_map_programs_write_for_degrees_is_taken(name: str) -> None:
    given = collection(polygon(), {}, crs={"type": "name", "properties": {"name": name}})
    assert in_wgs84(given) is given
    assert text_in_wgs84(json.dumps(given)) == json.dumps(given)


def test_what_is_no_geometry_is_left_to_who_reads_it() -> None:
    odd = {"type": "FeatureCollection", "datum": "GCJ-02", "features": [5, {"geometry": None}]}
    assert in_wgs84(odd)["features"] == odd["features"]
    assert in_wgs84({"datum": "GCJ-02", "features": "none"})["features"] == "none"


def test_telemetry_of_a_recorder_that_asks_a_chinese_map_is_moved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lat, lon = gcj02_from_wgs84(*FOSHAN)
    path = tmp_path / "t.csv"
    rows = [f"2026-05-04T08:00:0{k}+08:00,{float(lat):.9f},{float(lon):.9f}" for k in range(3)]
    path.write_text("time,lat,lon\n" + "\n".join(rows) + "\n")
    moved = read_telemetry(path, datum="GCJ-02").samples[0]
    assert float(distance_m(moved.lat_deg, moved.lon_deg, *FOSHAN)) < 0.001
    as_given = read_telemetry(path).samples[0]
    assert float(distance_m(as_given.lat_deg, as_given.lon_deg, *FOSHAN)) > 100.0
    done = in_process(capsys, "telemetry", path, "--datum", "GCJ-02")
    told = json.loads(done.out.splitlines()[0])
    assert float(distance_m(told["lat_deg"], told["lon_deg"], *FOSHAN)) < 0.001
