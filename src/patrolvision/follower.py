"""One live stream on its way through the pipeline: followed, judged in company, settled at once.

Bounded in everything that could grow while a stream runs for months: the past that new observations
are judged beside, and what is kept while the store refuses it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from patrolvision import wiring
from patrolvision.config import StreamEntry, WatchFile
from patrolvision.early import OpenTracks
from patrolvision.errors import CallError, ItemError, StoreError
from patrolvision.pacing import Gate, Pacing
from patrolvision.pipeline import Judged, Seen, Settled, Stages, followed, settle, together
from patrolvision.ports import Detector
from patrolvision.rules.rulebook import Rulebook
from patrolvision.sources.sessions import Session, Stream
from patrolvision.store.sql_store import SqlStore
from patrolvision.tickets.grids import GridIndex
from patrolvision.types import Camera, Finding, FrameCounts, Mission, Ticket

log = logging.getLogger(__name__)

COMPANY = 64  # observations of the recent past that new ones are judged beside
MOST_UNSETTLED = 2000  # observations and looks kept while the store refuses them

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Shared:
    """What all streams of a watch have in common; say tells the user one line."""

    file: WatchFile
    detector: Detector
    rules: Rulebook
    grids: GridIndex | None
    store: SqlStore
    stop: threading.Event
    say: Say
    pacing: Pacing


class Company:
    """The recent past of one session: the rules see more in company (queues, smoke by its fire).

    Memory is bounded by COMPANY observations; what is older keeps its last verdict.
    """

    def __init__(self, rules: Rulebook) -> None:
        self._rules = rules
        self._recent: deque[Judged] = deque()
        self._verdicts: dict[str, Finding] = {}

    def judged(self, judged: Judged) -> Judged:
        """The same observations, with every finding that is new or changed by their company."""
        if not judged.observations:
            return judged
        newer = {o.id for o in judged.observations}
        self._recent = deque(_without(part, newer) for part in self._recent)
        self._recent.append(judged)
        while len(self._recent) > 1 and self._size() > COMPANY:
            self._recent.popleft()
        found = {f.id: f for f in together(self._recent, self._rules).findings}
        changed = tuple(f for id, f in found.items() if self._verdicts.get(id) != f)
        self._verdicts = found
        return Judged(judged.observations, changed, judged.looks)

    def _size(self) -> int:
        return sum(len(part.observations) for part in self._recent)


def _without(part: Judged, ids: set[str]) -> Judged:
    """A part of the past without what has been seen longer since."""
    observations = tuple(o for o in part.observations if o.id not in ids)
    findings = tuple(f for f in part.findings if f.observation.id not in ids)
    return Judged(observations, findings, part.looks)


class Desk:
    """Settles what one stream finds; what the store refuses now is offered again the next time."""

    def __init__(
        self, store: SqlStore, grids: GridIndex | None, rules: Rulebook | None = None
    ) -> None:
        self._store, self._grids, self._rules = store, grids, rules
        self._unsettled: list[Judged] = []

    def settle(self, judged: Judged) -> Settled:
        """What the transaction changed: nothing, if the store refused it; no frame waits for it.

        StoreError when it has refused too much to keep.
        """
        self._unsettled.append(judged)
        try:
            return self.clear()
        except StoreError as error:
            if sum(len(p.observations) + len(p.looks) for p in self._unsettled) > MOST_UNSETTLED:
                raise
            log.warning("kept for later: %s", error)
            return Settled(0, 0, 0)

    def clear(self) -> Settled:
        """Settle everything that waits, in one transaction; StoreError if the store refuses."""
        waiting = Judged(
            tuple(o for part in self._unsettled for o in part.observations),
            tuple({f.id: f for part in self._unsettled for f in part.findings}.values()),
            tuple(look for part in self._unsettled for look in part.looks),
        )
        if not waiting.observations and not waiting.looks:
            return Settled(0, 0, 0)
        with self._store.transaction() as transaction:
            settled = settle(transaction, waiting, rules=self._rules, grids=self._grids)
        self._unsettled.clear()
        return settled


class Follower:
    """One stream on its way through the pipeline, and how it is doing."""

    def __init__(self, entry: StreamEntry, camera: Camera | None, shared: Shared) -> None:
        self.entry, self.error = entry, ""
        self.fatal: CallError | None = None
        self._camera, self._shared = camera, shared
        self._desk = Desk(shared.store, shared.grids, shared.rules)
        self._stream: Stream | None = None
        self._past = FrameCounts(0, 0, {})
        self._session: Session | None = None
        self._sessions = self._observations = self._tickets = self._looks = 0
        self._newest_at: datetime | None = None
        self._analysed_s = time.monotonic()

    def run(self) -> None:
        """Follow the stream to its end; what breaks it is told, and ends this stream alone.

        A wrong call (a full disk, a lost database) would end every stream: it is kept in fatal.
        """
        try:
            self._follow()
        except ItemError as error:
            self.error = str(error)
        except CallError as error:
            self.fatal = error
            self._shared.stop.set()
        except Exception as error:  # the door of a thread: nobody above could hear it
            log.exception("%s: stream ended", self.entry.id)
            self.error = f"{self.entry.id}: {error}"

    def _follow(self) -> None:
        shared = self._shared
        self._stream = wiring.stream(self.entry, self._camera, shared.file, shared.stop)
        try:
            for session in self._stream.sessions():
                self._sessions += 1
                shared.say(f"{self.entry.id}: connected (session {self._sessions})")
                self._session = session
                try:
                    self._play(session)
                finally:
                    self._past, self._session = plus(self._past, session.counts()), None
        finally:
            self._tell(self._desk.clear())

    def _play(self, session: Session) -> None:
        stages, file, pacing = self._stages(session), self._shared.file, self._shared.pacing
        company, in_view = Company(self._shared.rules), OpenTracks(stages)

        def on_seen(seen: Seen) -> None:
            session.done(seen.frame)
            self._newest_at, self._analysed_s = seen.frame.captured_at, time.monotonic()
            early = in_view.judged(seen.frame.captured_at)
            if early is not None:
                self._tell(self._desk.settle(company.judged(pacing.asked(self.entry, early))))

        with closing(Gate(pacing, self.entry, file.settings.analysis_fps)) as gate:
            refuse = gate.refused if file.profile or file.budget_fps else None
            for found in followed(session.frames(refuse), stages, on_seen=on_seen):
                judged = pacing.asked(self.entry, found)
                self._observations += len(judged.observations)
                self._looks += len(judged.looks)
                self._tell(self._desk.settle(company.judged(judged)))

    def _stages(self, session: Session) -> Stages:
        settings, release = self._shared.file.settings, self._shared.detector.release
        camera = getattr(session.source, "camera", None) or self._camera
        mission = Mission(id=session.mission_id, media=self.entry.id, stream_id=self.entry.id)
        return Stages(
            detector=wiring.detector_for(self._shared.detector, camera, settings),
            tracker=wiring.tracker(settings, camera),
            book=wiring.book(mission, camera, release),
            rules=self._shared.rules,
            keeper=wiring.keeper(settings, release),
            coverage=wiring.coverage(mission, camera, release, settings),
        )

    def _tell(self, settled: Settled) -> None:
        self._tickets += len(settled.raised)
        for ticket in settled.raised:
            self._shared.say(spoken(ticket))

    def counts(self) -> FrameCounts:
        """Every frame of every session so far, by what became of it."""
        past, session = self._past, self._session
        return past if session is None else plus(past, session.counts())

    def told(self) -> dict[str, Any]:
        """What the summary says of this stream."""
        counts = self.counts()
        return {
            "stream_id": self.entry.id,
            "sessions": self._sessions,
            "frames": {"read": counts.read, "analysed": counts.analysed,
                       "skipped": dict(counts.skipped), "without_pose": counts.without_pose,
                       "pose_problems": dict(counts.pose_problems)},
            "observations": self._observations,
            "looks": self._looks,
            "tickets_raised": self._tickets,
            "newest_frame_at": self._newest_at and self._newest_at.isoformat(),
        }  # fmt: skip

    @property
    def name(self) -> str:
        """What the store's heartbeats call this stream."""
        return f"stream:{self.entry.id}"

    @property
    def silent_s(self) -> float:
        """Time since the newest frame was analysed, or since the watcher began."""
        return time.monotonic() - self._analysed_s

    def line(self) -> str:
        """How the stream is doing, in one line; its health is the age of its newest frame."""
        counts, stream = self.counts(), self._stream
        parts = [
            f"{self.entry.id}: newest frame {time.monotonic() - self._analysed_s:.1f} s ago"
            if self._newest_at
            else f"{self.entry.id}: no frame yet",
            f"{max(self._sessions - 1, 0)} reconnects",
            f"{counts.read} read, {counts.analysed} analysed, "
            f"{counts.skipped.get('superseded', 0)} superseded, {counts.without_pose} without pose",
            f"{self._observations} observations, {self._tickets} tickets",
        ]
        if stream is not None and self._session is None and stream.problem is not None:
            parts.append(f"not connected, {stream.failures} tries ({stream.problem})")
        return " · ".join(parts)


def plus(a: FrameCounts, b: FrameCounts) -> FrameCounts:
    """Both together."""
    skipped = Counter(a.skipped) + Counter(b.skipped)
    problems = Counter(a.pose_problems) + Counter(b.pose_problems)
    return FrameCounts(
        a.read + b.read, a.analysed + b.analysed, skipped, a.without_pose + b.without_pose, problems
    )


def spoken(ticket: Ticket) -> str:
    """A ticket in one line."""
    place, grid = ticket.place, ticket.grid.unit_grid or "–"
    where = f"{place.lat_deg:.6f}, {place.lon_deg:.6f} ± {place.sigma_m:.1f} m"
    return f"ticket {ticket.id}: {ticket.category} ({ticket.priority}) at {where}, grid {grid}"
