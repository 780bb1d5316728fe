"""Which pictures are kept, and which tickets want them: for retention."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Text, cast, delete, select

from patrolvision.store import evidence_log, sql
from patrolvision.store.office_tables import evidence_log as evidence_log_table
from patrolvision.store.office_tables import replies
from patrolvision.store.schema import (
    findings,
    incident_observations,
    incidents,
    ticket_events,
    tickets,
)
from patrolvision.types import GridCodes, PictureNote

ADOPTED = "adopted"  # the actor of a line about a picture that is older than the log


@dataclass(frozen=True, slots=True)
class Claim:
    """What wants a picture: the category and state of a ticket, and when that last changed.

    state is None where no ticket wants it.
    """

    category: str
    state: str | None
    since: datetime


@dataclass(frozen=True, slots=True)
class KeptPicture:
    """A picture by its hash, when it was first kept, and the subjects it was kept for."""

    sha256: str
    at: datetime
    subjects: tuple[str, ...]


def kept_pictures(connection: Connection) -> list[KeptPicture]:
    """The pictures that the evidence log does not call expired, by hash."""
    last: dict[tuple[str, str], tuple[str, datetime]] = {}
    for line in evidence_log.lines(connection):
        last[line["sha256"], line["subject"]] = (line["what"], line["at"])
    found: dict[str, list[tuple[str, datetime]]] = {}
    for (sha256, subject), (what, at) in sorted(last.items()):
        if what == "kept":
            found.setdefault(sha256, []).append((subject, at))
    return [
        KeptPicture(sha256, min(at for _, at in mine), tuple(subject for subject, _ in mine))
        for sha256, mine in found.items()
    ]


def unlogged(connection: Connection) -> list[PictureNote]:
    """What the evidence log would have been told of pictures that findings name and it does not.

    They were kept before there was a log (migration 0003): nothing proves them, and they never
    expire, until they are taken in (evidence_log.append).
    """
    table, log = findings, evidence_log_table
    illustrated = cast(table.c.evidence, Text).contains('"pictures"')
    rows = connection.execute(select(table.c.observation_id, table.c.evidence).where(illustrated))
    known = set(connection.execute(select(log.c.sha256).distinct()).scalars())
    found: dict[tuple[str, str], PictureNote] = {}
    for observation_id, evidence in rows:
        for picture in evidence.get("pictures") or ():
            sha256 = str(picture["sha256"])
            if sha256 not in known:
                at = datetime.fromisoformat(picture["captured_at"])
                note = PictureNote(sha256, "kept", at, observation_id, ADOPTED)
                found.setdefault((sha256, observation_id), note)
    return [found[key] for key in sorted(found)]


def claims(connection: Connection, pictures: Sequence[KeptPicture]) -> Iterator[list[Claim]]:
    """For each picture, what wants it now; a subject that is gone wants nothing."""
    subjects = sorted({subject for picture in pictures for subject in picture.subjects})
    holders = incident_observations
    held = sql.select_in(connection, holders, holders.c.observation_id, subjects)
    incident_of: dict[str, set[str]] = {}
    for row in held:
        incident_of.setdefault(row["observation_id"], set()).add(row["incident_id"])
    wanted = sorted({one for found in incident_of.values() for one in found})
    about = {r["id"]: r for r in sql.select_in(connection, incidents, incidents.c.id, wanted)}
    mine = sql.select_in(connection, tickets, tickets.c.incident_id, wanted)
    by_id = {row["id"]: row for row in mine}
    by_id |= {r["id"]: r for r in sql.select_in(connection, tickets, tickets.c.id, subjects)}
    changed = _last_changes(connection, sorted(by_id))
    of_incident: dict[str, list[Claim]] = {}
    for row in by_id.values():
        claim = Claim(row["category"], row["state"], changed[row["id"]])
        of_incident.setdefault(row["incident_id"], []).append(claim)
        of_incident.setdefault(row["id"], []).append(claim)
    for picture in pictures:
        found: list[Claim] = []
        for subject in picture.subjects:
            found += of_incident.get(subject, [])
            for incident_id in sorted(incident_of.get(subject, ())):
                bare = [
                    Claim(about[incident_id]["category"], None, about[incident_id]["last_seen"])
                ]
                found += of_incident.get(incident_id, bare)
        yield found


def grids_of_picture(connection: Connection, sha256: str) -> list[GridCodes]:
    """The codes of the tickets that a picture shows; none where no ticket has it."""
    log, held = evidence_log_table, incident_observations
    subjects = [row["subject"] for row in sql.select_in(connection, log, log.c.sha256, [sha256])]
    found = sql.select_in(connection, held, held.c.observation_id, subjects)
    about = sorted({row["incident_id"] for row in found})
    mine = sql.select_in(connection, tickets, tickets.c.incident_id, about)
    mine += sql.select_in(connection, tickets, tickets.c.id, subjects)
    return [GridCodes(r["unit_grid"], r["responsible_grid"], r["segment"]) for r in mine]


def _last_changes(connection: Connection, ids: Sequence[str]) -> dict[str, datetime]:
    events = sql.select_in(connection, ticket_events, ticket_events.c.ticket_id, ids)
    last: dict[str, datetime] = {}
    for event in events:
        known = last.get(event["ticket_id"])
        last[event["ticket_id"]] = event["at"] if known is None else max(known, event["at"])
    return last


def forget_replies(connection: Connection, before: datetime) -> int:
    """Delete answers kept under Idempotency-Keys that are older; how many."""
    return int(connection.execute(delete(replies).where(replies.c.at < before)).rowcount)
