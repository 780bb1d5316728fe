"""One picture file -> pixels, upright."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from patrolvision.errors import MediaError
from patrolvision.types import Image

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})


def read_picture(path: Path) -> Image:
    """(H, W, 3) uint8 BGR with the EXIF rotation applied; raises MediaError naming the file."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MediaError(f"{path.name}: cannot be read ({error.strerror or error})") from error
    if not data:
        raise MediaError(f"{path.name}: the file is empty, expected a picture")
    if _is_cut_jpeg(data):
        raise MediaError(f"{path.name}: the picture is cut off (a JPEG without its end)")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
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
