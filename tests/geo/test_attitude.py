"""Attitude against quaternions, and against cases whose answer a person can see."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patrolvision.geo.attitude import angles_of, camera_angles, enu_from_body, enu_from_camera

EAST, NORTH, UP = np.eye(3)
headings = st.floats(0.0, 359.99)
pitches = st.floats(-89.0, 60.0)
rolls = st.floats(-170.0, 170.0)


@pytest.mark.parametrize(
    ("angles", "right", "down", "forward"),
    [
        ((0, 0, 0), EAST, -UP, NORTH),  # level, looking north
        ((90, 0, 0), -NORTH, -UP, EAST),  # looking east: south is to the right
        ((0, -90, 0), EAST, -NORTH, -UP),  # straight down, north at the top of the picture
        ((90, -90, 0), -NORTH, -EAST, -UP),  # straight down, east at the top
        ((0, 0, 90), -UP, -EAST, NORTH),  # turned clockwise: its right side points down
    ],
)
def test_the_axes_point_where_a_person_expects(angles, right, down, forward) -> None:
    np.testing.assert_allclose(
        enu_from_camera(*angles), np.stack([right, down, forward], 1), atol=1e-15
    )


def _turn(axis: np.ndarray, degrees: float) -> np.ndarray:
    half = np.radians(degrees) / 2
    return np.concatenate([[np.cos(half)], np.sin(half) * axis])


def _times(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    vector = a[0] * b[1:] + b[0] * a[1:] + np.cross(a[1:], b[1:])
    return np.concatenate([[a[0] * b[0] - a[1:] @ b[1:]], vector])


def _rotate(q: np.ndarray, v: np.ndarray) -> np.ndarray:
    conjugate = q * np.array([1, -1, -1, -1])
    return _times(_times(q, np.concatenate([[0.0], v])), conjugate)[1:]


@given(headings, pitches, rolls)
def test_the_rotation_is_the_product_of_three_quaternions(h: float, p: float, r: float) -> None:
    # Roll about the north-pointing axis, then pitch up about east, then heading against up.
    q = _times(_turn(UP, -h), _times(_turn(EAST, p), _turn(NORTH, r)))
    expected = np.stack([_rotate(q, v) for v in (EAST, -UP, NORTH)], axis=1)
    np.testing.assert_allclose(enu_from_camera(h, p, r), expected, atol=1e-12)


@given(headings, pitches, rolls)
def test_angles_come_back_from_their_rotation(h: float, p: float, r: float) -> None:
    got = angles_of(enu_from_camera(h, p, r))
    np.testing.assert_allclose(enu_from_camera(*got), enu_from_camera(h, p, r), atol=1e-12)
    assert got[1:] == pytest.approx((p, r), abs=1e-9)


@given(headings, st.floats(-90.0, -90.0), rolls)
def test_straight_down_the_roll_is_folded_into_the_heading(h: float, p: float, r: float) -> None:
    heading, pitch, roll = angles_of(enu_from_camera(h, p, r))
    assert (pitch, roll) == (pytest.approx(-90.0), 0.0)
    np.testing.assert_allclose(
        enu_from_camera(heading, pitch, roll), enu_from_camera(h, p, r), atol=1e-9
    )


@pytest.mark.parametrize(
    ("vehicle", "mount", "camera"),
    [
        ((30, 0, 0), (0, -5, 0), (30, -5, 0)),  # a level car: the mount's own pitch
        ((30, 0, 0), (90, -10, 3), (120, -10, 3)),  # a camera that looks to the right
        ((350, 2, 0), (0, -5, 0), (350, -3, 0)),  # uphill lifts a front camera
        ((0, 2, 0), (180, 0, 0), (180, -2, 0)),  # and lowers a rear camera
        ((0, 2, 0), (90, 0, 0), (90, 0, 2)),  # nose up: its left, the front, rises
        ((0, 0, 4), (90, 0, 0), (90, -4, 0)),  # right side down lowers a right-hand camera
        ((0, 0, 4), (0, 0, 0), (0, 0, 4)),
    ],
)
def test_a_mount_rides_on_its_vehicle(vehicle, mount, camera) -> None:
    assert camera_angles(*vehicle, *mount) == pytest.approx(camera, abs=1e-9)


def test_a_lever_arm_turns_with_the_vehicle() -> None:
    # 1.2 m forward of the antenna on a car that heads east lies 1.2 m to the east.
    np.testing.assert_allclose(enu_from_body(90, 0, 0) @ [0.0, 1.2, 0.0], [1.2, 0, 0], atol=1e-12)
