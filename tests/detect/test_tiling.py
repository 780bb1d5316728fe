from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.blob_detector import BlobDetector
from patrolvision.detect.tiling import (
    TiledDetector,
    TilingSettings,
    merge,
    tiles_of,
)
from patrolvision.types import Detections, Image

RED, BLUE = (0, 0, 255), (255, 0, 0)


def _field(width: int, height: int) -> Image:
    return np.full((height, width, 3), 90, np.uint8)


def _boxes(*rows: tuple[float, ...]) -> Detections:
    """x1, y1, x2, y2, confidence, class."""
    table = np.array(rows, np.float32).reshape(-1, 6)
    return Detections(table[:, :4], table[:, 4], table[:, 5].astype(np.int64))


def test_litter_too_small_for_the_whole_picture_is_found_in_a_tile() -> None:
    picture = _field(2000, 1500)
    picture[1000:1010, 1550:1565] = RED  # 10 px of 2,000: 3 px of 640
    inner = BlobDetector(least_px=8)
    assert len(inner.detect([picture])[0]) == 0
    assert TiledDetector(inner).detect([picture])[0].xyxy.tolist() == [[1550, 1000, 1565, 1010]]


def test_a_car_cut_by_the_border_of_two_tiles_is_one_car_with_its_whole_box() -> None:
    picture = _field(1152, 640)
    picture[300:340, 480:760] = BLUE
    tiles = tiles_of(1152, 640, TilingSettings())
    assert [tile[0] for tile in tiles] == [0, 512], "each tile sees a part of the car"
    inner = BlobDetector(least_px=30)
    assert len(inner.detect([picture])[0]) == 0, "the whole picture does not show it"
    assert TiledDetector(inner).detect([picture])[0].xyxy.tolist() == [[480, 300, 760, 340]]


def test_a_thing_in_the_overlap_of_four_tiles_is_counted_once() -> None:
    picture = _field(1200, 1200)
    picture[590:610, 590:610] = RED
    found = TiledDetector(BlobDetector()).detect([picture])[0]
    assert found.xyxy.tolist() == [[590, 590, 610, 610]]


def test_all_views_of_a_picture_go_through_the_detector_in_one_call() -> None:
    inner = BlobDetector()
    TiledDetector(inner).detect([_field(1152, 640)])
    assert inner.pictures_seen == [(640, 1152, 3), (640, 640, 3), (640, 640, 3)]


def test_a_picture_hardly_larger_than_a_tile_is_not_cut() -> None:
    inner = BlobDetector()
    TiledDetector(inner).detect([_field(800, 450)])
    assert inner.pictures_seen == [(450, 800, 3)]


def test_close_neighbours_seen_by_one_view_stay_two() -> None:
    whole = _boxes((0, 0, 100, 50, 0.9, 1), (30, 0, 130, 50, 0.8, 1))  # IoS 0.7
    assert len(merge(whole, [], [], 0.5)) == 2


def test_different_classes_at_one_place_stay_two() -> None:
    whole, part = _boxes((0, 0, 50, 50, 0.9, 0)), _boxes((0, 0, 50, 50, 0.8, 1))
    assert len(merge(whole, [part], [(0, 0, 640, 640)], 0.5)) == 2


@given(
    width=st.integers(100, 8000),
    height=st.integers(100, 6000),
    tile_px=st.integers(200, 1500),
    overlap=st.floats(0, 0.5),
    max_tiles=st.integers(1, 60),
)
def test_tiles_cover_the_picture_within_the_budget(
    width: int, height: int, tile_px: int, overlap: float, max_tiles: int
) -> None:
    tiles = tiles_of(width, height, TilingSettings(tile_px, overlap, max_tiles))
    assert len(tiles) <= max_tiles
    if tiles:
        covered = np.zeros((height // 10 + 1, width // 10 + 1), bool)
        for x1, y1, x2, y2 in tiles:
            assert 0 <= x1 < x2 <= width
            assert 0 <= y1 < y2 <= height
            covered[-(-y1 // 10) : y2 // 10 + 1, -(-x1 // 10) : x2 // 10 + 1] = True
        assert covered.all()


@pytest.mark.parametrize(
    "wrong", [{"tile_px": 0}, {"overlap": 0.9}, {"max_tiles": 0}, {"max_ios": 0.0}]
)
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TilingSettings(**wrong)  # type: ignore[arg-type]
