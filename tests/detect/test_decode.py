from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from patrolvision.detect.decode import MAX_BOXES, decode, layout_of, thresholds_of
from patrolvision.detect.letterbox import plan
from patrolvision.errors import ModelError
from patrolvision.types import ModelRelease

BOX = plan(640, 640, 640, 640)  # picture and input are the same
THRESHOLDS = np.array([0.3, 0.6], np.float32)
RELEASE = ModelRelease(
    "m", "1", Path(), ("litter", "car"), 640, 640, {"litter": 0.3, "car": 0.6}, 0.6, {}
)


def _raw(*rows: tuple[float, ...], anchors: int = 20) -> np.ndarray:
    """centre x, centre y, width, height, score litter, score car; other anchors are empty."""
    output = np.zeros((6, anchors), np.float32)
    output[:, : len(rows)] = np.array(rows, np.float32).T
    return output


def test_a_raw_box_goes_from_centre_and_size_to_corners() -> None:
    found = decode(_raw((100, 50, 40, 20, 0.9, 0.0)), THRESHOLDS, 0.6, BOX)
    assert found.xyxy.tolist() == [[80, 40, 120, 60]]
    assert found.class_id.tolist() == [0]
    assert found.confidence.tolist() == [pytest.approx(0.9)]


def test_each_class_has_its_own_threshold() -> None:
    rows = (100, 50, 40, 20, 0.4, 0.0), (300, 50, 40, 20, 0.0, 0.5), (500, 50, 40, 20, 0.0, 0.7)
    found = decode(_raw(*rows), THRESHOLDS, 0.6, BOX)
    assert found.class_id.tolist() == [1, 0]


def test_a_class_below_its_threshold_does_not_hide_one_above() -> None:
    found = decode(_raw((100, 50, 40, 20, 0.4, 0.5)), THRESHOLDS, 0.6, BOX)
    assert found.class_id.tolist() == [0]


def test_doubles_of_one_class_go_and_neighbours_of_another_stay() -> None:
    rows = (
        (100, 50, 40, 20, 0.8, 0.0),
        (101, 50, 40, 20, 0.9, 0.0),  # a double of the first, and better
        (100, 50, 40, 20, 0.0, 0.7),  # the same place, another class
        (130, 50, 40, 20, 0.5, 0.0),  # IoU 0.14
    )
    found = decode(_raw(*rows), THRESHOLDS, 0.6, BOX)
    assert found.confidence.tolist() == pytest.approx([0.9, 0.7, 0.5])


def test_end2end_rows_are_only_filtered() -> None:
    output = np.zeros((300, 6), np.float32)
    output[0] = (10, 20, 30, 40, 0.9, 1)
    output[1] = (10, 20, 30, 41, 0.8, 1)  # not a double: the network has said so
    output[2] = (10, 20, 30, 40, 0.5, 1)  # below the car's threshold
    found = decode(output, THRESHOLDS, 0.6, BOX)
    assert found.xyxy.tolist() == [[10, 20, 30, 40], [10, 20, 30, 41]]


def test_a_box_wholly_in_the_border_is_no_box() -> None:
    box = plan(640, 360, 640, 640)  # 12 rows of border above
    assert len(decode(_raw((100, 5, 40, 8, 0.9, 0.0)), THRESHOLDS, 0.6, box)) == 0


def test_no_more_boxes_come_out_than_the_limit() -> None:
    side = 40
    x, y = np.meshgrid(np.arange(side) * 16.0 + 8, np.arange(side) * 16.0 + 8)
    score = np.linspace(0.4, 0.9, side * side)
    rows = np.stack([x.ravel(), y.ravel(), *[np.full(side * side, 10.0)] * 2, score, 0 * score])
    found = decode(rows.astype(np.float32), THRESHOLDS, 0.6, BOX)
    assert len(found) == MAX_BOXES
    assert found.confidence.min() > np.sort(score)[-MAX_BOXES - 1]


@pytest.mark.parametrize(
    ("shape", "layout"), [((6, 5040), "raw"), ((300, 6), "end2end"), ((6, 8400), "raw")]
)
def test_the_layout_is_told_by_the_shape(shape: tuple[int, int], layout: str) -> None:
    assert layout_of(shape, 2) == layout


@pytest.mark.parametrize("shape", [(7, 5040), (5040, 7), (6,), (1, 300, 6)])
def test_an_output_that_fits_no_layout_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match="classes"):
        layout_of(shape, 2)


def test_conf_overrides_all_thresholds() -> None:
    assert thresholds_of(RELEASE, 0.5).tolist() == [0.5, 0.5]
    assert thresholds_of(RELEASE, None).tolist() == pytest.approx([0.3, 0.6])


@pytest.mark.parametrize("conf", [0.0, 1.0, -0.1, 7.0])
def test_a_conf_that_keeps_nothing_or_everything_is_refused(conf: float) -> None:
    with pytest.raises(ModelError, match="conf must lie between 0 and 1"):
        thresholds_of(RELEASE, conf)
