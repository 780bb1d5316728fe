"""The outbox's way out: each message to each sink that wants it, held by one worker at a time.

A worker claims what is due, sends it, and notes that it is done. Killed between any two of these it
leaves a lease that runs out; the message is then sent again under the same key: at least once, and
recognisable. Clocks are arguments; workers on several machines need clocks that agree to well below
a lease.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    and_,
    distinct,
    exists,
    func,
    or_,
    select,
    text,
    update,
)

from patrolvision.errors import CallError
from patrolvision.store import rows, sql
from patrolvision.store.engine import reading, writing
from patrolvision.store.neighbour_tables import deliveries
from patrolvision.store.schema import outbox
from patrolvision.types import Delivery, NoticePolicy, OutboxMessage, Route

ROUTING_LOCK = 0x6F75_7462_6F78  # one router at a time keeps the order of a subject's messages
HOUR = timedelta(hours=1)
LOOK_AHEAD = 1000  # rows that a digest is chosen from


class SqlOutbox:
    """ports.Outbox over the store's database; may be used from several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def route(
        self, plan: Callable[[OutboxMessage], Route], at: datetime, *, limit: int = 500
    ) -> int:
        """Put messages that are new on their way to the sinks of their plan; how many they were.

        0 also where another worker is just doing it.
        """
        unrouted = select(outbox.c.position).where(outbox.c.routed_at.is_(None)).limit(1)
        if not self._is_there(unrouted):
            return 0  # looking takes no place in the queue of SQLite's writers
        with writing(self._engine) as connection:
            if not _may_route(connection):
                return 0
            new = select(outbox).where(outbox.c.routed_at.is_(None))
            found = connection.execute(new.order_by(outbox.c.position).limit(limit)).mappings()
            fresh = [(row["position"], rows.message(row)) for row in found]
            started = [r for p, m in fresh for r in _delivery_rows(p, m, plan(m), at)]
            if started:
                connection.execute(deliveries.insert(), started)
            ids = [message.id for _, message in fresh]
            for start in range(0, len(ids), sql.CHUNK):
                chosen = outbox.c.id.in_(ids[start : start + sql.CHUNK])
                connection.execute(update(outbox).where(chosen).values(routed_at=at))
        return len(fresh)

    def claim(
        self, sink: str, at: datetime, lease_s: float, policy: NoticePolicy | None = None
    ) -> Delivery | None:
        """The earliest messages that may go to the sink now, held for lease_s; None if none may."""
        policy = policy or NoticePolicy()
        if not self._is_there(_due(sink, at)):
            return None
        with writing(self._engine) as connection:
            chosen = _chosen(connection, sink, at, policy)
            if not chosen:
                return None
            ids = [row["message_id"] for row in chosen]
            held: dict[str, Any] = {
                "bundle": chosen[0]["bundle"] or _bundle_key(ids),
                "lease": uuid.uuid4().hex,
                "leased_until": at + timedelta(seconds=lease_s),
            }
            attempts = int(chosen[0]["attempts"]) + 1
            mine = and_(deliveries.c.sink == sink, deliveries.c.message_id.in_(ids))
            connection.execute(update(deliveries).where(mine).values(attempts=attempts, **held))
            found = sql.select_in(connection, outbox, outbox.c.id, ids)
        messages = tuple(rows.message(row) for row in sorted(found, key=lambda r: r["position"]))
        return Delivery(sink, held["bundle"], messages, attempts, held["lease"])

    def done(self, delivery: Delivery, at: datetime) -> bool:
        """Note that the sink took it; False if the lease had run out and another has it now."""
        return self._settle(delivery, state="done", settled_at=at, last_error=None)

    def failed(
        self, delivery: Delivery, error: str, at: datetime, next_try_at: datetime | None
    ) -> bool:
        """Note why the sink did not take it, and when to try again; None: never, it is dead."""
        if next_try_at is None:
            return self._settle(delivery, state="dead", settled_at=at, last_error=error)
        return self._settle(delivery, next_try_at=next_try_at, last_error=error)

    def release(self, delivery: Delivery) -> bool:
        """Give back what was claimed and not tried; it does not count as an attempt."""
        return self._settle(delivery, attempts=delivery.attempts - 1)

    def _settle(self, delivery: Delivery, **values: Any) -> bool:
        mine = and_(deliveries.c.sink == delivery.sink, deliveries.c.lease == delivery.lease)
        free = {"lease": None, "leased_until": None}
        with writing(self._engine) as connection:
            done = connection.execute(update(deliveries).where(mine).values(**free, **values))
            return bool(done.rowcount)

    def _is_there(self, statement: Select[Any]) -> bool:
        with reading(self._engine) as connection:
            return connection.execute(statement).first() is not None

    def counts(self) -> dict[str, dict[str, int]]:
        """sink -> state -> how many deliveries; not yet routed messages under the sink ''."""
        table = deliveries
        by = select(table.c.sink, table.c.state, func.count()).group_by(table.c.sink, table.c.state)
        new = select(func.count()).select_from(outbox).where(outbox.c.routed_at.is_(None))
        with reading(self._engine) as connection:
            result: dict[str, dict[str, int]] = {}
            for sink, state, count in connection.execute(by):
                result.setdefault(sink, {})[state] = int(count)
            result[""] = {"waiting": int(connection.execute(new).scalar_one())}
        return result

    def listed(self, *, state: str | None = None, limit: int = 100) -> list[dict[str, Any]]:
        """Deliveries, newest first: sink, message_id, topic, subject, state, attempts and times."""
        names = ("sink", "message_id", "subject", "state", "attempts", "next_try_at", "settled_at")
        chosen = [deliveries.c[name] for name in (*names, "last_error")]
        joined = deliveries.join(outbox, deliveries.c.message_id == outbox.c.id)
        wanted: Select[Any] = select(*chosen, outbox.c.topic).select_from(joined)
        if state is not None:
            wanted = wanted.where(deliveries.c.state == state)
        wanted = wanted.order_by(deliveries.c.position.desc(), deliveries.c.sink).limit(limit)
        with reading(self._engine) as connection:
            return [dict(row) for row in connection.execute(wanted).mappings()]

    def revive(self, sink: str, message_id: str, at: datetime) -> None:
        """Try a dead letter again, with all its attempts; CallError if there is no such one."""
        table = deliveries
        dead = and_(table.c.sink == sink, table.c.message_id == message_id, table.c.state == "dead")
        anew = {"state": "waiting", "attempts": 0, "next_try_at": at, "settled_at": None}
        with writing(self._engine) as connection:
            if not connection.execute(update(table).where(dead).values(**anew)).rowcount:
                raise CallError(f"delivery {message_id} to {sink}: there is no such dead letter")

    def abandon(self, sink: str, at: datetime) -> int:
        """Give up all that still waits for a sink that is no more; how many they were."""
        waiting = and_(deliveries.c.sink == sink, deliveries.c.state == "waiting")
        over = {"state": "dead", "settled_at": at, "last_error": "the sink was removed"}
        with writing(self._engine) as connection:
            return connection.execute(update(deliveries).where(waiting).values(**over)).rowcount


def _may_route(connection: Connection) -> bool:
    if connection.dialect.name != "postgresql":
        return True  # SQLite has one writer at a time
    lock = text("SELECT pg_try_advisory_xact_lock(:key)")
    return bool(connection.execute(lock, {"key": ROUTING_LOCK}).scalar())


def _delivery_rows(
    position: int, message: OutboxMessage, route: Route, at: datetime
) -> Iterable[rows.Row]:
    for sink in route.sinks:
        yield {
            "sink": sink,
            "message_id": message.id,
            "position": position,
            "subject": route.subject,
            "is_urgent": int(route.is_urgent),
            "state": "waiting",
            "attempts": 0,
            "next_try_at": at,
        }


def _chosen(
    connection: Connection, sink: str, at: datetime, policy: NoticePolicy
) -> Sequence[rows.Stored]:
    """The rows that go out together now, in order."""
    room = (
        None if policy.max_per_hour is None else policy.max_per_hour - _sent(connection, sink, at)
    )
    head = _first(connection, _head(sink, at, policy, only_urgent=room is not None and room <= 0))
    if head is None:
        return []
    if head["bundle"] is not None:
        again = _waiting(sink).where(deliveries.c.bundle == head["bundle"])
        return list(connection.execute(again).mappings())
    if head["is_urgent"]:
        return [head]
    if room == 1:
        return digest(_ahead(connection, sink), at, policy.digest_size)
    if policy.cooldown_s > 0:
        return _of_subject(_ahead(connection, sink, head["subject"]), policy.digest_size)
    return [head]


def digest(waiting: Sequence[rows.Stored], at: datetime, size: int) -> Sequence[rows.Stored]:
    """Of rows in order those of subjects that nothing earlier holds up: at most size."""
    firsts: dict[str, rows.Stored] = {}
    for row in waiting:
        firsts.setdefault(row["subject"], row)
    free = {subject for subject, row in firsts.items() if _is_free(row, at)}
    return [r for r in waiting if r["subject"] in free and r["bundle"] is None][:size]


def _of_subject(waiting: Sequence[rows.Stored], size: int) -> Sequence[rows.Stored]:
    return [row for row in waiting if row["bundle"] is None][:size]


def _is_free(row: rows.Stored, at: datetime) -> bool:
    held = row["leased_until"] is not None and row["leased_until"] > at
    return row["bundle"] is None and not held and row["next_try_at"] <= at


def _waiting(sink: str) -> Select[Any]:
    mine = and_(deliveries.c.sink == sink, deliveries.c.state == "waiting")
    order = select(deliveries).where(mine).order_by(deliveries.c.position)
    return order.with_for_update(skip_locked=True)  # SQLite has no such clause and needs none


def _ahead(connection: Connection, sink: str, subject: str | None = None) -> list[rows.Stored]:
    wanted = _waiting(sink).limit(LOOK_AHEAD)
    if subject is not None:
        wanted = wanted.where(deliveries.c.subject == subject)
    return list(connection.execute(wanted).mappings())


def _head(sink: str, at: datetime, policy: NoticePolicy, *, only_urgent: bool) -> Select[Any]:
    table, other = deliveries, deliveries.alias()
    of_subject = and_(other.c.sink == table.c.sink, other.c.subject == table.c.subject)
    earlier = and_(of_subject, other.c.state == "waiting", other.c.position < table.c.position)
    free: list[ColumnElement[bool]] = [
        table.c.next_try_at <= at,
        or_(table.c.leased_until.is_(None), table.c.leased_until <= at),
        ~exists().where(earlier),
    ]
    begun = table.c.bundle.is_not(None)  # was chosen before, and is only sent again
    if only_urgent:
        free.append(or_(begun, table.c.is_urgent == 1))
    elif policy.cooldown_s > 0:
        since = at - timedelta(seconds=policy.cooldown_s)
        told = and_(of_subject, other.c.state == "done", other.c.settled_at > since)
        free.append(or_(begun, table.c.is_urgent == 1, ~exists().where(told)))
    return _waiting(sink).where(*free).limit(1)


def _due(sink: str, at: datetime) -> Select[Any]:
    """Any delivery that nobody holds and whose time has come, whatever stands before it."""
    table = deliveries
    mine = and_(table.c.sink == sink, table.c.state == "waiting", table.c.next_try_at <= at)
    free = or_(table.c.leased_until.is_(None), table.c.leased_until <= at)
    return select(table.c.message_id).where(mine, free).limit(1)


def _first(connection: Connection, statement: Select[Any]) -> rows.Stored | None:
    return connection.execute(statement).mappings().first()


def _sent(connection: Connection, sink: str, at: datetime) -> int:
    table = deliveries
    lately = and_(table.c.sink == sink, table.c.state == "done", table.c.settled_at > at - HOUR)
    counted = select(func.count(distinct(table.c.bundle))).where(lately)
    return int(connection.execute(counted).scalar_one())


def _bundle_key(ids: Sequence[str]) -> str:
    if len(ids) == 1:
        return ids[0]
    return "digest-" + hashlib.sha256("\n".join(ids).encode()).hexdigest()[:32]
