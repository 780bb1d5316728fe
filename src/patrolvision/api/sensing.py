"""A sensor's event as a candidate in the store: an observation and a finding for a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from patrolvision.pipeline import Judged, settle
from patrolvision.rules.findings import finding_id
from patrolvision.rules.rulebook import Rulebook
from patrolvision.store.sql_store import SqlStore
from patrolvision.tickets.grids import GridIndex
from patrolvision.tickets.sensors import SensorRule
from patrolvision.types import Finding, GeoPoint, Incident, Observation

STREAM = "sensors"


@dataclass(frozen=True, slots=True)
class SensorEvent:
    """What a sensor reported, and where it hangs; value is its reading, in its own unit."""

    device_id: str
    event: str
    at: datetime
    lat_deg: float
    lon_deg: float
    value: float | None = None


def take(
    store: SqlStore,
    event: SensorEvent,
    rule: SensorRule,
    rules: Rulebook | None = None,
    grids: GridIndex | None = None,
) -> tuple[Incident, bool]:
    """The incident that the event belongs to, and whether it founded it.

    Reports of one sensor that go on make one incident; the same event again changes nothing.
    """
    seen = observation_of(event, rule)
    with store.transaction() as transaction:
        transaction.claim([(event.lat_deg, event.lon_deg)])
        settle(transaction, Judged((seen,), (finding_of(seen, event, rule),)), rules=rules,
               grids=grids)  # fmt: skip
        (case,) = transaction.incidents_with([seen.id])
    return case, case.observation_ids == (seen.id,)


def observation_of(event: SensorEvent, rule: SensorRule) -> Observation:
    """What the sensor noticed, as a pass of its own."""
    name = f"sensor-{event.device_id}-{event.event}-{event.at:%Y%m%dT%H%M%S%f}"
    place = GeoPoint(event.lat_deg, event.lon_deg, np.eye(2) * rule.sigma_m**2)
    return Observation(
        name, name, STREAM, rule.class_name, event.at, event.at, place, rule.score, 1
    )


def finding_of(seen: Observation, event: SensorEvent, rule: SensorRule) -> Finding:
    """The claim that the event makes, for a person to judge."""
    evidence = {"rule": "sensor", "device": event.device_id, "event": event.event}
    if event.value is not None:
        evidence["value"] = str(event.value)
    return Finding(
        id=finding_id(rule.category, seen.id),
        category=rule.category,
        kind="review",
        observation=seen,
        score=rule.score,
        evidence=evidence,
    )
