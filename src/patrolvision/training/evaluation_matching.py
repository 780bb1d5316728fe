"""Boxes found, held against boxes drawn: which hit, which miss, which do not count.

The rules are COCO's (Lin et al., Microsoft COCO, ECCV 2014; its evaluation code): the surest box
first, each drawn box once, per IoU threshold; a box on a crowd or on what is marked difficult is
neither right nor wrong. Beyond COCO: a picture whose source does not label a class says nothing
about that class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from patrolvision.training.labels import Boxes, LabelledPicture
from patrolvision.types import Detections

IOUS: NDArray[np.float64] = np.linspace(0.5, 0.95, 10)
MAX_PER_PICTURE = 100  # the surest boxes of one class in one picture, as COCO has it
AREAS_PX2: dict[str, tuple[float, float]] = {
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, 1e10),
}


@dataclass(frozen=True, slots=True, eq=False)
class ClassMatches:
    """One class over P pictures: its N found boxes, the surest first, and what there was to find.

    is_hit and is_ignored are (10, N), a row per IoU of IOUS; index (N,) says where in `pictures`
    the box was found; drawn (P,) counts the boxes to be found; pictures (P,) holds the pictures'
    places in the sequence that was judged.
    """

    confidence: NDArray[np.float64]
    is_hit: NDArray[np.bool_]
    is_ignored: NDArray[np.bool_]
    index: NDArray[np.int64]
    drawn: NDArray[np.int64]
    has_class: NDArray[np.bool_]  # (P,) with any box of the class, the difficult ones included
    pictures: NDArray[np.int64]

    def only(self, kept: NDArray[np.bool_]) -> ClassMatches:
        """The same of the pictures (P,) marked in `kept`."""
        number = np.cumsum(kept) - 1
        mine = kept[self.index]
        return ClassMatches(
            self.confidence[mine],
            self.is_hit[:, mine],
            self.is_ignored[:, mine],
            number[self.index[mine]],
            self.drawn[kept],
            self.has_class[kept],
            self.pictures[kept],
        )


def overlaps(found: Boxes, drawn: Boxes, of_found: NDArray[np.bool_]) -> NDArray[np.float64]:
    """IoU (N, M) of boxes (N, 4) and (M, 4); where of_found (M,), the share of the found box."""
    low = np.maximum(found[:, None, :2], drawn[None, :, :2])
    high = np.minimum(found[:, None, 2:], drawn[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    area, other = (np.clip(b[:, 2:] - b[:, :2], 0, None).prod(axis=1) for b in (found, drawn))
    union = np.where(of_found[None], area[:, None], area[:, None] + other[None] - shared)
    result: NDArray[np.float64] = shared / np.maximum(union, 1e-12)
    return result


def match_class(
    pictures: Sequence[LabelledPicture],
    found: Sequence[Detections],
    name: str,
    class_id: int,
    area_px2: tuple[float, float] | None = None,
) -> ClassMatches:
    """The matches of one class over the pictures that label it; found in the pictures' order.

    area_px2: only drawn boxes of at least the first and less than the second area count; others,
    and unmatched found boxes of another size, are neither right nor wrong.
    """
    judged = [k for k, picture in enumerate(pictures) if name in picture.labelled]
    rows = [_one(pictures[k], found[k], name, class_id, area_px2) for k in judged]
    index = np.repeat(np.arange(len(rows)), [len(row[0]) for row in rows])
    confidence = np.concatenate([row[0] for row in rows] or [np.zeros(0)])
    order = np.argsort(-confidence, kind="stable")
    empty = np.zeros((len(IOUS), 0), np.bool_)
    return ClassMatches(
        confidence[order],
        np.concatenate([row[1] for row in rows] or [empty], axis=1)[:, order],
        np.concatenate([row[2] for row in rows] or [empty], axis=1)[:, order],
        index[order],
        np.array([row[3] for row in rows], np.int64),
        np.array([name in pictures[k].class_names for k in judged], np.bool_),
        np.array(judged, np.int64),
    )


def _one(
    picture: LabelledPicture,
    found: Detections,
    name: str,
    class_id: int,
    area_px2: tuple[float, float] | None,
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], int]:
    mine = np.flatnonzero(found.class_id == class_id)
    mine = mine[np.argsort(-found.confidence[mine], kind="stable")][:MAX_PER_PICTURE]
    boxes = found.xyxy[mine].astype(np.float64)
    wanted = np.array([other == name for other in picture.class_names], np.bool_)
    drawn, crowd = picture.xyxy[wanted], picture.difficult[wanted]
    skipped = crowd | ~_within(drawn, area_px2)
    hit, ignored = match(overlaps(boxes, drawn, crowd), skipped, crowd)
    ignored |= ~hit & ~_within(boxes, area_px2)
    confidence = found.confidence[mine].astype(np.float64)
    return confidence, hit & ~ignored, ignored, int((~skipped).sum())


def _within(boxes: Boxes, area_px2: tuple[float, float] | None) -> NDArray[np.bool_]:
    if area_px2 is None:
        return np.ones(len(boxes), np.bool_)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return np.asarray((area >= area_px2[0]) & (area < area_px2[1]), np.bool_)


def match(
    iou: NDArray[np.float64],
    skipped: NDArray[np.bool_],
    crowd: NDArray[np.bool_],
    least: NDArray[np.float64] = IOUS,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Hits and boxes that do not count, (T, N) each, of N found boxes, the surest first.

    iou is (N, M); skipped (M,) marks drawn boxes that need not be found, crowd (M,) those among
    them that any number of boxes may lie on; least (T,) are the IoUs asked for.
    """
    count, drawn = iou.shape
    hit = np.zeros((len(least), count), np.bool_)
    ignored = np.zeros((len(least), count), np.bool_)
    if drawn == 0:
        return hit, ignored
    free = np.ones((len(least), drawn), np.bool_)
    levels = np.arange(len(least))
    enough = iou[None] >= least[:, None, None] - 1e-10
    for row in np.flatnonzero(enough[0].any(axis=1)):
        for group in (~skipped, skipped):  # a box that must be found comes before one that need not
            possible = enough[:, row] & free & group & ~(hit | ignored)[:, row, None]
            best = np.where(possible, iou[row], -1.0).argmax(axis=1)
            chosen = possible[levels, best]
            (hit if group is not skipped else ignored)[chosen, row] = True
            taken = chosen & ~crowd[best]
            free[levels[taken], best[taken]] = False
    return hit, ignored
