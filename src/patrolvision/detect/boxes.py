"""Overlap of boxes and the suppression of doubles, in numpy: the same for every engine."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

FloatBoxes = NDArray[np.floating[Any]]
Overlap = Literal["iou", "ios"]


def overlap_with(one: FloatBoxes, others: FloatBoxes, kind: Overlap = "iou") -> FloatBoxes:
    """Overlap (N,) in [0, 1] of one box (4,) with others (N, 4), xyxy.

    iou: intersection over union; ios: intersection over the smaller box, which is 1 for a part
    inside its whole.
    """
    low = np.maximum(one[:2], others[:, :2])
    high = np.minimum(one[2:], others[:, 2:])
    inter = np.clip(high - low, 0, None).prod(axis=1)
    area = np.clip(one[2:] - one[:2], 0, None).prod()
    areas = np.clip(others[:, 2:] - others[:, :2], 0, None).prod(axis=1)
    whole = np.minimum(area, areas) if kind == "ios" else area + areas - inter
    result: FloatBoxes = inter / np.maximum(whole, 1e-9)
    return result


def suppress(
    xyxy: FloatBoxes,
    confidence: NDArray[np.floating[Any]],
    class_id: NDArray[np.integer[Any]],
    max_overlap: float,
    kind: Overlap = "iou",
) -> NDArray[np.int64]:
    """Indices of the boxes that stay, most confident first: greedy suppression within each class.

    Ties go to the earlier box, so that the answer does not depend on the machine.
    """
    order = np.argsort(-confidence, kind="stable")
    kept: list[int] = []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(int(best))
        is_double = (class_id[rest] == class_id[best]) & (
            overlap_with(xyxy[best], xyxy[rest], kind) > max_overlap
        )
        order = rest[~is_double]
    return np.array(kept, np.int64)
