"""Faces and number plates made unreadable before anything is stored.

Nothing here finds faces or plates: it hides where they can be. Of a person that is the head end
of the box, of a vehicle the band in which plates are mounted. The mosaic's blocks grow with the
box, so that a head is left with about five blocks across and a plate with three, whatever the
resolution: a reader needs about 20 pixels across a face and 40 along a plate.

Limits: who or what the detector missed stays visible, so pass all its boxes, the unsure ones too;
lettering on a van's upper half, tattoos and house numbers are not touched. Who is small, sits, lies
or is cut off by the picture's edge is hidden whole, for the head may be anywhere. With a face model
(cv2's YuNet as an ONNX file, not shipped) faces outside any box are hidden as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import ceil
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from patrolvision.errors import ModelError
from patrolvision.types import Image

Boxes = NDArray[np.float32]

HEAD_SHARE = 0.40  # of a standing person's box height, from the top
STANDING = 2.0  # a box less than so many times as high as wide shows a bust, or someone lying
SMALL_PERSON_PX = 48  # below this height the whole person is hidden
TINY_PERSON_PX = 12  # a head of two pixels shows nobody
PLATE_FROM, PLATE_TO = 0.35, 1.00  # of a vehicle's box height, from the top
MIN_VEHICLE_PX = 40  # a plate is at most a third of the width: 13 px cannot be read
MARGIN = 0.05  # boxes are not exact
HEAD_BLOCKS, PLATE_BLOCKS = 5, 9  # across a person's box, across a vehicle's (a plate is a third)
MIN_BLOCK_PX = 6
FACE_CONFIDENCE = 0.5


def blurred(
    image: Image,
    persons: Boxes,
    vehicles: Boxes,
    *,
    riders: Boxes | None = None,
    face_model: Path | None = None,
) -> Image:
    """A copy of the picture (H, W, 3) in which heads and plates of the boxes given are unreadable.

    persons, vehicles and riders are (N, 4) xyxy in pixels; riders are bicycles' and motorcycles'
    boxes, whose upper part may hold a head and whose rest is to stay visible.
    Raises ModelError if face_model cannot be used.
    """
    out = image.copy()
    for x0, y0, x1, y1 in vehicles:
        _hide(out, _plate_band(x0, y0, x1, y1), PLATE_BLOCKS)
    for x0, y0, x1, y1 in persons:
        _hide(out, _head(x0, y0, x1, y1), HEAD_BLOCKS)
    for x0, y0, x1, y1 in riders if riders is not None else ():
        _hide(out, _rider(x0, y0, x1, y1), HEAD_BLOCKS)
    if face_model is not None:
        for x0, y0, x1, y1 in faces(image, face_model):
            _hide(out, _grown(x0, y0, x1, y1), HEAD_BLOCKS)
    return out


def faces(image: Image, model: Path) -> list[tuple[float, float, float, float]]:
    """Boxes xyxy of the faces that OpenCV's YuNet finds; raises ModelError if it cannot be used."""
    try:
        finder = _finder(model)
        finder.setInputSize((image.shape[1], image.shape[0]))
        _, found = finder.detect(image)
    except cv2.error as error:
        raise ModelError(f"{model}: the face model cannot be used by OpenCV's YuNet") from error
    rows = [] if found is None else found
    return [(float(x), float(y), float(x + w), float(y + h)) for x, y, w, h, *_ in rows]


@lru_cache(maxsize=2)
def _finder(model: Path) -> cv2.FaceDetectorYN:
    return cv2.FaceDetectorYN.create(str(model), "", (320, 320), FACE_CONFIDENCE)


def _grown(x0: float, y0: float, x1: float, y1: float) -> tuple[float, float, float, float]:
    dx, dy = MARGIN * (x1 - x0), MARGIN * (y1 - y0)
    return x0 - dx, y0 - dy, x1 + dx, y1 + dy


def _head(x0: float, y0: float, x1: float, y1: float) -> tuple[float, float, float, float] | None:
    width, height = x1 - x0, y1 - y0
    if max(width, height) < TINY_PERSON_PX:
        return None
    whole = height < SMALL_PERSON_PX or height < STANDING * width
    left, top, right, bottom = _grown(x0, y0, x1, y1)
    return left, top, right, bottom if whole else y0 + HEAD_SHARE * height


def _rider(x0: float, y0: float, x1: float, y1: float) -> tuple[float, float, float, float] | None:
    if y1 - y0 < TINY_PERSON_PX:
        return None
    left, top, right, _ = _grown(x0, y0, x1, y1)
    return left, top, right, y0 + HEAD_SHARE * (y1 - y0)


def _plate_band(
    x0: float, y0: float, x1: float, y1: float
) -> tuple[float, float, float, float] | None:
    if x1 - x0 < MIN_VEHICLE_PX:
        return None
    height = y1 - y0
    left, _, right, _ = _grown(x0, y0, x1, y1)
    return left, y0 + PLATE_FROM * height, right, y0 + (PLATE_TO + MARGIN) * height


def _hide(image: Image, box: tuple[float, float, float, float] | None, blocks: int) -> None:
    """Replace the box's content by the means of its blocks, in place, then soften their edges."""
    if box is None:
        return
    height, width = image.shape[:2]
    x0, y0 = max(int(box[0]), 0), max(int(box[1]), 0)
    x1, y1 = min(ceil(box[2]), width), min(ceil(box[3]), height)
    if x1 <= x0 or y1 <= y0:
        return
    part = image[y0:y1, x0:x1]
    block = max(MIN_BLOCK_PX, round((box[2] - box[0]) / blocks))
    columns, rows = max(1, ceil((x1 - x0) / block)), max(1, ceil((y1 - y0) / block))
    means = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)
    mosaic = cv2.resize(means, (x1 - x0, y1 - y0), interpolation=cv2.INTER_NEAREST)
    image[y0:y1, x0:x1] = cv2.blur(mosaic, (block // 2 | 1, block // 2 | 1))


def boxes(rows: Sequence[Sequence[float]]) -> Boxes:
    """(N, 4) float32 of any number of xyxy rows, none included."""
    return np.asarray(rows, np.float32).reshape(-1, 4)
