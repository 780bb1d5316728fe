"""What a page of the office shows beside its tickets: their incidents, histories and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    Connection,
    Select,
    Table,
    Text,
    select,
    type_coerce,
)

from patrolvision.store import rows, sql, straight
from patrolvision.store.engine import plan_once
from patrolvision.store.schema import (
    CanonicalJson,
    Instant,
    findings,
    incidents,
    looks,
    observations,
    ticket_events,
    tickets,
)
from patrolvision.store.ticket_pages import full_rows
from patrolvision.types import Incident, Ticket
from patrolvision.types.instants import EPOCH

# The columns that a ticket tells of its incident; evidence may be long and stays where it is.
BRIEF = (
    "id", "status", "kind", "class_name", "score", "cov_ee_m2", "cov_en_m2", "cov_nn_m2",
    "first_seen", "last_seen", "removed_at", "zone_id", "observation_ids",
)  # fmt: skip
EVENT = ("ticket_id", "at", "state", "actor", "note", "action", "data")
BARE_EPOCH = EPOCH.replace(tzinfo=None)
Record = dict[str, Any]
# What a list tells of a ticket and its incident, as the database keeps it (instants as integers).
LISTED = (
    "id", "number", "incident_id", "category", "state", "priority", "lat_deg", "lon_deg",
    "cov_ee_m2", "cov_en_m2", "cov_nn_m2", "unit_grid", "responsible_grid", "segment", "assignee",
    "opened_at", "due_at", "level", "urged", "parent", "merged_into", "version",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TicketRows:
    """A ticket's row, its history in order as JSON objects, and the row of its incident (BRIEF)."""

    ticket: rows.Stored
    events: Sequence[Record] = field(default_factory=list)
    incident: rows.Stored | None = None


class _Columns:
    """Columns that are read as the database keeps them and turned into values here.

    Some twenty thousand values make a page of a hundred tickets; this takes a third of the time of
    the library's own rows.
    """

    def __init__(self, table: Table, names: Sequence[str]) -> None:
        self.raw = [_raw(table.c[name]) for name in names]
        self._names = tuple(names)
        kinds = [type(table.c[name].type) for name in names]
        self._instants = [n for n, k in zip(names, kinds, strict=True) if k is Instant]
        self._json = [n for n, k in zip(names, kinds, strict=True) if k is CanonicalJson]

    def row(self, values: Sequence[Any]) -> dict[str, Any]:
        """The values of one row by name."""
        found = dict(zip(self._names, values, strict=True))
        for name in self._instants:
            if (at := found[name]) is not None:
                found[name] = EPOCH + timedelta(microseconds=at)
        for name in self._json:
            if (text := found[name]) is not None:
                found[name] = {} if text == "{}" else orjson.loads(text)
        return found


def _raw(column: Any) -> Any:
    kind = {Instant: BigInteger, CanonicalJson: Text}.get(type(column.type))
    return column if kind is None else type_coerce(column, kind)


_TICKET = _Columns(tickets, [column.name for column in tickets.c])
_BRIEF = _Columns(incidents, BRIEF)


@lru_cache(maxsize=16)
def _with_incident(count: int) -> Select[Any]:
    joined = tickets.outerjoin(incidents, incidents.c.id == tickets.c.incident_id)
    chosen = sql.one_of(tickets.c.id, count)
    return select(*_TICKET.raw, *_BRIEF.raw).select_from(joined).where(chosen)


@lru_cache(maxsize=16)
def _history(count: int) -> Select[Any]:
    told = select(*(_raw(ticket_events.c[name]) for name in EVENT))
    chosen = told.where(sql.one_of(ticket_events.c.ticket_id, count))
    return chosen.order_by(ticket_events.c.ticket_id, ticket_events.c.position)


def ticket_rows(connection: Connection, ids: Sequence[str]) -> list[TicketRows]:
    """Everything of the tickets of a page, in the order of the ids; what is gone is left out."""
    found: dict[str, TicketRows] = {}
    for start in range(0, len(ids), sql.CHUNK):
        chosen = ids[start : start + sql.CHUNK]
        histories = _told_histories(connection, chosen)
        count, asked = sql.all_keys(connection, chosen)
        for values in straight.fetched(connection, _with_incident(count), asked):
            whole = tuple(values)
            ticket = _TICKET.row(whole[: len(_TICKET.raw)])
            brief = whole[len(_TICKET.raw) :]
            incident = None if brief[0] is None else _BRIEF.row(brief)
            events = histories.get(ticket["id"], [])
            found[ticket["id"]] = TicketRows(ticket, events, incident)
    return [found[one] for one in ids if one in found]


@lru_cache(maxsize=16)
def _listed(count: int) -> Select[Any]:
    joined = tickets.outerjoin(incidents, incidents.c.id == tickets.c.incident_id)
    columns = [*(_raw(tickets.c[name]) for name in LISTED), *_BRIEF.raw]
    return select(*columns).select_from(joined).where(sql.one_of(tickets.c.id, count))


def listed_rows(
    connection: Connection, ids: Sequence[str]
) -> list[tuple[Sequence[Any], list[Record]]]:
    """Of each ticket of a page its columns LISTED and its incident's BRIEF, and its history.

    The same as ticket_rows for who lists thousands a second: instants of histories are those of
    `instant`.
    """
    found: dict[str, tuple[Sequence[Any], list[Record]]] = {}
    plan_once(connection)
    for start in range(0, len(ids), sql.CHUNK):
        chosen = ids[start : start + sql.CHUNK]
        histories = _histories(connection, chosen)
        count, asked = sql.all_keys(connection, chosen)
        for values in straight.fetched(connection, _listed(count), asked):
            found[values[0]] = values, histories.get(values[0], [])
    return [found[one] for one in ids if one in found]


def instant(micros: int) -> datetime:
    """The instant that is stored, in UTC without saying so.

    orjson writes such ones six times as fast, with the offset that its option OPT_NAIVE_UTC adds.
    """
    return BARE_EPOCH + timedelta(0, 0, micros)  # by name it takes half as long again


def _told_histories(connection: Connection, ids: Sequence[str]) -> dict[str, list[Record]]:
    """The same with instants as text."""
    found = _histories(connection, ids)
    for events in found.values():
        for event in events:
            event["at"] = event["at"].replace(tzinfo=UTC).isoformat()
    return found


def _histories(connection: Connection, ids: Sequence[str]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    count, asked = sql.all_keys(connection, ids)
    told = straight.fetched(connection, _history(count), asked)
    latest = ""  # they come ticket by ticket
    events: list[Record] = []
    for ticket_id, at, state, actor, note, action, data in told:
        event = {
            "at": instant(at),
            "state": state,
            "actor": actor,
            "note": note,
            "action": action,
            "data": {} if data == "{}" else orjson.loads(data),
        }
        if ticket_id != latest:
            latest, events = ticket_id, []
            found[ticket_id] = events
        events.append(event)
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


def known_observations(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Which of these observations are stored."""
    return _known(connection, observations, ids)


def known_looks(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Which of these looks are stored."""
    return _known(connection, looks, ids)


def _known(connection: Connection, table: Table, ids: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for count, asked in sql.asked_keys(connection, ids):
        found |= {one for (one,) in straight.fetched(connection, _stored(table, count), asked)}
    return found


@lru_cache(maxsize=32)
def _stored(table: Table, count: int) -> Select[Any]:
    return select(table.c.id).where(sql.one_of(table.c.id, count))
