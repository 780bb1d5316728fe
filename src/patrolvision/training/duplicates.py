"""Look-alikes by perceptual hash: copies, crops of a video's neighbours, re-encodings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from patrolvision.types import Image

BITS = 64
_SIDE = 32
_CHUNK = 1024


def perceptual_hash(image: Image) -> int:
    """64 bits that change little when a picture is scaled, re-encoded or made a little brighter.

    The signs of the 8 × 8 lowest frequencies of the grey picture's cosine transform against their
    median (pHash; Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions,
    2010).
    """
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = np.asarray(cv2.dct(small))[:8, :8].ravel()
    return int("".join("1" if bit else "0" for bit in low > np.median(low)), 2)


def look_alikes(hashes: Sequence[int], distance: int) -> list[tuple[int, int]]:
    """Pairs (i, j), i < j, of hashes that differ in fewer than `distance` bits."""
    if not hashes or distance == 0:
        return []
    rows = [[(value >> bit) & 1 for bit in range(BITS)] for value in hashes]
    signs = np.array(rows, dtype=np.float32) * 2 - 1
    pairs: list[tuple[int, int]] = []
    for start in range(0, len(signs), _CHUNK):
        apart = (BITS - signs[start : start + _CHUNK] @ signs.T) / 2
        left, right = np.nonzero(apart < distance)
        left = left + start
        keep = left < right
        pairs += zip(left[keep].tolist(), right[keep].tolist(), strict=True)
    return pairs


def connected(count: int, pairs: Iterable[tuple[int, int]]) -> NDArray[np.int64]:
    """A group number (count,) per item, shared by those that pairs link, through any chain.

    The number is the smallest index of the group.
    """
    parent = list(range(count))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for one, other in pairs:
        a, b = root(one), root(other)
        parent[max(a, b)] = min(a, b)
    return np.array([root(index) for index in range(count)], dtype=np.int64)
