"""A folder of photos, or one photo -> Frames in order of time, upright, with the pose of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from patrolvision.errors import MediaError, TelemetryError
from patrolvision.sources.camera_file import scaled_lens
from patrolvision.sources.camera_media import camera_from_photo
from patrolvision.sources.exif import PhotoFacts, read_facts
from patrolvision.sources.fixes import EPOCH, RawLog, TelemetryLog, build_log
from patrolvision.sources.picture import SUFFIXES, read_picture
from patrolvision.sources.survey import PosedPhoto, Survey, surveyed
from patrolvision.sources.sync import PoseTrack
from patrolvision.types import Camera, Frame, FrameCounts, Image, Pose


@dataclass(frozen=True, slots=True)
class _Photo:
    path: Path
    facts: PhotoFacts | None
    problem: str | None


class PhotoFolderSource:
    """Photos as a FrameSource; a bad one is skipped, counted and named in problems.

    Without a camera the first photo's own focal length makes one. `camera` is scaled to the first
    photo; a photo of another lens, size or orientation has no pose.
    Photos without any time come last, by name, and are dated 1970-01-01.
    """

    def __init__(
        self,
        path: Path,
        *,
        stream_id: str,
        camera: Camera | None = None,
        timezone: tzinfo = UTC,
    ) -> None:
        self._stream_id, self._given_camera = stream_id, camera
        self.problems: list[str] = []
        self.unreadable: dict[str, str] = {}  # the photos among them, by path
        self._photos = sorted((_look(p, timezone) for p in _files(path)), key=_order)
        self._read = self._analysed = self._without_pose = 0
        self._skipped: Counter[str] = Counter()
        self._pose_problems: Counter[str] = Counter()
        self._survey: Survey | None = None
        first_image, first = _first_readable(path, self._photos)
        self._size_wh = (first_image.shape[1], first_image.shape[0])
        self.camera = self._camera_of(first, self._size_wh)
        self.started_at = first.facts.at if first.facts else None
        self.telemetry_log: TelemetryLog | None = None

    @property
    def duration_s(self) -> float | None:
        """From the first dated photo to the last; None where fewer than two are dated."""
        dated = [photo.facts.at for photo in self._photos if photo.facts and photo.facts.at]
        return (max(dated) - min(dated)).total_seconds() if len(dated) > 1 else None

    @property
    def size_wh(self) -> tuple[int, int]:
        """Size of the first readable photo, upright; others may differ."""
        return self._size_wh

    def frames(self) -> Iterator[Frame]:
        """Every readable photo in order of time; each call starts over."""
        self._read = self._analysed = self._without_pose = 0
        self._skipped, self._pose_problems = Counter(), Counter()
        self.problems.clear()
        self.unreadable.clear()
        survey = self._surveyed()
        self.problems += survey.notes
        for index, photo in enumerate(self._photos):
            self._read += 1
            image = self._image(photo)
            if image is None:
                continue
            self._analysed += 1
            yield self._frame(index, photo, image, survey.poses[index])

    def counts(self) -> FrameCounts:
        """Every photo read so far, by what became of it."""
        return FrameCounts(
            read=self._read,
            analysed=self._analysed,
            skipped=dict(self._skipped),
            without_pose=self._without_pose,
            pose_problems=dict(sorted(self._pose_problems.items())),
        )

    def close(self) -> None:
        """Nothing is held open between photos."""

    def _image(self, photo: _Photo) -> Image | None:
        try:
            if photo.problem:
                raise MediaError(photo.problem)
            return read_picture(photo.path)
        except MediaError as error:
            self._skipped["undecodable"] += 1
            self.unreadable[str(photo.path)] = str(error)
            self.problems.append(str(error))
            return None

    def _surveyed(self) -> Survey:
        """All photos' poses, each checked against the others; found once, before the first."""
        if self._survey is None:
            posed = [self._posed(index, photo) for index, photo in enumerate(self._photos)]
            name = self._photos[0].path.parent.name
            self._survey = surveyed(posed, self.camera, name)
        return self._survey

    def _posed(self, index: int, photo: _Photo) -> PosedPhoto:
        facts = photo.facts
        at = (facts.at if facts else None) or EPOCH + timedelta(seconds=index)
        pose = self._pose(photo, at)
        return PosedPhoto(
            photo.path, facts.at if facts else None, facts.fix if facts else None, pose
        )

    def _frame(self, index: int, photo: _Photo, image: Image, pose: Pose | str) -> Frame:
        at = (photo.facts.at if photo.facts else None) or EPOCH + timedelta(seconds=index)
        size_wh = image.shape[1], image.shape[0]
        if isinstance(pose, Pose) and self._camera_of(photo, size_wh) != self.camera:
            pose = "another lens or picture size"
        if isinstance(pose, str):
            self._without_pose += 1
            self._pose_problems[pose] += 1
        return Frame(
            stream_id=self._stream_id,
            index=index,
            captured_at=at,
            image=image,
            pose=None if isinstance(pose, str) else pose,
            media=str(photo.path),
        )

    def _camera_of(self, photo: _Photo, size_wh: tuple[int, int]) -> Camera | None:
        if self._given_camera is not None:
            lens = scaled_lens(self._given_camera.lens, size_wh)
            return replace(self._given_camera, lens=lens) if lens else None
        return camera_from_photo(photo.facts, size_wh) if photo.facts else None

    def _pose(self, photo: _Photo, at: datetime) -> Pose | str:
        if photo.facts is None or photo.facts.fix.lat_deg is None:
            return "no telemetry"
        if photo.facts.at is None:
            return "no time"
        if self.camera is None:
            return "no camera" if self._given_camera is None else "not the camera's picture shape"
        if self._camera_of(photo, self._size_wh) != self.camera:
            return "another lens or picture size"
        try:
            log = build_log(photo.path, RawLog("exif", (photo.facts.fix,), "GPSLatitude"))
        except TelemetryError as error:
            self.problems.append(str(error))
            return "no usable fix"
        return PoseTrack(log, self.camera).pose_at(at, None)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = [p for p in path.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file()]
    if not files:
        raise MediaError(f"{path}: holds no pictures ({', '.join(sorted(SUFFIXES))})")
    return files


def _look(path: Path, timezone: tzinfo) -> _Photo:
    try:
        return _Photo(path, read_facts(path, timezone), None)
    except MediaError as error:
        return _Photo(path, None, str(error))


def _order(photo: _Photo) -> tuple[bool, datetime, str]:
    at = photo.facts.at if photo.facts else None
    return at is None, at or EPOCH, photo.path.name


def _first_readable(path: Path, photos: list[_Photo]) -> tuple[Image, _Photo]:
    problem = None
    for photo in photos:
        try:
            return read_picture(photo.path), photo
        except MediaError as error:
            problem = problem or error
    if len(photos) == 1 and problem is not None:
        raise problem
    raise MediaError(f"{path}: none of its {len(photos)} pictures can be read")
