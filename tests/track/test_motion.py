from __future__ import annotations

import cv2
import numpy as np
import pytest

from helpers.moving_scenes import texture
from patrolvision.track.motion import STILL, CameraMotion

NOTHING = np.zeros((0, 4))
CORNERS = np.array([[0, 0, 1], [1280, 0, 1], [0, 720, 1], [1280, 720, 1.0]]).T


def _similarity(shift_xy: tuple[float, float], turn_deg: float, scale: float) -> np.ndarray:
    warp = np.asarray(cv2.getRotationMatrix2D((640, 360), turn_deg, scale), np.float64)
    warp[:, 2] += shift_xy
    return warp


def _seen_through(plane: np.ndarray, warp: np.ndarray) -> np.ndarray:
    """The middle 1280 x 720 of the plane after the warp, in the picture's own coordinates."""
    middle = np.array([[1, 0, -400], [0, 1, -300], [0, 0, 1.0]])
    full = np.vstack([warp, [0, 0, 1]]) @ middle
    return np.asarray(cv2.warpPerspective(plane, full, (1280, 720)), np.uint8)


@pytest.mark.parametrize(
    ("shift_xy", "turn_deg", "scale"),
    [
        ((0, 0), 0, 1.0),
        ((40, -25), 0, 1.0),
        ((120, 10), 0, 1.0),
        ((0, 0), 4, 1.0),
        ((-20, 15), -2, 1.06),
        ((5, 5), 0, 0.93),
    ],
)
def test_the_cameras_motion_is_found_to_a_pixel(
    shift_xy: tuple[float, float], turn_deg: float, scale: float
) -> None:
    """Flow is good to about 0.1 px of the picture shrunk fourfold, with 100 corners fitted: the
    corners of the picture, where a similarity's error is largest, must be right to 1.5 px of it."""
    plane = texture(1400, 2200, 3)
    true = _similarity(shift_xy, turn_deg, scale)
    camera = CameraMotion()
    camera.update(_seen_through(plane, STILL), NOTHING)
    found = camera.update(_seen_through(plane, true), NOTHING)
    assert np.abs((found - true) @ CORNERS).max() < 1.5


def test_what_moves_by_itself_is_left_out_of_the_background() -> None:
    """A lorry that covers a third of the picture moves 60 px; the background does not."""
    lorry, road = texture(500, 500, 8), texture(720, 1280, 9)
    before, after = road.copy(), road.copy()
    before[100:600, 200:700] = lorry
    after[100:600, 260:760] = lorry
    camera = CameraMotion()
    camera.update(before, np.array([[200, 100, 700, 600]]))
    found = camera.update(after, np.array([[260, 100, 760, 600]]))
    assert np.abs((found - STILL) @ CORNERS).max() < 1.5


def test_the_first_picture_has_no_motion() -> None:
    assert np.array_equal(CameraMotion().update(texture(360, 640, 1), NOTHING), STILL)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_picture_without_texture_tells_no_motion(value: int) -> None:
    camera, flat = CameraMotion(), np.full((360, 640, 3), value, np.uint8)
    camera.update(flat, NOTHING)
    assert np.array_equal(camera.update(flat, NOTHING), STILL)


def test_a_cut_to_another_scene_tells_no_motion() -> None:
    camera = CameraMotion()
    camera.update(texture(720, 1280, 1), NOTHING)
    assert np.array_equal(camera.update(texture(720, 1280, 2), NOTHING), STILL)
