"""Tickets by the thousand, written as rows: a city's office after some years."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Connection

from patrolvision.store import rows, schema
from patrolvision.store.lives import kept_line
from patrolvision.store.near import cell_of
from patrolvision.store.quads import quad_of

T0 = datetime(2026, 1, 1, tzinfo=UTC)
CATEGORIES = ("litter", "illegal_parking", "open_fire")
STATES = (
    "reported", "filed", "dispatched", "handling", "feedback", "verified", "closed", "rejected",
)  # fmt: skip
PRIORITIES = ("normal", "high", "urgent")
PATH = STATES[:7]


def write(
    connection: Connection,
    count: int,
    *,
    seed: int = 0,
    centre: tuple[float, float] = (22.84, 113.23),
    spread_deg: float = 0.25,
    step: timedelta = timedelta(seconds=30),
    share_over: float = 0.8,
    chunk: int = 10_000,
) -> None:
    """`count` incidents with one ticket each and its history, newest last."""
    random = np.random.default_rng(seed)
    for start in range(0, count, chunk):
        numbers = range(start, min(start + chunk, count))
        made = [_one(k, random, centre, spread_deg, step, share_over) for k in numbers]
        connection.execute(schema.incidents.insert(), [incident for incident, _, _ in made])
        connection.execute(schema.tickets.insert(), [ticket for _, ticket, _ in made])
        events = [event for _, _, history in made for event in history]
        connection.execute(schema.ticket_events.insert(), events)


def _one(
    number: int,
    random: np.random.Generator,
    centre: tuple[float, float],
    spread_deg: float,
    step: timedelta,
    share_over: float,
) -> tuple[rows.Row, rows.Row, list[rows.Row]]:
    lat, lon = (float(c + random.normal(0, spread_deg / 2)) for c in centre)
    at = T0 + number * step
    category = CATEGORIES[int(random.choice(3, p=(0.7, 0.28, 0.02)))]
    over = random.random() < share_over
    state = str(random.choice(STATES[6:], p=(0.9, 0.1)) if over else random.choice(STATES[:6]))
    ordinary = str(random.choice(PRIORITIES[:2], p=(0.9, 0.1)))
    priority = "urgent" if category == "open_fire" else ordinary
    due_at = None if state == "reported" else at + timedelta(hours=float(random.uniform(2, 72)))
    path = PATH[: PATH.index(state) + 1] if state in PATH else ("reported", "rejected")
    crew = f"crew-{number % 200:03d}" if len(path) > 2 else None
    place = {
        "cell": cell_of(lat, lon), "lat_deg": lat, "lon_deg": lon,
        "cov_ee_m2": 2.0, "cov_en_m2": 0.1, "cov_nn_m2": 1.5,
    }  # fmt: skip
    incident_id = f"i-{number:08d}"
    incident: dict[str, Any] = {
        "id": incident_id, "category": category, "kind": "enforce",
        "status": "removed" if over else "existing", "class_name": "litter", **place,
        "first_seen": at, "last_seen": at + timedelta(minutes=5),
        "observation_ids": [f"o-{number}-1", f"o-{number}-2"], "mission_ids": [f"m-{number // 50}"],
        "zone_id": None, "score": 0.8, "priority": priority, "previous_incident_id": None,
        "removed_at": None, "evidence": {},
    }  # fmt: skip
    ticket: dict[str, Any] = {
        "id": f"t-{number:08d}", "incident_id": incident_id, "category": category, "state": state,
        "priority": priority, **place, "unit_grid": f"U{int((lat + 90) * 100)}{int(lon * 100)}",
        "responsible_grid": f"R{int((lat + 90) * 10)}{int(lon * 10)}",
        "segment": f"S{number % 4784:04d}", "assignee": crew,
        "due_at": due_at,
        "opened_at": at, "quad": quad_of(lat, lon),
        "number": f"2026-{number:07d}" if crew else None, "level": 0, "urged": 0,
        "merged_into": None, "parent": None, "version": len(path),
        "life": kept_line((at + k * timedelta(hours=1), name, "", {})
                          for k, name in enumerate(path)),
    }  # fmt: skip
    history = [
        {
            "ticket_id": f"t-{number:08d}", "position": k, "at": at + k * timedelta(hours=1),
            "state": name, "actor": "patrolvision" if k == 0 else "desk", "note": "",
            "action": "", "data": {},
        }
        for k, name in enumerate(path)
    ]  # fmt: skip
    return incident, ticket, history


def numbered(connection: Connection) -> Iterator[rows.Stored]:
    """The tickets as they are stored."""
    from sqlalchemy import select

    yield from connection.execute(select(schema.tickets)).mappings()
