"""What citizens reported, and how to reach them until their case is over.

A report says what and where and which ticket it went to; whoever sent it stands apart, in
`reporters`, and is deleted some time after the ticket is closed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from patrolvision.store import sql
from patrolvision.store.neighbour_tables import citizen_reports, reporters
from patrolvision.store.schema import incidents, tickets
from patrolvision.store.sealing import Seals
from patrolvision.types import Ticket


@dataclass(frozen=True, slots=True)
class CitizenReport:
    """One report: id is the token its sender got; joined: the case was known before."""

    id: str
    received_at: datetime
    service_code: str
    incident_id: str
    ticket_id: str
    lat_deg: float
    lon_deg: float
    joined: bool
    description: str | None = None
    address: str | None = None
    media_url: str | None = None
    attributes: Mapping[str, Any] | None = None


def add_report(
    connection: Connection,
    report: CitizenReport,
    contact: Mapping[str, str] | None,
    seals: Seals,
) -> None:
    """Keep a report and, apart from it and sealed, how to reach who sent it (None: anonymous).

    Without a key to seal it with a contact is not kept.
    """
    row = {name: getattr(report, name) for name in _COLUMNS}
    row |= {"joined": int(report.joined), "attributes": dict(report.attributes or {})}
    connection.execute(insert(citizen_reports), [row])
    if contact and seals.has_key:
        row = {"report_id": report.id, "contact": sealed_contact(contact, seals)}
        connection.execute(insert(reporters), [row])


def sealed_contact(contact: Mapping[str, str], seals: Seals) -> dict[str, str]:
    """The contact as it is stored."""
    return {"sealed": seals.seal(json.dumps(dict(contact), ensure_ascii=False))}


def opened_contact(stored: Mapping[str, str], seals: Seals) -> dict[str, str]:
    """The contact again; one that was kept before there were keys is as it is."""
    sealed = stored.get("sealed")
    return dict(stored) if sealed is None else dict(json.loads(seals.open(sealed)))


def report_of(connection: Connection, report_id: str) -> CitizenReport | None:
    """The report with this token."""
    found = sql.select_in(connection, citizen_reports, citizen_reports.c.id, [report_id])
    return _report(found[0]) if found else None


def reports_on(connection: Connection, ticket_ids: Sequence[str]) -> list[CitizenReport]:
    """The reports that went to these tickets, the earliest first."""
    column = citizen_reports.c.ticket_id
    found = map(_report, sql.select_in(connection, citizen_reports, column, list(ticket_ids)))
    return sorted(found, key=lambda report: (report.received_at, report.id))


def hand_over(connection: Connection, from_ticket: str, to: Ticket) -> int:
    """Let the reports of a ticket that was merged away follow the one that goes on."""
    mine = citizen_reports.c.ticket_id == from_ticket
    values = {"ticket_id": to.id, "incident_id": to.incident_id}
    return connection.execute(update(citizen_reports).where(mine).values(**values)).rowcount


def contact_of(connection: Connection, report_id: str, seals: Seals) -> dict[str, str] | None:
    """How to reach who sent the report; None if unknown or deleted. StoreError without its key."""
    found = sql.select_in(connection, reporters, reporters.c.report_id, [report_id])
    return opened_contact(found[0]["contact"], seals) if found else None


def forget_after(connection: Connection, report_ids: Sequence[str], at: datetime) -> None:
    """Set when the contacts of these reports are to be deleted."""
    for report_id in report_ids:
        mine = reporters.c.report_id == report_id
        connection.execute(update(reporters).where(mine).values(delete_after=at))


def forget_contacts(connection: Connection, now: datetime) -> int:
    """Delete every contact whose time has come; how many they were."""
    return connection.execute(delete(reporters).where(reporters.c.delete_after <= now)).rowcount


def has_due_contacts(connection: Connection, now: datetime) -> bool:
    """Whether there is a contact whose time has come."""
    due = select(reporters.c.report_id).where(reporters.c.delete_after <= now).limit(1)
    return connection.execute(due).first() is not None


def pictures_of(connection: Connection, ticket_id: str) -> list[dict[str, Any]]:
    """What the incident of a ticket says of its pictures: file, sha256, view; the best first."""
    joined = tickets.join(incidents, tickets.c.incident_id == incidents.c.id)
    wanted = select(incidents.c.evidence).select_from(joined).where(tickets.c.id == ticket_id)
    evidence = connection.execute(wanted).scalar() or {}
    return list(evidence.get("pictures") or ())


def requested(
    connection: Connection,
    since: datetime,
    until: datetime,
    *,
    categories: Sequence[str],
    states: Sequence[str],
    limit: int,
    offset: int = 0,
) -> list[Ticket]:
    """Tickets that were opened in the span, of these categories and states, the newest first."""
    table = tickets
    wanted = (
        select(table)
        .where(table.c.opened_at >= since, table.c.opened_at <= until)
        .where(table.c.category.in_(categories), table.c.state.in_(states))
        .order_by(table.c.opened_at.desc(), table.c.id.desc())
        .limit(limit)
        .offset(offset)
    )
    return sql.tickets_of_rows(connection, list(connection.execute(wanted).mappings()))


def tickets_named(connection: Connection, ticket_ids: Sequence[str]) -> dict[str, Ticket]:
    """ticket id -> ticket, for those that there are."""
    found = sql.select_in(connection, tickets, tickets.c.id, list(ticket_ids))
    return {ticket.id: ticket for ticket in sql.tickets_of_rows(connection, found)}


_COLUMNS = tuple(column.name for column in citizen_reports.c)


def _report(row: Mapping[str, Any]) -> CitizenReport:
    return CitizenReport(**{**{n: row[n] for n in _COLUMNS}, "joined": bool(row["joined"])})
