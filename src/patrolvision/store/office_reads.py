"""What a page of the office shows beside its tickets: their incidents, histories and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Table, select

from patrolvision.store import rows, sql
from patrolvision.store.schema import (
    findings,
    incidents,
    looks,
    observations,
    ticket_events,
    tickets,
)
from patrolvision.store.ticket_pages import full_rows
from patrolvision.types import Incident, Ticket

# The columns that a ticket tells of its incident; evidence may be long and stays where it is.
BRIEF = (
    "id", "status", "kind", "class_name", "score", "cov_ee_m2", "cov_en_m2", "cov_nn_m2",
    "first_seen", "last_seen", "removed_at", "zone_id", "observation_ids",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TicketRows:
    """A ticket's row, the rows of its history in order, and the row of its incident."""

    ticket: rows.Stored
    events: Sequence[rows.Stored] = field(default_factory=list)
    incident: rows.Stored | None = None


def ticket_rows(connection: Connection, ids: Sequence[str]) -> list[TicketRows]:
    """Everything of the tickets of a page, in the order of the ids."""
    found = full_rows(connection, ids)
    histories: dict[str, list[rows.Stored]] = {}
    for event in sql.select_in(connection, ticket_events, ticket_events.c.ticket_id, ids):
        histories.setdefault(event["ticket_id"], []).append(event)
    wanted = sorted({row["incident_id"] for row in found})
    briefs = _briefs(connection, wanted)
    return [
        TicketRows(
            row,
            sorted(histories.get(row["id"], []), key=lambda event: int(event["position"])),
            briefs.get(row["incident_id"]),
        )
        for row in found
    ]


def _briefs(connection: Connection, ids: Sequence[str]) -> dict[str, rows.Stored]:
    columns = [incidents.c[name] for name in BRIEF]
    found: dict[str, rows.Stored] = {}
    for start in range(0, len(ids), sql.CHUNK):
        chosen = select(*columns).where(incidents.c.id.in_(ids[start : start + sql.CHUNK]))
        found |= {row["id"]: row for row in connection.execute(chosen).mappings()}
    return found


def pictures_of(connection: Connection, observation_ids: Sequence[str]) -> list[Mapping[str, Any]]:
    """What the findings of observations have as pictures, as the keeper wrote it, by instant.

    lat_deg and lon_deg are added: where that observation puts the thing.
    """
    said = sql.select_in(connection, findings, findings.c.observation_id, observation_ids)
    shown = [row for row in said if row["evidence"].get("pictures")]
    about = [row["observation_id"] for row in shown]
    seen = {
        row["id"]: {"lat_deg": row["lat_deg"], "lon_deg": row["lon_deg"]}
        for row in sql.select_in(connection, observations, observations.c.id, about)
    }
    found = [
        {**picture, **seen.get(row["observation_id"], {})}
        for row in shown
        for picture in row["evidence"]["pictures"]
    ]
    return sorted(found, key=lambda picture: (picture["captured_at"], picture["view"]))


def ticket_and_incident(
    connection: Connection, ticket_id: str
) -> tuple[Ticket, Incident | None] | None:
    """A ticket and its incident as values; None where there is no such ticket."""
    found = sql.tickets_of_rows(connection, full_rows(connection, [ticket_id]))
    if not found:
        return None
    stored = sql.select_in(connection, incidents, incidents.c.id, [found[0].incident_id])
    return found[0], rows.incident(stored[0]) if stored else None


def tickets_of_incident(connection: Connection, incident_id: str) -> list[str]:
    """The ids of an incident's tickets: its own, and those that were split from it."""
    mine = select(tickets.c.id).where(tickets.c.incident_id == incident_id).order_by(tickets.c.id)
    return list(connection.execute(mine).scalars())


def known_observations(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Which of these observations are stored."""
    return _known(connection, observations, ids)


def known_looks(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Which of these looks are stored."""
    return _known(connection, looks, ids)


def _known(connection: Connection, table: Table, ids: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(ids), sql.CHUNK):
        chosen = select(table.c.id).where(table.c.id.in_(ids[start : start + sql.CHUNK]))
        found |= set(connection.execute(chosen).scalars())
    return found
