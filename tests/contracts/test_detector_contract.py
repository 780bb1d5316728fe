"""What every Detector promises, run on every engine."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from helpers.blob_detector import BlobDetector
from patrolvision.detect.openvino import OpenVinoDetector
from patrolvision.detect.release import load_release
from patrolvision.detect.tiling import TiledDetector, TilingSettings
from patrolvision.ports import Detector
from patrolvision.types import Detections, Image, ModelRelease

MODELS = Path(__file__).resolve().parents[2] / "models"
LOW = 1e-4  # so low that a network finds something in a picture of noise


def _small_release() -> ModelRelease:
    """The released weights at a small input, so that the suite is quick."""
    return replace(load_release(None, MODELS), input_width=256, input_height=256)


def _torch_detector() -> Detector:
    if importlib.util.find_spec("torch") is None:
        pytest.skip("needs torch and ultralytics: run `make torch`")
    from patrolvision.detect.ultralytics import UltralyticsDetector

    return UltralyticsDetector(_small_release(), conf=LOW)


MAKERS = {
    "openvino": lambda: OpenVinoDetector(_small_release(), conf=LOW),
    "openvino f32": lambda: OpenVinoDetector(
        _small_release(), conf=LOW, precision="f32", num_threads=1
    ),
    "torch": _torch_detector,
    "tiled": lambda: TiledDetector(BlobDetector(), TilingSettings(tile_px=200)),
    "double": BlobDetector,
}


@pytest.fixture(scope="module", params=MAKERS)
def detector(request: pytest.FixtureRequest) -> Iterator[Detector]:
    made = MAKERS[request.param]()
    yield made
    made.close()


def _pictures() -> list[Image]:
    """Different sizes, a portrait among them, with colours that a network reacts to."""
    random = np.random.default_rng(1)
    pictures = []
    for height, width in ((360, 640), (480, 270), (360, 640), (33, 500)):
        small = random.integers(0, 255, (height // 10 + 1, width // 10 + 1, 3), dtype=np.uint8)
        picture = small.repeat(10, axis=0).repeat(10, axis=1)[:height, :width].copy()
        picture[10:25, 20:60] = (0, 0, 255)
        pictures.append(picture)
    return pictures


def _same(one: Detections, other: Detections) -> bool:
    return (
        np.array_equal(one.xyxy, other.xyxy)
        and np.array_equal(one.confidence, other.confidence)
        and np.array_equal(one.class_id, other.class_id)
    )


def test_no_picture_gives_no_answer(detector: Detector) -> None:
    assert detector.detect([]) == []


def test_there_is_one_answer_for_each_picture_in_the_order_given(detector: Detector) -> None:
    pictures = _pictures()
    together = detector.detect(pictures)
    alone = [detector.detect([picture])[0] for picture in pictures]
    assert len(together) == len(pictures)
    assert all(len(found) for found in together), "the test needs pictures in which something is"
    for one, other in zip(together, alone, strict=True):
        # A batch may be added up in another order: 1e-6 of 640 px, times a small picture's scale.
        np.testing.assert_allclose(one.xyxy[0], other.xyxy[0], atol=0.05)
        assert one.confidence[0] == pytest.approx(other.confidence[0], rel=1e-3)


def test_the_same_pictures_give_the_same_boxes_to_the_last_bit(detector: Detector) -> None:
    pictures = _pictures()
    first, second = detector.detect(pictures), detector.detect(pictures)
    assert all(_same(one, other) for one, other in zip(first, second, strict=True))


def test_boxes_lie_in_their_picture_and_have_an_area(detector: Detector) -> None:
    for picture, found in zip(_pictures(), detector.detect(_pictures()), strict=True):
        height, width = picture.shape[:2]
        assert (found.xyxy >= 0).all()
        assert (found.xyxy <= (width, height, width, height)).all()
        assert (found.xyxy[:, 2:] > found.xyxy[:, :2]).all()


def test_the_best_comes_first_and_all_classes_are_known(detector: Detector) -> None:
    for found in detector.detect(_pictures()):
        assert (np.diff(found.confidence) <= 0).all()
        assert ((found.confidence > 0) & (found.confidence <= 1)).all()
        assert ((found.class_id >= 0) & (found.class_id < len(detector.release.classes))).all()


def test_values_have_the_types_that_travel(detector: Detector) -> None:
    for found in detector.detect(_pictures()):
        assert found.xyxy.dtype == np.float32
        assert found.confidence.dtype == np.float32
        assert found.class_id.dtype == np.int64
        assert found.track_id is None


def test_the_pictures_given_are_left_as_they_were(detector: Detector) -> None:
    pictures = _pictures()
    detector.detect(pictures)
    assert all(np.array_equal(a, b) for a, b in zip(pictures, _pictures(), strict=True))
