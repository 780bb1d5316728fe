"""One picture file -> pixels, upright."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from patrolvision.errors import MediaError
from patrolvision.types import Image

WORKING_PX = 960
_REDUCED = (
    (8.0, cv2.IMREAD_REDUCED_COLOR_8),
    (4.0, cv2.IMREAD_REDUCED_COLOR_4),
    (2.0, cv2.IMREAD_REDUCED_COLOR_2),
)
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})


def read_picture(path: Path) -> Image:
    """(H, W, 3) uint8 BGR with the EXIF rotation applied; raises MediaError naming the file."""
    return _decoded(path, _data(path), cv2.IMREAD_COLOR)


def read_shrunk(path: Path, full_wh: tuple[int, int]) -> Image:
    """The picture of read_picture at a half, quarter or eighth of its size, much sooner.

    full_wh is its full size; the longer side stays above WORKING_PX where it was.
    """
    share = max(full_wh) / WORKING_PX
    flag = next((f for least, f in _REDUCED if share >= least), cv2.IMREAD_COLOR)
    return _decoded(path, _data(path), flag)


def _data(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MediaError(f"{path.name}: cannot be read ({error.strerror or error})") from error
    if not data:
        raise MediaError(f"{path.name}: the file is empty, expected a picture")
    if _is_cut_jpeg(data):
        raise MediaError(f"{path.name}: the picture is cut off (a JPEG without its end)")
    return data


def _decoded(path: Path, data: bytes, flag: int) -> Image:
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    except cv2.error as error:
        raise MediaError(f"{path.name}: not a readable picture ({error.err})") from error
    if image is None:
        raise MediaError(f"{path.name}: not a readable picture (damaged, or another format)")
    return np.asarray(image, dtype=np.uint8)


def _is_cut_jpeg(data: bytes) -> bool:
    """Whether a JPEG's end marker is missing: OpenCV would fill the rest with grey and say nothing.

    Cameras may append data of their own; the end of a thumbnail near the start does not count.
    """
    return data.startswith(b"\xff\xd8") and data.rfind(b"\xff\xd9") < len(data) // 2
