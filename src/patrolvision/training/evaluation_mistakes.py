"""What was taken for what, and the mistakes most worth looking at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from patrolvision.training.evaluation_matching import overlaps
from patrolvision.training.labels import LabelledPicture
from patrolvision.types import Detections

NOTHING = "nothing"
LEAST_IOU = 0.5
NEAR_IOU = 0.1  # a false box that overlaps the thing as little as this missed it altogether
PER_KIND = 6

Kind = Literal["false", "missed", "taken for"]


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake: `drawn` is what is there, `found` what was said; weight ranks it in its kind."""

    kind: Kind
    picture: int
    xyxy: tuple[float, float, float, float]
    drawn: str
    found: str
    confidence: float
    weight: float


def confusion(
    pictures: Sequence[LabelledPicture],
    found: Sequence[Detections],
    classes: Sequence[str],
    thresholds: Mapping[str, float],
) -> tuple[NDArray[np.int64], list[Mistake]]:
    """Counts (C + 1, C + 1), rows what is there, columns what was found, last of each nothing.

    Boxes at or above their class's threshold; a pair is one at IoU 0.5, of the same class before
    others. What a picture's source does not label is left out. With it all mistakes, in no order.
    """
    table = np.zeros((len(classes) + 1, len(classes) + 1), np.int64)
    mistakes: list[Mistake] = []
    number = {name: k for k, name in enumerate([*classes, NOTHING])}
    for index, (picture, boxes) in enumerate(zip(pictures, found, strict=True)):
        for pair in _pairs(index, picture, boxes, classes, thresholds):
            table[number[pair.drawn], number[pair.found]] += 1
            if pair.drawn != pair.found:
                mistakes.append(pair)
    return table, mistakes


def _pairs(
    index: int,
    picture: LabelledPicture,
    boxes: Detections,
    classes: Sequence[str],
    thresholds: Mapping[str, float],
) -> Iterator[Mistake]:
    limits = np.array([thresholds[name] for name in classes])
    judged = np.array([name in picture.labelled for name in classes])
    sure = boxes.select(judged[boxes.class_id] & (boxes.confidence >= limits[boxes.class_id]))
    sure = sure.select(np.argsort(-sure.confidence, kind="stable"))
    counted = np.array(
        [n in classes and n in picture.labelled for n in picture.class_names], np.bool_
    )
    names = [n for n, is_counted in zip(picture.class_names, counted, strict=True) if is_counted]
    drawn, crowd = picture.xyxy[counted], picture.difficult[counted]
    iou = overlaps(sure.xyxy.astype(np.float64), drawn, crowd)
    said = [classes[k] for k in sure.class_id]
    partner = _partners(iou, said, names, crowd)
    area = picture.size_wh[0] * picture.size_wh[1]
    for row, name in enumerate(said):
        column = partner[row]
        if column is not None and crowd[column]:
            continue
        there = NOTHING if column is None else names[column]
        kind: Kind = "false" if column is None else "taken for"
        confidence = float(sure.confidence[row])
        corners = sure.xyxy[row].tolist()
        x1, y1, x2, y2 = corners
        yield Mistake(kind, index, (x1, y1, x2, y2), there, name, confidence, confidence)
    taken = {column for column in partner if column is not None}
    for column, name in enumerate(names):
        if column not in taken and not crowd[column]:
            x1, y1, x2, y2 = drawn[column].tolist()
            seen = float(iou[:, column].max(initial=0.0)) > NEAR_IOU
            size = (x2 - x1) * (y2 - y1) / area
            weight = size * (0.5 if seen else 1.0)
            yield Mistake("missed", index, (x1, y1, x2, y2), name, NOTHING, 0.0, weight)


def _partners(
    iou: NDArray[np.float64], said: Sequence[str], names: Sequence[str], crowd: NDArray[np.bool_]
) -> list[int | None]:
    """The drawn box of each found one, the surest first; of its own class, then of any."""
    partner: list[int | None] = [None] * len(said)
    free = np.ones(len(names), np.bool_)
    for same in (True, False):
        for row, name in enumerate(said):
            fits = np.array([(other == name) == same for other in names], np.bool_)
            left = np.where(free & fits, iou[row], 0.0)
            if partner[row] is None and len(left) and left.max() >= LEAST_IOU:
                best = int(left.argmax())
                partner[row] = best
                free[best] = bool(crowd[best])
    return partner


def worst(mistakes: Sequence[Mistake], per_kind: int = PER_KIND) -> list[Mistake]:
    """Of each class and kind those with the greatest weight, at most one a picture."""
    chosen: list[Mistake] = []
    groups: dict[tuple[str, str], list[Mistake]] = {}
    for mistake in mistakes:
        about = mistake.drawn if mistake.kind == "missed" else mistake.found
        groups.setdefault((about, mistake.kind), []).append(mistake)
    for _, group in sorted(groups.items()):
        by_picture: dict[int, Mistake] = {}
        for mistake in sorted(group, key=lambda m: (-m.weight, m.picture)):
            by_picture.setdefault(mistake.picture, mistake)
        chosen += list(by_picture.values())[:per_kind]
    return chosen
