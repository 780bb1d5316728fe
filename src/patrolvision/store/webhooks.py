"""The addresses that asked to be told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, delete, insert, select

from patrolvision.store.engine import reading, writing
from patrolvision.store.neighbour_tables import webhooks


@dataclass(frozen=True, slots=True)
class Webhook:
    """One address; no topics or categories: all. The sink's name is "webhook:" and the id."""

    id: str
    url: str
    secret: str
    topics: tuple[str, ...]
    categories: tuple[str, ...]
    cooldown_s: int
    max_per_hour: int | None
    created_at: datetime

    @property
    def sink(self) -> str:
        """What its deliveries are kept under."""
        return f"webhook:{self.id}"


class SqlWebhooks:
    """The webhooks of a database; may be used from several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, hook: Webhook) -> None:
        """Keep a new one."""
        row = {column.name: getattr(hook, column.name) for column in webhooks.c}
        row |= {"topics": list(hook.topics), "categories": list(hook.categories)}
        with writing(self._engine) as connection:
            connection.execute(insert(webhooks), [row])

    def all(self) -> list[Webhook]:
        """Every one, the oldest first."""
        order = select(webhooks).order_by(webhooks.c.created_at, webhooks.c.id)
        with reading(self._engine) as connection:
            found = connection.execute(order).mappings().all()
        lists = ("topics", "categories")
        return [Webhook(**{**row, **{n: tuple(row[n]) for n in lists}}) for row in found]

    def remove(self, hook_id: str) -> bool:
        """Forget one with its secret; False if there is none."""
        with writing(self._engine) as connection:
            gone = connection.execute(delete(webhooks).where(webhooks.c.id == hook_id))
            return bool(gone.rowcount)
