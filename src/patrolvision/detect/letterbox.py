"""How a picture of any size is laid into a network's input, and how boxes come back.

Kept aspect, grey borders, and no more border than the network's stride asks for: a 16:9 picture
becomes 640x384, not 640x640, which saves 40 % of the work. The rounding is that of ultralytics'
LetterBox, because the networks are trained and compared with it; every engine uses this file, so
that two engines differ by their arithmetic only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from patrolvision.types import Image

BORDER_GREY = 114
STRIDE = 32


@dataclass(frozen=True, slots=True)
class Letterbox:
    """Where a picture (width, height) lies inside a network input, all in pixels.

    A point (x, y) of the picture is at (left + x * inner_w / width, top + y * inner_h / height).
    """

    width: int
    height: int
    input_w: int
    input_h: int
    inner_w: int
    inner_h: int
    left: int
    top: int

    @property
    def input_shape(self) -> tuple[int, int]:
        """(rows, columns) of the network input."""
        return self.input_h, self.input_w


@lru_cache(maxsize=256)
def plan(width: int, height: int, max_w: int, max_h: int, is_fixed: bool = False) -> Letterbox:
    """The letterbox of a picture in an input of at most max_w x max_h pixels.

    is_fixed: the network accepts exactly max_w x max_h; otherwise the shorter side shrinks to the
    next multiple of the stride.
    """
    scale = min(max_w / width, max_h / height)
    inner_w, inner_h = max(1, round(width * scale)), max(1, round(height * scale))
    if is_fixed:
        input_w, input_h = max_w, max_h
    else:
        input_w, input_h = inner_w + -inner_w % STRIDE, inner_h + -inner_h % STRIDE
    left, top = round((input_w - inner_w) / 2 - 0.1), round((input_h - inner_h) / 2 - 0.1)
    return Letterbox(width, height, input_w, input_h, inner_w, inner_h, left, top)


def paint(image: Image, box: Letterbox, canvas: NDArray[np.uint8]) -> None:
    """Write the picture (H, W, 3) into canvas (input_h, input_w, 3), borders included."""
    inner = image
    if (box.inner_w, box.inner_h) != (box.width, box.height):
        size_wh = (box.inner_w, box.inner_h)
        inner = np.asarray(cv2.resize(image, size_wh, interpolation=cv2.INTER_LINEAR), np.uint8)
    bottom, right = box.top + box.inner_h, box.left + box.inner_w
    canvas[: box.top] = canvas[bottom:] = BORDER_GREY
    canvas[:, : box.left] = canvas[:, right:] = BORDER_GREY
    canvas[box.top : bottom, box.left : right] = inner


def to_picture(xyxy: NDArray[np.float32], box: Letterbox) -> NDArray[np.float32]:
    """Boxes (N, 4) of the network input in pixels of the picture, clipped to it."""
    origin = np.array([box.left, box.top] * 2, np.float32)
    scale = np.array([box.width / box.inner_w, box.height / box.inner_h] * 2, np.float32)
    limit = np.array([box.width, box.height] * 2, np.float32)
    result: NDArray[np.float32] = np.clip((xyxy - origin) * scale, 0, limit)
    return result
