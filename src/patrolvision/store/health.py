"""What tells whether work is being done beside the store itself: the outbox and its lateness."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine, func, select

from patrolvision.store.engine import reading
from patrolvision.store.neighbour_tables import deliveries
from patrolvision.store.schema import outbox


def outbox_state(engine: Engine, now: datetime) -> dict[str, float | int]:
    """Messages not yet on their way, deliveries waiting, and how late the latest of these is."""
    with reading(engine) as connection:
        unrouted = select(func.count()).where(outbox.c.routed_at.is_(None))
        waiting = select(func.count(), func.min(deliveries.c.next_try_at))
        new = int(connection.execute(unrouted).scalar_one())
        count, due_at = connection.execute(waiting.where(deliveries.c.state == "waiting")).one()
        dead = select(func.count()).where(deliveries.c.state == "dead")
        failed = int(connection.execute(dead).scalar_one())
    late_s = 0.0 if due_at is None else max((now - due_at).total_seconds(), 0.0)
    return {"new": new, "waiting": int(count), "dead": failed, "late_s": late_s}
