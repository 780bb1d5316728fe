"""Whether a thing was seen at all: in any of the pictures of its clip that were analysed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from patrolvision.training.evaluation_matching import overlaps
from patrolvision.training.labels import LabelledPicture
from patrolvision.types import Detections

Things = NDArray[np.int64]  # (N,) which thing of the clip each box shows; -1: not told


@dataclass(frozen=True, slots=True)
class IncidentRecall:
    """Things of one class and how many of them any analysed picture showed as found.

    found counts IoU 0.5 and more, touched 0.1 and more, at the shipped threshold. is_by_thing:
    whether the data tell one thing from another; without that, a clip with the class is one.
    """

    things: int
    found: int
    touched: int
    clips: int
    is_by_thing: bool


def incident_recall(
    pictures: Sequence[LabelledPicture],
    found: Sequence[Detections],
    class_id: int,
    name: str,
    threshold: float,
    things: Sequence[Things] | None = None,
) -> IncidentRecall | None:
    """Recall by thing over the pictures that belong to a clip; None if none of them has any."""
    best: dict[tuple[str, int], float] = {}
    is_by_thing = False
    for number, (picture, boxes) in enumerate(zip(pictures, found, strict=True)):
        wanted = np.array([n == name for n in picture.class_names], np.bool_) & ~picture.difficult
        if not picture.group or name not in picture.labelled or not wanted.any():
            continue
        sure = boxes.xyxy[(boxes.class_id == class_id) & (boxes.confidence >= threshold)]
        drawn = picture.xyxy[wanted]
        iou = overlaps(sure.astype(np.float64), drawn, np.zeros(len(drawn), np.bool_))
        ids = np.full(len(drawn), -1) if things is None else things[number][wanted]
        is_by_thing = is_by_thing or bool((ids >= 0).any())
        for thing, reached in zip(ids.tolist(), iou.max(axis=0, initial=0.0), strict=True):
            key = (picture.group, int(thing))
            best[key] = max(best.get(key, 0.0), float(reached))
    if not best:
        return None
    reached = np.array(list(best.values()))
    clips = len({clip for clip, _ in best})
    return IncidentRecall(
        len(best), int((reached >= 0.5).sum()), int((reached >= 0.1).sum()), clips, is_by_thing
    )


def recalls(
    pictures: Sequence[LabelledPicture],
    found: Sequence[Detections],
    classes: Sequence[str],
    thresholds: Mapping[str, float],
    things: Sequence[Things] | None = None,
) -> dict[str, IncidentRecall]:
    """The recall of every class that has things in clips."""
    rows = {
        name: incident_recall(pictures, found, k, name, thresholds[name], things)
        for k, name in enumerate(classes)
    }
    return {name: row for name, row in rows.items() if row is not None}
