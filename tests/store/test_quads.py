"""Places as numbers, tiles as ranges of them."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from patrolvision.store import quads

lats = st.floats(-85.0, 85.0)
lons = st.floats(-180.0, 180.0)
zooms = st.integers(0, quads.ZOOM)


def holds(ranges: list[quads.Range], quad: int) -> bool:
    return any(first <= quad <= last for first, last in ranges)


@given(lats, lons, zooms)
def test_a_place_lies_in_the_range_of_its_tile_at_every_zoom(
    lat: float, lon: float, zoom: int
) -> None:
    first, last = quads.quads_in(quads.tile_at(lat, lon, zoom))
    assert first <= quads.quad_of(lat, lon) <= last


@given(lats, lons, zooms)
def test_a_tile_is_told_by_its_key(lat: float, lon: float, zoom: int) -> None:
    key = quads.key_of(quads.quad_of(lat, lon), zoom)
    assert quads.key_tile(key) == quads.tile_at(lat, lon, zoom)


@given(lats, lons, st.integers(0, 20))
def test_a_place_lies_within_the_bounds_of_its_tile(lat: float, lon: float, zoom: int) -> None:
    west, south, east, north = quads.bounds_of(quads.tile_at(lat, lon, zoom))
    assert west - 1e-9 <= lon <= east + 1e-9
    assert south - 1e-9 <= lat <= north + 1e-9


@given(st.tuples(lons, lons), st.tuples(lats, lats), st.floats(0, 1), st.floats(0, 1))
def test_what_lies_in_a_box_lies_in_its_ranges(
    ew: tuple[float, float], sn: tuple[float, float], u: float, v: float
) -> None:
    box = (min(ew), min(sn), max(ew), max(sn))
    lon = min(max(box[0] + u * (box[2] - box[0]), box[0]), box[2])
    lat = min(max(box[1] + v * (box[3] - box[1]), box[1]), box[3])
    ranges = quads.quads_covering(box)
    assert len(ranges) <= 64
    assert holds(ranges, quads.quad_of(lat, lon))


def test_a_box_across_the_date_line_holds_both_sides_and_not_the_middle() -> None:
    ranges = quads.quads_covering((179.5, -1.0, -179.5, 1.0))
    assert holds(ranges, quads.quad_of(0.5, 179.9))
    assert holds(ranges, quads.quad_of(0.5, -179.9))
    assert not holds(ranges, quads.quad_of(0.5, 0.0))


def test_a_city_district_costs_little_beyond_itself() -> None:
    box = (113.20, 22.80, 113.25, 22.85)
    covered = sum(last - first + 1 for first, last in quads.quads_covering(box))
    _, left, top = quads.tile_at(box[3], box[0], quads.ZOOM)
    _, right, bottom = quads.tile_at(box[1], box[2], quads.ZOOM)
    assert covered < 1.3 * (right - left + 1) * (bottom - top + 1)


def test_greenwich_and_the_equator_meet_in_the_middle_of_the_map() -> None:
    assert quads.tile_at(0.0, 0.0, 1) == (1, 1, 1)
    assert quads.bounds_of((1, 1, 1))[0] == 0.0


def test_a_window_of_the_map_is_covered_by_the_tiles_that_are_it_exactly() -> None:
    # Half a place inside the border of two by two tiles, so that no rounding reaches the next ones.
    west, _, _, north = quads.bounds_of((10, 834, 444))
    _, south, east, _ = quads.bounds_of((10, 835, 445))
    step = 360.0 / (1 << quads.ZOOM)
    box = (west + step / 2, south + step / 2, east - step / 2, north - step / 2)
    tiles = [(10, x, y) for x in (834, 835) for y in (444, 445)]
    assert quads.quads_covering(box, 64) == quads.joined([quads.quads_in(tile) for tile in tiles])


@given(
    st.floats(-85, 85), st.floats(-179, 179), st.floats(1e-6, 0.9), st.sampled_from([4, 32, 256])
)
def test_a_covering_keeps_its_promise_of_how_many_ranges_it_has(
    lat: float, lon: float, half: float, most: int
) -> None:
    box = (lon - half, lat - half / 2, lon + half, lat + half / 2)
    ranges = quads.quads_covering(box, most)
    assert len(ranges) <= most
    assert all(first <= last for first, last in ranges)
    assert all(a[1] + 1 < b[0] for a, b in pairwise(ranges))
