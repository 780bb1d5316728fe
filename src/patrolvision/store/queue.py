"""What waits for a person's word, most urgent first, and the words that were given."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Connection,
    and_,
    exists,
    func,
    literal,
    select,
    tuple_,
    type_coerce,
)

from patrolvision.store import rows, sql
from patrolvision.store.office_tables import verdicts
from patrolvision.store.schema import incidents, ticket_events, tickets
from patrolvision.types import Incident, Verdict
from patrolvision.types.instants import micros_of

FIRST = ("urgent", "high")


def places_of(
    connection: Connection, incident_ids: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """incident id -> lat_deg, lon_deg."""
    found = sql.select_in(connection, incidents, incidents.c.id, sorted(set(incident_ids)))
    return {row["id"]: (row["lat_deg"], row["lon_deg"]) for row in found}


def unjudged_tickets(connection: Connection, priority: str, limit: int) -> list[str]:
    """Ids of reported tickets of a priority that nobody has confirmed, oldest first."""
    event, again = ticket_events.alias(), ticket_events.alias()
    reopened = (
        select(func.coalesce(func.max(again.c.position), -1))
        .where(again.c.ticket_id == tickets.c.id, again.c.action == "reopen")
        .scalar_subquery()
    )
    confirmed = exists().where(
        event.c.ticket_id == tickets.c.id,
        event.c.action == "confirm",
        event.c.position > reopened,
    )
    wanted = (
        select(tickets.c.id)
        .where(tickets.c.state == "reported", tickets.c.priority == priority, ~confirmed)
        .order_by(tickets.c.opened_at, tickets.c.id)
        .limit(limit)
    )
    return list(connection.execute(wanted).scalars())


def unjudged_incidents(connection: Connection, limit: int) -> list[Incident]:
    """Doubtful incidents that stand, have no ticket and no verdict; the likeliest first."""
    judged = exists().where(verdicts.c.incident_id == incidents.c.id)
    taken = exists().where(tickets.c.incident_id == incidents.c.id)
    standing = and_(incidents.c.kind == "review", incidents.c.status.in_(("new", "existing")))
    wanted = (
        select(incidents)
        .where(standing, ~judged, ~taken)
        .order_by(incidents.c.score.desc(), incidents.c.id)
        .limit(limit)
    )
    return [rows.incident(row) for row in connection.execute(wanted).mappings()]


def verdict_page(
    connection: Connection,
    limit: int,
    *,
    after: tuple[int, str] | None = None,
    since: datetime | None = None,
    category: str | None = None,
) -> list[Verdict]:
    """Verdicts by time and id, from the place after (microseconds, id) on."""
    wanted = select(verdicts).order_by(verdicts.c.at, verdicts.c.id).limit(limit)
    if since is not None:
        wanted = wanted.where(verdicts.c.at >= since)
    if category is not None:
        wanted = wanted.where(verdicts.c.category == category)
    if after is not None:
        at = type_coerce(verdicts.c.at, BigInteger)
        place = tuple_(literal(after[0], BigInteger), literal(after[1], verdicts.c.id.type))
        wanted = wanted.where(tuple_(at, verdicts.c.id) > place)
    found = connection.execute(wanted).mappings()
    return [_verdict(row) for row in found]


def place_of(verdict: Verdict) -> tuple[int, str]:
    """Where a page that ends with the verdict ends."""
    return micros_of(verdict.at), verdict.id


def _verdict(row: rows.Stored) -> Verdict:
    lists = ("model_releases", "observation_ids")
    fields = {name: row[name] for name in Verdict.__slots__}
    return Verdict(**{**fields, **{name: tuple(row[name]) for name in lists}})
