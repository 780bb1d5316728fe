"""What the network is shown of a picture: scaled, moved, mirrored, tinted, four at once.

Every view is a function of the picture and a random stream, so that a run stopped at any step goes
on with the very views it would have had.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from patrolvision.errors import MediaError
from patrolvision.training.labels import Boxes, LabelledPicture
from patrolvision.training.pictures import decoded
from patrolvision.types import Image

GREY = 114
MIN_SIDE_PX = 3.0  # a box thinner than this in the view teaches noise
MIN_VISIBLE = 0.4  # of a box's area: less in the view, and it is passed over


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One training picture: image (S, S, 3) uint8 BGR, boxes xyxy (N, 4) in its pixels.

    is_labelled (C,): classes whose absence the view may teach. A difficult box teaches nothing, nor
    does its area.
    """

    image: Image
    xyxy: Boxes
    class_id: NDArray[np.int64]
    difficult: NDArray[np.bool_]
    is_labelled: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Looks:
    """How far views may differ from their pictures; each pair is a range of a factor."""

    scale: tuple[float, float] = (0.5, 1.6)
    mosaic: float = 0.5  # share of views made of four pictures
    flip: float = 0.5
    hue: float = 0.015
    saturation: float = 0.5
    value: float = 0.35


def plain(picture: LabelledPicture, classes: Sequence[str], side: int) -> View:
    """The whole picture in the middle of a square, as it is."""
    still = Looks(scale=(1.0, 1.0), mosaic=0.0, flip=0.0, hue=0.0, saturation=0.0, value=0.0)
    return single(picture, classes, side, still, np.random.default_rng(0), is_centred=True)


def drawn_view(
    pictures: Sequence[LabelledPicture],
    classes: Sequence[str],
    side: int,
    looks: Looks,
    rng: np.random.Generator,
) -> View:
    """A view of the first picture; with three more it may become a mosaic of all four."""
    if len(pictures) < 4 or rng.random() >= looks.mosaic:
        return single(pictures[0], classes, side, looks, rng)
    return mosaic([single(p, classes, side, looks, rng) for p in pictures[:4]], side, rng)


def single(
    picture: LabelledPicture,
    classes: Sequence[str],
    side: int,
    looks: Looks,
    rng: np.random.Generator,
    *,
    is_centred: bool = False,
) -> View:
    """One picture scaled, moved, mirrored and tinted."""
    image = _image_of(picture)
    height, width = image.shape[:2]
    scale = side / max(height, width) * float(rng.uniform(*looks.scale))
    shift = rng.uniform(0, 1, 2) if not is_centred else np.array([0.5, 0.5])
    left, top = (side - scale * width) * shift[0], (side - scale * height) * shift[1]
    moved = np.array([[scale, 0, left], [0, scale, top]], np.float64)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    canvas = _warped(image, scale, moved, side, way)
    xyxy = picture.xyxy * scale + np.array([left, top, left, top])
    if rng.random() < looks.flip:
        canvas = np.ascontiguousarray(canvas[:, ::-1])
        xyxy = np.stack([side - xyxy[:, 2], xyxy[:, 1], side - xyxy[:, 0], xyxy[:, 3]], axis=1)
    return _view(_tinted(canvas, looks, rng), xyxy, picture, classes, side)


def mosaic(views: Sequence[View], side: int, rng: np.random.Generator) -> View:
    """Four views in the quarters of one picture; it teaches the absence of what all four label."""
    middle = rng.uniform(0.35, 0.65, 2) * side
    x, y = int(middle[0]), int(middle[1])
    canvas = np.full((side, side, 3), GREY, np.uint8)
    places = ((0, 0, x, y), (x, 0, side, y), (0, y, x, side), (x, y, side, side))
    parts: list[View] = []
    for view, (x0, y0, x1, y1) in zip(views, places, strict=True):
        scale = max(x1 - x0, y1 - y0) / side
        size = max(1, round(side * scale))
        small = cv2.resize(view.image, (size, size), interpolation=cv2.INTER_AREA)
        canvas[y0:y1, x0:x1] = small[: y1 - y0, : x1 - x0]
        inside = np.array([x1 - x0, y1 - y0], np.float64)
        kept, boxes = _clipped(view.xyxy * scale, inside)
        offset = np.array([x0, y0, x0, y0])
        parts.append(
            View(
                canvas,
                boxes + offset,
                view.class_id[kept],
                view.difficult[kept],
                view.is_labelled,
            )
        )
    return View(
        canvas,
        np.concatenate([part.xyxy for part in parts]),
        np.concatenate([part.class_id for part in parts]),
        np.concatenate([part.difficult for part in parts]),
        np.logical_and.reduce([part.is_labelled for part in parts]),
    )


def _image_of(picture: LabelledPicture) -> Image:
    try:
        image = decoded(picture.path.read_bytes())
    except OSError as error:
        raise MediaError(f"{picture.path}: cannot be read ({error.strerror})") from error
    if image is None:
        raise MediaError(f"{picture.path}: is not a picture that can be decoded")
    return image


def _warped(image: Image, scale: float, moved: NDArray[np.float64], side: int, way: int) -> Image:
    if scale < 1:  # warpAffine does not average: shrink first
        height, width = image.shape[:2]
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = np.asarray(cv2.resize(image, size, interpolation=way), np.uint8)
        moved = np.array([[1, 0, moved[0, 2]], [0, 1, moved[1, 2]]], np.float64)
    warped = cv2.warpAffine(
        image, moved, (side, side), flags=cv2.INTER_LINEAR, borderValue=(GREY, GREY, GREY)
    )
    return np.asarray(warped, np.uint8)


def _tinted(image: Image, looks: Looks, rng: np.random.Generator) -> Image:
    gains = 1 + rng.uniform(-1, 1, 3) * [looks.hue, looks.saturation, looks.value]
    if looks.hue == looks.saturation == looks.value == 0:
        return image
    hue, saturation, value = cv2.split(cv2.cvtColor(image, cv2.COLOR_BGR2HSV))
    steps = np.arange(256)
    tables = (
        (steps * gains[0] % 180).astype(np.uint8),
        np.clip(steps * gains[1], 0, 255).astype(np.uint8),
        np.clip(steps * gains[2], 0, 255).astype(np.uint8),
    )
    planes = [
        cv2.LUT(plane, table) for plane, table in zip((hue, saturation, value), tables, strict=True)
    ]
    return np.asarray(cv2.cvtColor(cv2.merge(planes), cv2.COLOR_HSV2BGR), np.uint8)


def _view(
    image: Image, xyxy: Boxes, picture: LabelledPicture, classes: Sequence[str], side: int
) -> View:
    kept, boxes = _clipped(xyxy, np.array([side, side], np.float64))
    known = np.array([name in classes for name in picture.class_names], np.bool_)[kept]
    names = [picture.class_names[k] for k in kept]
    return View(
        image,
        boxes[known],
        np.array([classes.index(name) for name in names if name in classes], np.int64),
        picture.difficult[kept][known],
        np.array([name in picture.labelled for name in classes], np.bool_),
    )


def _clipped(xyxy: Boxes, size_wh: NDArray[np.float64]) -> tuple[NDArray[np.int64], Boxes]:
    """Which boxes lie in the picture enough to be taught, and these clipped to it."""
    clipped = np.clip(xyxy, 0, np.tile(size_wh, 2))
    sides = clipped[:, 2:] - clipped[:, :2]
    area = (xyxy[:, 2:] - xyxy[:, :2]).prod(axis=1)
    visible = sides.prod(axis=1) / np.maximum(area, 1e-9)
    kept = np.flatnonzero(
        (sides.min(axis=1, initial=1e9) >= MIN_SIDE_PX) & (visible >= MIN_VISIBLE)
    )
    return kept, clipped[kept]
