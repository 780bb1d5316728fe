"""Which box is which: similarity of predicted and detected boxes, and the best assignment."""

from __future__ import annotations

from typing import Any

import lap
import numpy as np
from numpy.typing import NDArray

from patrolvision.types import FloatArray

Boxes = NDArray[np.floating[Any]]
Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]


def expanded_iou(one: Boxes, other: Boxes, margin: FloatArray) -> FloatArray:
    """IoU (N, M) of boxes (N, 4) and (M, 4) after both have grown by margin (N, 2) on every side.

    The buffered IoU of F. Yang et al., C-BIoU, WACV 2023, section 3.2, with a margin in pixels:
    boxes that no longer touch, because little is seen of fast things, still have a similarity.
    """
    m = margin[:, None, :]
    low = np.maximum(one[:, None, :2] - m, other[None, :, :2] - m)
    high = np.minimum(one[:, None, 2:] + m, other[None, :, 2:] + m)
    inter = np.clip(high - low, 0, None).prod(axis=2)
    area_one = (one[:, None, 2:] - one[:, None, :2] + 2 * m).prod(axis=2)
    area_other = (other[None, :, 2:] - other[None, :, :2] + 2 * m).prod(axis=2)
    result: FloatArray = inter / np.maximum(area_one + area_other - inter, 1e-9)
    return result


def assign(similarity: FloatArray, least: float) -> Pairs:
    """Rows and columns of the assignment with the greatest sum, pairs below `least` left alone.

    Linear assignment by Jonker and Volgenant (lap.lapjv).
    """
    if 0 in similarity.shape or not (similarity >= least).any():
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    cost = np.where(similarity >= least, 1.0 - similarity, 2.0)
    _, column_of, _ = lap.lapjv(cost, extend_cost=True, cost_limit=1.0 - least + 1e-6)
    rows = np.flatnonzero(column_of >= 0)
    columns = np.asarray(column_of)[rows].astype(np.int64)
    is_good = similarity[rows, columns] >= least
    return rows[is_good].astype(np.int64), columns[is_good]
