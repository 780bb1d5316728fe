"""Places from pixels: against an independent computation, by random draws, and at the horizon."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pyproj import Geod, Transformer

from patrolvision.geo.camera import rays_from_pixels
from patrolvision.geo.project import (
    GroundPoint,
    NoGround,
    locate_pixel,
    locate_pixels,
    pixel_of,
)
from patrolvision.geo.spread import PARTS
from patrolvision.types import Lens, Pose

AT = datetime(2026, 5, 4, tzinfo=UTC)
PLAIN = Lens(1920, 1080, 1400.0, 1400.0, 960.0, 540.0)
BROWN = Lens(
    1920, 1080, 1400.0, 1390.0, 950.0, 548.0, "brown", (-0.12, 0.03, 0.001, -0.0008, 0.002)
)
FISHEYE = Lens(1920, 1080, 900.0, 900.0, 960.0, 540.0, "fisheye", (0.03, -0.006, 0.002, -0.0004))


def pose(height=30.0, heading=45.0, pitch=-30.0, roll=0.0, sigmas=(2.0, 2.0, 0.5, 0.5)) -> Pose:
    return Pose(AT, 22.84, 113.23, height, heading, pitch, roll, *sigmas)


def independent_place(
    lens: Lens, at: Pose, pixel: tuple[float, float]
) -> tuple[float, float, float]:
    """Latitude, longitude and slant range by OpenCV's lens, Rodrigues' turns and PROJ's geodesy."""
    matrix = np.array([[lens.fx, 0, lens.cx], [0, lens.fy, lens.cy], [0, 0, 1.0]])
    coefficients = np.array(lens.distortion or (0.0,) * 4)
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 500, 1e-13)
    points = np.array([[pixel]])
    undistort = cv2.fisheye.undistortPoints if lens.model == "fisheye" else cv2.undistortPoints
    x, y = undistort(points, matrix, coefficients, criteria=criteria)[0, 0]
    turn = np.eye(3)
    for axis, degrees in (
        ((0, 0, 1), -at.heading_deg),
        ((1, 0, 0), at.pitch_deg),
        ((0, 1, 0), at.roll_deg),
    ):
        turn = turn @ cv2.Rodrigues(np.array(axis, np.float64) * np.radians(degrees))[0]
    east, north, up = turn @ np.array([x, 1.0, -y])
    scale = at.height_m / -up
    topocentric = Transformer.from_pipeline(
        "+proj=pipeline +step +proj=unitconvert +xy_in=deg +xy_out=rad +step +proj=cart "
        f"+step +proj=topocentric +ellps=WGS84 +lon_0={at.lon_deg} +lat_0={at.lat_deg}"
    )
    lon, lat, _ = topocentric.transform(east * scale, north * scale, 0.0, direction="INVERSE")
    return lat, lon, scale * math.hypot(east, north, up)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([PLAIN, BROWN, FISHEYE]),
    st.one_of(
        st.tuples(st.floats(20, 120), st.floats(-90, -15)),
        st.tuples(st.floats(1.5, 3), st.floats(-20, 0)),
    ),
    st.floats(0, 360),
    st.floats(-10, 10),
    st.floats(0, 1920),
    st.floats(0, 1080),
)
def test_a_place_agrees_with_an_independent_computation(
    lens, platform, heading, roll, u, v
) -> None:
    at = pose(platform[0], heading, platform[1], roll)
    found = locate_pixel(lens, at, (u, v), 2.0)
    assume(isinstance(found, GroundPoint))
    lat, lon, range_m = independent_place(lens, at, (u, v))
    assert found.range_m == pytest.approx(range_m, rel=1e-6)
    miss = Geod(ellps="WGS84").inv(found.place.lon_deg, found.place.lat_deg, lon, lat)[2]
    assert miss <= 0.005 + 1e-5 * range_m  # a tenth of what is promised


@pytest.mark.parametrize(
    ("pitch", "heading", "pixel", "east", "north"),
    [
        (-90.0, 0.0, (960, 540), 0.0, 0.0),  # straight down: below the camera
        (-45.0, 0.0, (960, 540), 0.0, 30.0),  # 45 degrees down, looking north
        (-45.0, 90.0, (960, 540), 30.0, 0.0),
        (-90.0, 0.0, (960 + 1400, 540), 30.0, 0.0),  # one focal length to the right
        (-90.0, 90.0, (960, 540 - 1400), 30.0, 0.0),  # the picture's top looks where we head
    ],
)
def test_a_person_can_see_where_these_rays_land(pitch, heading, pixel, east, north) -> None:
    found = locate_pixel(PLAIN, pose(30.0, heading, pitch), pixel, 2.0)
    assert isinstance(found, GroundPoint)
    azimuth, _, distance = Geod(ellps="WGS84").inv(
        113.23, 22.84, found.place.lon_deg, found.place.lat_deg
    )
    got = distance * math.sin(math.radians(azimuth)), distance * math.cos(math.radians(azimuth))
    assert got == pytest.approx((east, north), abs=1e-4)


def _random_case(seed: int) -> tuple[Lens, Pose, tuple[float, float], float]:
    rng = np.random.default_rng(seed)
    drone = seed % 2 == 0
    height = rng.uniform(20, 120) if drone else rng.uniform(1.5, 3)
    pitch = rng.uniform(-90, -15) if drone else rng.uniform(-20, 0)
    sigmas = [
        rng.choice(c) for c in ([0.05, 0.5, 2, 5], [0.2, 1, 2, 5], [0.1, 0.5, 1, 2], [0.1, 0.5, 1])
    ]
    at = Pose(
        AT,
        22.84,
        113.23,
        height,
        rng.uniform(0, 360),
        pitch,
        rng.uniform(-5, 5),
        *sigmas,
        height / 100,
    )
    lens = (PLAIN, BROWN, FISHEYE)[seed % 3]
    return (
        lens,
        at,
        (rng.uniform(0, 1920), rng.uniform(0 if drone else 540, 1080)),
        rng.choice([0.5, 2, 5]),
    )


def _drawn_offsets(lens: Lens, at: Pose, pixel, sigma_pixel: float, n: int) -> np.ndarray:
    """East and north (n, 2) of n places, less the nominal one, each by the whole computation."""
    normal = np.random.default_rng(99).standard_normal((n, 8))
    normal[0] = 0.0
    sigma = np.array([at.sigma_heading_deg, at.sigma_pitch_deg, at.sigma_roll_deg])
    heading, pitch, roll = np.radians(
        (at.heading_deg, at.pitch_deg, at.roll_deg) + normal[:, :3] * sigma
    ).T
    camera = rays_from_pixels(lens, np.asarray(pixel) + normal[:, 3:5] * sigma_pixel)
    x, y, z = camera.T
    x, y = x * np.cos(roll) - y * np.sin(roll), x * np.sin(roll) + y * np.cos(roll)
    ahead, up = z * np.cos(pitch) + y * np.sin(pitch), z * np.sin(pitch) - y * np.cos(pitch)
    reach = np.where(up < 0, (at.height_m + normal[:, 5] * at.sigma_height_m) / -up, np.inf)
    east = (x * np.cos(heading) + ahead * np.sin(heading)) * reach
    north = (ahead * np.cos(heading) - x * np.sin(heading)) * reach
    places = np.stack([east, north], axis=1)
    moved = places - places[0] + normal[:, 6:8] * at.sigma_position_m
    return np.where(np.isfinite(moved), moved, 1e12)[1:]


@pytest.mark.parametrize("seeds", [range(0, 60), range(60, 120), range(120, 180)])
def test_the_95_percent_ellipse_holds_94_to_96_percent_of_the_draws(seeds: range) -> None:
    accepted = 0
    for seed in seeds:
        lens, at, pixel, sigma_pixel = _random_case(seed)
        found = locate_pixel(lens, at, pixel, sigma_pixel)
        if isinstance(found, NoGround):
            continue
        accepted += 1
        offsets = _drawn_offsets(lens, at, pixel, sigma_pixel, 10_000)
        distance2 = np.sum(offsets @ np.linalg.inv(found.place.cov_en_m2) * offsets, axis=1)
        held = np.mean(distance2 <= 5.991464547)
        assert 0.94 <= held <= 0.96, f"seed {seed}: {held}"
    assert accepted > 0.8 * len(seeds)


@pytest.mark.parametrize(
    ("at", "pixel"),
    [  # position, heading, pitch, roll; with one error alone the places are an arc, not a line
        (pose(88.0, 0.0, -40.7, -3.8, (0.0, 0.0, 0.0, 2.0)), (1285, 7)),
        (pose(119.0, 0.0, -88.8, 0.0, (0.0, 0.0, 5.0, 0.0)), (1669, 540)),
        (pose(2.8, 0.0, -4.2, 0.0, (0.0, 0.5, 0.0, 5.0)), (960, 713)),
        (pose(110.0, 0.0, -90.0, -1.7, (0.0, 0.1, 5.0, 0.0)), (240, 403)),
        (pose(80.0, 0.0, -51.4, 0.0, (0.0, 0.0, 5.0, 5.0)), (844, 540)),
        (pose(113.0, 0.0, -17.4, 4.8, (0.1, 0.0, 0.0, 5.0)), (286, 540)),
    ],
)
def test_an_ellipse_is_true_where_hardly_anything_but_one_angle_errs(at, pixel) -> None:
    found = locate_pixel(PLAIN, at, pixel, 0.0)
    assert isinstance(found, GroundPoint)
    offsets = _drawn_offsets(PLAIN, at, pixel, 0.0, 10_000)
    distance2 = np.sum(offsets @ np.linalg.inv(found.place.cov_en_m2) * offsets, axis=1)
    # 98.6 % of a line lie within what holds 95 % of an area; 2 sigma of 10,000 draws are 0.4 %
    assert 0.94 <= np.mean(distance2 <= 5.991464547) <= 0.99


def test_the_covariance_is_the_sum_of_its_parts() -> None:
    found = locate_pixel(BROWN, pose(2.0, 10.0, -4.0), (1200, 700), 2.0)
    assert isinstance(found, GroundPoint)
    total = found.place.cov_en_m2
    np.testing.assert_allclose(found.bias_cov_en_m2 + found.own_cov_en_m2, total)
    np.testing.assert_allclose(found.parts_en_m @ found.parts_en_m.T, total, atol=1e-5)
    assert (np.linalg.eigvalsh(found.own_cov_en_m2) > 0).all()
    assert found.parts_en_m.shape == (2, len(PARTS))


def test_gnss_alone_makes_a_round_error_of_its_own_size() -> None:
    found = locate_pixel(PLAIN, pose(sigmas=(2.0, 0.0, 0.0, 0.0)), (960, 700), 0.0)
    assert isinstance(found, GroundPoint)
    np.testing.assert_allclose(found.place.cov_en_m2, 4.0 * np.eye(2), atol=1e-5)


def test_a_degree_of_pitch_far_ahead_of_a_car_is_the_metre_that_trigonometry_gives() -> None:
    # 2 m up, 12 m ahead: h / sin² of the depression, times one degree, is 1.29 m along the road.
    at = pose(2.0, 0.0, -math.degrees(math.atan2(2, 12)), sigmas=(0.0, 0.0, 0.2, 0.0))
    found = locate_pixel(PLAIN, at, (960, 540), 0.0)
    assert isinstance(found, GroundPoint)
    assert math.sqrt(found.place.cov_en_m2[1, 1]) == pytest.approx(1.29 * 0.2, rel=0.01)


@pytest.mark.parametrize(
    ("at", "pixel", "why"),
    [
        (pose(2.0, 0.0, 0.0), (960, 540), "at or above the horizon"),
        (pose(2.0, 0.0, 0.0), (960, 100), "at or above the horizon"),
        (pose(2.0, 0.0, 0.0, roll=180.0), (960, 700), "at or above the horizon"),
        (pose(2.0, 0.0, 0.0), (960, 560), "too flatly"),  # 0.8 degrees with a sigma of 0.5
        (pose(0.0, 0.0, -30.0), (960, 540), "not above the ground"),
        (pose(500.0, 0.0, -2.0, sigmas=(1.0, 0.1, 0.01, 0.01)), (960, 540), "beyond"),
    ],
)
def test_a_ray_at_the_horizon_or_too_flat_lands_nowhere(at, pixel, why) -> None:
    found = locate_pixel(PLAIN, at, pixel, 2.0)
    assert isinstance(found, NoGround)
    assert why in found.reason


def test_a_pixel_beyond_the_lens_lands_nowhere() -> None:
    lens = Lens(3000, 1000, 1000.0, 1000.0, 1500.0, 500.0, "brown", (-0.3, 0, 0, 0, 0))
    found = locate_pixel(lens, pose(), (2400, 900), 2.0)
    assert isinstance(found, NoGround)
    assert "valid field" in found.reason


@settings(deadline=None)
@given(
    st.sampled_from([PLAIN, BROWN, FISHEYE]),
    st.floats(-90, -10),
    st.floats(0, 360),
    st.floats(-20, 20),
    st.floats(0, 1920),
    st.floats(0, 1080),
)
def test_a_place_shows_in_the_pixel_it_came_from(lens, pitch, heading, roll, u, v) -> None:
    at = pose(40.0, heading, pitch, roll, (1.0, 1.0, 0.1, 0.1))
    found = locate_pixel(lens, at, (u, v), 1.0)
    assume(isinstance(found, GroundPoint) and found.range_m < 2000)
    back = pixel_of(lens, at, found.place.lat_deg, found.place.lon_deg)
    # The plane leaves the ellipsoid by range² / 2R: at 2 km 0.3 m, an eighth of a pixel or two.
    assert back == pytest.approx((u, v), abs=0.3)


def test_a_place_behind_the_camera_has_no_pixel() -> None:
    assert pixel_of(PLAIN, pose(heading=0.0), 22.83, 113.23) is None


def test_the_pixels_of_a_frame_are_located_as_each_alone() -> None:
    pixels = np.array([[100.0, 900.0], [960.0, 540.0], [1800.0, 1000.0]])
    together = locate_pixels(BROWN, pose(), pixels, 2.0)
    for pixel, found in zip(pixels, together, strict=True):
        alone = locate_pixel(BROWN, pose(), tuple(pixel), 2.0)
        assert isinstance(found, GroundPoint) and isinstance(alone, GroundPoint)
        assert found.place.lat_deg == alone.place.lat_deg
        np.testing.assert_array_equal(found.place.cov_en_m2, alone.place.cov_en_m2)
