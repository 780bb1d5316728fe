"""Remembers the frames in which open tracks were seen first, best and last.

So a finding can be shown when its track has closed. Bounded: a stream that runs for days holds no
more than a drive.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from pathlib import Path
from typing import Any

import numpy as np

from patrolvision.evidence.blur import MARGIN, PLATE_FROM, PLATE_TO, Boxes, blurred
from patrolvision.evidence.pictures import CLEAR_SHARE, close, close_box, keep_picture, wide
from patrolvision.types import VEHICLE_CLASSES, Detections, Finding, Frame, Image, Sight

MAX_FRAMES = 96
PLATE_BAND = PLATE_TO + MARGIN - PLATE_FROM  # of a vehicle's height
PRIVATE_AT_HAND = 4  # a finding has three sights
CYCLES = frozenset({"bicycle", "motorcycle"})  # of a rider the box may be the cycle's


@dataclass(slots=True)
class _Kept:
    first: int
    best: int
    best_weight: float
    last: int


@dataclass(frozen=True, slots=True, eq=False)
class _Memory:
    frame: Frame
    detections: Detections


class PictureKeeper:
    """The pictures behind findings: blurred, then written under folder, which may be None for none.

    Paths in a finding's evidence are relative to `root`.
    """

    def __init__(
        self,
        folder: Path | None,
        class_names: Sequence[str],
        *,
        root: Path = Path(),
        timezone: tzinfo,
        face_model: Path | None = None,
        careful: Callable[[Image], Detections] | None = None,
    ) -> None:
        """careful finds people and vehicles once more, and unsurer, in what is to be stored."""
        self._folder = folder
        self._root = root
        self._names = tuple(class_names)
        self._timezone = timezone
        self._face_model = face_model
        self._careful = careful
        self._private: OrderedDict[int, Image] = OrderedDict()
        self._frames: OrderedDict[int, _Memory] = OrderedDict()
        self._tracks: dict[int, _Kept] = {}

    def remember(self, frame: Frame, detections: Detections) -> None:
        """Hold on to a frame while a track needs it."""
        if self._folder is None or detections.track_id is None or len(detections) == 0:
            return
        tracked = detections.track_id >= 0
        if not tracked.any():
            return
        self._frames[frame.index] = _Memory(frame, detections)
        sizes = np.prod(detections.xyxy[:, 2:] - detections.xyxy[:, :2], axis=1)
        for k in np.flatnonzero(tracked):
            self._note(
                int(detections.track_id[k]),
                frame.index,
                float(detections.confidence[k]) * float(sizes[k]),
            )
        if len(self._frames) > MAX_FRAMES:
            self._forget()

    def _note(self, track_id: int, index: int, weight: float) -> None:
        kept = self._tracks.get(track_id)
        if kept is None:
            self._tracks[track_id] = _Kept(index, index, weight, index)
            return
        kept.last = index
        if weight > kept.best_weight:
            kept.best, kept.best_weight = index, weight

    def _forget(self) -> None:
        newest = next(reversed(self._frames))
        needed = {i for t in self._tracks.values() for i in (t.first, t.best, t.last)}
        for index in [i for i in self._frames if i not in needed and i != newest]:
            del self._frames[index]
        while len(self._frames) > MAX_FRAMES:
            gone, _ = self._frames.popitem(last=False)
            self._tracks = {k: t for k, t in self._tracks.items() if t.last > gone}

    def illustrated(self, finding: Finding) -> Finding:
        """The finding with what pictures of it there are: evidence["pictures"], clearest first.

        That is the best sight, unless what had to be hidden covers the thing there and another
        sight shows more of it: a reviewer is to see what is claimed.
        """
        if self._folder is None or finding.kind == "watch":
            return finding
        sights = [s for s in _distinct(finding.observation.sights) if s.frame_index in self._frames]
        kind = finding.observation.class_name
        hidden = {sight.frame_index: self._hidden_share(sight, kind) for sight in sights}
        sights.sort(key=lambda sight: max(hidden[sight.frame_index], CLEAR_SHARE))
        pictures: list[dict[str, Any]] = []
        for sight in sights:
            share = None if pictures else hidden[sight.frame_index]
            pictures += self._pictures(finding, sight, share)
        return replace(finding, evidence={**finding.evidence, "pictures": pictures})

    def _hidden_share(self, sight: Sight, class_name: str) -> float:
        """The share of the thing's box that is made unreadable.

        Of a vehicle what goes beyond the band of its own plates, which is hidden in every picture.
        """
        x0, y0, x1, y1 = (max(0, round(edge)) for edge in sight.xyxy)
        image = self._frames[sight.frame_index].frame.image
        kept = self._private_frame(sight.frame_index)
        differs = (image[y0:y1, x0:x1] != kept[y0:y1, x0:x1]).any(axis=2)
        usual = PLATE_BAND if class_name in VEHICLE_CLASSES else 0.0
        return max(float(differs.mean()) - usual, 0.0) if differs.size else 0.0

    def _pictures(
        self, finding: Finding, sight: Sight, hidden: float | None
    ) -> list[dict[str, Any]]:
        """A sight as a whole, and close if hidden is given: the share of the thing not shown."""
        image = self._private_frame(sight.frame_index)
        observation = finding.observation
        at = sight.captured_at.astimezone(self._timezone)
        place = observation.place
        lines = (
            f"{at:%Y-%m-%d %H:%M:%S%z}  {observation.stream_id}",
            f"{place.lat_deg:.6f}, {place.lon_deg:.6f} +/- {place.sigma_m:.1f} m",
        )
        label = f"{finding.category.replace('_', ' ')} {sight.confidence:.2f}"
        views = {"wide": wide(image, sight.xyxy, label, lines, class_name=observation.class_name)}
        about: dict[str, dict[str, Any]] = {"wide": {}}
        if hidden is not None:
            views["close"] = close(image, sight.xyxy)
            height, width = image.shape[:2]
            about["close"] = {
                "xyxy": [round(edge, 2) for edge in close_box((width, height), sight.xyxy)],
                "hidden": round(hidden, 2),
            }
        return [
            {**self._stored(view, picture, sight, finding), **about[view]}
            for view, picture in sorted(views.items())
        ]

    def _stored(self, view: str, picture: Image, sight: Sight, finding: Finding) -> dict[str, Any]:
        assert self._folder is not None
        kept = keep_picture(picture, self._folder)
        return {
            "view": view,
            "file": kept.path.relative_to(self._root).as_posix(),
            "sha256": kept.sha256,
            "width": kept.width,
            "height": kept.height,
            "captured_at": sight.captured_at.isoformat(),
            "mission_id": finding.observation.mission_id,
        }

    def _private_frame(self, index: int) -> Image:
        """The frame as it may be stored; the last ones are at hand, for many things are in one."""
        if index not in self._private:
            memory = self._frames[index]
            self._private[index] = self.private(memory.frame.image, memory.detections)
            if len(self._private) > PRIVATE_AT_HAND:
                self._private.popitem(last=False)
        return self._private[index]

    def private(self, image: Image, detections: Detections) -> Image:
        """The picture with people's heads and vehicles' plates hidden."""
        if self._careful is not None:
            hidden = private(image, self._careful(image), self._names, self._face_model)
            return private(hidden, detections, self._names)
        return private(image, detections, self._names, self._face_model)


def private(
    image: Image, detections: Detections, class_names: Sequence[str], face_model: Path | None = None
) -> Image:
    """The picture with heads and plates hidden in the boxes of persons and vehicles."""
    names = np.array(class_names, dtype=object)[detections.class_id]
    persons: Boxes = detections.xyxy[names == "person"]
    riders: Boxes = detections.xyxy[np.isin(names, list(CYCLES))]
    vehicles: Boxes = detections.xyxy[np.isin(names, list(VEHICLE_CLASSES))]
    return blurred(image, persons, vehicles, riders=riders, face_model=face_model)


def _distinct(sights: Sequence[Sight]) -> list[Sight]:
    """The sights best first, each frame once."""
    if not sights:
        return []
    best = sights[1] if len(sights) == 3 else sights[0]
    found = {best.frame_index: best}
    for sight in sights:
        found.setdefault(sight.frame_index, sight)
    return list(found.values())
