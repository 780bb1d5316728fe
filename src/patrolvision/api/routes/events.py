"""GET /events: what changes, as it changes (server-sent events), for every worker alike.

The feed is read from the store, so it does not matter which worker made a change. Everything is
told at least once; who comes back with `Last-Event-ID` is told what he missed.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import Response, StreamingResponse

from patrolvision.api import shapes
from patrolvision.api.problems import Problem
from patrolvision.api.security import Bearer, Cookie, Office, Principal, reader, reads
from patrolvision.errors import StoreError
from patrolvision.store import changes
from patrolvision.store.changes import Change, Follower
from patrolvision.store.engine import reading
from patrolvision.store.ticket_pages import full_rows
from patrolvision.types import GridCodes

log = logging.getLogger(__name__)

POLL_S = 0.5
HEARTBEAT_S = 15.0
MAX_LIFE_S = 600.0  # then the browser comes back by itself, and is asked who it is
ASK_AGAIN_S = 2.0  # how long who listens is taken to be who he was
FAR_BEHIND = 1000  # events a reader may be behind before he is told to begin anew
MEDIA_TYPE = "text/event-stream"
SAID = (
    "number", "category", "state", "priority", "lat_deg", "lon_deg", "assignee", "level", "urged",
    "version",
)  # fmt: skip
MOST_POSITION = (1 << 62) - 1
EVENT: dict[str, Any] = {  # each of the stream's
    "type": "object",
    "required": ["event", "data"],
    "properties": {
        "id": {"type": "string", "description": "a position, for Last-Event-ID"},
        "event": {"enum": ["ticket.changed", "ticket.gone", "reset"]},
        "data": {"type": "string", "description": "a JSON object"},
    },
}
Place = Annotated[int | None, Query(ge=0, le=MOST_POSITION)]


@dataclass(frozen=True, slots=True)
class Event:
    """One event as it is sent, and where its ticket lies."""

    text: bytes
    grid: GridCodes


RESET = Event(b"event: reset\ndata: {}\n\n", GridCodes())


def told(office: Office, follower: Follower) -> list[Event]:
    """What is new to a follower, each ticket once."""
    with reading(office.store.engine) as connection:
        found = follower.look(connection)
        newest = {change.ticket_id: change for change in found}
        ids = list(newest)
        rows = {row["id"]: row for row in full_rows(connection, ids)}
    in_order = sorted(newest.values(), key=lambda change: change.position)
    return [_event(change, rows.get(change.ticket_id)) for change in in_order]


def _event(change: Change, row: Any) -> Event:
    if row is None:
        data: dict[str, Any] = {"ticket_id": change.ticket_id}
        return Event(_text(change.position, "ticket.gone", data), GridCodes())
    data = {"ticket_id": row["id"], **{name: row[name] for name in SAID}}
    data |= {"due_at": shapes.iso(row["due_at"]), "at": shapes.iso(change.at)}
    codes = GridCodes(row["unit_grid"], row["responsible_grid"], row["segment"])
    return Event(_text(change.position, "ticket.changed", data), codes)


def _text(position: int, name: str, data: dict[str, Any]) -> bytes:
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (position, name.encode(), orjson.dumps(data))


class Feed:
    """Reads the store's changes for everybody who listens to this worker, while anybody does."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._listeners: set[asyncio.Queue[Event]] = set()
        self._task: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[asyncio.Queue[Event]]:
        """A queue of everything that changes while the context lasts."""
        queue: asyncio.Queue[Event] = asyncio.Queue(FAR_BEHIND)
        self._listeners.add(queue)
        try:
            if self._task is None or self._task.done():
                follower = await asyncio.to_thread(self._begin)
                self._task = asyncio.get_running_loop().create_task(self._run(follower))
            yield queue
        finally:
            self._listeners.discard(queue)

    async def _run(self, follower: Follower) -> None:
        while self._listeners:
            try:
                self._send(await asyncio.to_thread(told, self._office, follower))
            except StoreError as error:
                log.warning("the feed of changes waits for the store: %s", error)
            await asyncio.sleep(POLL_S)

    def _begin(self) -> Follower:
        with reading(self._office.store.engine) as connection:
            return Follower.from_now(connection)

    def _send(self, events: Sequence[Event]) -> None:
        for queue in self._listeners:
            for event in events:
                if queue.qsize() >= FAR_BEHIND - 1:
                    _emptied(queue).put_nowait(RESET)
                    break
                queue.put_nowait(event)


def _emptied(queue: asyncio.Queue[Event]) -> asyncio.Queue[Event]:
    while not queue.empty():
        queue.get_nowait()
    return queue


def missed(office: Office, position: int) -> list[Event]:
    """What was told after a position; a reset where that is too much or no longer known."""
    with reading(office.store.engine) as connection:
        oldest, newest = changes.oldest_position(connection), changes.newest_position(connection)
        if not oldest - 1 <= position <= newest:  # beyond: of a store that was put back since
            return [RESET]
        follower = Follower.after(connection, position)
    events = told(office, follower)
    return events if len(events) < FAR_BEHIND else [RESET]


def router(office: Office) -> APIRouter:
    """Changes of the office's store, as they come."""
    feed, find = Feed(office), reads(office)
    router = APIRouter(prefix="/api/v1", tags=["events"])

    @router.get(
        "/events",
        response_class=StreamingResponse,
        responses={200: {"content": {MEDIA_TYPE: {"schema": EVENT}}}},
    )
    async def events(
        request: Request,
        bearer: Bearer,
        cookie: Cookie,
        who: Annotated[Principal, Depends(reader(office))],
        last_event_id: Annotated[
            str | None, Header(alias="Last-Event-ID", max_length=20, pattern=r"^[0-9]*$")
        ] = None,
        after: Annotated[Place, Query(description="as Last-Event-ID, for a first call")] = None,
        follow: Annotated[bool, Query(description="false: end after what is there")] = True,
    ) -> Response:
        """Events `ticket.changed` {ticket_id, state, version …} and `ticket.gone`, as they happen.

        The id of an event is a position: a browser sends it as Last-Event-ID when it comes back,
        and is told what it missed, some of it twice. An event `reset` says: read everything anew.
        A comment every 15 s keeps the line open; after ten minutes the browser has to come back.
        The line ends with the session or key that opened it.
        """
        position = min(int(last_event_id), MOST_POSITION) if last_event_id else after
        if not follow:
            found = [] if position is None else await asyncio.to_thread(missed, office, position)
            text = b"".join(event.text for event in found if _concerns(who, event))
            return Response(text, media_type=MEDIA_TYPE)

        async def still() -> Principal:
            return await office.kept.make(lambda: find(request, bearer, cookie))

        lines = _lines(office, feed, who, still, position)
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        return StreamingResponse(lines, media_type=MEDIA_TYPE, headers=headers)

    return router


async def _lines(
    office: Office,
    feed: Feed,
    who: Principal,
    still: Callable[[], Awaitable[Principal]],
    position: int | None,
) -> AsyncIterator[bytes]:
    """Until MAX_LIFE_S, or until who asked may read no more, as still finds out."""
    loop = asyncio.get_running_loop()
    asked_at = loop.time()
    ends_at = asked_at + MAX_LIFE_S
    async with feed.listening() as queue:
        yield b"retry: 2000\n: listening\n\n"
        if position is not None:
            for event in await asyncio.to_thread(missed, office, position):
                if _concerns(who, event):
                    yield event.text
        while loop.time() < ends_at:
            try:
                event = await asyncio.wait_for(queue.get(), HEARTBEAT_S)
            except TimeoutError:
                yield b": alive\n\n"
                continue
            if loop.time() - asked_at > ASK_AGAIN_S:
                try:
                    who, asked_at = await still(), loop.time()
                except Problem:
                    return
            if _concerns(who, event):
                yield event.text


def _concerns(who: Principal, event: Event) -> bool:
    return event is RESET or who.covers(event.grid)
