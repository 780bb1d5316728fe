"""A network's output -> Detections in pixels of the picture; the same for every engine.

Two layouts exist. raw: (4 + classes, anchors), centre x, centre y, width, height and one score per
class: doubles are suppressed here. end2end: (boxes, 6), x1 y1 x2 y2 confidence class, already
without doubles. Both in pixels of the network input.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from patrolvision.detect.boxes import suppress
from patrolvision.detect.letterbox import Letterbox, to_picture
from patrolvision.errors import ModelError
from patrolvision.types import Detections, ModelRelease

MAX_BOXES = 300  # per picture, as ultralytics has it
MAX_CANDIDATES = 3000


def thresholds_of(release: ModelRelease, conf: float | None) -> NDArray[np.float32]:
    """The least confidence (classes,) at which a box is kept; conf overrides the release."""
    if conf is not None:
        if not 0.0 < conf < 1.0:
            raise ModelError(f"conf must lie between 0 and 1, got {conf}")
        return np.full(len(release.classes), conf, np.float32)
    return np.array([release.thresholds[name] for name in release.classes], np.float32)


def decode(
    output: NDArray[np.float32], thresholds: NDArray[np.float32], nms_iou: float, box: Letterbox
) -> Detections:
    """The boxes of one picture, best first; output is one picture's, without the batch axis."""
    layout = layout_of(output.shape, len(thresholds))
    candidates = _from_end2end if layout == "end2end" else _from_raw
    xyxy, confidence, class_id = candidates(output, thresholds)
    if layout == "raw":
        kept = suppress(xyxy, confidence, class_id, nms_iou)
    else:
        kept = np.argsort(-confidence, kind="stable")
    kept = kept[:MAX_BOXES]
    return _whole(Detections(to_picture(xyxy[kept], box), confidence[kept], class_id[kept]))


def layout_of(shape: Sequence[int], classes: int) -> str:
    """raw or end2end, from one picture's output shape; raises ModelError if it is neither."""
    if len(shape) == 2 and shape[0] == 4 + classes and shape[1] != 6:
        return "raw"
    if len(shape) == 2 and shape[1] == 6:
        return "end2end"
    raise ModelError(
        f"the model's output must be ({4 + classes}, anchors) or (boxes, 6) for its "
        f"{classes} classes, got {tuple(shape)}"
    )


Candidates = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]


def _from_raw(output: NDArray[np.float32], thresholds: NDArray[np.float32]) -> Candidates:
    """The best class of each anchor among those above their own threshold."""
    scores = output[4:]
    anchors = np.flatnonzero((scores >= thresholds[:, None]).any(axis=0))
    scores = np.where(scores[:, anchors] >= thresholds[:, None], scores[:, anchors], -1.0)
    class_id = scores.argmax(axis=0)
    confidence = scores[class_id, np.arange(len(anchors))]
    if len(anchors) > MAX_CANDIDATES:
        best = np.sort(np.argsort(-confidence, kind="stable")[:MAX_CANDIDATES])
        anchors, class_id, confidence = anchors[best], class_id[best], confidence[best]
    centre, half = output[:2, anchors], output[2:4, anchors] / 2
    xyxy = np.concatenate([centre - half, centre + half]).T
    return xyxy, np.clip(confidence, 0, 1).astype(np.float32), class_id.astype(np.int64)


def _from_end2end(output: NDArray[np.float32], thresholds: NDArray[np.float32]) -> Candidates:
    class_id = output[:, 5].astype(np.int64)
    is_known = (class_id >= 0) & (class_id < len(thresholds))
    limits = thresholds[np.where(is_known, class_id, 0)]
    rows = output[is_known & (output[:, 4] >= limits)]
    confidence = np.clip(rows[:, 4], 0, 1).astype(np.float32)
    return rows[:, :4].astype(np.float32), confidence, rows[:, 5].astype(np.int64)


def _whole(detections: Detections) -> Detections:
    """Without boxes that clipping left without an area."""
    size = detections.xyxy[:, 2:] - detections.xyxy[:, :2]
    return detections.select(np.flatnonzero((size > 0).all(axis=1)))


def same_thresholds(classes: Sequence[str], value: float) -> Mapping[str, float]:
    """One threshold for every class: what a model without a card gets."""
    return dict.fromkeys(classes, value)
