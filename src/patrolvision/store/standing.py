"""What stood where when, and what was looked at: each sight of a category, and the looks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, select

from patrolvision.store import rows
from patrolvision.store.engine import reading
from patrolvision.store.schema import incident_observations, incidents, looks, observations
from patrolvision.types import Look


def sights_of(
    engine: Engine, category: str, start: datetime, end: datetime
) -> Iterator[Mapping[str, Any]]:
    """incident_id, mission_id, first_seen, lat_deg, lon_deg of each sight from start to end.

    By first_seen and id. The place is the incident's, so that all sights of one thing lie on one
    road; what was dismissed (false alarms, merged ones) and what is no ticket's affair is left out.
    """
    joined = incident_observations.join(
        incidents, incidents.c.id == incident_observations.c.incident_id
    ).join(observations, observations.c.id == incident_observations.c.observation_id)
    chosen = (
        select(
            incidents.c.id.label("incident_id"),
            observations.c.mission_id,
            observations.c.first_seen,
            incidents.c.lat_deg,
            incidents.c.lon_deg,
        )
        .select_from(joined)
        .where(observations.c.first_seen >= start, observations.c.first_seen <= end)
        .where(incidents.c.category == category, incidents.c.kind == "enforce")
        .where(incidents.c.status != "dismissed")
        .order_by(observations.c.first_seen, observations.c.id)
    )
    with reading(engine) as connection:
        yield from map(dict, connection.execute(chosen).mappings())


def looks_between(engine: Engine, start: datetime, end: datetime) -> Iterator[Look]:
    """Looks that begin from start to end, by start and id: an index reads no others for it."""
    chosen = select(looks).where(looks.c.start_at >= start, looks.c.start_at <= end)
    with reading(engine) as connection:
        found = connection.execute(chosen.order_by(looks.c.start_at, looks.c.id)).mappings()
        yield from map(rows.look, found)
