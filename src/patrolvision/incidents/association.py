"""Which of many points may be one thing: covariances, connected parts, one-to-one assignment.

Plain arrays: places are (N, 2) east, north in metres; covariances (N, 2, 2) in square metres.
"""

from __future__ import annotations

import lap
import numpy as np
from numpy.typing import NDArray

from patrolvision.types import FloatArray

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


def inverse(cov: FloatArray) -> FloatArray:
    """The inverses of symmetric (..., 2, 2) matrices."""
    a, b, d = cov[..., 0, 0], cov[..., 0, 1], cov[..., 1, 1]
    out = np.empty_like(cov)
    det = a * d - b * b
    out[..., 0, 0], out[..., 1, 1] = d / det, a / det
    out[..., 0, 1] = out[..., 1, 0] = -b / det
    return out


def times(matrix: FloatArray, vector: FloatArray) -> FloatArray:
    """Symmetric (..., 2, 2) matrices applied to (..., 2) vectors."""
    x, y = vector[..., 0], vector[..., 1]
    off = matrix[..., 0, 1]
    east = matrix[..., 0, 0] * x + off * y
    out = np.empty((*east.shape, 2))
    out[..., 0], out[..., 1] = east, off * x + matrix[..., 1, 1] * y
    return out


def chi2(vector: FloatArray, weight: FloatArray) -> FloatArray:
    """Squared Mahalanobis length of (..., 2) vectors under inverse covariances (..., 2, 2)."""
    x, y = vector[..., 0], vector[..., 1]
    return np.asarray(
        weight[..., 0, 0] * x * x + 2 * weight[..., 0, 1] * x * y + weight[..., 1, 1] * y * y
    )


def components(count: int, i: IntArray, j: IntArray) -> IntArray:
    """The label (count,) of each node's connected part: the smallest index in it."""
    label = np.arange(count)
    while True:
        one, other = label[i], label[j]
        apart = one != other
        if not apart.any():
            return label
        i, j = one[apart], other[apart]  # between parts so far, by their smallest members
        np.minimum.at(label, np.maximum(i, j), np.minimum(i, j))
        while (label[label] != label).any():
            label = label[label]


def one_to_one(
    i: IntArray, j: IntArray, cost: FloatArray, limit: float
) -> tuple[IntArray, IntArray]:
    """The cheapest pairing in which no i and no j is used twice; left alone costs limit.

    Only the pairs given may be chosen, and of them only those cheaper than limit.
    """
    keep = cost < limit
    i, j, cost = i[keep], j[keep], cost[keep]
    is_alone = (np.bincount(i)[i] == 1) & (np.bincount(j)[j] == 1)
    chosen = [(i[is_alone], j[is_alone])]
    if not is_alone.all():
        i, j, cost = i[~is_alone], j[~is_alone], cost[~is_alone]
        part = components(int(i.max() + j.max()) + 2, i, j + i.max() + 1)[i]
        order = np.argsort(part, kind="stable")
        groups = np.split(order, np.flatnonzero(np.diff(part[order])) + 1)
        chosen += [_assigned(i[group], j[group], cost[group], limit) for group in groups]
    one, other = (np.concatenate(ends) for ends in zip(*chosen, strict=True))
    return one, other


def _assigned(
    i: IntArray, j: IntArray, cost: FloatArray, limit: float
) -> tuple[IntArray, IntArray]:
    rows, row = np.unique(i, return_inverse=True)
    columns, column = np.unique(j, return_inverse=True)
    table = np.full((len(rows), len(columns)), 10 * limit)
    table[row, column] = cost
    _, to, _ = lap.lapjv(table, extend_cost=True, cost_limit=limit)
    return rows[to >= 0], columns[to[to >= 0]]


def overlap_in_time(
    start_a: FloatArray, end_a: FloatArray, start_b: FloatArray, end_b: FloatArray
) -> BoolArray:
    """Whether two spans share an instant; touching is not enough, unless one is an instant."""
    latest, earliest = np.maximum(start_a, start_b), np.minimum(end_a, end_b)
    is_instant = (start_a == end_a) | (start_b == end_b)
    return np.asarray((latest < earliest) | ((latest == earliest) & is_instant))
