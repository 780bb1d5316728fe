"""Boxes and captions on a picture: thin, clean, one colour per class."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from patrolvision.types import Detections, Image

Colour = tuple[int, int, int]  # BGR

FONT = cv2.FONT_HERSHEY_SIMPLEX
OTHER: Colour = (200, 200, 200)
COLOURS: dict[str, Colour] = {
    "litter": (60, 180, 250),  # amber
    "fire": (48, 59, 255),  # red
    "smoke": (190, 160, 175),
    "person": (120, 200, 90),
    "bicycle": (150, 200, 60),
    "car": (235, 160, 60),  # blue
    "motorcycle": (200, 190, 60),
    "bus": (215, 120, 110),
    "truck": (200, 110, 160),
}
INK: Colour = (255, 255, 255)
PAPER: Colour = (28, 24, 20)


def _scale(image: Image) -> float:
    """Size of lettering: 1 on a picture 1280 pixels wide."""
    return max(0.55, float(max(image.shape[:2])) / 1280.0)


def annotate(
    image: Image,
    detections: Detections,
    class_names: Sequence[str],
    labels: Sequence[str] | None = None,
) -> Image:
    """A copy with every detection's box and its label: class, track and confidence, or as given.

    labels, if given, has one text per detection; an empty one draws the box alone.
    """
    out = image.copy()
    for index in range(len(detections)):
        class_id = int(detections.class_id[index])
        name = class_names[class_id] if 0 <= class_id < len(class_names) else "?"
        text = labels[index] if labels is not None else _label(detections, index, name)
        draw_box(out, detections.xyxy[index], text, COLOURS.get(name, OTHER))
    return out


def _label(detections: Detections, index: int, name: str) -> str:
    confidence = f"{float(detections.confidence[index]):.2f}"
    track = -1 if detections.track_id is None else int(detections.track_id[index])
    return f"{name} {confidence}" if track < 0 else f"{name} #{track} {confidence}"


def draw_box(image: Image, xyxy: Sequence[float], text: str, colour: Colour) -> None:
    """Draw one box with its label above it (below, at the picture's top), in place."""
    scale = _scale(image)
    x0, y0, x1, y1 = (round(float(v)) for v in xyxy)
    thickness = max(1, round(1.5 * scale))
    cv2.rectangle(image, (x0, y0), (x1, y1), colour, thickness, cv2.LINE_AA)
    if not text:
        return
    (width, height), base = cv2.getTextSize(text, FONT, 0.45 * scale, 1)
    pad = round(3 * scale)
    left = min(max(x0, 0), max(image.shape[1] - width - 2 * pad, 0))
    tall = height + base + pad
    top = y0 - tall if y0 >= tall else min(y1, image.shape[0] - tall)
    cv2.rectangle(image, (left, top), (left + width + 2 * pad, top + tall), colour, cv2.FILLED)
    ink = PAPER if np.dot(colour, (0.114, 0.587, 0.299)) > 120 else INK
    origin = (left + pad, top + height + pad // 2)
    cv2.putText(image, text, origin, FONT, 0.45 * scale, ink, 1, cv2.LINE_AA)


def caption(image: Image, lines: Sequence[str]) -> Image:
    """A copy with a dark band below the picture that holds the lines of text."""
    if not lines:
        return image.copy()
    scale = _scale(image)
    step = round(24 * scale)
    band = np.full((step * len(lines) + round(10 * scale), image.shape[1], 3), PAPER, np.uint8)
    for row, line in enumerate(lines):
        origin = (round(10 * scale), round(6 * scale) + step * row + round(15 * scale))
        cv2.putText(band, line, origin, FONT, 0.5 * scale, INK, 1, cv2.LINE_AA)
    return np.vstack([image, band])
