from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import openvino as ov
import openvino.opset13 as ops
import pytest

from patrolvision.detect.openvino import SHAPES_KEPT, OpenVinoDetector
from patrolvision.detect.release import load_release
from patrolvision.errors import ModelError
from patrolvision.types import Image, ModelRelease

RED, GREEN, BLUE = (0, 0, 255), (0, 255, 0), (255, 0, 0)


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> ModelRelease:
    """A network that sees one box, centre (32, 32), 20 x 10, scored by the mean of each colour."""
    picture = ops.parameter([-1, 3, -1, -1], np.float32)
    means = ops.reshape(ops.reduce_mean(picture, [2, 3]), np.array([1, 3, 1]), False)
    place = ops.constant(np.array([32, 32, 20, 10], np.float32).reshape(1, 4, 1))
    network = ov.Model([ops.concat([place, means], 1)], [picture])
    network.set_rt_info("red green blue", ["model_info", "labels"])
    path = tmp_path_factory.mktemp("net") / "colours.xml"
    ov.save_model(network, path, compress_to_fp16=False)
    return load_release(path, path.parent)


def _picture(colour: tuple[int, int, int], height: int = 320, width: int = 320) -> Image:
    return np.full((height, width, 3), colour, np.uint8)


def test_the_precision_asked_for_is_the_one_used(colours: ModelRelease) -> None:
    assert OpenVinoDetector(colours, precision="f32").precision == "f32"


def test_an_unknown_precision_is_refused(colours: ModelRelease) -> None:
    with pytest.raises(ModelError, match="precision must be auto, f32, bf16 or int8, got 'int4'"):
        OpenVinoDetector(colours, precision="int4")  # type: ignore[arg-type]


def test_eight_bits_are_refused_of_a_release_without_them(colours: ModelRelease) -> None:
    with pytest.raises(ModelError, match="has no weights for openvino-int8, only for openvino"):
        OpenVinoDetector(colours, precision="int8")


def test_eight_bits_are_a_network_of_their_own(colours: ModelRelease) -> None:
    files = {"lost.xml": {"runtime": "openvino"}, "colours.xml": {"runtime": "openvino-int8"}}
    detector = OpenVinoDetector(replace(colours, card={"files": files}), precision="int8")
    assert detector.precision == "f32"
    assert len(detector.detect([_picture(RED)])[0].class_id) == 1


def test_no_threads_at_all_are_refused(colours: ModelRelease) -> None:
    with pytest.raises(ModelError, match="num_threads must be at least 1"):
        OpenVinoDetector(colours, num_threads=0)


def test_a_file_that_is_no_network_is_refused_in_one_sentence(tmp_path: Path) -> None:
    labels = '<net><rt_info><model_info><labels value="litter"/></model_info></rt_info></net>'
    (tmp_path / "net.xml").write_text(labels)
    (tmp_path / "net.bin").write_bytes(b"")
    with pytest.raises(ModelError, match=r"net\.xml is not a model OpenVINO reads") as caught:
        OpenVinoDetector(load_release(tmp_path / "net.xml", tmp_path))
    assert "\n" not in str(caught.value)


def test_a_card_with_too_few_classes_is_refused(colours: ModelRelease) -> None:
    detector = OpenVinoDetector(replace(colours, classes=("red", "green")))
    with pytest.raises(ModelError, match="the model's output must be"):
        detector.detect([_picture(RED)])


@pytest.mark.parametrize(("colour", "name"), [(RED, "red"), (GREEN, "green"), (BLUE, "blue")])
def test_colours_reach_the_network_in_its_order_and_scale(
    colours: ModelRelease, colour: tuple[int, int, int], name: str
) -> None:
    found = OpenVinoDetector(colours, precision="f32").detect([_picture(colour)])[0]
    assert [colours.classes[i] for i in found.class_id] == [name]
    assert found.confidence.tolist() == [pytest.approx(1.0)]


def test_boxes_come_back_in_pixels_of_the_picture(colours: ModelRelease) -> None:
    found = OpenVinoDetector(colours).detect([_picture(RED, 1280, 1280)])[0]
    assert found.xyxy.tolist() == [[44, 54, 84, 74]]  # the network's (22, 27, 42, 37), twice


def test_only_the_latest_picture_sizes_are_kept_compiled(colours: ModelRelease) -> None:
    detector = OpenVinoDetector(colours)
    for rows in range(1, SHAPES_KEPT + 3):
        detector.detect([_picture(RED, 32 * rows, 640)])
    assert len(detector._engines) == SHAPES_KEPT


def test_more_pictures_than_requests_are_all_answered_in_order(colours: ModelRelease) -> None:
    palette = [RED, GREEN, BLUE] * 5
    found = OpenVinoDetector(colours).detect([_picture(colour) for colour in palette])
    assert [int(one.class_id[0]) for one in found] == [0, 1, 2] * 5


def test_threads_may_share_a_detector(colours: ModelRelease) -> None:
    detector = OpenVinoDetector(colours)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(detector.detect, [[_picture(c)] for c in [RED, GREEN, BLUE] * 8]))
    assert [int(one[0].class_id[0]) for one in found] == [0, 1, 2] * 8


def test_the_release_threshold_hides_what_conf_shows(colours: ModelRelease) -> None:
    dim = _picture((0, 0, 51))  # a score of 0.2
    assert len(OpenVinoDetector(colours).detect([dim])[0]) == 0
    assert len(OpenVinoDetector(colours, conf=0.1).detect([dim])[0]) == 1
