"""The addresses that asked to be told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, delete, insert, select

from patrolvision.errors import StoreError
from patrolvision.store import rows
from patrolvision.store.engine import reading, writing
from patrolvision.store.neighbour_tables import webhooks
from patrolvision.store.sealing import Seals


@dataclass(frozen=True, slots=True)
class Webhook:
    """One address; no topics or categories: all. The sink's name is "webhook:" and the id.

    secret is None where the key that it was sealed with is not there.
    """

    id: str
    url: str
    secret: str | None
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
    """The webhooks of a database, their secrets sealed; may be used from several threads."""

    def __init__(self, engine: Engine, seals: Seals) -> None:
        self._engine, self._seals = engine, seals

    def add(self, hook: Webhook) -> None:
        """Keep a new one; StoreError without a key to seal its secret with."""
        assert hook.secret is not None, "a new webhook has its secret"
        row = {column.name: getattr(hook, column.name) for column in webhooks.c}
        row |= {"topics": list(hook.topics), "categories": list(hook.categories)}
        row |= {"secret": self._seals.seal(hook.secret)}
        with writing(self._engine) as connection:
            connection.execute(insert(webhooks), [row])

    def all(self) -> list[Webhook]:
        """Every one, the oldest first."""
        order = select(webhooks).order_by(webhooks.c.created_at, webhooks.c.id)
        with reading(self._engine) as connection:
            found = connection.execute(order).mappings().all()
        return [self._hook(row) for row in found]

    def _hook(self, row: rows.Stored) -> Webhook:
        lists = {name: tuple(row[name]) for name in ("topics", "categories")}
        try:
            secret = self._seals.open(row["secret"])
        except StoreError:
            secret = None
        return Webhook(**{**row, **lists, "secret": secret})

    def remove(self, hook_id: str) -> bool:
        """Forget one with its secret; False if there is none."""
        with writing(self._engine) as connection:
            gone = connection.execute(delete(webhooks).where(webhooks.c.id == hook_id))
            return bool(gone.rowcount)
