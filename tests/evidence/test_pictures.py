"""Evidence pictures: cut right, drawn right, stored once and whole."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patrolvision.errors import OutputError
from patrolvision.evidence.draw import COLOURS, annotate
from patrolvision.evidence.pictures import clearest_close, close, close_box, keep_picture, wide

from .scenes import detections, noise


def test_the_same_picture_is_stored_once_under_the_hash_of_its_bytes(tmp_path: Path) -> None:
    one, two = keep_picture(noise(), tmp_path), keep_picture(noise(), tmp_path)
    assert one == two
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [one.path]
    assert sha256(one.path.read_bytes()).hexdigest() == one.sha256
    assert one.path == tmp_path / one.sha256[:2] / f"{one.sha256}.jpg"
    assert cv2.imread(str(one.path)).shape == (one.height, one.width, 3) == (480, 640, 3)


def test_a_picture_that_was_cut_short_is_written_again(tmp_path: Path) -> None:
    kept = keep_picture(noise(), tmp_path)
    whole = kept.path.read_bytes()
    kept.path.write_bytes(whole[:100])
    keep_picture(noise(), tmp_path)
    assert kept.path.read_bytes() == whole


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(OutputError, match="file"):
        keep_picture(noise(), blocked)


def test_a_full_disk_is_named_and_leaves_no_scrap() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs /dev/full")
    with pytest.raises(OutputError, match="/dev/full"):
        keep_picture(noise(), full)


def test_the_wide_view_is_the_whole_picture_with_a_box_and_a_caption() -> None:
    image = np.full((1000, 2000, 3), 50, np.uint8)
    out = wide(image, (1000, 400, 1200, 600), "car", ("08:00", "zone z"), class_name="car")
    assert out.shape[1] == 1280
    assert out.shape[0] > 640  # 1000 × 0.64, and the caption's band below
    assert tuple(out[320, 640].tolist()) == COLOURS["car"]  # the box's left edge, scaled by 0.64
    assert tuple(out[320, 700].tolist()) == (50, 50, 50)  # inside the box nothing is drawn


def test_a_picture_smaller_than_the_limit_is_not_blown_up() -> None:
    assert wide(noise(), (10, 10, 50, 50), "").shape == (480, 640, 3)


@given(st.floats(-50, 690), st.floats(-50, 530), st.floats(1, 900), st.floats(1, 900))
def test_a_close_view_always_shows_something(x: float, y: float, w: float, h: float) -> None:
    out = close(noise(), (x, y, x + w, y + h))
    assert min(out.shape[:2]) >= 1
    assert max(out.shape[:2]) <= 800


def test_a_close_view_holds_the_thing_and_its_surroundings() -> None:
    image = np.zeros((1000, 1000, 3), np.uint8)
    image[400:600, 400:600] = 255
    out = close(image, (400, 400, 600, 600), margin=0.5)
    assert out.shape == (400, 400, 3)
    assert out[100:300, 100:300].min() == 255
    assert out[:99].max() == 0


def test_labels_name_class_track_and_confidence_in_the_classs_colour() -> None:
    image = np.full((200, 300, 3), 127, np.uint8)
    out = annotate(image, detections((50, 60, 150, 160)), ["litter"])
    assert np.array_equal(image, np.full_like(image, 127))
    assert out[110, 50].tolist() == pytest.approx(COLOURS["litter"], abs=16)  # its edge is smooth
    above = out[40:59, 50:150].reshape(-1, 3)
    assert len(np.unique(above, axis=0)) > 3  # lettering on the class's colour
    assert np.array_equal(out[80:140, 70:130], image[80:140, 70:130])
    bare = annotate(image, detections((50, 60, 150, 160)), ["litter"], labels=[""])
    assert np.array_equal(bare[:55], image[:55])


@pytest.mark.parametrize(
    "xyxy",
    [
        (100.0, 100.0, 200.0, 180.0),
        (2.0, 300.0, 40.0, 340.0),  # at the left edge
        (10.0, 10.0, 630.0, 470.0),  # nearly the whole picture
        (1500.0, 100.0, 2900.0, 1900.0),  # shrunk to at most 800 pixels
    ],
)
def test_the_box_in_the_close_view_lies_on_the_thing(
    xyxy: tuple[float, float, float, float],
) -> None:
    size_wh = (3000, 2000) if xyxy[2] > 640 else (640, 480)
    image = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
    x0, y0, x1, y1 = (int(v) for v in xyxy)
    image[y0:y1, x0:x1] = 255
    view = close(image, xyxy)
    rows, columns = np.nonzero(view[..., 0] > 127)
    drawn = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert np.allclose(close_box(size_wh, xyxy), drawn, atol=1.5)


@pytest.mark.parametrize(
    ("hidden", "chosen"),
    [
        ([0.9, 0.0, 0.1], 1),  # the first that shows the thing
        ([0.1, 0.0], 0),  # both show it: the better sight is the first
        ([0.9, 0.4], 1),
        ([None, 0.0], 0),  # an old picture tells nothing
    ],
)
def test_the_clearest_close_picture_is_the_first_that_shows_the_thing(
    hidden: list[float | None], chosen: int
) -> None:
    said = [{} if share is None else {"hidden": share} for share in hidden]
    closes = [{"view": "close", "n": n, **more} for n, more in enumerate(said)]
    assert clearest_close([{"view": "wide"}, *closes]) == closes[chosen]
    assert clearest_close([{"view": "wide"}]) is None
