"""Answers, made beside the loop and kept as long as the store is as it was.

An answer is given again only while nothing at all has been committed since it was made, by
whichever process (store.versions), and to those alone who see the same; so it is never old. Those
who ask the same at once share one making. What is kept is bounded in bytes, and the tag of an
answer (RFC 9110, ETag) lets a client keep it as well: unchanged, it is answered 304 without a body.

One thread makes answers faster than many: they would share one interpreter, and who came first is
answered first.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from fastapi import Request
from fastapi.responses import Response
from sqlalchemy import Engine

from patrolvision.store.versions import Versions

MAKERS = 1
KNOWN_FOR = timedelta(seconds=10)  # by key or session, without being noted as seen
TRUSTED_FOR = timedelta(seconds=1)  # a key that sends, however much is committed meanwhile
MOST_KNOWN = 4096
Made = TypeVar("Made")
_Named = tuple[asyncio.AbstractEventLoop, Hashable]


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent: bytes, their kind, further headers; holds_s where time alone changes it."""

    body: bytes
    media_type: str
    headers: Mapping[str, str] = field(default_factory=dict)
    holds_s: float = float("inf")

    @property
    def size(self) -> int:
        """Bytes of memory, about."""
        return len(self.body) + 1000


@dataclass(frozen=True, slots=True)
class _Entry:
    version: Hashable
    made_s: float
    tag: str
    answer: Answer


class Kept:
    """The answers of a worker by what was asked; bytes bounds what is kept of them, 0: nothing."""

    def __init__(
        self, engine: Engine, most_bytes: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._versions, self._most, self._clock = Versions(engine), most_bytes, clock
        self._makers = ThreadPoolExecutor(MAKERS, "answer")
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._size = 0
        self._making: dict[Hashable, asyncio.Future[_Entry]] = {}
        self._asking: dict[asyncio.AbstractEventLoop, asyncio.Future[Hashable]] = {}
        self._finding: dict[_Named, asyncio.Task[Any]] = {}
        self._people: OrderedDict[Hashable, tuple[Hashable, datetime, object]] = OrderedDict()
        self.again = self.made = 0

    def make(self, build: Callable[[], Made]) -> asyncio.Future[Made]:
        """What build returns, from one of the makers' threads."""
        return asyncio.get_running_loop().run_in_executor(self._makers, build)

    async def version(self, request: Request) -> Hashable:
        """The state of the store when this request was first asked about."""
        known: Hashable = getattr(request.state, "version", None)
        if known is None:
            known = request.state.version = await self._version()
        return known

    async def _version(self) -> Hashable:
        """The state as it is now; who asks while a server is being asked shares the next answer."""
        if self._versions.is_instant:
            return self._versions.now()
        loop = asyncio.get_running_loop()
        before = self._asking.get(loop)
        if before is not None:  # it may have been asked before this request came
            await asyncio.wait([before])
        asking = self._asking.get(loop)
        if asking is None or asking is before:
            asking = self._asking[loop] = self.make(self._versions.now)
            asking.add_done_callback(lambda done: self._forget(loop, done))
        return await asyncio.shield(asking)

    def _forget(self, loop: asyncio.AbstractEventLoop, done: asyncio.Future[Hashable]) -> None:
        if self._asking.get(loop) is done:
            del self._asking[loop]
        if not done.cancelled():
            done.exception()  # it was told to those who waited

    async def known(
        self, request: Request, named: Hashable, now: datetime, find: Callable[[], Made]
    ) -> Made:
        """What find returns of a caller, or returned a moment ago if nothing has changed since."""
        version = await self.version(request)
        with self._lock:
            entry = self._people.get(named)
        if entry is not None and entry[0] == version and now - entry[1] < KNOWN_FOR:
            return entry[2]  # type: ignore[return-value]
        fresh = await self.make(find)
        self._remember(named, (version, now, fresh))
        return fresh

    async def trusted(self, named: Hashable, now: datetime, find: Callable[[], Made]) -> Made:
        """What find returns of a caller, or returned within the last second."""
        with self._lock:
            entry = self._people.get(named)
        if entry is not None and timedelta(0) <= now - entry[1] < TRUSTED_FOR:
            return entry[2]  # type: ignore[return-value]
        name = (asyncio.get_running_loop(), named)
        finding = self._finding.get(name)
        if finding is None:
            finding = asyncio.ensure_future(self._found_out(name, now, find))
            self._finding[name] = finding
        return await asyncio.shield(finding)

    async def _found_out(self, name: _Named, now: datetime, find: Callable[[], Made]) -> Made:
        """The same, for all who ask about one sender meanwhile: many cars share a key."""
        own = asyncio.current_task()
        try:
            fresh = await self.make(find)
            if self._finding.get(name) is own:  # else everybody was forgotten meanwhile
                self._remember(name[1], (None, now, fresh))
            return fresh
        finally:
            if self._finding.get(name) is own:
                del self._finding[name]

    def forget_people(self) -> None:
        """Find out anew who everybody is."""
        with self._lock:
            self._people.clear()
            self._finding.clear()

    def _remember(self, named: Hashable, entry: tuple[Hashable, datetime, object]) -> None:
        with self._lock:
            self._people[named] = entry
            while len(self._people) > MOST_KNOWN:
                self._people.popitem(last=False)

    async def answer(
        self, request: Request, asked: Hashable, build: Callable[[], Answer]
    ) -> Response:
        """The answer to what is asked, kept or made; 304 for who has it already.

        asked holds all that the answer depends on beside the store: the question, and what the
        one who asks may see.
        """
        if not self._most:
            self.made += 1
            return _sent(request, self._entry(None, await self.make(build)))
        version = await self.version(request)
        entry = self._found(asked, version)
        if entry is None:
            entry = await self._shared(asked, version, build)
        return _sent(request, entry)

    def _found(self, asked: Hashable, version: Hashable) -> _Entry | None:
        with self._lock:
            entry = self._entries.get(asked)
            if entry is None or entry.version != version:
                return None
            if self._clock() - entry.made_s >= entry.answer.holds_s:
                return None
            self._entries.move_to_end(asked)
            self.again += 1
            return entry

    async def _shared(
        self, asked: Hashable, version: Hashable, build: Callable[[], Answer]
    ) -> _Entry:
        loop = asyncio.get_running_loop()
        name = (loop, asked, version)
        making = self._making.get(name)
        if making is not None:
            self.again += 1
            return await asyncio.shield(making)
        making = self._making[name] = self.make(lambda: self._built(asked, version, build))
        making.add_done_callback(lambda done: self._making.pop(name, None))
        return await asyncio.shield(making)

    def _built(self, asked: Hashable, version: Hashable, build: Callable[[], Answer]) -> _Entry:
        entry = self._entry(version, build())
        with self._lock:
            self.made += 1
            self._drop(asked)
            self._entries[asked] = entry
            self._size += entry.answer.size
            while self._size > self._most:
                self._drop(next(iter(self._entries)))
        return entry

    def _drop(self, asked: Hashable) -> None:
        entry = self._entries.pop(asked, None)
        if entry is not None:
            self._size -= entry.answer.size

    def _entry(self, version: Hashable, answer: Answer) -> _Entry:
        tag = hashlib.blake2b(answer.body, digest_size=12).hexdigest()
        return _Entry(version, self._clock(), f'"{tag}"', answer)


def _sent(request: Request, entry: _Entry) -> Response:
    headers = {"Cache-Control": "private, no-cache", **entry.answer.headers, "ETag": entry.tag}
    known = request.headers.get("if-none-match")
    if known is not None and (known.strip() == "*" or entry.tag in known):
        return Response(status_code=304, headers=headers)
    return Response(entry.answer.body, media_type=entry.answer.media_type, headers=headers)
