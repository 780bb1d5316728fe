"""Who did what to whom and who looked at which picture; lines are added and never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, insert, select

from patrolvision.store.engine import reading, writing
from patrolvision.store.office_tables import audit


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One act: who (by name and address) did what to which account, key, ticket or picture."""

    at: datetime
    actor: str
    action: str
    subject: str
    address: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


class SqlAudit:
    """The audit log; may be used from several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, line: AuditLine) -> None:
        """Append a line."""
        with writing(self._engine) as connection:
            note(connection, line)

    def lines(
        self, *, subject: str | None = None, before: int | None = None, limit: int = 100
    ) -> list[tuple[int, AuditLine]]:
        """The newest lines first, each with its position; those of one subject if it is named."""
        wanted = select(audit).order_by(audit.c.position.desc()).limit(limit)
        if subject is not None:
            wanted = wanted.where(audit.c.subject == subject)
        if before is not None:
            wanted = wanted.where(audit.c.position < before)
        with reading(self._engine) as connection:
            found = connection.execute(wanted).mappings().all()
        return [
            (row["position"], AuditLine(**{name: row[name] for name in AuditLine.__slots__}))
            for row in found
        ]


def note(connection: Connection, line: AuditLine) -> None:
    """Append a line within a transaction."""
    row = {name: getattr(line, name) for name in AuditLine.__slots__}
    connection.execute(insert(audit), {**row, "data": dict(line.data)})
