"""Which points of a plane lie close to each other, without looking at all pairs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from patrolvision.types import FloatArray

IntArray = NDArray[np.int64]
SOUTHERN = np.array([[-1, -1], [0, -1], [1, -1]])  # ends of the columns of cells around one
FEW = 4096  # pairs that are all measured sooner than sorted


def pairs_within(a: FloatArray, b: FloatArray, radius_m: float) -> tuple[IntArray, IntArray]:
    """Indices i into a (N, 2) and j into b (M, 2) of all pairs within the radius, by i then j."""
    if not len(a) or not len(b):
        nothing = np.zeros(0, np.int64)
        return nothing, nothing
    if len(a) * len(b) <= FEW:
        apart = a[:, None] - b
        i, j = np.nonzero(apart[..., 0] ** 2 + apart[..., 1] ** 2 <= radius_m * radius_m)
        return i, j
    key_b = _key(np.floor(b / radius_m).astype(np.int64))
    order = np.argsort(key_b, kind="stable")
    sorted_key = key_b[order]
    cell_a = np.floor(a / radius_m).astype(np.int64)
    key = _key(cell_a[:, None] + SOUTHERN).ravel()  # three cells in a column are one run
    low = np.searchsorted(sorted_key, key, "left")
    count = np.searchsorted(sorted_key, key + 2, "right") - low
    i = np.repeat(np.arange(len(key)) // 3, count)
    j = order[np.arange(len(i)) - np.repeat(np.cumsum(count) - count - low, count)]
    apart = a[i] - b[j]
    near = apart[:, 0] ** 2 + apart[:, 1] ** 2 <= radius_m * radius_m
    i, j = i[near], j[near]
    by = np.argsort(i * len(b) + j)
    return i[by], j[by]


def _key(cell: IntArray) -> IntArray:
    return np.asarray(cell[..., 0] * 2**31 + cell[..., 1])
