"""Ground that is not level: where a ray meets it, and how far off that may be."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patrolvision.geo.attitude import enu_from_camera
from patrolvision.geo.elevation import ElevationGrid, crossing
from patrolvision.geo.geodesy import local_en, offset
from patrolvision.geo.project import GroundPoint, NoGround, locate_pixel, locate_pixels
from patrolvision.types import Lens, Pose
from sources.making import START

LAT, LON = 22.84, 113.23
LENS = Lens(1920, 1080, 1400.0, 1400.0, 960.0, 540.0)
M_LAT = 110_740.0  # about, of a degree of latitude here


def grid_of(height: object, half_m: float = 900.0, step_m: float = 10.0) -> ElevationGrid:
    """A grid about (LAT, LON) whose heights are a function of metres east and north."""
    n = round(2 * half_m / step_m) + 1
    step_lat = step_m / M_LAT
    step_lon = step_m / (111_320.0 * math.cos(math.radians(LAT)))
    north = LAT + step_lat * (n - 1) / 2
    west = LON - step_lon * (n - 1) / 2
    lats = north - step_lat * np.arange(n)
    lons = west + step_lon * np.arange(n)
    lon_grid, lat_grid = np.meshgrid(lons, lats)
    east, north_m = local_en(LAT, LON, lat_grid, lon_grid)
    return ElevationGrid(
        np.asarray(height(east, north_m), np.float64),  # type: ignore[operator]
        north, west, step_lat, step_lon, sigma_m=0.5,
    )  # fmt: skip


def pose(heading: float = 30.0, pitch: float = -25.0, height: float = 60.0) -> Pose:
    return Pose(START, LAT, LON, height, heading, pitch, 0.0, 2.0, 2.0, 0.5, 0.5, 1.0)


@given(
    heading=st.floats(0, 360), pitch=st.floats(-85, -15), slope_east=st.floats(-0.15, 0.15),
    slope_north=st.floats(-0.15, 0.15), height=st.floats(20, 120),
)  # fmt: skip
def test_a_ray_meets_a_tilted_plane_where_algebra_says(
    heading: float, pitch: float, slope_east: float, slope_north: float, height: float
) -> None:
    grid = grid_of(lambda e, n: 50 + slope_east * e + slope_north * n, step_m=60.0)
    ray = enu_from_camera(heading, pitch, 0.0)[:, 2]
    # height + t * up = slope . (t * level)
    t = height / (slope_east * ray[0] + slope_north * ray[1] - ray[2])
    level = math.hypot(ray[0], ray[1])
    met = crossing(grid, LAT, LON, height, ray)
    if t * level > 850:
        return
    assert met is not None
    assert met.drop_m / -ray[2] == pytest.approx(t, rel=2e-3, abs=0.05)
    expected = (slope_east * ray[0] + slope_north * ray[1]) / level
    assert met.slope == pytest.approx(expected, abs=5e-3)


def test_a_hill_in_the_way_is_met_before_what_lies_behind_it() -> None:
    def hill(east: np.ndarray, north: np.ndarray) -> np.ndarray:
        return 40 * np.exp(-((east - 150) ** 2 + north**2) / (2 * 40**2))

    ray = enu_from_camera(90.0, -10.0, 0.0)[:, 2]
    met = crossing(grid_of(hill), LAT, LON, 50.0, ray)
    assert met is not None
    reach = met.drop_m / math.tan(math.radians(10.0))
    assert 100 < reach < 150  # level ground would be met at 284 m
    lat, lon = offset(LAT, LON, reach, 0.0)
    top = float(grid_of(hill).height_at(float(lat), float(lon)))
    base = float(grid_of(hill).height_at(LAT, LON))
    assert 50.0 + base - met.drop_m == pytest.approx(top, abs=0.05)


def test_level_grid_and_no_grid_agree() -> None:
    grid = replace(grid_of(lambda e, n: 0 * e + 17.0), sigma_m=0.0)
    pixels = np.array([[960.0, 540.0], [400.0, 800.0], [1500.0, 300.0]])
    flat = locate_pixels(LENS, pose(), pixels, 2.0)
    over = locate_pixels(LENS, pose(), pixels, 2.0, elevation=grid)
    for a, b in zip(flat, over, strict=True):
        assert isinstance(a, GroundPoint)
        assert isinstance(b, GroundPoint)
        assert local_en(a.place.lat_deg, a.place.lon_deg, b.place.lat_deg, b.place.lon_deg) == (
            pytest.approx((0, 0), abs=0.02)
        )
        assert b.place.cov_en_m2 == pytest.approx(a.place.cov_en_m2, rel=1e-2)


@pytest.mark.parametrize("slope", [-0.12, 0.12])
def test_on_a_slope_the_ellipse_holds_as_many_places_as_it_says(slope: float) -> None:
    """Random errors of position, angles, pixel and ground, each ray met with the true slope."""
    grid = replace(grid_of(lambda e, n: slope * n), sigma_m=0.0)
    here, rng = pose(heading=0.0), np.random.default_rng(3)
    point = locate_pixels(LENS, here, np.array([[960.0, 540.0]]), 2.0, elevation=grid)[0]
    assert isinstance(point, GroundPoint)
    draws = 4000
    inside = 0
    inverse = np.linalg.inv(point.place.cov_en_m2)
    for _ in range(draws):
        heading, pitch, roll = (
            here.heading_deg + rng.normal(0, 2.0), here.pitch_deg + rng.normal(0, 0.5),
            rng.normal(0, 0.5),
        )  # fmt: skip
        ray = enu_from_camera(heading, pitch, roll) @ np.array(
            [rng.normal(0, 2) / 1400, rng.normal(0, 2) / 1400, 1.0]
        )
        height = here.height_m + rng.normal(0, 1.0)
        start = rng.normal(0, 2.0, 2)
        t = height / (slope * ray[1] - ray[2])
        place = start + t * ray[:2]
        east, north = local_en(LAT, LON, point.place.lat_deg, point.place.lon_deg)
        miss = place - np.array([float(east), float(north)])
        inside += float(miss @ inverse @ miss) < 5.991
    assert 0.93 < inside / draws < 0.97


def test_ground_that_the_grid_does_not_know_gives_no_place() -> None:
    small = grid_of(lambda e, n: 0 * e, half_m=50.0)
    point = locate_pixels(LENS, pose(pitch=-10.0), np.array([[960.0, 540.0]]), 2.0, elevation=small)
    assert isinstance(point[0], NoGround)
    assert "elevation" in point[0].reason


def test_outside_of_the_grid_the_ground_is_level() -> None:
    far = replace(grid_of(lambda e, n: 0 * e), west_deg=10.0)
    over = locate_pixels(LENS, pose(), np.array([[960.0, 540.0]]), 2.0, elevation=far)[0]
    flat = locate_pixel(LENS, pose(), (960.0, 540.0), 2.0)
    assert isinstance(over, GroundPoint)
    assert isinstance(flat, GroundPoint)
    assert over.place.lat_deg == pytest.approx(flat.place.lat_deg, abs=1e-9)
