"""The cells of the index never lose a neighbour: random places against the exact distance."""

from __future__ import annotations

from hypothesis import assume, example, given
from hypothesis import strategies as st

from patrolvision.geo.geodesy import distance_m, offset
from patrolvision.store import claims, near

latitudes = st.floats(-90, 90)
longitudes = st.floats(-180, 180)
reach = st.floats(-1, 1)


def within(cell: int, ranges: list[tuple[int, int]]) -> bool:
    return any(first <= cell <= last for first, last in ranges)


@given(latitudes, longitudes, st.sampled_from([1.0, 25.0, 150.0, 5000.0]), reach, reach)
@example(10.0, 180.0, 25.0, 1.0, 0.0)
@example(10.0, -180.0, 25.0, -1.0, 0.0)
@example(89.999, 0.0, 150.0, 0.0, 1.0)
def test_every_place_within_the_radius_lies_in_the_ranges(
    lat_deg: float, lon_deg: float, radius_m: float, east: float, north: float
) -> None:
    lat2, lon2 = (float(x) for x in offset(lat_deg, lon_deg, east * radius_m, north * radius_m))
    assume(distance_m(lat_deg, lon_deg, lat2, lon2) <= radius_m)
    cell = near.cell_of(lat2, lon2)
    assert within(cell, near.ranges_around(lat_deg, lon_deg, radius_m))


@given(latitudes, longitudes, st.sampled_from([1.0, 25.0, 150.0]))
def test_a_small_search_asks_for_few_cells(lat_deg: float, lon_deg: float, radius_m: float) -> None:
    assume(abs(lat_deg) < 60)
    ranges = near.ranges_around(lat_deg, lon_deg, radius_m)
    assert sum(last - first + 1 for first, last in ranges) <= 48
    assert len(ranges) <= 8


@given(
    st.floats(-80, 80),
    longitudes,
    st.floats(0, 0.02),
    st.floats(0, 0.02),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_a_look_is_found_from_every_place_in_its_box(
    south: float, west: float, height: float, width: float, up: float, along: float
) -> None:
    north, east = south + height, min(west + width, 180.0)
    box = [(south, west), (south, east), (north, east), (north, west)]
    lat_deg, lon_deg = south + up * (north - south), west + along * (east - west)
    ranges = near.look_ranges_around([(lat_deg, lon_deg)], 1.0)
    assert any(within(cell, ranges) for cell in near.look_cells(box))


def test_a_look_too_wide_for_its_cells_is_everywhere() -> None:
    assert near.look_cells([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0)]) == [near.EVERYWHERE]


@given(latitudes, longitudes, reach, reach)
def test_two_places_within_150_m_share_a_lock(
    lat_deg: float, lon_deg: float, east: float, north: float
) -> None:
    lat2, lon2 = (float(x) for x in offset(lat_deg, lon_deg, east * 106.0, north * 106.0))
    first, second = claims.districts_of([(lat_deg, lon_deg)]), claims.districts_of([(lat2, lon2)])
    assert set(first or ()) & set(second or ())


def test_locks_are_taken_in_ascending_order_and_a_whole_country_takes_one() -> None:
    street = [(22.84 + k * 0.001, 113.23) for k in range(50)]
    keys = claims.districts_of(street[::-1])
    assert keys == sorted(keys or ())
    assert claims.ALL_PLACES not in (keys or ())
    country = [(22.0 + k * 0.1, 113.0 + m * 0.1) for k in range(20) for m in range(20)]
    assert claims.districts_of(country) is None
