"""Values to rows and back, exactly; nothing here touches a database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from patrolvision.store import lives
from patrolvision.store.near import cell_of
from patrolvision.store.quads import quad_of
from patrolvision.types import (
    Finding,
    FloatArray,
    GeoPoint,
    GridCodes,
    Incident,
    Look,
    MissionRecord,
    Observation,
    OutboxMessage,
    Sight,
    Ticket,
    TicketEvent,
)

Row = dict[str, Any]
Stored = Mapping[Any, Any]  # dicts, and the rows that SQLAlchemy yields


def _float(value: float | None) -> float | None:
    return None if value is None else float(value) + 0.0  # SQLite keeps no negative zero


def _place_row(place: GeoPoint) -> Row:
    (ee, en), (_, nn) = place.cov_en_m2.tolist()
    lat_deg, lon_deg = float(place.lat_deg), float(place.lon_deg)
    return {
        "cell": cell_of(lat_deg, lon_deg),
        "lat_deg": lat_deg + 0.0,
        "lon_deg": lon_deg + 0.0,
        "cov_ee_m2": ee + 0.0,
        "cov_en_m2": en + 0.0,
        "cov_nn_m2": nn + 0.0,
    }


def _matrix(ee: float, en: float, nn: float) -> FloatArray:
    return np.array([[ee, en], [en, nn]], dtype=np.float64)


def _place(row: Stored) -> GeoPoint:
    cov = _matrix(row["cov_ee_m2"], row["cov_en_m2"], row["cov_nn_m2"])
    return GeoPoint(row["lat_deg"], row["lon_deg"], cov)


def _sight_json(sight: Sight) -> Row:
    return {
        "media": sight.media,
        "frame_index": int(sight.frame_index),
        "captured_at": sight.captured_at.isoformat(),
        "xyxy": [float(edge) for edge in sight.xyxy],
        "confidence": float(sight.confidence),
    }


def _sight(value: Stored) -> Sight:
    x0, y0, x1, y1 = value["xyxy"]
    captured_at = datetime.fromisoformat(value["captured_at"])
    confidence = value["confidence"]
    return Sight(value["media"], value["frame_index"], captured_at, (x0, y0, x1, y1), confidence)


def observation_row(observation: Observation) -> Row:
    """Row of the table observations."""
    bias = observation.bias_cov_en_m2
    return {
        "id": observation.id,
        "mission_id": observation.mission_id,
        "stream_id": observation.stream_id,
        "class_name": observation.class_name,
        "first_seen": observation.first_seen,
        "last_seen": observation.last_seen,
        **_place_row(observation.place),
        "confidence": _float(observation.confidence),
        "frames": int(observation.frames),
        "speed_mps": _float(observation.speed_mps),
        "speed_sigma_mps": _float(observation.speed_sigma_mps),
        "bias_ee_m2": None if bias is None else _float(bias[0, 0]),
        "bias_en_m2": None if bias is None else _float(bias[0, 1]),
        "bias_nn_m2": None if bias is None else _float(bias[1, 1]),
        "size_m2": _float(observation.size_m2),
        "model_release": observation.model_release,
        "sights": [_sight_json(sight) for sight in observation.sights],
    }


def observation(row: Stored) -> Observation:
    """Observation of a row."""
    bias = None
    if row["bias_ee_m2"] is not None:
        bias = _matrix(row["bias_ee_m2"], row["bias_en_m2"], row["bias_nn_m2"])
    return Observation(
        id=row["id"],
        mission_id=row["mission_id"],
        stream_id=row["stream_id"],
        class_name=row["class_name"],
        first_seen=row["first_seen"],
        last_seen=row["last_seen"],
        place=_place(row),
        confidence=row["confidence"],
        frames=row["frames"],
        speed_mps=row["speed_mps"],
        speed_sigma_mps=row["speed_sigma_mps"],
        bias_cov_en_m2=bias,
        size_m2=row["size_m2"],
        model_release=row["model_release"],
        sights=tuple(_sight(value) for value in row["sights"]),
    )


def finding_row(finding: Finding) -> Row:
    """Row of the table findings."""
    return {
        "id": finding.id,
        "observation_id": finding.observation.id,
        "category": finding.category,
        "kind": finding.kind,
        "score": _float(finding.score),
        "zone_id": finding.zone_id,
        "priority": finding.priority,
        "evidence": dict(finding.evidence),
    }


def finding(row: Stored, seen: Observation) -> Finding:
    """Finding of a row and the observation that it speaks of."""
    return Finding(
        id=row["id"],
        category=row["category"],
        kind=row["kind"],
        observation=seen,
        score=row["score"],
        zone_id=row["zone_id"],
        priority=row["priority"],
        evidence=row["evidence"],
    )


def incident_row(incident: Incident) -> Row:
    """Row of the table incidents."""
    return {
        "id": incident.id,
        "category": incident.category,
        "kind": incident.kind,
        "status": incident.status,
        "class_name": incident.class_name,
        **_place_row(incident.place),
        "first_seen": incident.first_seen,
        "last_seen": incident.last_seen,
        "observation_ids": list(incident.observation_ids),
        "mission_ids": list(incident.mission_ids),
        "zone_id": incident.zone_id,
        "score": _float(incident.score),
        "priority": incident.priority,
        "previous_incident_id": incident.previous_incident_id,
        "removed_at": incident.removed_at,
        "evidence": dict(incident.evidence),
    }


def incident(row: Stored) -> Incident:
    """Incident of a row."""
    return Incident(
        id=row["id"],
        category=row["category"],
        kind=row["kind"],
        status=row["status"],
        class_name=row["class_name"],
        place=_place(row),
        first_seen=row["first_seen"],
        last_seen=row["last_seen"],
        observation_ids=tuple(row["observation_ids"]),
        mission_ids=tuple(row["mission_ids"]),
        zone_id=row["zone_id"],
        score=row["score"],
        priority=row["priority"],
        previous_incident_id=row["previous_incident_id"],
        removed_at=row["removed_at"],
        evidence=row["evidence"],
    )


def ticket_row(ticket: Ticket) -> Row:
    """Row of the table tickets; its history is rows of ticket_events."""
    return {
        "id": ticket.id,
        "incident_id": ticket.incident_id,
        "category": ticket.category,
        "state": ticket.state,
        "priority": ticket.priority,
        **_place_row(ticket.place),
        "unit_grid": ticket.grid.unit_grid,
        "responsible_grid": ticket.grid.responsible_grid,
        "segment": ticket.grid.segment,
        "assignee": ticket.assignee,
        "due_at": ticket.due_at,
        "opened_at": ticket.history[0].at,
        "quad": quad_of(ticket.place.lat_deg, ticket.place.lon_deg),
        "number": ticket.number,
        "level": ticket.level,
        "urged": ticket.urged,
        "merged_into": ticket.merged_into,
        "parent": ticket.parent,
        "version": ticket.version,
        "life": lives.kept_line((e.at, e.state, e.action, e.data) for e in ticket.history),
    }


def event_rows(ticket: Ticket) -> list[Row]:
    """Rows of the table ticket_events, in order."""
    return [
        {
            "ticket_id": ticket.id,
            "position": position,
            "at": event.at,
            "state": event.state,
            "actor": event.actor,
            "note": event.note,
            "action": event.action,
            "data": dict(event.data),
        }
        for position, event in enumerate(ticket.history)
    ]


def ticket(row: Stored, events: Sequence[Stored]) -> Ticket:
    """Ticket of a row and its events in order."""
    history = tuple(
        TicketEvent(e["at"], e["state"], e["actor"], e["note"], e["action"], e["data"])
        for e in events
    )
    return Ticket(
        id=row["id"],
        incident_id=row["incident_id"],
        category=row["category"],
        state=row["state"],
        priority=row["priority"],
        place=_place(row),
        grid=GridCodes(row["unit_grid"], row["responsible_grid"], row["segment"]),
        history=history,
        assignee=row["assignee"],
        due_at=row["due_at"],
        number=row["number"],
        level=row["level"],
        urged=row["urged"],
        merged_into=row["merged_into"],
        parent=row["parent"],
    )


def look_row(look: Look) -> Row:
    """Row of the table looks; its cells are rows of look_cells."""
    return {
        "id": look.id,
        "mission_id": look.mission_id,
        "start_at": look.start,
        "end_at": look.end,
        "classes": sorted(look.classes),
        "polygon": [[float(lat), float(lon)] for lat, lon in look.polygon],
        "detection_probability": _float(look.detection_probability),
    }


def look(row: Stored) -> Look:
    """Look of a row."""
    return Look(
        id=row["id"],
        mission_id=row["mission_id"],
        start=row["start_at"],
        end=row["end_at"],
        classes=frozenset(row["classes"]),
        polygon=tuple((lat, lon) for lat, lon in row["polygon"]),
        detection_probability=row["detection_probability"],
    )


def mission_row(record: MissionRecord) -> Row:
    """Row of the table missions."""
    return {
        "id": record.id,
        "digest": record.digest,
        "state": record.state,
        "counts": dict(record.counts),
        "finished_at": record.finished_at,
    }


def mission(row: Stored) -> MissionRecord:
    """Mission record of a row."""
    return MissionRecord(row["id"], row["digest"], row["state"], row["counts"], row["finished_at"])


def message_row(message: OutboxMessage) -> Row:
    """Row of the table outbox; its position is given by the database."""
    return {"id": message.id, "topic": message.topic, "payload": dict(message.payload)}


def message(row: Stored) -> OutboxMessage:
    """Outbox message of a row."""
    return OutboxMessage(row["id"], row["topic"], row["payload"])
