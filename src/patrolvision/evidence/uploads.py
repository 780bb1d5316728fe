"""Pictures that people send: what they claim to be is read from their first bytes and checked
before anything is decoded, and nothing of the file itself is kept.

A picture that passes is decoded, shrunk and encoded anew by pictures.keep_picture: metadata, text
hidden behind the picture and whatever else a file may carry end here. Formats: JPEG (ISO/IEC
10918-1 Annex B), PNG (ISO/IEC 15948), WebP (RFC 9649).
"""

from __future__ import annotations

import re
import struct
import threading
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from patrolvision.errors import MediaError
from patrolvision.types import Image

MAX_PIXELS = 50_000_000
REDUCE_ABOVE_PIXELS = 12_000_000  # a JPEG of more is decoded at half its size: a quarter of memory
MAX_SIDE_PX = 2560  # of what is kept
MIN_SIDE_PX = 16
_places = threading.BoundedSemaphore(2)  # pictures in memory at a time


class UploadError(MediaError):
    """A file that is not taken; reason says whether its kind, size or content is at fault."""

    def __init__(self, reason: Literal["type", "size", "content"], message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself."""

    kind: Literal["jpeg", "png", "webp"]
    width: int
    height: int


def check_name(name: str) -> None:
    """UploadError for a file name that is more than a name: nothing is ever stored under it."""
    is_path = re.search(r"[/\\\x00-\x1f]|^\.\.?$|^[A-Za-z]:", name)
    if is_path or len(name) > 255:
        raise UploadError("content", "file: its name must be a name without folders")


def header_of(content: bytes) -> Header:
    """Kind and size of a picture; UploadError for any other file and for one that is too large."""
    try:
        found = _header(content)
    except (struct.error, IndexError):
        found = None
    if found is None:
        raise UploadError("type", "file: expected a picture: JPEG, PNG or WebP")
    if min(found.width, found.height) < MIN_SIDE_PX:
        raise UploadError("content", f"file: a side has less than {MIN_SIDE_PX} pixels")
    if found.width * found.height > MAX_PIXELS:
        raise UploadError(
            "size",
            f"file: {found.width} x {found.height} is more than {MAX_PIXELS // 10**6} megapixels",
        )
    return found


def picture_of(content: bytes) -> Image:
    """The picture (H, W, 3) BGR, upright, at most MAX_SIDE_PX a side; UploadError if it is none."""
    header = header_of(content)
    reduced = header.kind == "jpeg" and header.width * header.height > REDUCE_ABOVE_PIXELS
    how = cv2.IMREAD_REDUCED_COLOR_2 if reduced else cv2.IMREAD_COLOR
    with _places:
        try:
            image = cv2.imdecode(np.frombuffer(content, np.uint8), how)
        except cv2.error as error:
            raise UploadError("content", "file: the picture is damaged") from error
        if image is None:
            raise UploadError("content", "file: the picture is damaged")
        return _shrunk(np.ascontiguousarray(image, np.uint8))


def _shrunk(image: Image) -> Image:
    factor = MAX_SIDE_PX / max(image.shape[:2])
    if factor >= 1.0:
        return image
    size = (round(image.shape[1] * factor), round(image.shape[0] * factor))
    small: Image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return small


def _header(content: bytes) -> Header | None:
    if content.startswith(b"\xff\xd8\xff"):
        return _jpeg(content)
    if content.startswith(b"\x89PNG\r\n\x1a\n") and content[12:16] == b"IHDR":
        return Header("png", *struct.unpack(">II", content[16:24]))
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return _webp(content)
    return None


def _jpeg(content: bytes) -> Header | None:
    at = 2
    while at + 9 < len(content):
        if content[at] != 0xFF:
            return None
        marker = content[at + 1]
        if marker == 0xFF:  # padding
            at += 1
            continue
        if marker in (0x01, *range(0xD0, 0xD8)):  # without a length
            at += 2
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # a frame's header
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            return Header("jpeg", width, height)
        if marker in (0xD9, 0xDA):
            return None
        at += 2 + int(struct.unpack(">H", content[at + 2 : at + 4])[0])
    return None


def _webp(content: bytes) -> Header | None:
    kind = content[12:16]
    if kind == b"VP8 " and content[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack("<HH", content[26:30])
        return Header("webp", width & 0x3FFF, height & 0x3FFF)
    if kind == b"VP8L" and content[20] == 0x2F:
        bits = int(struct.unpack("<I", content[21:25])[0])
        return Header("webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8X":
        width = int.from_bytes(content[24:27], "little") + 1
        return Header("webp", width, int.from_bytes(content[27:30], "little") + 1)
    return None
