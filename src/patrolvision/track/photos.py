"""A tracker for single photos that overlap: a survey's next picture is many metres farther on.

Optical flow and a motion model are lost there. What stands on the ground is found again by
the homography between two pictures: each earlier box's place is carried into the new picture, and
boxes are joined where they meet. A vehicle that moved meets nothing and begins a track of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

import lap
import numpy as np
from numpy.typing import NDArray

from patrolvision.geo.geodesy import distance_m
from patrolvision.types import VEHICLE_CLASSES, Detections, FloatArray, Frame, Image

Described = TypeVar("Described")


class Carrier(Protocol):
    """What takes pixels of an earlier picture to a later one, such as sources.overlap.Overlap."""

    def carried(self, points: FloatArray) -> FloatArray:
        """Pixels (N, 2) of the first picture as the second's (N, 2); NaN where there is none."""


@dataclass(frozen=True, slots=True)
class PhotoTrackSettings:
    """How far back is looked, and how close is the same.

    A box continues a track when its carried centre lies within near_share of the longer box side,
    and the sizes agree within size_ratio.
    """

    latest: int = 4  # photos just before
    nearest: int = 6  # of the others, those taken closest by
    nearest_m: float = 150.0
    kept: int = 400
    near_share: float = 0.4
    size_ratio: float = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class _Memory(Generic[Described]):
    features: Described
    boxes: FloatArray  # (N, 4) xyxy
    kinds: tuple[str, ...]
    track_ids: NDArray[np.int64]
    place: tuple[float, float] | None  # of the camera


class PhotoTracker(Generic[Described]):
    """ports.Tracker for photos; describe and register tell how two pictures overlap."""

    def __init__(
        self,
        classes: tuple[str, ...],
        describe: Callable[[Image], Described],
        register: Callable[[Described, Described], Carrier | None],
        settings: PhotoTrackSettings | None = None,
    ) -> None:
        self._classes, self._describe, self._register = classes, describe, register
        self._settings = settings or PhotoTrackSettings()
        self._memories: deque[_Memory[Described]] = deque(maxlen=self._settings.kept)
        self._next_id = 0

    def update(self, detections: Detections, frame: Frame) -> Detections:
        """The same detections in the same order with track_id set; each has one at once."""
        features = self._describe(frame.image)
        place = None if frame.pose is None else (frame.pose.lat_deg, frame.pose.lon_deg)
        boxes = detections.xyxy.astype(np.float64)
        kinds = tuple(_kind(self._classes[i]) for i in detections.class_id)
        ids = np.full(len(boxes), -1, np.int64)
        taken: set[int] = set()
        for memory in self._candidates(place):
            if not len(boxes) or (ids >= 0).all():
                break
            if not len(memory.boxes):
                continue
            overlap = self._register(memory.features, features)
            if overlap is not None:
                self._continue(memory, overlap, boxes, kinds, ids, taken)
        for k in np.flatnonzero(ids < 0):
            ids[k] = self._next_id
            self._next_id += 1
        self._memories.append(_Memory(features, boxes, kinds, ids, place))
        return replace(detections, track_id=ids)

    def _candidates(self, place: tuple[float, float] | None) -> list[_Memory[Described]]:
        """Earlier photos that may show the same ground: the last ones, then those close by."""
        s = self._settings
        latest = list(self._memories)[: -s.latest - 1 : -1]
        others = list(self._memories)[: max(len(self._memories) - s.latest, 0)]
        if place is None:
            return latest
        apart = [
            (float(distance_m(*place, *m.place)), -k, m)
            for k, m in enumerate(others)
            if m.place is not None
        ]
        close = sorted((a for a in apart if a[0] <= s.nearest_m), key=lambda a: a[:2])
        return latest + [memory for _, _, memory in close[: s.nearest]]

    def _continue(
        self,
        memory: _Memory[Described],
        overlap: Carrier,
        boxes: FloatArray,
        kinds: Sequence[str],
        ids: NDArray[np.int64],
        taken: set[int],
    ) -> None:
        """Give the boxes that meet a carried one its id."""
        free = [k for k in range(len(boxes)) if ids[k] < 0]
        known = [k for k, i in enumerate(memory.track_ids) if int(i) not in taken]
        if not free or not known:
            return
        middles, sizes = _carried(overlap, memory.boxes[known])
        cost = _cost(middles, sizes, boxes[free], self._settings)
        alike = np.array([[memory.kinds[a] == kinds[b] for b in free] for a in known])
        cost = np.where(alike & np.isfinite(cost), cost, 1e6)
        _, columns, _ = lap.lapjv(cost, extend_cost=True, cost_limit=1.0)
        for row, column in enumerate(columns):
            if column >= 0 and cost[row, column] < 1.0:
                track_id = int(memory.track_ids[known[row]])
                ids[free[column]] = track_id
                taken.add(track_id)


def _carried(overlap: Carrier, boxes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Middles (N, 2) and sizes (N,), the root of the area, of boxes as the new picture has them."""
    x1, y1, x2, y2 = boxes.T
    corners = np.stack([[x1, y1], [x2, y1], [x2, y2], [x1, y2]]).transpose(2, 0, 1)
    there = overlap.carried(corners.reshape(-1, 2)).reshape(-1, 4, 2)
    following = np.roll(there, -1, axis=1)
    area = 0.5 * np.abs(
        (there[..., 0] * following[..., 1] - there[..., 1] * following[..., 0]).sum(axis=1)
    )
    middles = overlap.carried(np.stack([(x1 + x2) / 2, (y1 + y2) / 2], axis=1))
    return middles, np.sqrt(area)


def _cost(
    middles: FloatArray, sizes: FloatArray, boxes: FloatArray, settings: PhotoTrackSettings
) -> FloatArray:
    """(K, N) distance of middles over what may be; infinite where the sizes disagree."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    widths = boxes[:, 2:] - boxes[:, :2]
    reach = settings.near_share * widths.max(axis=1)
    apart = np.linalg.norm(middles[:, None] - centres[None], axis=2) / np.maximum(reach, 1e-9)
    ratio = sizes[:, None] / np.maximum(np.sqrt(widths.prod(axis=1)), 1e-9)[None]
    # a turned box circumscribes more than the thing: its area may be twice as large
    limit = settings.size_ratio
    is_like = (ratio <= limit) & (ratio >= 1 / limit)
    return np.where(is_like & np.isfinite(apart), apart, np.inf)


def _kind(class_name: str) -> str:
    return "vehicle" if class_name in VEHICLE_CLASSES else class_name
