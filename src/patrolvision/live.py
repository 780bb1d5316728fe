"""Door 2: live streams, the same pipeline as recordings, until a signal.

One thread follows each stream and settles what it finds as tracks close; they share one detector,
whose calls take turns. A stream that fails comes back by itself and takes no other one with it.
"""

from __future__ import annotations

import argparse
import json
import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from types import FrameType
from typing import Any

from patrolvision import wiring
from patrolvision.config import StreamEntry, WatchFile, load_watch
from patrolvision.deliver import check_writable
from patrolvision.errors import EXIT_OK, EXIT_SOME_ITEMS_FAILED, ItemError, PatrolVisionError
from patrolvision.pipeline import Judged, Seen, Stages, followed, settle
from patrolvision.ports import Detector
from patrolvision.rules.rulebook import Rulebook
from patrolvision.sources.stream import Session
from patrolvision.store.sql_store import SqlStore
from patrolvision.tickets.grids import GridIndex
from patrolvision.types import Camera, Mission, Ticket

log = logging.getLogger(__name__)


@dataclass(slots=True)
class StreamStatus:
    """How one stream is doing; health is the age of its newest analysed frame."""

    stream_id: str
    sessions: int = 0
    read: int = 0
    analysed: int = 0
    without_pose: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    observations: int = 0
    newest_frame_at: datetime | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class _Shared:
    file: WatchFile
    detector: Detector
    rules: Rulebook
    grids: GridIndex | None
    store: SqlStore
    stop: threading.Event
    say: Callable[[str], None]


def _stages(entry: StreamEntry, session: Session, camera: Camera | None, shared: _Shared) -> Stages:
    settings = shared.file.settings
    release = shared.detector.release
    mission = Mission(id=session.mission_id, media=entry.url, stream_id=entry.id)
    return Stages(
        detector=wiring.detector_for(shared.detector, camera, settings),
        tracker=wiring.tracker(release),
        book=wiring.book(mission, camera, release),
        rules=shared.rules,
        keeper=wiring.keeper(settings, release),
    )


def _watch_one(entry: StreamEntry, shared: _Shared, status: StreamStatus) -> None:
    camera = wiring.camera(entry.camera)
    stream = wiring.stream(entry, camera, shared.file, shared.stop)
    for session in stream.sessions():
        status.sessions += 1
        shared.say(f"{entry.id}: connected (session {status.sessions})")

        def on_seen(seen: Seen) -> None:
            status.newest_frame_at = seen.frame.captured_at

        stages = _stages(entry, session, camera, shared)
        for judged in followed(session.frames(), stages, on_seen=on_seen):
            _settle(judged, shared, status)
        counts = session.counts()
        status.read += counts.read
        status.analysed += counts.analysed
        status.without_pose += counts.without_pose
        for reason, number in counts.skipped.items():
            status.skipped[reason] = status.skipped.get(reason, 0) + number


def _settle(judged: Judged, shared: _Shared, status: StreamStatus) -> None:
    with shared.store.transaction() as transaction:
        settled = settle(transaction, judged, grids=shared.grids)
    status.observations += len(judged.observations)
    for ticket in settled.raised:
        shared.say(_spoken(ticket))


def _spoken(ticket: Ticket) -> str:
    place = ticket.place
    return (
        f"ticket {ticket.id}: {ticket.category} ({ticket.priority}) at "
        f"{place.lat_deg:.6f}, {place.lon_deg:.6f} ± {place.sigma_m:.1f} m, "
        f"grid {ticket.grid.unit_grid or '–'}"
    )


def _guarded(entry: StreamEntry, shared: _Shared, status: StreamStatus) -> None:
    """Follow one stream; whatever breaks it is logged and ends this stream alone."""
    try:
        _watch_one(entry, shared, status)
    except ItemError as error:
        status.error = str(error)
    except PatrolVisionError as error:
        status.error = str(error)
        shared.stop.set()
    except Exception as error:  # the door of a thread: nobody above could hear it
        log.exception("%s: stream ended", entry.id)
        status.error = f"{entry.id}: {error}"


@contextmanager
def _signals(stop: threading.Event) -> Iterator[None]:
    """SIGINT and SIGTERM ask for a clean stop while the context lasts."""

    def ask(number: int, frame: FrameType | None) -> None:
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {s: signal.signal(s, ask) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def watch(
    file: WatchFile, *, stop: threading.Event, say: Callable[[str], None] = lambda line: None
) -> dict[str, Any]:
    """Follow all streams until they end or stop is set; the summary, JSON-ready."""
    settings = file.settings
    check_writable(settings.out)
    shared = _Shared(
        file=file,
        detector=wiring.detector(settings),
        rules=wiring.rulebook(settings.zones, settings),
        grids=wiring.grids(settings.grids),
        store=wiring.store(settings.database_url),
        stop=stop,
        say=say,
    )
    statuses = [StreamStatus(entry.id) for entry in file.source]
    threads = [
        threading.Thread(target=_guarded, args=(entry, shared, status), name=entry.id)
        for entry, status in zip(file.source, statuses, strict=True)
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if stop.wait(0.2):
            break
    for thread in threads:
        thread.join()
    counts = shared.store.counts()
    shared.detector.close()
    shared.store.close()
    return {
        "streams": [_told(status) for status in statuses],
        "incidents": counts["incidents"],
        "tickets": counts["tickets"],
        "failed": [{"item": s.stream_id, "error": s.error} for s in statuses if s.error],
    }


def _told(status: StreamStatus) -> dict[str, Any]:
    return {
        "stream_id": status.stream_id,
        "sessions": status.sessions,
        "frames": {"read": status.read, "analysed": status.analysed, "skipped": status.skipped,
                   "without_pose": status.without_pose},
        "observations": status.observations,
        "newest_frame_at": status.newest_frame_at and status.newest_frame_at.isoformat(),
    }  # fmt: skip


def main(args: argparse.Namespace) -> int:
    """`patrolvision watch`."""
    file = load_watch(args.config)
    stop = threading.Event()

    def say(line: str) -> None:
        sys.stderr.write(f"{line}\n")

    with _signals(stop):
        summary = watch(file, stop=stop, say=say)
    for failure in summary["failed"]:
        sys.stderr.write(f"patrolvision: {failure['error']}\n")
    if args.json:
        sys.stdout.write(json.dumps(summary) + "\n")
    else:
        for told in summary["streams"]:
            frames = told["frames"]
            sys.stdout.write(
                f"{told['stream_id']}: {told['sessions']} sessions, {frames['read']} frames read, "
                f"{frames['analysed']} analysed, {told['observations']} observations\n"
            )
        sys.stdout.write(f"{summary['incidents']} incidents, {summary['tickets']} tickets\n")
    return EXIT_SOME_ITEMS_FAILED if summary["failed"] else EXIT_OK
