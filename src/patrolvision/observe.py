"""Followed detections and poses to observations: one thing on the ground as one pass saw it.

The memory of one stream. A track is open while its thing is in view; when it has been out of view
for a while, its frames' places are fitted to one observation. An observation's id is given when its
track is born, so the same footage gives the same ids, and an open track keeps its id when it ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from patrolvision.geo.camera import scaled_lens
from patrolvision.geo.contact import Contacts, contacts_of
from patrolvision.geo.elevation import ElevationGrid
from patrolvision.geo.fit import fit_track
from patrolvision.geo.geodesy import distance_m
from patrolvision.geo.project import GroundPoint, NoGround, locate_pixels
from patrolvision.types import (
    VEHICLE_CLASSES,
    Camera,
    Detections,
    FloatArray,
    Frame,
    Lens,
    Observation,
    Sight,
)

# Centres of two things of one kind are at least so far apart: a motorcycle beside a car, the
# narrowest neighbours, by 1.5 m; heaps and fires that touch are one.
_LEAST_APART_M = {"vehicle": 1.5, "litter": 0.6, "fire": 1.5, "smoke": 5.0}
ONE_BOX = 0.6  # intersection over union of two boxes on one thing
_SIZED = frozenset({"litter", "fire"})
# The fit counts one look per half a second: of frames closer than this, one place says it all.
_LOCATE_EVERY = timedelta(seconds=0.12)
_MOST_PLACES = 240  # of one track; beyond, every other one is forgotten


@dataclass(frozen=True, slots=True)
class ObserveSettings:
    """What makes a track an observation."""

    min_frames: int = 2
    min_confidence: float = 0.0  # of a single detection; the detector has its own thresholds
    lost_after_s: float = 2.0
    max_range_car_m: float = 60.0
    max_range_drone_m: float = 250.0
    edge_margin_px: float = 2.0
    is_single_shot: bool = False  # photos: one frame is enough, and needs no track


@dataclass(slots=True)
class _Track:
    """One thing while it is in view."""

    id: str
    first: Sight
    best: Sight
    last: Sight
    frames: int = 0
    votes: dict[str, float] = field(default_factory=dict)  # class -> sum of confidences
    seen: Counter[str] = field(default_factory=Counter)  # class -> frames
    places: list[tuple[datetime, GroundPoint]] = field(default_factory=list)
    shifts: list[FloatArray] = field(default_factory=list)
    footprints: list[float] = field(default_factory=list)

    def see(self, sight: Sight, class_name: str) -> None:
        self.frames += 1
        self.last = sight
        self.best = max(self.best, sight, key=_worth)
        self.votes[class_name] = self.votes.get(class_name, 0.0) + sight.confidence
        self.seen[class_name] += 1

    def is_due(self, at: datetime) -> bool:
        """Whether its last place is old enough for another one to tell anything."""
        return not self.places or at - self.places[-1][0] >= _LOCATE_EVERY

    def stand(self, at: datetime, place: GroundPoint, shift: FloatArray, footprint: float) -> None:
        self.places.append((at, place))
        self.shifts.append(shift)
        self.footprints.append(footprint)
        if len(self.places) > _MOST_PLACES:
            del self.places[1::2], self.shifts[1::2], self.footprints[1::2]


class TrackBook:
    """The open tracks of one stream; counters say what became of detections that gave no place."""

    def __init__(
        self,
        mission_id: str,
        stream_id: str,
        camera: Camera,
        classes: tuple[str, ...],
        release_id: str | None = None,
        settings: ObserveSettings | None = None,
        elevation: ElevationGrid | None = None,
    ) -> None:
        self._elevation = elevation
        self._mission_id = mission_id
        self._stream_id = stream_id
        self._camera = camera
        self._classes = classes
        self._release_id = release_id
        self._settings = settings or ObserveSettings()
        self._tracks: dict[tuple[str, int, int], _Track] = {}
        self._counters: Counter[str] = Counter()

    @property
    def counters(self) -> Mapping[str, int]:
        """Detections by fate: located, in_between (of two places), or without_pose, untracked,
        too_weak, cut_off, no_ground, too_far, no_fire (smoke without a fire), is_vehicle (litter
        that is the same box as a surer vehicle); and tracks: too_short, without_place.
        """
        return dict(+self._counters)

    def add(self, frame: Frame, detections: Detections) -> None:
        """Remember one frame's detections; frames come in order of time."""
        names = [self._classes[i] for i in detections.class_id]
        xyxy = detections.xyxy.astype(np.float64)
        chosen = self._chosen(detections)
        if frame.pose is None:
            self._counters["without_pose"] += len(chosen)
            return
        vehicles = _litter_on_vehicles(xyxy, detections.confidence, names)
        self._counters["is_vehicle"] += len(vehicles.intersection(chosen))
        chosen = [k for k in chosen if k not in vehicles]
        if not len(chosen):
            return
        lens = self._lens(frame)
        contacts = contacts_of(lens, frame.pose, xyxy, names, self._camera.sigma.pixel)
        pixels = _smoke_on_fire(contacts.pixels, xyxy, names)
        seen: list[tuple[int, Sight, _Track]] = []
        for k in chosen:
            sight = _sight(frame, detections, k)
            track = self._track(frame, detections, k, sight, names[k])
            track.see(sight, names[k])
            if track.is_due(frame.captured_at):
                seen.append((k, sight, track))
            else:
                self._counters["in_between"] += 1
        due = [k for k, _, _ in seen]
        located = locate_pixels(
            lens,
            frame.pose,
            pixels[due],
            contacts.sigma_px[due],
            quick=True,
            elevation=self._elevation,
        )
        for (k, sight, track), place in zip(seen, located, strict=True):
            fate = self._fate(frame, sight, place, contacts, k, names[k])
            self._counters[fate] += 1
            if fate == "located" and isinstance(place, GroundPoint):
                shift, footprint = contacts.shift_en_m[k], float(contacts.footprint_m2[k])
                track.stand(frame.captured_at, place, shift, footprint)

    def finished(self, now: datetime) -> list[Observation]:
        """Close the tracks unseen for lost_after_s before now; their observations, oldest first."""
        limit = now - timedelta(seconds=self._settings.lost_after_s)
        gone = [key for key, t in self._tracks.items() if t.last.captured_at < limit]
        return self._close(gone)

    def flush(self) -> list[Observation]:
        """Close every track, at the end of the stream; their observations, oldest first."""
        return self._close(list(self._tracks))

    def open_observations(self, min_age_s: float = 0.0) -> list[Observation]:
        """What is known by now of the open tracks at least min_age_s old; nothing is closed.

        Each observation has the id that it will have when its track is closed.
        """
        age = timedelta(seconds=min_age_s)
        old = [t for t in self._tracks.values() if t.last.captured_at - t.first.captured_at >= age]
        return [self._observation(t) for t in old if self._why_not(t) is None]

    def _lens(self, frame: Frame) -> Lens:
        """The lens in the frame's pixels: footage is often kept smaller than calibrated."""
        height, width = frame.image.shape[:2]
        lens = self._camera.lens
        is_same = (width, height) == (lens.width, lens.height)
        return lens if is_same else scaled_lens(lens, width, height)

    def _chosen(self, detections: Detections) -> list[int]:
        chosen = []
        for k in range(len(detections)):
            tracked = detections.track_id is not None and detections.track_id[k] >= 0
            if detections.confidence[k] < self._settings.min_confidence:
                self._counters["too_weak"] += 1
            elif not tracked and not self._settings.is_single_shot:
                self._counters["untracked"] += 1
            else:
                chosen.append(k)
        return chosen

    def _track(
        self, frame: Frame, detections: Detections, k: int, sight: Sight, class_name: str
    ) -> _Track:
        number = -1 if detections.track_id is None else int(detections.track_id[k])
        key = ("track", number, 0) if number >= 0 else ("single", frame.index, k)
        if key not in self._tracks:
            label = "vehicle" if class_name in VEHICLE_CLASSES else class_name
            name = f"{self._mission_id}-{label}-{frame.index}-{k}"
            self._tracks[key] = _Track(name, sight, sight, sight)
        return self._tracks[key]

    def _fate(
        self,
        frame: Frame,
        sight: Sight,
        place: GroundPoint | NoGround,
        contacts: Contacts,
        k: int,
        class_name: str,
    ) -> str:
        """What becomes of one detection; only what is located has a place that may be believed."""
        height, width = frame.image.shape[:2]
        x1, y1, x2, y2 = sight.xyxy
        margin = self._settings.edge_margin_px
        at_edge = x1 <= margin or x2 >= width - margin or y2 >= height - margin
        if at_edge or (contacts.is_steep[k] and y1 <= margin):
            return "cut_off"
        if isinstance(place, NoGround):
            return "no_fire" if class_name == "smoke" else "no_ground"
        is_drone = self._camera.platform == "drone"
        s = self._settings
        reach_m = s.max_range_drone_m if is_drone else s.max_range_car_m
        return "too_far" if place.range_m > reach_m else "located"

    def _close(self, keys: Iterable[tuple[str, int, int]]) -> list[Observation]:
        observations = []
        for key in keys:
            track = self._tracks.pop(key)
            why_not = self._why_not(track)
            if why_not is None:
                observations.append(self._observation(track))
            else:
                self._counters[why_not] += 1
        return observations

    def _why_not(self, track: _Track) -> str | None:
        needed = 1 if self._settings.is_single_shot else self._settings.min_frames
        if track.frames < needed:
            return "too_short"
        return None if track.places else "without_place"

    def _observation(self, track: _Track) -> Observation:
        fit = fit_track(track.places, np.stack(track.shifts))
        class_name = max(sorted(track.votes), key=lambda name: track.votes[name])
        confidence = track.votes[class_name] / track.seen[class_name]
        size = float(np.median(track.footprints)) if class_name in _SIZED else None
        return Observation(
            id=track.id,
            mission_id=self._mission_id,
            stream_id=self._stream_id,
            class_name=class_name,
            first_seen=track.first.captured_at,
            last_seen=track.last.captured_at,
            place=fit.place,
            confidence=min(float(confidence), 1.0),
            frames=track.frames,
            speed_mps=fit.speed_mps,
            speed_sigma_mps=fit.speed_sigma_mps,
            bias_cov_en_m2=fit.bias_cov_en_m2,
            size_m2=size,
            model_release=self._release_id,
            sights=(track.first, track.best, track.last),
        )


def _worth(sight: Sight) -> float:
    x1, y1, x2, y2 = sight.xyxy
    return sight.confidence * (x2 - x1) * (y2 - y1)


def _sight(frame: Frame, detections: Detections, k: int) -> Sight:
    x1, y1, x2, y2 = (float(x) for x in detections.xyxy[k])
    confidence = float(detections.confidence[k])
    return Sight(frame.media, frame.index, frame.captured_at, (x1, y1, x2, y2), confidence)


def _smoke_on_fire(pixels: FloatArray, xyxy: FloatArray, names: list[str]) -> FloatArray:
    """The contacts (N, 2); a smoke's is that of the fire its box meets, NaN without a fire."""
    pixels = pixels.copy()
    fires = [k for k, name in enumerate(names) if name == "fire"]
    for k, name in enumerate(names):
        if name == "smoke":
            met = [f for f in fires if _meet(xyxy[k], xyxy[f])]
            pixels[k] = pixels[met[0]] if met else np.nan
    return pixels


def _litter_on_vehicles(
    xyxy: FloatArray, confidence: NDArray[np.float32], names: list[str]
) -> set[int]:
    """Litter boxes (N, 4) that are the box of a vehicle the detector is surer of."""
    vehicles = [k for k, name in enumerate(names) if name in VEHICLE_CLASSES]
    return {
        k
        for k, name in enumerate(names)
        if name == "litter"
        and any(
            confidence[v] > confidence[k] and _iou(xyxy[k], xyxy[v]) > ONE_BOX for v in vehicles
        )
    }


def _iou(a: FloatArray, b: FloatArray) -> float:
    wide, high = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    common = max(float(wide), 0.0) * max(float(high), 0.0)
    both = float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]))
    return common / max(both - common, 1e-9)


def _meet(a: FloatArray, b: FloatArray) -> bool:
    return bool(a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3])


def without_doubles(observations: Sequence[Observation]) -> list[Observation]:
    """The observations of a pass, in their order, each thing once.

    A detector may draw two boxes on one thing, and each is followed as a track of its own. Two
    things of one kind cannot be closer than their own size: of such a pair, seen at the same time
    by one pass, the one seen more often and more surely stays.
    """
    best_first = sorted(observations, key=lambda o: (-o.frames * o.confidence, o.id))
    kept: list[Observation] = []
    for seen in best_first:
        if not any(_is_double(seen, other) for other in kept):
            kept.append(seen)
    ids = {o.id for o in kept}
    return [o for o in observations if o.id in ids]


def _is_double(seen: Observation, other: Observation) -> bool:
    kind = _kind(seen.class_name)
    if kind != _kind(other.class_name) or seen.mission_id != other.mission_id:
        return False
    if seen.first_seen > other.last_seen or other.first_seen > seen.last_seen:
        return False
    here, there = seen.place, other.place
    apart_m = float(distance_m(here.lat_deg, here.lon_deg, there.lat_deg, there.lon_deg))
    return apart_m < _LEAST_APART_M.get(kind, 0.3)


def _kind(class_name: str) -> str:
    return "vehicle" if class_name in VEHICLE_CLASSES else class_name
