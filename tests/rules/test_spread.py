"""The cloud against the exact normal, against random draws, and its properties."""

from __future__ import annotations

from math import erf, sqrt

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from patrolvision.rules.spread import cloud_en_m, metres_per_degree, standard_normal_points
from patrolvision.rules.zones import Zone, ZoneMap
from patrolvision.types import GeoPoint

from .street import LAT, LON, MONDAY_8, held, lonlat, place, rectangle


def normal_below(z: float) -> float:
    return 0.5 * (1 + erf(z / sqrt(2)))


def strip(half_width_m: float, half_length_m: float = 200.0) -> ZoneMap:
    shape = rectangle(-half_length_m, -half_width_m, half_length_m, half_width_m)
    return ZoneMap([Zone("z", "no_stopping", shapely.Polygon(shape["coordinates"][0]))])


def test_a_half_plane_holds_what_the_normal_says() -> None:
    points = standard_normal_points()
    for angle in np.linspace(0, np.pi, 37):
        along = points @ (np.cos(angle), np.sin(angle))
        for z in np.linspace(-3, 3, 61):
            assert abs((along < z).mean() - normal_below(z)) < 0.006


def test_the_cloud_has_the_covariance_it_was_asked_for() -> None:
    cov = np.array([[4.0, 1.5], [1.5, 1.0]])
    cloud = cloud_en_m(GeoPoint(LAT, LON, cov))
    assert np.allclose(np.cov(cloud.T, bias=True), cov, rtol=0.02)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.2, 4.0), st.floats(-6.0, 6.0), st.floats(0.3, 8.0))
def test_a_strip_holds_what_the_exact_integral_says(
    sigma_m: float, north_m: float, half_m: float
) -> None:
    said = held(strip(half_m), place(0.0, north_m, sigma_m), MONDAY_8).get("z", 0.0)
    exact = normal_below((half_m - north_m) / sigma_m) - normal_below((-half_m - north_m) / sigma_m)
    assert abs(said - exact) < 0.01


def test_any_polygon_holds_what_random_draws_say() -> None:
    corners = [(0.0, 0.0), (6.0, 1.0), (4.0, 4.0), (7.0, 7.0), (-1.0, 5.0)]
    area = shapely.Polygon([lonlat(*c) for c in corners])
    cov = np.array([[4.0, -1.2], [-1.2, 2.0]])
    lon, lat = lonlat(2.0, 3.0)
    said = held(ZoneMap([Zone("z", "ignore", area)]), GeoPoint(lat, lon, cov), MONDAY_8)["z"]
    draws = np.random.default_rng(1).multivariate_normal((2.0, 3.0), cov, 200_000)
    brute = shapely.contains_xy(shapely.Polygon(corners), draws[:, 0], draws[:, 1]).mean()
    assert said == pytest.approx(brute, abs=0.01 + 3 * 0.5 / sqrt(200_000))


@settings(max_examples=40, deadline=None)
@given(st.floats(-1.2, 1.2), st.floats(0.05, 3.0), st.floats(1.1, 3.0))
def test_a_point_inside_a_zone_is_surer_the_better_it_is_known(
    north_m: float, sigma_m: float, worse: float
) -> None:
    sharp = held(strip(1.5), place(0.0, north_m, sigma_m), MONDAY_8)["z"]
    dull = held(strip(1.5), place(0.0, north_m, sigma_m * worse), MONDAY_8)["z"]
    assert sharp >= dull - 0.01  # the cloud's own error


def test_a_degree_is_as_long_as_the_ellipsoid_says() -> None:
    north, east = metres_per_degree(0.0)
    assert north == pytest.approx(110_574.3, abs=0.1)
    assert east == pytest.approx(111_319.5, abs=0.1)
    assert metres_per_degree(60.0) == pytest.approx((111_412.2, 55_800.0), abs=0.5)
