"""A Detector that finds what a test has painted: pure red is litter, pure blue is a car.

It answers from the pixels alone, so tests of tiling and of pipelines need no network; it runs the
same contract suite as the real engines.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from patrolvision.types import Detections, Image, ModelRelease

COLOURS_BGR = {"litter": (0, 0, 255), "car": (255, 0, 0)}


def blob_release(input_px: int = 640) -> ModelRelease:
    """A release without weights."""
    classes = tuple(COLOURS_BGR)
    thresholds = dict.fromkeys(classes, 0.25)
    return ModelRelease(
        "blob", "1", Path(), classes, input_px, input_px, thresholds, 0.6, {"files": {}}
    )


class BlobDetector:
    """Finds painted blobs of at least least_px pixels on their shorter side.

    Pictures larger than the release's input are thought shrunk to it, as a network would have them.
    """

    def __init__(self, least_px: float = 1.0, input_px: int = 640) -> None:
        self._release = blob_release(input_px)
        self._least_px = least_px
        self.pictures_seen: list[tuple[int, ...]] = []

    @property
    def release(self) -> ModelRelease:
        return self._release

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        self.pictures_seen += [image.shape for image in images]
        return [self._detect_one(image) for image in images]

    def close(self) -> None:
        """Nothing is held."""

    def _detect_one(self, image: Image) -> Detections:
        scale = min(1.0, self._release.input_width / max(image.shape[:2]))
        rows = []
        for class_id, colour in enumerate(COLOURS_BGR.values()):
            mask = (image == colour).all(axis=2).astype(np.uint8)
            _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
            for x, y, w, h, area in stats[1:]:
                if min(w, h) * scale >= self._least_px:
                    confidence = min(0.95, 0.5 + area / 1e6)
                    rows.append((x, y, x + w, y + h, confidence, class_id))
        table = np.array(sorted(rows, key=lambda row: -row[4]), np.float64).reshape(-1, 6)
        return Detections(
            table[:, :4].astype(np.float32),
            table[:, 4].astype(np.float32),
            table[:, 5].astype(np.int64),
        )
