"""One recorded mission, from its footage to the store; what a worker process runs."""

from __future__ import annotations

import hashlib
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from patrolvision import wiring
from patrolvision.config import Settings
from patrolvision.errors import CallError, ItemError, MediaError
from patrolvision.geo.geodesy import distance_m
from patrolvision.pipeline import Judged, Seen, Settled, Stages, followed, settle, together
from patrolvision.ports import Detector
from patrolvision.progress import Progress
from patrolvision.rules.rulebook import Rulebook
from patrolvision.tickets.grids import GridIndex
from patrolvision.types import FrameCounts, Mission, MissionRecord

FINGERPRINT_BYTES = 1 << 20  # of each end of a file: enough to tell recordings apart
REMEDIES = {  # what a user can do about frames without a pose
    "no telemetry": "give --telemetry FILE",
    "no camera": "give --camera C.toml",
    "before telemetry": "give --started-at, if the video's clock is wrong",
    "after telemetry": "give --started-at, if the video's clock is wrong",
    "no height": "give mount.height_m in --camera C.toml",
    "no heading": "only a camera that moves, or has a compass, knows where it looks",
}
LONGEST_STEP_S = 10.0  # between two poses; what lies in a longer gap was not observed


@dataclass(frozen=True, slots=True)
class MissionResult:
    """What became of one mission; picklable, so that it may come from another process."""

    mission_id: str
    media: str
    error: str | None = None
    counts: FrameCounts | None = None
    started_at: datetime | None = None
    duration_s: float | None = None
    wall_s: float = 0.0
    observations: int = 0
    findings: int = 0
    looks: int = 0
    observed_km: float = 0.0
    settled: Settled = field(default_factory=lambda: Settled(0, 0, 0))
    track: tuple[tuple[float, float], ...] = ()
    clip: str | None = None
    notes: tuple[str, ...] = ()
    unreadable: tuple[tuple[str, str], ...] = ()  # photos of it: path and what is wrong


def fingerprint(path: Path) -> str:
    """A short digest that tells recordings apart: sizes, and both ends of each file."""
    digest = hashlib.sha256()
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    for file in files:
        size = file.stat().st_size
        digest.update(f"{file.name if path.is_dir() else ''}:{size};".encode())
        with file.open("rb") as stream:
            digest.update(stream.read(FINGERPRINT_BYTES))
            if size > FINGERPRINT_BYTES:
                stream.seek(max(FINGERPRINT_BYTES, size - FINGERPRINT_BYTES))
                digest.update(stream.read())
    return digest.hexdigest()[:12]


@lru_cache(maxsize=2)
def _shared_detector(
    settings: Settings, threads: int | None, unsure_share: float, input_px: int | None
) -> Detector:
    return wiring.detector(settings, threads=threads, unsure_share=unsure_share, input_px=input_px)


def warm_up(settings: Settings, mission: Mission) -> None:
    """Make the detector ready for a first mission; what is wrong is said when it is run."""
    unsure_share = 1.0 if wiring.is_photos(mission) else wiring.UNSURE_SHARE
    with suppress(CallError, ItemError):
        _shared_detector(settings, None, unsure_share, mission.input_px)


def run_mission(
    settings: Settings,
    mission: Mission,
    *,
    threads: int | None = None,
    progress: Progress | None = None,
) -> MissionResult:
    """Analyse one recording and settle it; a bad item becomes a result with an error."""
    started = time.monotonic()
    try:
        result = _run(settings, mission, threads, progress or Progress())
    except ItemError as error:
        result = MissionResult(mission.id, mission.media, error=str(error))
    except OSError as error:
        path = error.filename or mission.media
        result = MissionResult(
            mission.id, mission.media, error=f"{path}: cannot be read ({error.strerror})"
        )
    return replace(result, wall_s=time.monotonic() - started)


def _run(
    settings: Settings, mission: Mission, threads: int | None, progress: Progress
) -> MissionResult:
    camera = wiring.camera(mission.camera)
    rules = wiring.rulebook(mission.zones or settings.zones, settings, {}, warns=False)
    grids = wiring.grids(mission.grids or settings.grids)
    is_photos = wiring.is_photos(mission)
    calibration: list[str] = []
    if settings.calibrate and not is_photos:
        mission, camera, calibration = wiring.calibrated(mission, camera, settings)
    with ExitStack() as stack:
        source = wiring.recording(mission, camera, settings)
        stack.callback(source.close)
        unsure_share = 1.0 if is_photos else wiring.UNSURE_SHARE
        inner = _shared_detector(settings, threads, unsure_share, mission.input_px)
        seen_by = getattr(source, "camera", None) or camera
        stages = Stages(
            detector=wiring.detector_for(inner, seen_by, settings),
            tracker=wiring.tracker(settings, seen_by, is_photos=is_photos),
            book=wiring.book(
                mission,
                seen_by,
                inner.release,
                is_photos=is_photos,
                ground=wiring.elevation(settings.elevation),
            ),
            rules=rules,
            keeper=wiring.keeper(settings, inner.release),
            coverage=wiring.coverage(mission, seen_by, inner.release, settings),
        )
        track = _Track()
        check = wiring.self_check(seen_by, is_photos=is_photos)
        clip = stack.enter_context(
            wiring.clip(settings, mission, source, inner.release, is_photos=is_photos)
        )
        progress.begin(mission.id, source.duration_s)

        def on_seen(seen: Seen) -> None:
            track.add(seen)
            check.add(seen.frame)
            clip.add(seen.frame, seen.detections)
            progress.advance(track.elapsed_s)

        parts = list(
            followed(source.frames(), stages, batch_size=settings.batch_size, on_seen=on_seen)
        )
        counts = source.counts()
        if counts.read == 0:
            raise MediaError(f"{mission.media}: holds no picture that can be read")
        judged = together(parts, rules)
        unreadable: dict[str, str] = getattr(source, "unreadable", {})
        settled = _settle(settings, mission, judged, counts, track, rules, grids, inner.release.id)
        progress.end()
        return MissionResult(
            mission.id,
            mission.media,
            counts=counts,
            started_at=track.started_at,
            duration_s=source.duration_s,
            observations=len(judged.observations),
            findings=sum(f.kind != "watch" for f in judged.findings),
            looks=len(judged.looks),
            observed_km=track.observed_m / 1000.0,
            settled=settled,
            track=track.places(),
            clip=clip.name,
            unreadable=tuple(unreadable.items()),
            notes=(
                *(p for p in getattr(source, "problems", ()) if p not in unreadable.values()),
                *(calibration or check.report().notes(Path(mission.media).name)),
                *nothing_placed(mission, counts),
            ),
        )


def nothing_placed(mission: Mission, counts: FrameCounts) -> tuple[str, ...]:
    """A sentence with the remedy, where no frame at all could be put on the map."""
    if counts.analysed == 0 or counts.without_pose < counts.analysed:
        return ()
    reason = max(counts.pose_problems, key=lambda name: counts.pose_problems[name], default="")
    remedies = [REMEDIES[reason]] if reason in REMEDIES else []
    if reason == "no telemetry" and mission.camera is None:
        remedies.append(REMEDIES["no camera"])
    return (
        f"{mission.media}: nothing can be put on the map, no frame has a pose ({reason})"
        + (f": {' and '.join(remedies)}" if remedies else ""),
    )


class _Track:
    """The camera's way over the ground, thinned to a point a second."""

    def __init__(self) -> None:
        self.started_at: datetime | None = None
        self.last_at: datetime | None = None
        self.observed_m = 0.0
        self._places: list[tuple[datetime, float, float]] = []

    def add(self, seen: Seen) -> None:
        at, pose = seen.frame.captured_at, seen.frame.pose
        if pose is None and self._places and at < self._places[0][0]:
            return  # a photo without a date comes last, with a time that counts from 1970
        self.started_at = self.started_at or at
        self.last_at = at
        if pose is None:
            return
        if not self._places or (at - self._places[-1][0]).total_seconds() >= 1.0:
            if self._places and (at - self._places[-1][0]).total_seconds() <= LONGEST_STEP_S:
                self.observed_m += float(
                    distance_m(*self._places[-1][1:], pose.lat_deg, pose.lon_deg)
                )
            self._places.append((at, pose.lat_deg, pose.lon_deg))

    @property
    def elapsed_s(self) -> float:
        if self.started_at is None or self.last_at is None:
            return 0.0
        return max(0.0, (self.last_at - self.started_at).total_seconds())

    def places(self) -> tuple[tuple[float, float], ...]:
        return tuple((lat, lon) for _, lat, lon in self._places)


def _settle(
    settings: Settings,
    mission: Mission,
    judged: Judged,
    counts: FrameCounts,
    track: _Track,
    rules: Rulebook,
    grids: GridIndex | None,
    release_id: str,
) -> Settled:
    store = wiring.store(settings.database_url)
    try:
        with store.transaction() as transaction:
            settled = settle(transaction, judged, rules=rules, mission_id=mission.id, grids=grids)
            if track.last_at is not None:
                transaction.finish_mission(
                    MissionRecord(
                        id=mission.id,
                        digest=f"{fingerprint(Path(mission.media))}:{release_id}",
                        state="done",
                        counts={"read": counts.read, "analysed": counts.analysed,
                                "observations": len(judged.observations)},
                        finished_at=track.last_at,
                    )
                )  # fmt: skip
        return settled
    finally:
        store.close()
