"""The second tracker: BoT-SORT, ByteTrack or C-BIoU of the package `trackers` (Roboflow).

Optional, and imported only when asked for: with what it brings along it is larger than the rest of
the installation may grow (docs/adr/0003-tracker.md). It keeps ours honest.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from patrolvision.errors import ConfigError
from patrolvision.track.bytetrack import TrackSettings, groups_of
from patrolvision.types import Detections, Frame

Kind = Literal["botsort", "bytetrack", "cbiou"]

ID_STEP = 1_000_000  # ids of different groups of classes must not meet


class LibraryTracker:
    """A Tracker on the package `trackers`; one per stream, frames in order of time.

    classes: the detector's, by class_id. Each group of classes that a detector may take for one
    another has a tracker of its own. Raises ConfigError if the package is not installed.
    """

    def __init__(
        self,
        classes: Sequence[str],
        settings: TrackSettings | None = None,
        kind: Kind = "botsort",
    ) -> None:
        self._settings = settings or TrackSettings()
        self._group_of_class = groups_of(classes)
        self._kind = kind
        self._library, self._box_type = _library()
        self._trackers: dict[int, Any] = {}

    def update(self, detections: Detections, frame: Frame) -> Detections:
        """The same detections in the same order with track_id set (-1: not confirmed)."""
        group = self._group_of_class[detections.class_id]
        for present in np.unique(group):
            if int(present) not in self._trackers:
                self._trackers[int(present)] = self._new_tracker()
        track_id = np.full(len(detections), -1, np.int64)
        for number, tracker in self._trackers.items():
            index = np.flatnonzero(group == number)
            ids = self._update_one(tracker, detections, index, frame)
            track_id[index] = np.where(ids >= 0, ids + number * ID_STEP, -1)
        return replace(detections, track_id=track_id)

    def _new_tracker(self) -> Any:
        settings = self._settings
        options: dict[str, Any] = {
            "frame_rate": 30.0,
            "lost_track_buffer": round(settings.lost_after_s * 30),  # frames at 30 a second
            "track_activation_threshold": settings.start_confidence,
            "high_conf_det_threshold": settings.start_confidence,
            "minimum_consecutive_frames": settings.confirm_frames,
        }
        if self._kind == "botsort":
            options["enable_cmc"] = settings.compensates_camera
        return self._library[self._kind](**options)

    def _update_one(
        self, tracker: Any, detections: Detections, index: NDArray[np.int64], frame: Frame
    ) -> NDArray[np.int64]:
        """Track ids of the detections at index; the library may answer in another order."""
        given = self._box_type(
            xyxy=detections.xyxy[index],
            confidence=detections.confidence[index],
            class_id=detections.class_id[index],
            data={"row": np.arange(len(index))},
        )
        options = {"frame": frame.image} if self._kind == "botsort" else {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a clock that jumps back: its answer is -1 for all
            answer = tracker.update(given, timestamp=frame.captured_at.timestamp(), **options)
        ids = np.full(len(index), -1, np.int64)
        if len(answer):
            ids[np.asarray(answer.data["row"])] = answer.tracker_id
        return ids


def _library() -> tuple[dict[str, Any], Any]:
    try:
        supervision, trackers = import_module("supervision"), import_module("trackers")
    except ImportError as error:
        raise ConfigError(
            "the package `trackers` is not installed: run `pip install trackers`, "
            "or use the default tracker"
        ) from error
    kinds = {
        "botsort": trackers.BoTSORTTracker,
        "bytetrack": trackers.ByteTrackTracker,
        "cbiou": trackers.CBIoUTracker,
    }
    return kinds, supervision.Detections
