"""The plane in plain floats and geodesy's arrays say the same, anywhere on Earth."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patrolvision.geo.geodesy import distance_m, local_en, offset
from patrolvision.geo.plane import Plane

LATS = st.floats(-89.0, 89.0)
LONS = st.floats(-180.0, 180.0)
DEGREES = st.floats(-0.01, 0.01)
METRES = st.floats(-1000.0, 1000.0)
NANOMETRES = (
    1e-8  # rounding of coordinates from the Earth's centre: 6.4e6 m times 2e-16, some steps
)


@given(LATS, LONS, DEGREES, DEGREES)
def test_a_place_has_the_same_east_and_north(
    lat: float, lon: float, up: float, right: float
) -> None:
    east, north = Plane(lat, lon).en(lat + up, lon + right)
    assert (east, north) == pytest.approx(local_en(lat, lon, lat + up, lon + right), abs=NANOMETRES)


@given(LATS, LONS, METRES, METRES)
def test_east_and_north_lead_to_the_same_place(
    lat: float, lon: float, east: float, north: float
) -> None:
    plane = Plane(lat, lon)
    there, expected = plane.at(east, north), offset(lat, lon, east, north)
    assert float(distance_m(*there, *expected)) < 1e-7  # a step of 1e-14 degrees is 1e-9 m
    assert plane.en(*there) == pytest.approx((east, north), abs=1e-6)


@given(LATS, LONS, DEGREES, DEGREES)
def test_a_chord_is_as_long_as_the_ground_below_it(
    lat: float, lon: float, up: float, right: float
) -> None:
    chord_m = Plane(lat, lon).chord_m2(lat + up, lon + right) ** 0.5
    along_m = float(distance_m(lat, lon, lat + up, lon + right))
    assert chord_m == pytest.approx(along_m, rel=1e-6, abs=1e-6)
