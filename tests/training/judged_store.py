"""An office with verdicts: observations, incidents, tickets and the close pictures behind them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from patrolvision.evidence.pictures import close, close_box, keep_picture
from patrolvision.incidents.identity import incident_id
from patrolvision.store.sql_store import open_store
from patrolvision.types import (
    GeoPoint,
    GridCodes,
    Incident,
    Observation,
    Sight,
    Ticket,
    TicketEvent,
)

from .making_sets import Box, drawn_picture

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Judged:
    """One ticket and what a person did with it; action "" leaves it unjudged."""

    action: str = "confirm"
    cause: str = ""
    confidence: float = 0.6
    category: str = "litter"
    class_name: str = "litter"
    actor: str = "li"
    box: Box = (180, 120, 260, 200)
    mission: str = ""
    has_picture: bool = True
    hidden: float = 0.0


def write_office(folder: Path, judged: list[Judged], *, first: int = 0) -> str:
    """A database and evidence under the folder; the database's URL."""
    folder.mkdir(parents=True, exist_ok=True)
    url = f"sqlite:///{folder / 'patrol.db'}"
    store = open_store(url)
    with store.transaction() as transaction:
        made = [_made(folder, number, one) for number, one in enumerate(judged, first)]
        transaction.add_observations([m[0] for m in made])
        transaction.save_incidents([m[1] for m in made])
        transaction.save_tickets([m[2] for m in made])
    store.close()
    return url


def _made(folder: Path, number: int, one: Judged) -> tuple[Observation, Incident, Ticket]:
    at = NOON + timedelta(minutes=number)
    mission = one.mission or f"m{number}"
    place = GeoPoint(22.8 + number * 1e-3, 113.2, np.eye(2))
    x1, y1, x2, y2 = (float(v) for v in one.box)
    sight = Sight("clip.mp4", 7, at, (x1, y1, x2, y2), one.confidence)
    seen = Observation(
        id=f"o{number}",
        mission_id=mission,
        stream_id="car",
        class_name=one.class_name,
        first_seen=at,
        last_seen=at,
        place=place,
        confidence=one.confidence,
        frames=3,
        model_release="patrol-n@0.1.0",
        sights=(sight, sight, sight),
    )
    pictures = []
    if one.has_picture:
        image = drawn_picture(500 + number, [one.box], 480)
        kept = keep_picture(close(image, sight.xyxy), folder / "evidence")
        pictures.append(
            {
                "view": "close",
                "file": kept.path.relative_to(folder).as_posix(),
                "captured_at": at.isoformat(),
                "mission_id": mission,
                "hidden": one.hidden,
                "xyxy": list(close_box((480, 480), sight.xyxy)),
            }
        )
    incident = Incident(
        id=incident_id(one.category, seen.id),
        category=one.category,
        kind="enforce",
        status="new",
        class_name=one.class_name,
        place=place,
        first_seen=at,
        last_seen=at,
        observation_ids=(seen.id,),
        mission_ids=(mission,),
        zone_id=None,
        score=one.confidence,
        evidence={"pictures": pictures},
    )
    return seen, incident, _ticket(number, one, incident, at)


def _ticket(number: int, one: Judged, incident: Incident, at: datetime) -> Ticket:
    history = [TicketEvent(at, "reported", "patrolvision")]
    if one.action:
        state = "rejected" if one.action == "reject" else "reported"
        data = {"cause": one.cause} if one.cause else {}
        later = at + timedelta(hours=1)
        history.append(TicketEvent(later, state, one.actor, "", one.action, data))
    return Ticket(
        id=f"t{number}",
        incident_id=incident.id,
        category=one.category,
        state=history[-1].state,
        priority="normal",
        place=incident.place,
        grid=GridCodes(),
        history=tuple(history),
    )
