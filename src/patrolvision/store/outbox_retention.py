"""Letting go of what the outbox has long brought: history and audit stand elsewhere and stay."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine, Select, delete, exists, select

from patrolvision.store import sql
from patrolvision.store.engine import reading, writing
from patrolvision.store.neighbour_tables import deliveries
from patrolvision.store.schema import outbox

AT_ONCE = 1000  # messages in one transaction: nobody waits long for it


def prune(engine: Engine, before: datetime, *, most: int = 50 * AT_ONCE) -> int:
    """Delete messages that were routed before the instant and then brought to every sink.

    What waits, what is a dead letter and what was settled later stays. How many were deleted.
    """
    gone = 0
    while gone < most:
        with reading(engine) as connection:  # looking takes no place in the queue of writers
            if connection.execute(_brought(before, 1)).first() is None:
                break
        with writing(engine) as connection:
            found = [str(name) for (name,) in connection.execute(_brought(before, AT_ONCE))]
            for start in range(0, len(found), sql.CHUNK):
                part = found[start : start + sql.CHUNK]
                connection.execute(delete(deliveries).where(deliveries.c.message_id.in_(part)))
                connection.execute(delete(outbox).where(outbox.c.id.in_(part)))
        gone += len(found)
        if not found:
            break
    return gone


def _brought(before: datetime, limit: int) -> Select[tuple[str]]:
    table = deliveries
    settled = (table.c.state == "done") & (table.c.settled_at < before)
    open_one = exists().where(table.c.message_id == outbox.c.id, ~settled)
    old = outbox.c.routed_at < before
    return select(outbox.c.id).where(old, ~open_one).order_by(outbox.c.position).limit(limit)
