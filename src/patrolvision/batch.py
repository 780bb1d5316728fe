"""Door 1: recorded missions in; tickets, a map, annotated clips and a report out."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from patrolvision import wiring
from patrolvision.config import Settings, checked, load_missions
from patrolvision.deliver import check_writable, deliver, nothing_placed, print_tickets
from patrolvision.errors import (
    EXIT_OK,
    EXIT_SOME_ITEMS_FAILED,
    CallError,
    ConfigError,
    ItemError,
    MediaError,
)
from patrolvision.geo.geodesy import distance_m
from patrolvision.pipeline import Judged, Seen, Settled, Stages, followed, settle, together
from patrolvision.ports import Detector
from patrolvision.progress import Progress, watching
from patrolvision.rules.rulebook import Rulebook
from patrolvision.tickets.grids import GridIndex
from patrolvision.types import FrameCounts, Mission, MissionRecord

FINGERPRINT_BYTES = 1 << 20  # of each end of a file: enough to tell recordings apart

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


def _loose_mission(path: Path, args: argparse.Namespace) -> Mission:
    started_at = None
    if args.started_at is not None:
        try:
            started_at = datetime.fromisoformat(args.started_at)
        except ValueError as error:
            raise ConfigError(f"--started-at: {args.started_at!r} is not an ISO time") from error
        if started_at.tzinfo is None:
            raise ConfigError(f"--started-at: {args.started_at!r} needs an offset, e.g. +08:00")
    return Mission(
        id=f"{path.stem}-{fingerprint(path)}",
        media=str(path),
        stream_id=path.stem,
        telemetry=args.telemetry,
        camera=args.camera,
        zones=args.zones,
        grids=args.grids,
        started_at=started_at,
    )


def missions_of(args: argparse.Namespace, failed: dict[str, str]) -> list[Mission]:
    """The missions a call names; media that cannot be read go into failed by their path."""
    from patrolvision.sources.opening import list_media

    missions: list[Mission] = []
    media: list[Path] = []
    for path in args.media:
        if path.suffix.lower() == ".toml":
            found = load_missions(path)
            missions += [replace(m, zones=m.zones or args.zones, grids=m.grids or args.grids)
                         for m in found]  # fmt: skip
        else:
            media.append(path)
    for path in media:
        try:
            missions += [_loose_mission(item, args) for item in list_media([path])]
        except ItemError as error:
            failed[str(path)] = str(error)
        except OSError as error:
            failed[str(path)] = f"{path}: cannot be read ({error.strerror})"
    if args.telemetry is not None and len(missions) > 1:
        raise ConfigError(
            f"--telemetry: one file for {len(missions)} recordings; "
            "name each recording's own in a mission file"
        )
    seen: dict[str, Mission] = {}
    for mission in missions:
        seen.setdefault(mission.id, mission)
    return list(seen.values())


@lru_cache(maxsize=2)
def _shared_detector(
    settings: Settings, threads: int | None, unsure_share: float, input_px: int | None
) -> Detector:
    return wiring.detector(settings, threads=threads, unsure_share=unsure_share, input_px=input_px)


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
    rules = wiring.rulebook(mission.zones or settings.zones, settings, {})
    grids = wiring.grids(mission.grids or settings.grids)
    is_photos = wiring.is_photos(mission)
    with ExitStack() as stack:
        source = wiring.recording(mission, camera, settings)
        stack.callback(source.close)
        unsure_share = 1.0 if is_photos else wiring.UNSURE_SHARE
        inner = _shared_detector(settings, threads, unsure_share, mission.input_px)
        seen_by = getattr(source, "camera", None) or camera
        stages = Stages(
            detector=wiring.detector_for(inner, seen_by, settings),
            tracker=wiring.tracker(settings, seen_by),
            book=wiring.book(mission, seen_by, inner.release, is_photos=is_photos),
            rules=rules,
            keeper=wiring.keeper(settings, inner.release),
            coverage=wiring.coverage(mission, seen_by, inner.release),
        )
        track = _Track()
        clip = stack.enter_context(
            wiring.clip(settings, mission, source, inner.release, is_photos=is_photos)
        )
        progress.begin(mission.id, source.duration_s)

        def on_seen(seen: Seen) -> None:
            track.add(seen)
            clip.add(seen.frame, seen.detections)
            progress.advance(track.elapsed_s)

        parts = list(
            followed(source.frames(), stages, batch_size=settings.batch_size, on_seen=on_seen)
        )
        counts = source.counts()
        if counts.read == 0:
            raise MediaError(f"{mission.media}: holds no picture that can be read")
        judged = together(parts, rules)
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
            notes=(*getattr(source, "problems", ()), *nothing_placed(mission, counts)),
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
        return (self.last_at - self.started_at).total_seconds()

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


def run(
    settings: Settings,
    missions: Sequence[Mission],
    failed: dict[str, str],
    *,
    title: str = "Patrol report",
    on_result: Callable[[MissionResult], None] = lambda result: None,
) -> dict[str, Any]:
    """Run missions and deliver their outputs; the summary, JSON-ready."""
    check_writable(settings.out)
    chosen = wiring.release(settings)
    wiring.store(settings.database_url).close()
    for path in {m.camera for m in missions}:
        wiring.camera(path)
    refused: dict[str, str] = {}
    for path in {m.zones or settings.zones for m in missions}:
        wiring.rulebook(path, settings, refused)
    for problem in refused.values():
        sys.stderr.write(f"patrolvision: {problem}\n")
    failed.update(refused)
    for path in {m.grids or settings.grids for m in missions}:
        wiring.grids(path)
    started = time.monotonic()
    results: list[MissionResult] = []
    for result in _results(settings, missions):
        results.append(result)
        on_result(result)
        if result.error is not None:
            failed[result.mission_id] = result.error
            sys.stderr.write(f"patrolvision: {result.error}\n")
        sys.stderr.writelines(f"{note}\n" for note in result.notes)
    order = {mission.id: k for k, mission in enumerate(missions)}
    results.sort(key=lambda r: order[r.mission_id])
    delivered = deliver(settings, missions, results, failed, release=chosen.id, title=title)
    return summary(settings, results, failed, delivered, time.monotonic() - started)


def _results(settings: Settings, missions: Sequence[Mission]) -> Iterator[MissionResult]:
    executor = wiring.executor(settings)
    if settings.executor == "local":
        with watching(len(missions)) as progress:
            yield from executor.map(partial(run_mission, settings, progress=progress), missions)
    else:
        yield from executor.map(partial(run_mission, settings, threads=1), missions)


def summary(
    settings: Settings,
    results: Sequence[MissionResult],
    failed: dict[str, str],
    delivered: dict[str, Any],
    wall_s: float,
) -> dict[str, Any]:
    """One JSON object about a run."""
    missions = []
    for r in results:
        entry: dict[str, Any] = {"mission_id": r.mission_id, "media": r.media}
        if r.error is not None:
            entry["error"] = r.error
        if r.counts is not None:
            entry["frames"] = {
                "read": r.counts.read,
                "analysed": r.counts.analysed,
                "skipped": dict(r.counts.skipped),
                "without_pose": r.counts.without_pose,
                "pose_problems": dict(r.counts.pose_problems),
            }
            entry |= {
                "observations": r.observations,
                "findings": r.findings,
                "looks": r.looks,
                "observed_km": round(r.observed_km, 3),
                "new_observations": r.settled.observations,
                "changed_incidents": r.settled.incidents,
                "changed_tickets": r.settled.tickets,
                "seconds": round(r.wall_s, 2),
                "clip": r.clip,
                "notes": list(r.notes),
            }
        missions.append(entry)
    return {
        "missions": missions,
        "observations": sum(r.observations for r in results),
        "looks": sum(r.looks for r in results),
        "observed_km": round(sum(r.observed_km for r in results), 3),
        "new_observations": sum(r.settled.observations for r in results),
        **delivered,
        "db": settings.database_url if "@" not in settings.database_url else "(given)",
        "out": str(settings.out),
        "seconds": round(wall_s, 2),
        "failed": [{"item": item, "error": error} for item, error in failed.items()],
    }


def settings_of(args: argparse.Namespace) -> Settings:
    """The settings a command line gives."""
    values = {
        name: value
        for name in ("out", "db", "model", "models_dir", "engine", "precision", "input_px",
                     "tiling", "executor", "workers", "timezone", "zones", "grids")
        if (value := getattr(args, name)) is not None
    }  # fmt: skip
    values["analysis_fps"] = None if args.analysis_fps == 0 else args.analysis_fps
    values["clip"] = not args.no_clip
    values["pictures"] = not args.no_pictures
    return checked(Settings, values, where="the command line")


def main(args: argparse.Namespace) -> int:
    """`patrolvision run`."""
    settings = settings_of(args)
    failed: dict[str, str] = {}
    missions = missions_of(args, failed)
    for error in failed.values():
        sys.stderr.write(f"patrolvision: {error}\n")
    if not missions and not failed:
        raise CallError("no recordings were found in what was given")
    done = run(settings, missions, failed)
    if args.json:
        sys.stdout.write(json.dumps(done, ensure_ascii=False) + "\n")
    else:
        print_tickets(done)
    return EXIT_SOME_ITEMS_FAILED if failed else EXIT_OK
