"""Pictures whose content a person can imagine."""

from __future__ import annotations

import cv2
import numpy as np

from patrolvision.types import Detections, Image


def noise(height: int = 480, width: int = 640, seed: int = 0) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def plate(width_px: int, text: str = "B 47 KLM") -> Image:
    """A rear view: a car 3 plates wide, its plate in the middle at 60 % of the height."""
    car_w, car_h = 3 * width_px, int(2.2 * width_px)
    image = np.full((car_h + 40, car_w + 40, 3), 90, np.uint8)
    big = np.full((88, 400, 3), 245, np.uint8)
    cv2.putText(big, text, (14, 66), cv2.FONT_HERSHEY_SIMPLEX, 2.1, (15, 15, 15), 7)
    small = cv2.resize(
        big, (width_px, max(2, round(width_px * 0.22))), interpolation=cv2.INTER_AREA
    )
    top, left = 20 + int(0.6 * car_h), 20 + (car_w - width_px) // 2
    image[top : top + small.shape[0], left : left + width_px] = small
    return image


def boxes(*rows: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


def detections(*rows: tuple[float, float, float, float], track_id: int = 7) -> Detections:
    n = len(rows)
    return Detections(
        boxes(*rows),
        np.full(n, 0.87, np.float32),
        np.zeros(n, np.int64),
        np.full(n, track_id, np.int64),
    )
