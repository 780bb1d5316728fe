"""What must not be readable is not; what proves the case stays."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from patrolvision.errors import ModelError
from patrolvision.evidence.blur import blurred, faces

from .scenes import boxes, noise, plate

NONE = boxes()


def sharpness(image: np.ndarray) -> float:
    """Root mean square difference of neighbouring pixels, in grey levels."""
    grey = image.astype(float).mean(axis=2)
    return float(np.sqrt(np.mean(np.diff(grey, axis=1) ** 2)))


def test_nothing_changes_where_nobody_is() -> None:
    image = noise()
    assert np.array_equal(blurred(image, NONE, NONE), image)


def test_the_picture_given_is_left_as_it_was() -> None:
    image = noise()
    before = image.copy()
    blurred(image, boxes((10, 10, 110, 310)), boxes((200, 100, 500, 300)))
    assert np.array_equal(image, before)


def test_a_standing_persons_head_is_hidden_and_the_feet_are_not() -> None:
    image = noise()
    out = blurred(image, boxes((100, 50, 200, 350)), NONE)  # three times as high as wide
    assert sharpness(out[50:160, 100:200]) < 0.05 * sharpness(image[50:160, 100:200])
    assert np.array_equal(out[200:350, 100:200], image[200:350, 100:200])


@pytest.mark.parametrize(
    ("box", "because"),
    [
        ((100, 100, 115, 140), "small: the head is too small to be told from the rest"),
        ((100, 100, 300, 200), "wider than high: lying or bending"),
        ((100, 100, 200, 200), "a bust cut off by the picture's edge is mostly head"),
    ],
)
def test_a_person_whose_head_may_be_anywhere_is_hidden_nearly_whole(
    box: tuple[int, int, int, int], because: str
) -> None:
    image = noise()
    out = blurred(image, boxes(box), NONE)
    x0, y0, x1, y1 = box
    hidden = (out[y0:y1, x0:x1] != image[y0:y1, x0:x1]).any(axis=2).mean()
    assert hidden >= 0.89, because


def test_a_vehicles_lower_part_is_hidden_and_its_roof_is_not() -> None:
    image = noise()
    out = blurred(image, NONE, boxes((100, 100, 400, 300)))
    assert np.array_equal(out[100:165, 100:400], image[100:165, 100:400])
    assert sharpness(out[180:300, 105:395]) < 0.05 * sharpness(image[180:300, 105:395])


@pytest.mark.parametrize("width_px", [40, 80, 160, 320])
def test_a_plate_is_left_with_fewer_blocks_than_it_has_letters(width_px: int) -> None:
    image = plate(width_px)
    height, width = image.shape[:2]
    out = blurred(image, NONE, boxes((20, 20, width - 20, height - 20)))
    row = out[20 + int(0.6 * (height - 40)) + round(0.11 * width_px)].mean(axis=1)
    middle = row[20 + width_px : 20 + 2 * width_px]
    turns = np.count_nonzero(np.diff(np.sign(np.diff(middle)[np.abs(np.diff(middle)) > 0.5])))
    assert turns <= 4  # eight letters make at least fourteen


def test_a_vehicle_too_small_to_have_a_readable_plate_is_left_alone() -> None:
    image = noise()
    assert np.array_equal(blurred(image, NONE, boxes((10, 10, 45, 30))), image)


def test_of_a_cycle_the_upper_part_is_hidden_where_a_rider_would_be() -> None:
    image = noise()
    out = blurred(image, NONE, NONE, riders=boxes((100, 100, 300, 250)))
    assert sharpness(out[105:155, 105:295]) < 0.1 * sharpness(image[105:155, 105:295])
    assert np.array_equal(out[165:], image[165:])


def test_boxes_that_leave_the_picture_are_cut_at_its_edge() -> None:
    image = noise(100, 100)
    out = blurred(
        image, boxes((-50, -50, 60, 400)), boxes((60, 60, 900, 900), (200, 200, 300, 300))
    )
    assert out.shape == image.shape


def test_a_face_model_that_is_none_is_an_error_of_ours(tmp_path: Path) -> None:
    model = tmp_path / "faces.onnx"
    model.write_bytes(b"not a model")
    with pytest.raises(ModelError, match=r"faces\.onnx"):
        blurred(noise(), NONE, NONE, face_model=model)


def test_the_faces_of_real_people_lose_their_detail(shared: Path) -> None:
    model = shared / "weights" / "face_detection_yunet_2026may.onnx"
    if not model.is_file():
        pytest.skip(f"needs {model.name} in the development data folder")
    left = []
    for file in sorted((shared / "coco128_train" / "images").rglob("*.jpg"))[:25]:
        image = cv2.imread(str(file))
        label = Path(str(file).replace("images", "labels")).with_suffix(".txt")
        persons = _persons(label, image.shape[1], image.shape[0])
        out = blurred(image, persons, NONE)
        inside = [f for f in faces(image, model) if _held(f, persons)]
        left += [_detail(out, face) / _detail(image, face) for face in inside]
    assert len(left) >= 8
    assert max(left) < 0.25  # the faintest face loses three quarters of its edges


def _detail(image: np.ndarray, xyxy: tuple[float, ...]) -> float:
    x0, y0, x1, y1 = (max(int(v), 0) for v in xyxy)
    grey = cv2.cvtColor(image[y0:y1, x0:x1], cv2.COLOR_BGR2GRAY)
    return float(np.abs(cv2.Laplacian(grey, cv2.CV_64F)).mean())


def _persons(label: Path, width: int, height: int) -> np.ndarray:
    rows = [line.split() for line in label.read_text().splitlines()] if label.is_file() else []
    centre = [[float(v) for v in row[1:5]] for row in rows if row[0] == "0"]
    return boxes(
        *[
            ((x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height)
            for x, y, w, h in centre
        ]
    )


def _held(face: tuple[float, ...], persons: np.ndarray) -> bool:
    x, y = (face[0] + face[2]) / 2, (face[1] + face[3]) / 2
    return any(x0 <= x <= x1 and y0 <= y <= y1 for x0, y0, x1, y1 in persons)
