"""Door 1: recorded missions in; tickets, a map, annotated clips and a report out."""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from patrolvision import wiring
from patrolvision.config import Settings, checked, load_missions
from patrolvision.deliver import check_writable, deliver, print_tickets
from patrolvision.errors import (
    EXIT_OK,
    EXIT_SOME_ITEMS_FAILED,
    CallError,
    ConfigError,
    ItemError,
)
from patrolvision.missions import MissionResult, fingerprint, run_mission, warm_up
from patrolvision.progress import watching
from patrolvision.types import Mission


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
        telemetry_datum=args.telemetry_datum,
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
    warming = threading.Thread(target=_warm_up, args=(settings, missions))
    warming.start()  # beside what follows, which waits for the disk and for imports
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
    wiring.elevation(settings.elevation)
    warming.join()
    started = time.monotonic()
    results: list[MissionResult] = []
    for result in _results(settings, missions):
        results.append(result)
        on_result(result)
        if result.error is not None:
            failed[result.mission_id] = result.error
            sys.stderr.write(f"patrolvision: {result.error}\n")
        failed.update(result.unreadable)
        sys.stderr.writelines(f"patrolvision: {error}\n" for _, error in result.unreadable)
        sys.stderr.writelines(f"{note}\n" for note in result.notes)
    order = {mission.id: k for k, mission in enumerate(missions)}
    results.sort(key=lambda r: order[r.mission_id])
    delivered = deliver(settings, missions, results, failed, release=chosen.id, title=title)
    return summary(settings, results, failed, delivered, time.monotonic() - started)


def _warm_up(settings: Settings, missions: Sequence[Mission]) -> None:
    if settings.executor == "local" and missions:
        warm_up(settings, missions[0])


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
                     "tiling", "executor", "workers", "timezone", "zones", "grids", "elevation")
        if (value := getattr(args, name)) is not None
    }  # fmt: skip
    values["analysis_fps"] = None if args.analysis_fps == 0 else args.analysis_fps
    values["clip"] = not args.no_clip
    values["pictures"] = not args.no_pictures
    values["calibrate"] = args.calibrate
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
