"""What devices send: observations and looks through rules, fusion and tickets, as `fuse` does it.

Posts that come while others are being written are written together in the next transaction
(group commit, by one thread of a worker): many small posts cost little more than one large one.
Each is judged by itself, so that what it leads to does not depend on whom it travelled with.
"""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from patrolvision import records, wiring
from patrolvision.api.security import Office, Principal
from patrolvision.errors import ObservationError, StoreError
from patrolvision.pipeline import Judged, places_of, settle
from patrolvision.rules.rulebook import Rulebook
from patrolvision.store.areas import area_version
from patrolvision.store.office_reads import known_looks, known_observations
from patrolvision.tickets.grids import GridIndex
from patrolvision.types import Finding, GridCodes, Look, Observation
from patrolvision.types.identity import LONGEST_NAME

CLOCK_TOLERANCE = timedelta(minutes=5)  # a device's clock may be that much ahead of ours
MOST = 1000  # items of one post, and about so many of one transaction
MOST_CORNERS = 500  # of a look
LONGEST_LOOK = timedelta(days=1)  # one of years would prove for ever that things are gone
QUICK = 10  # items that are read where they come in
ASK_AGAIN_S = 2.0  # how long zones, grids and classes are taken to be what they were
GATHER_S = 0.004  # after the first post, for those that come with it; again while there are such
MOST_GATHERINGS = 6
IDLE_S = 1.0  # of the writing thread, before it ends
FIELD = re.compile(r"field (\w+)")
Item = TypeVar("Item", Observation, Look)


@dataclass(slots=True)
class Post:
    """What one call brought, and what became of it."""

    observations: tuple[Observation, ...] = ()
    looks: tuple[Look, ...] = ()
    new: int = 0
    written: Future[None] = field(default_factory=Future)

    @property
    def size(self) -> int:
        """Items of the post."""
        return len(self.observations) + len(self.looks)


@dataclass(slots=True)
class Layers:
    """The rules and grids in force, read again when the office has put others."""

    office: Office
    _asked_at: float = -1e9
    _versions: tuple[int, int] = (-1, -1)
    _rules: Rulebook = field(default_factory=Rulebook)
    _grids: GridIndex | None = None
    _classes: frozenset[str] = frozenset()
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def now(self) -> tuple[Rulebook, GridIndex | None]:
        """The rules over the stored zones, and the stored grids."""
        with self._lock:
            self._look_now_and_then()
            return self._rules, self._grids

    def classes(self) -> frozenset[str]:
        """The classes that registered algorithms add."""
        with self._lock:
            self._look_now_and_then()
            return self._classes

    @property
    def are_fresh(self) -> bool:
        """Whether they are known without a look into store and files."""
        return time.monotonic() - self._asked_at <= ASK_AGAIN_S

    def _look_now_and_then(self) -> None:
        if not self.are_fresh:
            self._look()
            self._asked_at = time.monotonic()

    def _look(self) -> None:
        self._classes = wiring.registered_classes()
        store = self.office.store
        zones, grids = (area_version(store.engine, kind) for kind in ("zones", "grids"))
        if zones != self._versions[0]:
            self._rules = wiring.stored_rulebook(store, self.office.settings.timezone)
        if grids != self._versions[1]:
            self._grids = wiring.stored_grids(store)
        self._versions = zones, grids


class Intake:
    """The one way in of an application, for all its threads."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._layers = Layers(office)
        self._waiting: list[Post] = []
        self._entry = threading.Condition()
        self._writer: threading.Thread | None = None

    def is_quick_to_read(self, items: Sequence[Any], who: Principal) -> bool:
        """Whether reading takes a millisecond at most and no look into the store."""
        return len(items) <= QUICK and not who.areas and self._layers.are_fresh

    def read_observations(
        self, items: Sequence[Any], who: Principal
    ) -> tuple[list[Observation], list[dict[str, Any]]]:
        """The observations of a post, one per id, and the items that cannot be true."""
        latest, known = self._office.clock() + CLOCK_TOLERANCE, self._layers.classes()
        found, failed = _read(
            items, lambda r: records.observation_from_record(r, now=latest, registered=known)
        )
        return self._within(found, failed, who, lambda o: (o.place.lat_deg, o.place.lon_deg))

    def read_looks(
        self, items: Sequence[Any], who: Principal
    ) -> tuple[list[Look], list[dict[str, Any]]]:
        """The looks of a post, one per id, and the items that cannot be true."""
        latest, known = self._office.clock() + CLOCK_TOLERANCE, self._layers.classes()
        found, failed = _read(items, lambda r: _look_of(r, latest, known))
        return self._within(found, failed, who, lambda look: look.polygon[0])

    def _within(
        self,
        found: list[tuple[int, Item]],
        failed: list[dict[str, Any]],
        who: Principal,
        place_of: Callable[[Item], tuple[float, float]],
    ) -> tuple[list[Item], list[dict[str, Any]]]:
        """Without what lies outside the areas of the one who sends."""
        if not who.areas:
            return [item for _, item in found], failed
        _, grids = self._layers.now()
        kept: list[Item] = []
        for index, item in found:
            codes = GridCodes() if grids is None else grids.codes_at(*place_of(item))
            if who.covers(codes):
                kept.append(item)
            else:
                said = f"{item.id}: lies outside the areas of {who.name}"
                failed.append({"index": index, "field": None, "error": said})
        return kept, failed

    def take(self, post: Post) -> Post:
        """The post, written; StoreError if it could not be."""
        self._hand_in(post)
        post.written.result()
        return post

    async def taken(self, post: Post) -> Post:
        """The same for who must not be kept waiting."""
        self._hand_in(post)
        await asyncio.wrap_future(post.written)
        return post

    def _hand_in(self, post: Post) -> None:
        if not post.size:
            post.written.set_result(None)
            return
        with self._entry:
            self._waiting.append(post)
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_all, name="intake", daemon=True)
                self._writer.start()
            else:
                self._entry.notify()

    def _write_all(self) -> None:
        expected = 0  # posts of those who were answered last, and of those who wait
        while True:
            with self._entry:
                if not self._waiting and not self._entry.wait_for(lambda: self._waiting, IDLE_S):
                    self._writer = None
                    return
            self._gather(expected)
            posts = self._next()
            self._write(posts)
            with self._entry:
                expected = len(posts) + len(self._waiting)
                self._waiting[:0] = [post for post in posts if not post.written.done()]

    def _gather(self, expected: int) -> None:
        """Wait for those who send as soon as they are answered: a larger group costs less each.

        Not for more than `expected`: then all are there who sent something of late.
        """
        for _ in range(MOST_GATHERINGS):
            before = len(self._waiting)
            if before >= expected > 0:
                return
            time.sleep(GATHER_S)
            if len(self._waiting) == before:
                return

    def _next(self) -> list[Post]:
        """The posts that have waited longest, as many as go into one transaction."""
        with self._entry:
            size, count = 0, 0
            for post in self._waiting:
                size += post.size
                if count and size > MOST:
                    break
                count += 1
            chosen, self._waiting = self._waiting[:count], self._waiting[count:]
        return chosen

    def _write(self, posts: list[Post]) -> None:
        """What is left unwritten has to wait for others who write near it."""
        try:
            written = self.written(posts)
        except StoreError as error:
            if len(posts) == 1:
                posts[0].written.set_exception(error)
            else:  # one of them may be at fault: each by itself
                for post in posts:
                    self._write([post])
        except BaseException as error:
            for post in posts:
                if not post.written.done():
                    post.written.set_exception(error)
        else:
            for post in written:
                post.written.set_result(None)

    def written(self, posts: Sequence[Post]) -> Sequence[Post]:
        """Those of the posts that are committed now: of several, those near which nobody writes."""
        rules, grids = self._layers.now()
        judged = [_judged(post, rules) for post in posts]
        are_several = len(posts) > 1
        with self._office.store.transaction() as transaction:
            if are_several:
                free = transaction.claim_free([places_of(one) for one in judged])
                posts, judged = [posts[k] for k in free], [judged[k] for k in free]
            connection = transaction.connection
            known = known_observations(connection, _ids(o for p in posts for o in p.observations))
            known |= known_looks(connection, _ids(k for p in posts for k in p.looks))
            together = _together(judged)
            settle(
                transaction,
                together,
                rules=rules,
                grids=grids,
                is_held=are_several,
                is_part=True,
            )
        for post in posts:
            fresh = {*_ids(post.observations), *_ids(post.looks)} - known
            post.new = len(fresh)
            known |= fresh
        return posts


def _judged(post: Post, rules: Rulebook) -> Judged:
    findings = rules.findings(post.observations) if post.observations else []
    return Judged(post.observations, tuple(findings), post.looks)


def _together(parts: Sequence[Judged]) -> Judged:
    """The parts as one, each id once; of two with one id the first counts."""
    observations: dict[str, Observation] = {}
    findings: dict[str, Finding] = {}
    looks: dict[str, Look] = {}
    for part in parts:
        fresh = {o.id for o in part.observations} - observations.keys()
        observations |= {o.id: o for o in part.observations if o.id in fresh}
        findings |= {f.id: f for f in part.findings if f.observation.id in fresh}
        looks = {look.id: look for look in part.looks} | looks
    in_time = sorted(observations.values(), key=lambda o: (o.first_seen, o.id))
    return Judged(tuple(in_time), tuple(findings.values()), tuple(looks.values()))


def _ids(items: Iterable[Observation] | Iterable[Look]) -> list[str]:
    return [item.id for item in items]


def _read(
    items: Sequence[Any], reader: Callable[[Any], Item]
) -> tuple[list[tuple[int, Item]], list[dict[str, Any]]]:
    found: dict[str, tuple[int, Item]] = {}
    failed: list[dict[str, Any]] = []
    for index, item in enumerate(items):
        try:
            read = _named_shortly(reader(item))
            found.setdefault(read.id, (index, read))
        except ObservationError as error:
            named = FIELD.search(str(error))
            said = {"index": index, "field": named[1] if named else None, "error": str(error)}
            failed.append(said)
    return list(found.values()), failed


def _named_shortly(item: Item) -> Item:
    """The item, if its names fit into an index of every database."""
    for name in ("id", "mission_id", "stream_id", "model_release"):
        text = getattr(item, name, None) or ""
        if len(text) > LONGEST_NAME:
            expected = f"must have at most {LONGEST_NAME} characters, found {len(text)}"
            raise ObservationError(f"{item.id[:60]}: field {name} {expected}")
    return item


def _look_of(record: Any, now: datetime, registered: frozenset[str]) -> Look:
    look = records.look_from_record(record, now=now, registered=registered)
    if len(look.polygon) > MOST_CORNERS:
        raise ObservationError(
            f"look {look.id}: field polygon must have at most {MOST_CORNERS} corners, "
            f"found {len(look.polygon)}"
        )
    if look.end - look.start > LONGEST_LOOK:
        expected = f"must be within a day of start, found {look.end.isoformat()}"
        raise ObservationError(f"look {look.id}: field end {expected}")
    return look
