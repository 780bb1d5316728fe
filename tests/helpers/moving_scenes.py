"""Rendered streams whose truth is known: a drive past parked cars, and a camera that pans.

Pictures have texture of every size, so that the motion of the background can be measured in them;
boxes are the true ones with a detector's noise. A scene is a list of steps; truth[i] is the number
of the thing behind the i-th box.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from patrolvision.ports import Tracker
from patrolvision.types import Detections, Frame, Image

CLASSES = ("litter", "fire", "smoke", "person", "bicycle", "car", "motorcycle", "bus", "truck")
LITTER, CAR, BUS, TRUCK = (CLASSES.index(name) for name in ("litter", "car", "bus", "truck"))
START = datetime(2026, 5, 4, tzinfo=UTC)
WIDTH, HEIGHT, FOCAL_PX, CAMERA_M = 640, 360, 500.0, 1.6


@dataclass(frozen=True, eq=False)
class Step:
    """One analysed frame with what a detector would say."""

    frame: Frame
    detections: Detections
    truth: NDArray[np.int64]


def texture(height: int, width: int, seed: int) -> Image:
    """Random patches of every size from 4 to 64 px, as streets and fields have them."""
    random = np.random.default_rng(seed)
    total = np.zeros((height, width, 3), np.float32)
    for cell_px in (4, 8, 16, 32, 64):
        coarse = random.normal(0, 18, (height // cell_px + 2, width // cell_px + 2, 3))
        fine = cv2.resize(coarse, None, fx=cell_px, fy=cell_px, interpolation=cv2.INTER_LINEAR)
        total += fine[:height, :width].astype(np.float32)
    return np.clip(total + 110, 0, 255).astype(np.uint8)


def frame_at(index: int, fps: float, image: Image) -> Frame:
    """The index-th analysed frame."""
    return Frame("s", index, START + timedelta(seconds=index / fps), image)


def boxes(rows: NDArray[np.float64], class_id: int, confidence: float = 0.7) -> Detections:
    """All rows (N, 4) as boxes of one class."""
    n = len(rows)
    return Detections(
        rows.astype(np.float32).reshape(-1, 4),
        np.full(n, confidence, np.float32),
        np.full(n, class_id, np.int64),
    )


def drive(
    fps: float, speed_mps: float, gap_m: float = 9.0, cars: int = 5, seed: int = 0
) -> list[Step]:
    """A patrol car drives along rows of parked cars on both sides until the last is passed."""
    random = np.random.default_rng(seed)
    parked = [(side * 3.4, 22 + gap_m * i) for i in range(cars) for side in (-1, 1)]
    skins = [texture(40, 80, seed + 100 + i) // 2 + random.integers(0, 127, 3, np.uint8)
             for i in range(len(parked))]  # fmt: skip
    road, backdrop = texture(2400, 480, seed + 1), texture(HEIGHT, WIDTH, seed + 2)
    steps = []
    for index in range(int((22 + gap_m * cars) / speed_mps * fps)):
        z0 = speed_mps * index / fps
        image = _street(road, backdrop, z0)
        rows, truth = [], []
        for number, (x, z) in sorted(enumerate(parked), key=lambda item: -item[1][1]):
            box = _car_box(x, z - z0)
            if box is not None:
                _paste(image, skins[number], box)
                rows.append(box + random.normal(0, 0.7 + 0.01 * (box[3] - box[1]), 4))
                truth.append(number)
        detections = boxes(np.array(rows), CAR)
        steps.append(Step(frame_at(index, fps, image), detections, np.array(truth, np.int64)))
    return steps


def pan(fps: float, px_per_s: float, turn_deg_per_s: float = 0.0, seed: int = 0) -> list[Step]:
    """A camera that sweeps over a plane with pieces of litter in rows, for four seconds."""
    random = np.random.default_rng(seed)
    plane = texture(1400, 3200, seed + 5)
    places = [(400 + 160 * i, 500 + 130 * j) for i in range(14) for j in range(3)]
    steps = []
    for index in range(int(4 * fps)):
        t = index / fps
        turn = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), turn_deg_per_s * t, 1.0)
        view = turn @ np.array([[1, 0, -300 - px_per_s * t], [0, 1, -420], [0, 0, 1.0]])
        image = np.asarray(cv2.warpAffine(plane, view, (WIDTH, HEIGHT)), np.uint8)
        rows, truth = [], []
        for number, (x, y) in enumerate(places):
            u, v = view @ (x, y, 1)
            if 12 < u < WIDTH - 12 and 12 < v < HEIGHT - 12:
                rows.append(np.array([u - 11, v - 9, u + 11, v + 9]) + random.normal(0, 0.7, 4))
                truth.append(number)
        steps.append(
            Step(frame_at(index, fps, image), boxes(np.array(rows), LITTER), np.array(truth))
        )
    return steps


def without(steps: list[Step], start_s: float, stop_s: float) -> list[Step]:
    """The same scene with nothing detected from start_s to stop_s."""
    result = []
    for step in steps:
        t = (step.frame.captured_at - START).total_seconds()
        is_blind = start_s <= t < stop_s
        nothing = replace(step, detections=Detections.none(), truth=np.zeros(0, np.int64))
        result.append(nothing if is_blind else step)
    return result


def follow(tracker: Tracker, steps: list[Step]) -> dict[int, list[int]]:
    """thing -> the track ids (-1: none) it got, in order of time."""
    ids: dict[int, list[int]] = {}
    for step in steps:
        found = tracker.update(step.detections, step.frame)
        assert found.track_id is not None
        for number, track_id in zip(step.truth, found.track_id, strict=True):
            ids.setdefault(int(number), []).append(int(track_id))
    return ids


def ids_each(ids: dict[int, list[int]], least_sights: int = 3) -> list[int]:
    """How many different track ids each thing got that was seen at least so often."""
    return [len(set(row) - {-1}) for row in ids.values() if len(row) >= least_sights]


def switches(ids: dict[int, list[int]]) -> int:
    """How often a thing's id changed to another one."""
    total = 0
    for row in ids.values():
        known = [i for i in row if i >= 0]
        total += sum(a != b for a, b in pairwise(known))
    return total


def idf1(ids: dict[int, list[int]]) -> float:
    """F1 of identities (E. Ristani et al., 2016): each thing has its one best track at most."""
    import lap

    tracks = sorted({i for row in ids.values() for i in row if i >= 0})
    if not tracks:
        return 0.0
    hits = np.array([[row.count(track) for track in tracks] for row in ids.values()], float)
    _, column_of, _ = lap.lapjv(hits.max() - hits, extend_cost=True)
    right = sum(hits[r, c] for r, c in enumerate(column_of) if c >= 0)
    things = sum(len(row) for row in ids.values())
    return float(2 * right / (things + hits.sum()))


def _car_box(x: float, z: float) -> NDArray[np.float64] | None:
    """Box of a car's back (1.8 m x 1.5 m) and side (4.5 m), x right, z ahead; None: unseen."""
    if not 4.5 < z < 40:
        return None
    inner = abs(x) - 0.9
    near = FOCAL_PX * np.array([inner, inner + 1.8]) / z
    far = FOCAL_PX * inner / (z + 4.5)
    left, right = min(near[0], far), near[1]
    if x < 0:
        left, right = -right, -left
    bottom = HEIGHT / 2 + FOCAL_PX * CAMERA_M / z
    box = np.array([WIDTH / 2 + left, bottom - FOCAL_PX * 1.5 / z, WIDTH / 2 + right, bottom])
    box = np.clip(box, 0, [WIDTH, HEIGHT, WIDTH, HEIGHT])
    return box if box[2] - box[0] > 6 else None


def _street(road: Image, backdrop: Image, z0: float) -> Image:
    """The road's texture, 20 px a metre, seen from z0 on, under a backdrop that does not move."""
    image = backdrop.copy()
    ground_from_texture = np.array([[0.05, 0, -12], [0, 0.05, -z0], [0, 0, 1.0]])
    pixel_from_ground = np.array(
        [[FOCAL_PX, WIDTH / 2, 0], [0, HEIGHT / 2, FOCAL_PX * CAMERA_M], [0, 1, 0]]
    )
    warp = pixel_from_ground @ ground_from_texture
    ground = cv2.warpPerspective(road, warp, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
    image[HEIGHT // 2 + 12 :] = ground[HEIGHT // 2 + 12 :]
    return image


def _paste(image: Image, skin: Image, box: NDArray[np.float64]) -> None:
    x1, y1, x2, y2 = np.round(box).astype(int)
    if x2 > x1 and y2 > y1:
        image[y1:y2, x1:x2] = cv2.resize(skin, (x2 - x1, y2 - y1))
