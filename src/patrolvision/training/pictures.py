"""Reading a picture once: its size after rotation, the hash of its bytes, the hash of its looks."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from patrolvision.training.duplicates import perceptual_hash
from patrolvision.types import Image

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})


@dataclass(frozen=True, slots=True)
class Looked:
    """What one look at a picture file tells; looks is its perceptual hash, 64 bits."""

    size_wh: tuple[int, int]
    sha256: str
    looks: int


def look_at(path: Path) -> Looked | str:
    """What the file shows; a sentence if it cannot be read as a whole picture."""
    try:
        content = path.read_bytes()
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    image = decoded(content)
    if image is None:
        return "is not a picture that can be decoded"
    if content[:2] == b"\xff\xd8" and b"\xff\xd9" not in content[-4096:]:
        return "is cut off: the JPEG has no end"
    height, width = image.shape[:2]
    return Looked((width, height), sha256(content).hexdigest(), perceptual_hash(image))


def decoded(content: bytes) -> Image | None:
    """The picture (H, W, 3) BGR, upright by its EXIF; None if the bytes are none."""
    if not content:
        return None
    data: NDArray[np.uint8] = np.frombuffer(content, np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return None if image is None else np.asarray(image, np.uint8)


def picture_files(folder: Path) -> list[Path]:
    """All pictures under a folder, in order."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
