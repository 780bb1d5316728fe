"""Evidence pictures: the wide view, the close view, and their place on disk.

A file is named by the hash of its bytes and JPEG encoding is deterministic, so that the same
picture is stored once however often a mission is run, and any later change to it shows.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import cv2

from patrolvision.errors import OutputError
from patrolvision.evidence.draw import COLOURS, OTHER, caption, draw_box
from patrolvision.types import Image

WIDE_MAX_PX = 1280
CLOSE_MIN_PX = 160
CLOSE_MAX_PX = 800
QUALITY = 85
CLEAR_SHARE = 0.2  # of a thing: where no more is hidden, the picture shows it


@dataclass(frozen=True, slots=True)
class EvidencePicture:
    """A picture on disk, and the hash that proves it unchanged."""

    path: Path
    sha256: str
    width: int
    height: int


def clearest_close(pictures: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Of pictures as the keeper wrote them the close one that hides least of the thing, else None.

    The first of those that show it; how much is hidden, where nothing is said of it, is nothing.
    """
    closes = [picture for picture in pictures if picture["view"] == "close"]
    return min(closes, key=lambda p: max(p.get("hidden", 0.0), CLEAR_SHARE), default=None)


def wide(
    image: Image,
    xyxy: Sequence[float],
    label: str,
    lines: Sequence[str] = (),
    *,
    class_name: str = "",
    max_px: int = WIDE_MAX_PX,
) -> Image:
    """The whole picture, at most max_px along its longer side, box drawn, lines of text below.

    lines are what a reader must know: time, place, zone. Give a blurred picture.
    """
    factor = min(1.0, max_px / max(image.shape[:2]))
    small = _resized(image, factor)
    draw_box(small, [factor * v for v in xyxy], label, COLOURS.get(class_name, OTHER))
    return caption(small, lines)


def close(
    image: Image,
    xyxy: Sequence[float],
    margin: float = 0.35,
    *,
    min_px: int = CLOSE_MIN_PX,
    max_px: int = CLOSE_MAX_PX,
) -> Image:
    """The thing with `margin` of its size around it, cut from the picture; nothing is drawn on it.

    At least min_px of the picture in each direction (where it has that much), at most max_px after
    scaling down.
    """
    height, width = image.shape[:2]
    x0, x1 = _window(float(xyxy[0]), float(xyxy[2]), margin, min_px, width)
    y0, y1 = _window(float(xyxy[1]), float(xyxy[3]), margin, min_px, height)
    part = image[y0:y1, x0:x1]
    return _resized(part, min(1.0, max_px / max(part.shape[:2])))


def close_box(
    size_wh: tuple[int, int],
    xyxy: Sequence[float],
    margin: float = 0.35,
    *,
    min_px: int = CLOSE_MIN_PX,
    max_px: int = CLOSE_MAX_PX,
) -> tuple[float, float, float, float]:
    """Where the thing lies in its close picture, xyxy in that picture's pixels.

    size_wh is of the whole picture that `close` cut with the same arguments.
    """
    x0, x1 = _window(float(xyxy[0]), float(xyxy[2]), margin, min_px, size_wh[0])
    y0, y1 = _window(float(xyxy[1]), float(xyxy[3]), margin, min_px, size_wh[1])
    factor = min(1.0, max_px / max(x1 - x0, y1 - y0))
    left, right = (factor * (min(max(v, x0), x1) - x0) for v in (xyxy[0], xyxy[2]))
    top, bottom = (factor * (min(max(v, y0), y1) - y0) for v in (xyxy[1], xyxy[3]))
    return left, top, right, bottom


def _window(low: float, high: float, margin: float, least: int, size: int) -> tuple[int, int]:
    half = max((high - low) * (0.5 + margin), least / 2.0)
    middle = min(max((low + high) / 2.0, 0.0), float(size))
    start, stop = max(round(middle - half), 0), min(round(middle + half), size)
    return (start, stop) if stop > start else (max(stop - 1, 0), max(stop, 1))


def _resized(image: Image, factor: float) -> Image:
    if factor >= 1.0:
        return image.copy()
    height, width = image.shape[:2]
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small: Image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return small


def keep_picture(image: Image, folder: Path, quality: int = QUALITY) -> EvidencePicture:
    """Store the picture as JPEG under folder/<two hex>/<sha256>.jpg, whole or not at all.

    Raises OutputError naming the path if it cannot be written.
    """
    done, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise OutputError(f"{folder}: a picture of shape {image.shape} cannot be encoded as JPEG")
    content = encoded.tobytes()
    digest = sha256(content).hexdigest()
    path = folder / digest[:2] / f"{digest}.jpg"
    if not _is_whole(path, len(content)):
        write_whole(path, content)
    return EvidencePicture(path, digest, int(image.shape[1]), int(image.shape[0]))


def is_intact(content: bytes, digest: str) -> bool:
    """Whether the bytes are those that were kept under the hash."""
    return sha256(content).hexdigest() == digest


def _is_whole(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that others see only when it is complete; raises OutputError naming the path."""
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".part-")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).replace(path)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error
