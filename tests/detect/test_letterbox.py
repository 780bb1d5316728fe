from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patrolvision.detect.letterbox import BORDER_GREY, STRIDE, paint, plan, to_picture


@pytest.mark.parametrize(
    ("size_wh", "input_wh", "why"),
    [
        ((1920, 1080), (640, 384), "16:9: 360 rows, up to the next 32"),
        ((1080, 1920), (384, 640), "the same upright"),
        ((640, 640), (640, 640), "a square"),
        ((4000, 3000), (640, 480), "4:3 needs no border"),
        ((320, 180), (640, 384), "a small picture is enlarged, as in training"),
        ((2000, 10), (640, 32), "a strip still has a row"),
    ],
)
def test_the_input_is_no_larger_than_the_stride_asks(
    size_wh: tuple[int, int], input_wh: tuple[int, int], why: str
) -> None:
    box = plan(*size_wh, 640, 640)
    assert (box.input_w, box.input_h) == input_wh, why


def test_a_network_of_fixed_size_gets_exactly_that_size() -> None:
    box = plan(1920, 1080, 640, 640, True)
    assert (box.input_w, box.input_h, box.top, box.left) == (640, 640, 140, 0)


def test_a_picture_is_painted_in_the_middle_between_grey_borders() -> None:
    picture = np.full((90, 160, 3), 7, np.uint8)
    box = plan(160, 90, 640, 640)
    canvas = np.zeros((*box.input_shape, 3), np.uint8)
    paint(picture, box, canvas)
    assert (canvas[:12] == BORDER_GREY).all()
    assert (canvas[12:372] == 7).all()
    assert (canvas[372:] == BORDER_GREY).all()


@given(
    width=st.integers(1, 5000),
    height=st.integers(1, 5000),
    x=st.floats(0, 1),
    y=st.floats(0, 1),
)
def test_a_point_comes_back_to_its_place(width: int, height: int, x: float, y: float) -> None:
    box = plan(width, height, 640, 640)
    inside = np.array([[box.left + x * box.inner_w, box.top + y * box.inner_h] * 2], np.float32)
    back = to_picture(inside, box)[0, :2]
    # float32 holds a coordinate below 1024 to 6e-5; enlarged by width / inner_w.
    tolerance = 1e-4 * max(width / box.inner_w, height / box.inner_h, 1.0) + 1e-3
    assert back == pytest.approx((x * width, y * height), abs=tolerance)
    assert box.input_w % STRIDE == 0
    assert box.input_h % STRIDE == 0


def test_boxes_are_clipped_to_the_picture() -> None:
    box = plan(640, 360, 640, 640)
    assert to_picture(np.array([[-5, 0, 700, 384]], np.float32), box).tolist() == [[0, 0, 640, 360]]
