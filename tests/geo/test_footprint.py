"""The ground under a picture: what it shows is in the ring, and the ring is in what it shows."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patrolvision.geo.footprint import centroid, convex_hull, footprint, is_inside
from patrolvision.geo.geodesy import local_en
from patrolvision.geo.project import GroundPoint, locate_pixels, pixel_of
from patrolvision.types import FloatArray, Lens, Pose

AT = datetime(2026, 5, 4, tzinfo=UTC)
LAT, LON = 22.84, 113.23
LENS = Lens(1920, 1080, 1400.0, 1400.0, 960.0, 540.0)
CORNER_LOSS = math.radians(2.0)  # of the reach: one azimuth step


def pose(height: float, heading: float, pitch: float, roll: float = 0.0) -> Pose:
    return Pose(AT, LAT, LON, height, heading, pitch, roll, 1.0, 0.1, 0.01, 0.01)


def metres(ring: tuple[tuple[float, float], ...]) -> FloatArray:
    corners = np.array(ring)
    return np.stack(local_en(LAT, LON, corners[:, 0], corners[:, 1]), axis=-1)


def area_m2(outline: FloatArray) -> float:
    x, y = outline.T
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) / 2)


def test_straight_down_the_footprint_is_the_picture_scaled_by_height_over_focal_length() -> None:
    ring = footprint(LENS, pose(50.0, 0.0, -90.0), 100.0)
    assert ring is not None
    outline = metres(ring)
    assert len(outline) == 4
    assert np.abs(outline).max(axis=0) == pytest.approx(
        (50 * 960 / 1400, 50 * 540 / 1400), abs=1e-3
    )
    assert area_m2(outline) == pytest.approx(50**2 * 1920 * 1080 / 1400**2, rel=1e-4)


def test_a_car_sees_from_its_picture_s_lower_edge_to_the_reach() -> None:
    ring = footprint(LENS, pose(1.8, 90.0, -6.0), 20.0)
    assert ring is not None
    outline = metres(ring)
    ahead = outline[:, 0]  # it heads east
    nearest = 1.8 / math.tan(math.radians(6.0) + math.atan(540 / 1400))
    assert ahead.min() == pytest.approx(nearest, abs=1e-3)
    assert ahead.max() == pytest.approx(20.0, abs=20 * (1 - math.cos(CORNER_LOSS)))
    assert np.hypot(*outline.T).max() <= 20.0 + 1e-6


@pytest.mark.parametrize(
    ("height", "pitch"),
    [(1.8, 40.0), (0.0, -10.0), (-1.0, -10.0), (1.8, 21.2)],
    ids=["into the sky", "on the ground", "below the ground", "all within a hair of the horizon"],
)
def test_at_and_above_the_horizon_there_is_no_footprint(height: float, pitch: float) -> None:
    assert footprint(LENS, pose(height, 0.0, pitch), 20.0) is None


def test_ground_beyond_the_reach_only_is_no_footprint() -> None:
    assert footprint(LENS, pose(50.0, 0.0, -30.0), 20.0) is None


ANYWHERE = st.builds(
    pose,
    st.floats(1.0, 60.0),
    st.floats(0.0, 360.0),
    st.floats(-90.0, 5.0),
    st.floats(-20.0, 20.0),
)


@given(ANYWHERE, st.floats(5.0, 80.0))
def test_every_corner_is_in_the_picture_and_within_reach(here: Pose, reach_m: float) -> None:
    ring = footprint(LENS, here, reach_m)
    for (lat, lon), (east, north) in zip(ring or (), metres(ring) if ring else (), strict=True):
        assert math.hypot(east, north) <= reach_m + 1e-6
        pixel = pixel_of(LENS, here, lat, lon)
        assert pixel is not None
        assert -0.5 <= pixel[0] <= 1920.5
        assert -0.5 <= pixel[1] <= 1080.5


@given(ANYWHERE, st.floats(5.0, 80.0), st.floats(0.0, 1920.0), st.floats(0.0, 1080.0))
def test_what_a_pixel_shows_within_reach_is_in_the_footprint(
    here: Pose, reach_m: float, u: float, v: float
) -> None:
    (shown,) = locate_pixels(LENS, here, np.array([[u, v]]), 0.1)
    if not isinstance(shown, GroundPoint):
        return
    lat, lon = shown.place.lat_deg, shown.place.lon_deg
    point = np.array(local_en(LAT, LON, lat, lon), np.float64)
    if np.hypot(*point) > reach_m * (1 - CORNER_LOSS):
        return
    ring = footprint(LENS, here, reach_m)
    assert ring is not None
    outline = metres(ring)
    middle = outline.mean(axis=0)
    inwards = (middle - point) / max(float(np.hypot(*(middle - point))), 1e-9)
    slack = min(CORNER_LOSS * reach_m, float(np.hypot(*(middle - point))))
    assert is_inside(outline, point + slack * inwards)


def test_the_hull_of_a_square_with_points_in_and_on_it_is_the_square() -> None:
    square = np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [0.0, 4.0]])
    more = np.array([[2.0, 2.0], [2.0, 0.0], [4.0, 1.0], [0.0, 0.0]])
    assert convex_hull(np.concatenate([more, square])).tolist() == square.tolist()


@pytest.mark.parametrize("points", [[], [[1.0, 2.0]], [[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]])
def test_points_on_a_line_span_no_hull(points: list[list[float]]) -> None:
    assert len(convex_hull(np.array(points).reshape(-1, 2))) < 3


def test_the_centre_of_a_trapezoid_is_where_it_would_balance() -> None:
    trapezoid = np.array([[-1.0, 1.0], [1.0, 1.0], [3.0, 4.0], [2.0, 4.0], [-3.0, 4.0]])
    above = 3.0 / 3.0 * (2 + 2 * 6) / (2 + 6)  # h/3 (a + 2b)/(a + b) from the side a
    assert centroid(trapezoid) == pytest.approx((0.0, 1.0 + above))
