"""Vector tiles as the library reads them."""

from __future__ import annotations

import mapbox_vector_tile
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from patrolvision.api import mvt
from patrolvision.store import quads

TILE = quads.tile_at(22.84, 113.23, 14)


def decoded(content: bytes) -> dict:
    return mapbox_vector_tile.decode(content, default_options={"y_coord_down": True})


values = st.one_of(
    st.text(max_size=20), st.booleans(), st.integers(-(2**53), 2**53), st.floats(-1e9, 1e9)
)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), values), max_size=20))
def test_points_come_back_where_they_were_with_what_was_said(found: list) -> None:
    west, south, east, north = quads.bounds_of(TILE)
    places = [(south + v * (north - south), west + u * (east - west)) for u, v, _ in found]
    said = [{"count": k, "value": value, "none": None} for k, (_, _, value) in enumerate(found)]
    layer = decoded(mvt.layer("tickets", mvt.points(TILE, places, said)))["tickets"]
    assert layer["extent"] == mvt.EXTENT
    assert len(layer["features"]) == len(found)
    for feature, place, spoken in zip(layer["features"], places, said, strict=True):
        x, y = feature["geometry"]["coordinates"]
        expected = mvt.in_tile(TILE, [place[1]], [place[0]])[0]
        assert (x, y) == pytest.approx(tuple(expected), abs=0.51)
        assert feature["properties"] == {"count": spoken["count"], "value": spoken["value"]}
        assert type(feature["properties"]["value"]) is type(spoken["value"])


def test_a_polygon_keeps_its_area_and_its_hole() -> None:
    west, south, east, north = quads.bounds_of(TILE)
    width, height = east - west, north - south
    outer = shapely.box(west + 0.2 * width, south + 0.2 * height, west + 0.8 * width, north)
    hole = shapely.box(
        west + 0.4 * width, south + 0.4 * height, west + 0.5 * width, south + 0.5 * height
    )
    features = mvt.shape(TILE, shapely.difference(outer, hole), {"code": "U1"})
    (feature,) = decoded(mvt.layer("unit", features))["unit"]["features"]
    shape = shapely.geometry.shape(feature["geometry"])
    assert len(shape.interiors) == 1
    assert shape.area == pytest.approx((0.6 * 0.8 - 0.01) * mvt.EXTENT**2, rel=0.01)
    assert feature["properties"] == {"code": "U1"}


def test_a_shape_is_cut_at_the_edge_of_its_tile() -> None:
    features = mvt.shape(TILE, shapely.box(100, 10, 120, 30), {})
    (feature,) = decoded(mvt.layer("grid", features))["grid"]["features"]
    bounds = shapely.geometry.shape(feature["geometry"]).bounds
    edge = mvt.EXTENT + mvt.BUFFER
    assert bounds == (-mvt.BUFFER, -mvt.BUFFER, edge, edge)


def test_a_road_that_leaves_and_comes_back_is_two_lines() -> None:
    west, south, east, north = quads.bounds_of(TILE)
    middle, beyond = (south + north) / 2, east + (east - west)
    road = shapely.LineString(
        [(west, middle), (beyond, middle), (beyond, north - 1e-4), (west, north - 1e-4)]
    )
    features = decoded(mvt.layer("segment", mvt.shape(TILE, road, {})))["segment"]["features"]
    assert [f["geometry"]["type"] for f in features] == ["LineString", "LineString"]


def test_what_is_smaller_than_a_unit_is_left_out() -> None:
    speck = shapely.box(113.23, 22.84, 113.23 + 1e-9, 22.84 + 1e-9)
    assert mvt.shape(quads.tile_at(22.84, 113.23, 3), speck, {}) == []


def test_an_empty_tile_has_its_layer() -> None:
    assert decoded(mvt.layer("tickets", []))["tickets"]["features"] == []
