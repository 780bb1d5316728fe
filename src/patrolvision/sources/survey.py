"""A folder of photos as one flight or drive: each photo's pose checked against its neighbours.

One photo alone cannot know that its compass is turned round or that its fix is the last one over
again. Together they can: by the way from fix to fix, and by the ground that their pictures share.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from patrolvision.errors import MediaError, TelemetryError
from patrolvision.geo.geodesy import distance_m
from patrolvision.sources.adjusted import adjusted
from patrolvision.sources.fixes import RawFix, RawLog, build_log
from patrolvision.sources.overlap import Features, describe, matches, register
from patrolvision.sources.picture import read_shrunk
from patrolvision.sources.quality import UNSURE_HEADING_SIGMA_DEG, cleaned, quality_of
from patrolvision.sources.strips import (
    STEEPEST_PITCH_DEG,
    Pair,
    Verdicts,
    compare,
    corrected,
    judged,
)
from patrolvision.sources.sync import PoseTrack
from patrolvision.types import Camera, Pose

PARTNERS = 2  # following photos that each is compared with
BESIDE = 2  # photos of other strips, the nearest ones
BESIDE_HEIGHTS = 1.0  # no farther away than this times the height
LONGEST_PAUSE = timedelta(minutes=2)  # between photos in a row that are compared
LONGEST_FLIGHT = timedelta(minutes=20)
REMEMBERED = 200  # photos; a megabyte each
SAME_VIEW_PX = 0.01  # of the picture's width: the background of a camera that stood still
FEWEST_MATCHES = 24
SHAPE_TOLERANCE = 0.02


@dataclass(frozen=True, slots=True)
class PosedPhoto:
    """One photo as it is by itself: its instant, its fix, its pose or why it has none."""

    path: Path
    at: datetime | None
    fix: RawFix | None
    pose: Pose | str


@dataclass(frozen=True, slots=True)
class Survey:
    """The photos' poses in their order, or why there is none, and what a person should know."""

    poses: tuple[Pose | str, ...]
    notes: tuple[str, ...] = ()


def surveyed(photos: Sequence[PosedPhoto], camera: Camera | None, name: str) -> Survey:
    """The poses after all checks; photos are in order of time. name is the folder's, for notes."""
    if camera is None or len(photos) < 2:
        return Survey(tuple(photo.pose for photo in photos))
    poses, unsure = _by_fixes(photos, camera, name)
    pairs, stood = _pairs(photos, poses, camera)
    heights = {k: p.height_m for k, p in enumerate(poses) if isinstance(p, Pose)}
    verdicts = judged(pairs, heights)
    checked = tuple(p if isinstance(p, str) else corrected(p, k, verdicts)
                    for k, p in enumerate(poses))  # fmt: skip
    checked = _without_repeats(checked, stood)
    checked, noise_m = adjusted(checked, pairs, verdicts)
    unproved = unsure - verdicts.headed
    checked = tuple(_unsure(p) if k in unproved else p for k, p in enumerate(checked))
    notes = _notes(name, photos, verdicts, checked, len(pairs))
    if noise_m is not None:
        notes.append(
            f"{name}: from photo to photo the fixes are {noise_m:.1f} m off, by the ground that "
            f"the pictures share; how the photos lie to each other is taken from the pictures"
        )
    if unproved:
        notes.append(
            f"{name}: {len(unproved)} photos look back along the way, first "
            f"{photos[min(unproved)].path.name}, and share too little ground to tell why: their "
            f"heading's sigma is {UNSURE_HEADING_SIGMA_DEG:.0f} degrees"
        )
    return Survey(checked, tuple(notes))


def _by_fixes(
    photos: Sequence[PosedPhoto], camera: Camera, name: str
) -> tuple[list[Pose | str], set[int]]:
    """(poses after what the fixes say of each other, photos whose heading the way contradicts).

    A car's photo without a compass gets the course.
    """
    poses = [photo.pose for photo in photos]
    fixes = [photo.fix for photo in photos if photo.fix and photo.at]
    try:
        log = build_log(Path(name), RawLog("exif", tuple(fixes), "GPSLatitude"))
    except TelemetryError:
        return poses, set()
    quality = quality_of(log, camera)
    stale = {log.samples[i].at for run in quality.stale for i in run.indices}
    astray = {log.samples[i].at for i in quality.outliers}
    clean, _ = cleaned(log, camera)
    doubtful = {
        sample.at for sample in clean.samples
        if (sample.sigma_heading_deg or 0.0) >= UNSURE_HEADING_SIGMA_DEG
    }  # fmt: skip
    track = PoseTrack(clean, camera)
    found: list[Pose | str] = []
    for photo, pose in zip(photos, poses, strict=True):
        if photo.at in stale:
            found.append("stale fix")
        elif photo.at in astray:
            found.append("jump in telemetry")
        elif pose == "no heading" and photo.at is not None:
            found.append(track.pose_at(photo.at, None))
        else:
            found.append(pose)
    return found, {k for k, photo in enumerate(photos) if photo.at in doubtful}


def _unsure(pose: Pose | str) -> Pose | str:
    if isinstance(pose, str):
        return pose
    return replace(pose, sigma_heading_deg=max(pose.sigma_heading_deg, UNSURE_HEADING_SIGMA_DEG))


def _pairs(
    photos: Sequence[PosedPhoto], poses: Sequence[Pose | str], camera: Camera
) -> tuple[list[Pair], dict[int, bool]]:
    """(pairs of pictures that share ground, photo -> whether it shows the last one's view again)

    The second only for photos that repeat the fix of the one before.
    """
    pairs: list[Pair] = []
    stood: dict[int, bool] = {}
    seen: deque[_Seen] = deque(maxlen=REMEMBERED)
    for k, (photo, pose) in enumerate(zip(photos, poses, strict=True)):
        if not isinstance(pose, Pose):
            continue
        features = _features(photo.path, (camera.lens.width, camera.lens.height))
        if features is None:
            continue
        for j, other, earlier in _to_compare(seen, pose):
            if seen and j == seen[-1][0] and _is_one_fix(photos[j], photo):
                stood[k] = _is_same_view(earlier, features)
            overlap = register(earlier, features)
            pair = None if overlap is None else compare(camera.lens, other, pose, overlap, (j, k))
            if pair is not None:
                pairs.append(pair)
        seen.append((k, pose, features))
    return pairs, stood


_Seen = tuple[int, Pose, Features]


def _to_compare(seen: Sequence[_Seen], pose: Pose) -> list[_Seen]:
    """The photos just before, and for one that looks down those taken closest beside it."""
    known = list(seen)
    before = [one for one in known[-PARTNERS:] if pose.at - one[1].at <= LONGEST_PAUSE]
    if pose.pitch_deg > STEEPEST_PITCH_DEG:
        return before
    beside = []
    for one in known[:-PARTNERS]:
        apart_m = float(distance_m(pose.lat_deg, pose.lon_deg, one[1].lat_deg, one[1].lon_deg))
        if pose.at - one[1].at <= LONGEST_FLIGHT and apart_m <= BESIDE_HEIGHTS * pose.height_m:
            beside.append((apart_m, -one[0], one))
    return [one for _, _, one in sorted(beside, key=lambda b: b[:2])[:BESIDE]] + before


def _features(path: Path, full_wh: tuple[int, int]) -> Features | None:
    """None where the picture cannot be read, or has another shape than the others."""
    try:
        shrunk = read_shrunk(path, full_wh)
    except MediaError:
        return None
    height, width = shrunk.shape[:2]
    is_alike = abs(width * full_wh[1] / (height * full_wh[0]) - 1.0) < SHAPE_TOLERANCE
    return describe(shrunk, full_wh) if is_alike else None


def _is_one_fix(a: PosedPhoto, b: PosedPhoto) -> bool:
    if a.fix is None or b.fix is None:
        return False
    return (a.fix.lat_deg, a.fix.lon_deg) == (b.fix.lat_deg, b.fix.lon_deg)


def _is_same_view(first: Features, second: Features) -> bool:
    """Whether what the two pictures share is at the same pixels in both."""
    pairs = matches(first, second)
    if len(pairs) < FEWEST_MATCHES:
        return False
    moved = np.linalg.norm(first.points[pairs[:, 0]] - second.points[pairs[:, 1]], axis=1)
    return float(np.median(moved)) < SAME_VIEW_PX * second.size_wh[0]


def _without_repeats(poses: Sequence[Pose | str], stood: dict[int, bool]) -> tuple[Pose | str, ...]:
    """A car that repeats its fix while the picture moves has lost reception.

    A picture from above is judged by the ground it shares; a camera may turn where it stands.
    """

    def is_repeat(k: int, pose: Pose | str) -> bool:
        is_level = isinstance(pose, Pose) and pose.pitch_deg > STEEPEST_PITCH_DEG
        return is_level and not stood.get(k, True)

    return tuple("stale fix" if is_repeat(k, p) else p for k, p in enumerate(poses))


def _notes(
    name: str,
    photos: Sequence[PosedPhoto],
    verdicts: Verdicts,
    poses: Sequence[Pose | str],
    pairs: int,
) -> list[str]:
    notes: list[str] = []
    if verdicts.turned:
        first = min(verdicts.turned)
        notes.append(
            f"{name}: the heading of {len(verdicts.turned)} photos disagrees with the ground that "
            f"they share with the next ones, first in {photos[first].path.name} by "
            f"{verdicts.turned[first][0]:+.0f} degrees; the pictures' own is used"
        )
    stale = [k for k, pose in enumerate(poses) if pose == "stale fix"]
    if stale:
        notes.append(
            f"{name}: {len(stale)} photos repeat an earlier fix though the picture moved, first "
            f"{photos[stale[0]].path.name}; they have no pose"
        )
    if verdicts.jumped:
        first = min(verdicts.jumped)
        notes.append(
            f"{name}: the fix of {len(verdicts.jumped)} photos is where the camera cannot have "
            f"been by the ground they show, first {photos[first].path.name}; they have no pose"
        )
    if verdicts.height_ratio is not None:
        ratio, sigma = verdicts.height_ratio
        notes.append(
            f"{name}: by {pairs} pairs of pictures the height above the ground (or the focal "
            f"length) is {ratio:.2f} ± {sigma:.2f} times what is stated; that is used"
        )
    return notes
