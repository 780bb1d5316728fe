"""Which points of a plane lie close to each other, without looking at all pairs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from patrolvision.types import FloatArray

IntArray = NDArray[np.int64]
SOUTHERN = np.array([[-1, -1], [0, -1], [1, -1]])  # ends of the columns of cells around one
FEW = 8192  # pairs that are all measured sooner than sorted


def pairs_within(a: FloatArray, b: FloatArray, radius_m: float) -> tuple[IntArray, IntArray]:
    """Indices i into a (N, 2) and j into b (M, 2) of all pairs within the radius, by i then j."""
    if not len(a) or not len(b):
        nothing = np.zeros(0, np.int64)
        return nothing, nothing
    if len(a) * len(b) <= FEW:
        return _measured(a, b, radius_m)
    if 2 * len(a) <= len(b):  # a few among many: most of these lie beside all of them
        beside = np.flatnonzero(_in_box_around(a, b, radius_m))
        if len(a) * len(beside) <= FEW:
            i, j = _measured(a, b[beside], radius_m)
            return i, beside[j]
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


def _measured(a: FloatArray, b: FloatArray, radius_m: float) -> tuple[IntArray, IntArray]:
    east, north = a[:, :1] - b[:, 0], a[:, 1:] - b[:, 1]
    i, j = np.nonzero(east * east + north * north <= radius_m * radius_m)
    return i, j


def _in_box_around(a: FloatArray, b: FloatArray, radius_m: float) -> NDArray[np.bool_]:
    """Which of b (M,) may lie within the radius of any of a; more than the rounding is let in."""
    reach_m = 1.001 * radius_m
    (west, south), (east, north) = a.min(axis=0) - reach_m, a.max(axis=0) + reach_m
    x, y = b[:, 0], b[:, 1]
    return np.asarray((x >= west) & (x <= east) & (y >= south) & (y <= north))


def _key(cell: IntArray) -> IntArray:
    return np.asarray(cell[..., 0] * 2**31 + cell[..., 1])
