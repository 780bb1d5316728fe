"""What the desk does in one transaction beside what the pipeline does in its own."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from patrolvision.store import audit, rows, schema, sql
from patrolvision.store.audit import AuditLine
from patrolvision.store.office_tables import counters, replies, verdicts
from patrolvision.store.transaction import SqlTransaction
from patrolvision.types import Incident, Ticket, Verdict


class OfficeTransaction(SqlTransaction):
    """What SqlStore.transaction() yields."""

    @property
    def connection(self) -> Connection:
        """For modules of this folder that do more in the same transaction."""
        return self._connection

    def place_of_ticket(self, ticket_id: str) -> tuple[float, float] | None:
        """lat_deg, lon_deg of a ticket; to be asked before claim, and read again after it."""
        return self._place_in(schema.tickets, ticket_id)

    def place_of_incident(self, incident_id: str) -> tuple[float, float] | None:
        """lat_deg, lon_deg of an incident; to be asked before claim."""
        return self._place_in(schema.incidents, incident_id)

    def _place_in(self, table: Any, key: str) -> tuple[float, float] | None:
        wanted = select(table.c.lat_deg, table.c.lon_deg).where(table.c.id == key)
        found = self._connection.execute(wanted).first()
        return None if found is None else (float(found[0]), float(found[1]))

    def ticket(self, ticket_id: str) -> Ticket | None:
        """The ticket of this id."""
        found = sql.select_in(self._connection, schema.tickets, schema.tickets.c.id, [ticket_id])
        return sql.tickets_of_rows(self._connection, found)[0] if found else None

    def incident(self, incident_id: str) -> Incident | None:
        """The incident of this id."""
        table = schema.incidents
        found = sql.select_in(self._connection, table, table.c.id, [incident_id])
        return rows.incident(found[0]) if found else None

    def release_ids(self, incident: Incident) -> list[str]:
        """The model releases that saw the incident, by name."""
        table = schema.observations
        found = sql.select_in(self._connection, table, table.c.id, incident.observation_ids)
        return sorted({row["model_release"] for row in found if row["model_release"]})

    def next_number(self, name: str) -> int:
        """1, 2, 3 … of a counter; a number is given back when the transaction fails."""
        more = postgresql.insert if self._connection.dialect.name == "postgresql" else sqlite.insert
        counted = {"value": counters.c.value + 1}
        once = more(counters).values(name=name, value=1)
        again = once.on_conflict_do_update(index_elements=["name"], set_=counted)
        return int(self._connection.execute(again.returning(counters.c.value)).scalar_one())

    def save_verdict(self, verdict: Verdict) -> None:
        """Add a verdict."""
        row = {name: getattr(verdict, name) for name in Verdict.__slots__}
        lists = ("model_releases", "observation_ids")
        row |= {name: list(getattr(verdict, name)) for name in lists}
        self._connection.execute(insert(verdicts), row)

    def has_verdict(self, incident_id: str) -> bool:
        """Whether somebody has judged the incident."""
        wanted = select(verdicts.c.id).where(verdicts.c.incident_id == incident_id).limit(1)
        return self._connection.execute(wanted).first() is not None

    def note(self, line: AuditLine) -> None:
        """Append to the audit log."""
        audit.note(self._connection, line)

    def reply(self, reply_id: str) -> rows.Stored | None:
        """What was answered under an Idempotency-Key: asked, status and body."""
        wanted = select(replies).where(replies.c.id == reply_id)
        return self._connection.execute(wanted).mappings().first()

    def keep_reply(self, reply: rows.Row) -> None:
        """Remember what is answered under an Idempotency-Key."""
        self._connection.execute(insert(replies), reply)
