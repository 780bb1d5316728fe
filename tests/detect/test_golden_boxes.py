"""The two engines, and ultralytics' own predictor, must find the same boxes in the same pictures.

Tolerances: with float32 arithmetic every box above 0.3 has its one partner of the same class with
IoU >= 0.98 and a confidence within 0.02; with bfloat16, whose numbers have 8 bits, IoU >= 0.85 and
within 0.06; with a release's network in eight bits IoU >= 0.8 and within 0.1. Boxes are asked for
from below, 0.2, so that none is missing for lying at the edge. Weak boxes are not compared: there
two doubles are often equally good, and either may survive.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from patrolvision.detect.boxes import overlap_with
from patrolvision.detect.openvino import OpenVinoDetector, Precision
from patrolvision.detect.release import load_release, weights_file
from patrolvision.types import Detections, Image

MODELS = Path(__file__).resolve().parents[2] / "models"
CONF = 0.2
COMPARED = 0.3
needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None or importlib.util.find_spec("ultralytics") is None,
    reason="needs torch and ultralytics: run `make torch`",
)


@pytest.fixture(scope="module")
def pictures(shared: Path) -> list[Image]:
    paths = [
        *sorted((shared / "coco128_train" / "images").glob("*.jpg"))[:6],
        *sorted((shared / "fire_hotfire" / "images").glob("*"))[:4],
        *sorted((shared / "litter_street_garbage_bins" / "images").glob("*"))[:4],
    ]
    return [np.asarray(cv2.imread(str(path)), np.uint8) for path in paths]


def _unmatched(
    one: Detections, other: Detections, least_iou: float, max_difference: float
) -> list[str]:
    """The boxes of `one` that are worth comparing and have no partner in `other`."""
    lonely = []
    for xyxy, confidence, class_id in zip(one.xyxy, one.confidence, one.class_id, strict=True):
        is_partner = (
            (other.class_id == class_id)
            & (np.abs(other.confidence - confidence) <= max_difference)
            & (overlap_with(xyxy, other.xyxy) >= least_iou)
        )
        if confidence > COMPARED and is_partner.sum() != 1:
            lonely.append(f"class {class_id} at {xyxy} with {confidence:.3f}")
    return lonely


def _assert_same(
    ones: Sequence[Detections],
    others: Sequence[Detections],
    least_iou: float,
    max_difference: float,
) -> None:
    compared = sum(int((one.confidence > COMPARED).sum()) for one in ones)
    assert compared >= 3, "the pictures must show something to compare"
    for index, (one, other) in enumerate(zip(ones, others, strict=True)):
        lonely = _unmatched(one, other, least_iou, max_difference)
        lonely += _unmatched(other, one, least_iou, max_difference)
        assert not lonely, f"picture {index}: {lonely}"


def _openvino(pictures: list[Image], precision: Precision) -> list[Detections]:
    return OpenVinoDetector(load_release(None, MODELS), conf=CONF, precision=precision).detect(
        pictures
    )


@pytest.mark.shared
@needs_torch
@pytest.mark.parametrize(
    ("precision", "least_iou", "max_difference"), [("f32", 0.98, 0.02), ("bf16", 0.85, 0.06)]
)
def test_both_engines_find_the_same_boxes(
    pictures: list[Image], precision: Precision, least_iou: float, max_difference: float
) -> None:
    from patrolvision.detect.ultralytics import UltralyticsDetector

    torch_found = UltralyticsDetector(load_release(None, MODELS), conf=CONF).detect(pictures)
    _assert_same(_openvino(pictures, precision), torch_found, least_iou, max_difference)


@pytest.mark.shared
@needs_torch
def test_the_boxes_are_those_of_ultralytics_own_predictor(pictures: list[Image]) -> None:
    from patrolvision.detect.ultralytics import UltralyticsDetector

    release = load_release(None, MODELS)
    detector = UltralyticsDetector(release, conf=CONF)
    ours = detector.detect(pictures)

    from ultralytics import YOLO

    model = YOLO(weights_file(release, "torch"))
    model.model.model[-1].end2end = False  # as exported: the head that needs suppression
    theirs = []
    for picture in pictures:
        boxes = model.predict(
            picture, conf=CONF, iou=release.nms_iou, end2end=False, verbose=False
        )[0].boxes
        theirs.append(
            Detections(
                boxes.xyxy.numpy().astype(np.float32),
                boxes.conf.numpy().astype(np.float32),
                boxes.cls.numpy().astype(np.int64),
            )
        )
    _assert_same(ours, theirs, 0.98, 0.02)


@pytest.mark.shared
def test_bfloat16_finds_what_float32_finds(pictures: list[Image]) -> None:
    _assert_same(_openvino(pictures, "f32"), _openvino(pictures, "bf16"), 0.85, 0.06)


@pytest.mark.shared
def test_eight_bits_find_what_float32_finds(pictures: list[Image]) -> None:
    _assert_same(_openvino(pictures, "f32"), _openvino(pictures, "int8"), 0.8, 0.1)


def test_eight_bits_find_the_vehicles_of_a_film_of_our_own() -> None:
    film = cv2.VideoCapture(str(MODELS.parent / "sample_media" / "car_a.mp4"))
    is_read, frame = film.read()
    assert is_read
    frames = [np.asarray(frame, np.uint8)]
    _assert_same(_openvino(frames, "f32"), _openvino(frames, "int8"), 0.75, 0.1)
