"""Small things in large pictures: a detector looks at overlapping tiles and at the whole.

A drone's picture is 4,000 pixels wide and a piece of litter in it twenty; shrunk to the network's
640 nothing is left of it. So the picture is cut into overlapping tiles, all tiles and the whole
picture go through the detector in one batch, and the answers are merged: of boxes that mean the
same thing the most confident stays, grown to hold the parts that a tile's border cut off (F.
Akyon et al., Slicing Aided Hyper Inference, 2022, section 3; overlap over the smaller box).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from patrolvision.detect.boxes import overlap_with
from patrolvision.ports import Detector
from patrolvision.types import Detections, Image, ModelRelease

CUT_PX = 4.0  # a box that ends so near to a tile's inner edge was cut by it
Tile = tuple[int, int, int, int]  # x1, y1, x2, y2 in pixels of the picture


@dataclass(frozen=True, slots=True)
class TilingSettings:
    """How a picture is cut.

    tile_px: side of a tile in pixels of the picture; None: the network's input, so that nothing is
    shrunk. overlap: part of a tile that it shares with its neighbour; to be larger than the largest
    thing that only tiles can find. max_tiles: the budget per picture; where it does not suffice,
    the tiles become larger. max_ios: above this overlap over the smaller box two boxes of one class
    are one thing.
    """

    tile_px: int | None = None
    overlap: float = 0.2
    max_tiles: int = 24
    max_ios: float = 0.5

    def __post_init__(self) -> None:
        if self.tile_px is not None and self.tile_px < 32:
            raise ValueError(f"tile_px must be at least 32, got {self.tile_px}")
        if not 0.0 <= self.overlap <= 0.5:
            raise ValueError(f"overlap must lie in [0, 0.5], got {self.overlap}")
        if self.max_tiles < 1:
            raise ValueError(f"max_tiles must be at least 1, got {self.max_tiles}")
        if not 0.0 < self.max_ios <= 1.0:
            raise ValueError(f"max_ios must lie in (0, 1], got {self.max_ios}")


def tiles_of(width: int, height: int, settings: TilingSettings, input_px: int = 640) -> list[Tile]:
    """The tiles of a picture, row by row; none if the picture is hardly larger than one tile."""
    side = settings.tile_px or input_px
    while True:
        columns = _starts(width, side, settings.overlap)
        rows = _starts(height, side, settings.overlap)
        if len(columns) * len(rows) <= settings.max_tiles:
            break
        side = math.ceil(side * 1.1)
    if max(width, height) <= 1.25 * side:
        return []
    return [(x, y, min(x + side, width), min(y + side, height)) for y in rows for x in columns]


def _starts(length: int, side: int, overlap: float) -> list[int]:
    """Where tiles begin along one axis: evenly spread, first and last at the picture's edges."""
    if length <= side:
        return [0]
    count = math.ceil((length - side) / (side * (1 - overlap))) + 1
    return [round(i * (length - side) / (count - 1)) for i in range(count)]


class TiledDetector:
    """A Detector that lets another one look at tiles and at the whole picture."""

    def __init__(self, detector: Detector, settings: TilingSettings | None = None) -> None:
        self._detector = detector
        self._settings = settings or TilingSettings()

    @property
    def release(self) -> ModelRelease:
        """Which weights these are."""
        return self._detector.release

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """One Detections per picture (H, W, 3) uint8 BGR, in the order given."""
        return [self._detect_one(image) for image in images]

    def close(self) -> None:
        """Release the inner detector."""
        self._detector.close()

    def _detect_one(self, image: Image) -> Detections:
        height, width = image.shape[:2]
        release = self._detector.release
        input_px = max(release.input_width, release.input_height)
        tiles = tiles_of(width, height, self._settings, input_px)
        views = [image, *(image[y1:y2, x1:x2] for x1, y1, x2, y2 in tiles)]
        found = self._detector.detect(views)
        if not tiles:
            return found[0]
        return merge(found[0], found[1:], tiles, self._settings.max_ios)


def merge(
    whole: Detections, parts: Sequence[Detections], tiles: Sequence[Tile], max_ios: float
) -> Detections:
    """The whole picture's boxes and the tiles' boxes (in pixels of their tile) as one set.

    Two boxes of one class are one thing if their overlap over the smaller exceeds max_ios, unless
    both lie within one view: that one's own suppression has judged them already. The surer box
    stands for both; only if a tile's edge cut it does it grow to hold the other.
    """
    moved = [
        part.xyxy + np.array([x, y, x, y], np.float32)
        for part, (x, y, _, _) in zip(parts, tiles, strict=True)
    ]
    view = np.repeat(np.arange(len(parts) + 1), [len(whole), *map(len, parts)])
    right, bottom = (max((tile[k] for tile in tiles), default=0) for k in (2, 3))
    is_cut = [np.zeros(len(whole), bool)]
    for xyxy, (x1, y1, x2, y2) in zip(moved, tiles, strict=True):
        inner = np.array([x1 > 0, y1 > 0, x2 < right, y2 < bottom])
        near = np.abs(xyxy - np.array([x1, y1, x2, y2], np.float32)) < CUT_PX
        is_cut.append((near & inner).any(axis=1))
    return _merge_greedily(
        np.concatenate([whole.xyxy, *moved]),
        np.concatenate([whole.confidence, *(part.confidence for part in parts)]),
        np.concatenate([whole.class_id, *(part.class_id for part in parts)]),
        view,
        np.concatenate(is_cut),
        max_ios,
    )


def _merge_greedily(
    xyxy: NDArray[np.float32],
    confidence: NDArray[np.float32],
    class_id: NDArray[np.int64],
    view: NDArray[np.int64],
    is_cut: NDArray[np.bool_],
    max_ios: float,
) -> Detections:
    order = np.argsort(-confidence, kind="stable")
    boxes, kept = [], []
    while len(order):
        best, rest = order[0], order[1:]
        is_same = (
            (class_id[rest] == class_id[best])
            & (view[rest] != view[best])
            & (overlap_with(xyxy[best], xyxy[rest], "ios") > max_ios)
        )
        grows = is_same if is_cut[best] else np.zeros_like(is_same)
        group = np.concatenate([xyxy[best][None], xyxy[rest[grows]]])
        boxes.append(np.concatenate([group[:, :2].min(axis=0), group[:, 2:].max(axis=0)]))
        kept.append(best)
        order = rest[~is_same]
    index = np.array(kept, np.int64)
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4), confidence[index], class_id[index]
    )
