"""Door 2: live streams, the same pipeline as recordings, until a signal.

One thread follows each stream and settles what it finds as tracks close; they share one detector,
whose calls take turns. A stream that fails comes back by itself and takes no other one with it.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from patrolvision import wiring
from patrolvision.config import WatchFile, load_watch
from patrolvision.deliver import check_writable
from patrolvision.errors import EXIT_OK, EXIT_SOME_ITEMS_FAILED, ConfigError, StoreError
from patrolvision.follower import Follower, Say, Shared
from patrolvision.pacing import Pacing
from patrolvision.stopping import stopped_by_signals
from patrolvision.store import changes
from patrolvision.store.sql_store import SqlStore

log = logging.getLogger(__name__)

POLL_S = 0.2
SILENT_S = 60.0  # a stream whose newest frame is older is failing


def watch(
    file: WatchFile, *, stop: threading.Event, say: Say = lambda line: None
) -> dict[str, Any]:
    """Follow all streams until they end or stop is set; the summary, JSON-ready.

    say is told of connections, tickets as they are raised, and every report_every_s how each
    stream is doing. CallError when the settings are wrong, or nothing can be written any more.
    """
    settings = file.settings
    check_writable(settings.out)
    rules = wiring.rulebook(settings.zones, settings)
    grids = wiring.grids(settings.grids)
    cameras = [wiring.camera(entry.camera) for entry in file.source]
    with closing(wiring.store(settings.database_url)) as store:
        with closing(wiring.detector(settings, unsure_share=wiring.UNSURE_SHARE)) as detector:
            _check_asked(file, detector.release.classes)
            shared = Shared(file, detector, rules, grids, store, stop, say, Pacing(file))
            followers = [
                Follower(entry, camera, shared)
                for entry, camera in zip(file.source, cameras, strict=True)
            ]
            try:
                _follow_all(followers, shared)
            finally:
                _off(followers, store)
        for follower in followers:
            if follower.fatal is not None:
                raise follower.fatal
        counts = store.counts()
    return {
        "streams": [follower.told() for follower in followers],
        "incidents": counts["incidents"],
        "tickets": counts["tickets"],
        "failed": [{"item": f.entry.id, "error": f.error} for f in followers if f.error],
    }


def _check_asked(file: WatchFile, classes: Sequence[str]) -> None:
    """ConfigError where a profile asks for what the detector does not know."""
    for profile in file.profile:
        unknown = sorted(set(profile.classes or ()) - set(classes))
        if unknown:
            raise ConfigError(
                f"profile {profile.name!r}: classes: the detector knows no {unknown[0]!r}, but "
                f"{', '.join(classes)}"
            )


def _follow_all(followers: Sequence[Follower], shared: Shared) -> None:
    """Run a thread per stream until all have ended; report on them at intervals."""
    threads = [threading.Thread(target=f.run, name=f.entry.id) for f in followers]
    for thread in threads:
        thread.start()
    report_at = time.monotonic() + shared.file.report_every_s
    while any(thread.is_alive() for thread in threads) and not shared.stop.wait(POLL_S):
        if time.monotonic() >= report_at:
            report_at = time.monotonic() + shared.file.report_every_s
            for follower in followers:
                shared.say(follower.line())
            _beat(followers, shared)
    for thread in threads:
        thread.join()


def _beat(followers: Sequence[Follower], shared: Shared) -> None:
    """Say to the store which streams are followed, and how old their newest frames are.

    An office on the same store shows a stream as failing when that grows old, or is said no more.
    """
    silent_s = max(SILENT_S, 3.0 * shared.file.report_every_s)
    for follower in followers:
        at = datetime.now(UTC) - timedelta(seconds=follower.silent_s)
        try:
            changes.beat(shared.store.engine, follower.name, at, {"silent_s": silent_s})
        except StoreError as error:
            log.warning("%s: the store takes no heartbeat: %s", follower.entry.id, error)


def _off(followers: Sequence[Follower], store: SqlStore) -> None:
    """Take the streams off: they have ended as they should, or were asked to."""
    for follower in followers:
        if follower.fatal is None:
            with suppress(StoreError):
                changes.still(store.engine, follower.name)


def _print(summary: dict[str, Any]) -> None:
    for told in summary["streams"]:
        frames = told["frames"]
        skipped = ", ".join(f"{n} {reason}" for reason, n in sorted(frames["skipped"].items()))
        sys.stdout.write(
            f"{told['stream_id']}: {told['sessions']} sessions, {frames['read']} frames read = "
            f"{frames['analysed']} analysed + skipped ({skipped or 'none'}), "
            f"{told['observations']} observations, {told['tickets_raised']} tickets raised\n"
        )
    sys.stdout.write(f"{summary['incidents']} incidents, {summary['tickets']} tickets\n")


def main(args: argparse.Namespace) -> int:
    """`patrolvision watch`."""
    file = load_watch(args.config)
    stop = threading.Event()

    def say(line: str) -> None:
        sys.stderr.write(f"{line}\n")

    with stopped_by_signals(stop):
        summary = watch(file, stop=stop, say=say)
    for failure in summary["failed"]:
        sys.stderr.write(f"patrolvision: {failure['error']}\n")
    if args.json:
        sys.stdout.write(json.dumps(summary, ensure_ascii=False) + "\n")
    else:
        _print(summary)
    return EXIT_SOME_ITEMS_FAILED if summary["failed"] else EXIT_OK
