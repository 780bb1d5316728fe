"""ByteTrack in seconds, with camera motion compensation: our default tracker.

After Y. Zhang et al., ByteTrack, ECCV 2022: sure boxes are assigned first, then boxes of little
confidence to what is left of the tracks. Different here: time is in seconds, so that one setting
holds from 2 to 30 analysed frames a second; the background's motion is taken out before boxes are
compared; and boxes grow, before they are compared, by the uncertainty of the prediction, which is
large for what was seen once half a second ago and small for what is followed smoothly. Why not a
library: docs/adr/0003-tracker.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patrolvision.track import ground, kalman
from patrolvision.track.association import assign, expanded_iou
from patrolvision.track.kalman import BoxStates, MotionNoise
from patrolvision.track.motion import CameraMotion
from patrolvision.types import Detections, FloatArray, Frame, Lens, Pose

ONE_GROUP = ("car", "truck", "bus")  # detectors waver among these; a van is all three


@dataclass(frozen=True, slots=True)
class TrackSettings:
    """When a track begins, is believed, and ends. Durations in seconds, similarities as ratios.

    start_confidence: boxes below it never begin a track, but may continue one. low_confidence:
    boxes below it are ignored. confirm_frames, confirm_s: a track gets its id when it was seen in
    so many frames over so long a time. tentative_s: how long an unconfirmed track may go unseen;
    lost_after_s: a confirmed one. match_iou, match_low_iou: least similarity of grown boxes for
    sure boxes and for those of low confidence. margin_sigmas: how far boxes grow, in standard
    deviations of the predicted centre, but never by more than max_margin of their size.
    """

    start_confidence: float = 0.25
    low_confidence: float = 0.1
    confirm_frames: int = 2
    confirm_s: float = 0.1
    tentative_s: float = 0.3
    lost_after_s: float = 1.5
    match_iou: float = 0.15
    match_wide_iou: float = 0.3
    match_low_iou: float = 0.4
    margin_sigmas: float = 1.0
    max_margin: float = 0.5
    compensates_camera: bool = True
    noise: MotionNoise = field(default_factory=MotionNoise)

    def __post_init__(self) -> None:
        if not 0.0 <= self.low_confidence <= self.start_confidence <= 1.0:
            raise ValueError(
                "expected 0 <= low_confidence <= start_confidence <= 1, got "
                f"{self.low_confidence} and {self.start_confidence}"
            )
        if self.confirm_frames < 1 or min(self.confirm_s, self.tentative_s, self.lost_after_s) < 0:
            raise ValueError("confirm_frames must be >= 1 and durations must be >= 0 s")


@dataclass(frozen=True, slots=True, eq=False)
class _Tracks:
    """All tracks of a stream, one row each."""

    states: BoxStates
    group: NDArray[np.int64]
    track_id: NDArray[np.int64]  # -1: not confirmed
    hits: NDArray[np.int64]
    first_s: FloatArray
    last_s: FloatArray

    def __len__(self) -> int:
        return len(self.group)

    def select(self, index: NDArray[Any]) -> _Tracks:
        return _Tracks(
            self.states.select(index),
            self.group[index],
            self.track_id[index],
            self.hits[index],
            self.first_s[index],
            self.last_s[index],
        )

    def joined(self, other: _Tracks) -> _Tracks:
        rows = (
            np.concatenate([getattr(self, name), getattr(other, name)])
            for name in ("group", "track_id", "hits", "first_s", "last_s")
        )
        return _Tracks(self.states.joined(other.states), *rows)


class ByteTracker:
    """A Tracker; one per stream, frames in order of time.

    classes: the detector's, by class_id. start_confidences: by class name, instead of the settings'
    start_confidence. lens: where it is given and frames have poses, what stands near is also
    looked for where the poses say it must have moved to. A clock that jumps back ends all tracks;
    ids are never used twice.
    """

    def __init__(
        self,
        classes: Sequence[str],
        settings: TrackSettings | None = None,
        start_confidences: Mapping[str, float] | None = None,
        lens: Lens | None = None,
    ) -> None:
        self._settings = settings or TrackSettings()
        self._group_of_class = groups_of(classes)
        starts = start_confidences or {}
        self._start_of_class = np.array(
            [starts.get(name, self._settings.start_confidence) for name in classes]
        )
        self._camera = CameraMotion()
        self._lens = lens
        self._pose: Pose | None = None
        self._tracks = _new_tracks(np.zeros((0, 4)), np.zeros(0, np.int64), 0.0, self._settings)
        self._now_s: float | None = None
        self._next_id = 1

    def update(self, detections: Detections, frame: Frame) -> Detections:
        """The same detections in the same order with track_id set (-1: not confirmed)."""
        self._advance(detections, frame)
        now_s = frame.captured_at.timestamp()
        row_of = self._match(detections)
        seen = row_of >= 0
        self._tracks = _seen(
            self._tracks, row_of[seen], detections.xyxy[seen], now_s, self._settings.noise
        )
        row_of = self._begin(detections, row_of, now_s)
        self._confirm()
        track_id = np.full(len(detections), -1, np.int64)
        track_id[row_of >= 0] = self._tracks.track_id[row_of[row_of >= 0]]
        self._forget(now_s, frame.image.shape[1], frame.image.shape[0])
        return replace(detections, track_id=track_id)

    def _advance(self, detections: Detections, frame: Frame) -> None:
        """Bring all tracks to the frame's instant and the camera's new view."""
        now_s = frame.captured_at.timestamp()
        dt_s = 0.0 if self._now_s is None else now_s - self._now_s
        self._now_s = now_s
        if dt_s < 0:
            self._tracks = self._tracks.select(np.zeros(0, np.int64))
        seen_before = self._tracks.states
        states, noise = seen_before, self._settings.noise
        if self._settings.compensates_camera:
            warp = self._camera.update(frame.image, detections.xyxy)
            states = kalman.warped(states, warp)
        states = kalman.predicted(states, max(dt_s, 0.0), noise)
        before, self._pose = self._pose, frame.pose
        if self._lens is not None and before is not None and frame.pose is not None:
            carried, is_known = ground.carried(seen_before, self._lens, before, frame.pose)
            rival = kalman.predicted(carried, max(dt_s, 0.0), noise)
            states = self._nearer(states, rival, is_known, detections)
        self._tracks = replace(self._tracks, states=states)

    def _nearer(
        self,
        states: BoxStates,
        rival: BoxStates,
        is_known: NDArray[np.bool_],
        detections: Detections,
    ) -> BoxStates:
        """Of each track's two predictions the one that lies better on some box of its group."""
        if len(states.mean) == 0 or len(detections) == 0:
            return states
        tracks = self._tracks
        ours, theirs = (
            self._similar_to(each, tracks.group, detections, 0.0).max(axis=1)
            for each in (states, rival)
        )
        takes = (is_known & (theirs > ours))[:, None, None]
        return BoxStates(
            np.where(takes, rival.mean, states.mean),
            np.where(takes, rival.variance, states.variance),
        )

    def _match(self, detections: Detections) -> NDArray[np.int64]:
        """Row of the track of each detection, -1 where there is none."""
        settings, tracks = self._settings, self._tracks
        row_of = np.full(len(detections), -1, np.int64)
        is_sure = detections.confidence >= self._start_of_class[detections.class_id]
        is_low = ~is_sure & (detections.confidence >= settings.low_confidence)
        is_confirmed = tracks.track_id >= 0
        is_fresh = tracks.last_s == tracks.last_s.max(initial=-np.inf)
        tight = self._similarity(detections, 0.0)
        wide = self._similarity(detections, settings.margin_sigmas)
        for similarity, rows, columns, least in (
            (tight, is_confirmed, is_sure, settings.match_iou),
            (tight, ~is_confirmed, is_sure, settings.match_iou),
            (wide, is_confirmed, is_sure, settings.match_wide_iou),
            (wide, ~is_confirmed, is_sure, settings.match_wide_iou),
            (wide, is_fresh, is_low, settings.match_low_iou),
        ):
            taken = np.zeros(len(tracks), bool)
            taken[row_of[row_of >= 0]] = True
            r, c = np.flatnonzero(rows & ~taken), np.flatnonzero(columns & (row_of < 0))
            pair_r, pair_c = assign(similarity[np.ix_(r, c)], least)
            row_of[c[pair_c]] = r[pair_r]
        return row_of

    def _similarity(self, detections: Detections, margin_sigmas: float) -> FloatArray:
        """(tracks, detections) in [0, 1]; 0 between groups of classes."""
        tracks = self._tracks
        return self._similar_to(tracks.states, tracks.group, detections, margin_sigmas)

    def _similar_to(
        self,
        states: BoxStates,
        group_of_track: NDArray[np.int64],
        detections: Detections,
        margin_sigmas: float,
    ) -> FloatArray:
        settings = self._settings
        limit = settings.max_margin * states.size_px[:, None]
        margin = np.minimum(margin_sigmas * states.sigma_px, limit)
        similarity = expanded_iou(states.xyxy, detections.xyxy, margin)
        group = self._group_of_class[detections.class_id]
        return np.where(group_of_track[:, None] == group[None], similarity, 0.0)

    def _begin(
        self, detections: Detections, row_of: NDArray[np.int64], now_s: float
    ) -> NDArray[np.int64]:
        """Begin tracks for sure boxes that continue none."""
        starts = self._start_of_class[detections.class_id]
        new = np.flatnonzero((row_of < 0) & (detections.confidence >= starts))
        group = self._group_of_class[detections.class_id[new]]
        result = row_of.copy()
        result[new] = len(self._tracks) + np.arange(len(new))
        tracks = _new_tracks(detections.xyxy[new], group, now_s, self._settings)
        self._tracks = self._tracks.joined(tracks)
        return result

    def _confirm(self) -> None:
        tracks, settings = self._tracks, self._settings
        age_s = tracks.last_s - tracks.first_s
        # A frame's time is rounded to microseconds, so an age may fall short of its due by two.
        is_old = (age_s >= settings.confirm_s - 2e-6) & (tracks.hits >= settings.confirm_frames)
        new = np.flatnonzero((tracks.track_id < 0) & is_old)
        track_id = tracks.track_id.copy()
        track_id[new] = self._next_id + np.arange(len(new))
        self._next_id += len(new)
        self._tracks = replace(tracks, track_id=track_id)

    def _forget(self, now_s: float, width: int, height: int) -> None:
        """Drop tracks that were not seen for too long or have left the picture."""
        tracks, settings = self._tracks, self._settings
        patience = np.where(tracks.track_id >= 0, settings.lost_after_s, settings.tentative_s)
        centre = tracks.states.mean[:, :2, 0]
        is_inside = ((centre >= 0) & (centre <= (width, height))).all(axis=1)
        unseen_s = now_s - tracks.last_s
        keep = (unseen_s <= patience) & (is_inside | (unseen_s == 0))
        self._tracks = tracks.select(np.flatnonzero(keep))


def groups_of(classes: Sequence[str]) -> NDArray[np.int64]:
    """One number per class; the same for classes that a detector takes for one another."""
    names = [ONE_GROUP[0] if name in ONE_GROUP else name for name in classes]
    order = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([order[name] for name in names], np.int64)


def _new_tracks(
    xyxy: NDArray[np.floating[Any]],
    group: NDArray[np.int64],
    now_s: float,
    settings: TrackSettings,
) -> _Tracks:
    n = len(group)
    return _Tracks(
        kalman.born(xyxy, settings.noise),
        group,
        np.full(n, -1, np.int64),
        np.ones(n, np.int64),
        np.full(n, now_s),
        np.full(n, now_s),
    )


def _seen(
    tracks: _Tracks,
    rows: NDArray[np.int64],
    xyxy: NDArray[np.floating[Any]],
    now_s: float,
    noise: MotionNoise,
) -> _Tracks:
    """The tracks after those in rows were seen as the boxes xyxy."""
    after = kalman.corrected(tracks.states.select(rows), xyxy, noise)
    mean, variance = tracks.states.mean.copy(), tracks.states.variance.copy()
    mean[rows], variance[rows] = after.mean, after.variance
    hits, last_s = tracks.hits.copy(), tracks.last_s.copy()
    hits[rows] += 1
    last_s[rows] = now_s
    return replace(tracks, states=BoxStates(mean, variance), hits=hits, last_s=last_s)
