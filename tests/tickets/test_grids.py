"""From a place to its codes; each place's answer can be seen on a sketch of the street."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from patrolvision.errors import ConfigError
from patrolvision.tickets import GridIndex
from patrolvision.types import GridCodes

CELL_DEG = 0.002
NORTH_M = 1 / 111_320  # degrees of latitude in a metre, as the index reckons


def square(west: float, south: float, side: float = CELL_DEG) -> list[list[list[float]]]:
    east, north = west + side, south + side
    return [[[west, south], [east, south], [east, north], [west, north], [west, south]]]


def feature(layer: Any, code: Any, geometry: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "properties": {"layer": layer, "code": code},
        "geometry": geometry,
    }


def cell(code: str, west: float, south: float, layer: str = "unit") -> dict[str, Any]:
    return feature(layer, code, {"type": "Polygon", "coordinates": square(west, south)})


def road(code: str, *corners: list[float]) -> dict[str, Any]:
    return feature("segment", code, {"type": "LineString", "coordinates": list(corners)})


Write = Callable[[Any], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(features: Any) -> Path:
        file = tmp_path / "grids.geojson"
        file.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
        return file

    return write_file


def test_a_place_gets_the_codes_of_its_cells_and_of_the_road_beside_it(write: Write) -> None:
    wide = {"type": "MultiPolygon", "coordinates": [square(113.0, 22.0, 0.1)]}
    index = GridIndex.from_file(
        write(
            [
                cell("U1", 113.0, 22.0),
                cell("U2", 113.002, 22.0),
                feature("responsible", 17, wide),
                road("S1", [113.0, 22.0005], [113.004, 22.0005]),
            ]
        )
    )
    assert index.codes_at(22.001, 113.001) == GridCodes("U1", "17", None)
    assert index.codes_at(22.0006, 113.003) == GridCodes("U2", "17", "S1")
    assert index.codes_at(22.05, 113.05) == GridCodes(None, "17", None)
    assert index.codes_at(23.0, 113.0) == GridCodes()


@pytest.mark.parametrize("turn", range(4))
def test_on_a_border_the_smallest_code_wins_in_any_order(write: Write, turn: int) -> None:
    cells = [
        cell("B", 113.0, 22.0),
        cell("A", 113.002, 22.0),
        cell("D", 113.0, 22.002),
        cell("C", 113.002, 22.002),
    ]
    index = GridIndex.from_file(write(cells[turn:] + cells[:turn]))
    assert index.codes_at(22.001, 113.002).unit_grid == "A", "on the edge of A and B"
    assert index.codes_at(22.002, 113.001).unit_grid == "B", "on the edge of B and D"
    assert index.codes_at(22.002, 113.002).unit_grid == "A", "on the corner of all four"
    assert index.codes_at(22.0, 113.0).unit_grid == "B", "on the outer corner of B"


def test_a_hole_in_a_cell_is_outside_it(write: Write) -> None:
    rings = square(113.0, 22.0) + square(113.0005, 22.0005, 0.001)
    index = GridIndex.from_file(
        write([feature("unit", "U", {"type": "Polygon", "coordinates": rings})])
    )
    assert index.codes_at(22.001, 113.001).unit_grid is None
    assert index.codes_at(22.0001, 113.0001).unit_grid == "U"


def test_a_segment_is_found_within_fifty_metres_and_the_nearest_wins(write: Write) -> None:
    index = GridIndex.from_file(
        write(
            [
                road("near", [113.0, 60.0], [113.01, 60.0]),
                road("far", [113.0, 60.0 + 60 * NORTH_M], [113.01, 60.0 + 60 * NORTH_M]),
            ]
        )
    )

    def segment(north_m: float, east_deg: float = 0.005) -> str | None:
        return index.codes_at(60.0 + north_m * NORTH_M, 113.0 + east_deg).segment

    assert segment(-49.9) == "near"
    assert segment(-50.1) is None
    assert segment(29.9) == "near"
    assert segment(30.1) == "far"
    # At 60° north a degree of longitude is half as long as one of latitude.
    assert segment(0.0, east_deg=-99 * NORTH_M) == "near"
    assert segment(0.0, east_deg=-101 * NORTH_M) is None


def test_where_two_segments_meet_the_smallest_code_wins(write: Write) -> None:
    west, joint, east = [113.0, 22.0], [113.001, 22.0], [113.002, 22.0]
    for pair in ([road("b", west, joint), road("a", joint, east)],):
        for order in (pair, pair[::-1]):
            index = GridIndex.from_file(write(order))
            assert index.codes_at(22.0001, 113.001).segment == "a"


def test_a_file_without_features_covers_nothing(write: Write) -> None:
    assert GridIndex.from_file(write([])).codes_at(22.0, 113.0) == GridCodes()


GOOD = cell("U", 113.0, 22.0)
BOW_TIE = [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (feature("units", "U", GOOD["geometry"]), "layer must be one of unit"),
        (feature(["unit"], "U", GOOD["geometry"]), "layer must be one of unit"),
        (feature("unit", "", GOOD["geometry"]), "code"),
        (feature("unit", None, GOOD["geometry"]), "code"),
        (feature("unit", "U", None), "geometry of a unit must be Polygon"),
        (feature("segment", "S", GOOD["geometry"]), "geometry of a segment must be LineString"),
        (road("S", [113.0, 22.0])["properties"], "properties"),
        (road("S"), "geometry"),
        (road("S", [113.0, 22.0]), "geometry"),
        (feature("unit", "U", {"type": "Polygon"}), "geometry"),
        (feature("unit", "U", {"type": "Polygon", "coordinates": "x"}), "geometry"),
        (feature("unit", "U", {"type": "Polygon", "coordinates": BOW_TIE}), "crosses itself"),
        (cell("U", 22.0, 113.0), r"\[lon, lat\]"),
        ("text", "properties"),
    ],
)
def test_a_bad_feature_is_named_by_file_position_and_property(
    write: Write, bad: Any, words: str
) -> None:
    with pytest.raises(ConfigError, match=rf"grids\.geojson: feature 1: .*{words}"):
        GridIndex.from_file(write([GOOD, bad]))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[]", "FeatureCollection"),
        (b'{"type": "FeatureCollection"}', "FeatureCollection"),
        (b'{"type": "Feature"}', "FeatureCollection"),
    ],
)
def test_a_file_that_is_no_collection_is_refused(
    tmp_path: Path, content: bytes, words: str
) -> None:
    file = tmp_path / "g.geojson"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=rf"g\.geojson: .*{words}"):
        GridIndex.from_file(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.geojson"):
        GridIndex.from_file(tmp_path / "none.geojson")


def test_a_lookup_among_a_whole_city_s_cells_takes_less_than_a_millisecond(write: Write) -> None:
    side = 227  # 51,529 cells, as many as a large Chinese city has
    cells = [
        cell(f"U{i:03d}{j:03d}", 113.0 + i * CELL_DEG, 22.0 + j * CELL_DEG)
        for i in range(side)
        for j in range(side)
    ]
    index = GridIndex.from_file(write(cells))
    draw = random.Random(1)
    places = [(22 + draw.random() * 0.45, 113 + draw.random() * 0.45) for _ in range(2000)]
    index.codes_at(*places[0])
    began = time.thread_time()
    codes = [index.codes_at(*place).unit_grid for place in places]
    each_s = (time.thread_time() - began) / len(places)
    assert None not in codes
    assert each_s < 1e-3
