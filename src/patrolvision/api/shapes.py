"""Rows of the store as the JSON that the API promises, without the values in between.

A page of tickets is built a hundred times a second; tests hold these against records.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson

from patrolvision.store.office_reads import instant
from patrolvision.store.rows import Stored

Json = dict[str, Any]


def iso(at: datetime | None) -> str | None:
    """ISO 8601 with its offset."""
    return None if at is None else at.isoformat()


def _sigma_m(row: Stored) -> float:
    """Standard deviation along the ellipse's long axis: the larger eigenvalue of a 2×2 matrix."""
    ee, en, nn = row["cov_ee_m2"], row["cov_en_m2"], row["cov_nn_m2"]
    return math.sqrt((ee + nn) / 2.0 + math.hypot((ee - nn) / 2.0, en))


def _covariance(row: Stored) -> list[list[float]]:
    ee, en, nn = row["cov_ee_m2"], row["cov_en_m2"], row["cov_nn_m2"]
    return [[ee, en], [en, nn]]


def ticket(row: Stored, events: Sequence[Json], incident: Stored | None) -> Json:
    """A ticket of its row, its history in order as it is told, and the row of its incident."""
    return {
        "ticket_id": row["id"],
        "number": row["number"],
        "incident_id": row["incident_id"],
        "category": row["category"],
        "state": row["state"],
        "priority": row["priority"],
        "lat_deg": row["lat_deg"],
        "lon_deg": row["lon_deg"],
        "sigma_m": _sigma_m(row),
        "unit_grid": row["unit_grid"],
        "responsible_grid": row["responsible_grid"],
        "segment": row["segment"],
        "assignee": row["assignee"],
        "opened_at": iso(row["opened_at"]),
        "due_at": iso(row["due_at"]),
        "level": row["level"],
        "urged": row["urged"],
        "parent": row["parent"],
        "merged_into": row["merged_into"],
        "version": row["version"],
        "incident": None if incident is None else brief(incident),
        "history": events,
    }


def listed(values: Sequence[Any], events: Sequence[Json]) -> Json:
    """The same of office_reads.listed_rows; its instants are datetimes that answers.TEXT writes."""
    (
        identity, number, incident_id, category, state, priority, lat_deg, lon_deg, ee, en, nn,
        unit_grid, responsible_grid, segment, assignee, opened_at, due_at, level, urged, parent,
        merged_into, version, incident, status, kind, class_name, score, i_ee, i_en, i_nn,
        first_seen, last_seen, removed_at, zone_id, observation_ids,
    ) = values  # fmt: skip
    case = None
    if incident is not None:
        case = {
            "status": status,
            "kind": kind,
            "class": class_name,
            "score": score,
            "cov_en_m2": [[i_ee, i_en], [i_en, i_nn]],
            "first_seen": _instant(first_seen),
            "last_seen": _instant(last_seen),
            "removed_at": _instant(removed_at),
            "zone_id": zone_id,
            "observations": len(orjson.loads(observation_ids)),
        }
    return {
        "ticket_id": identity,
        "number": number,
        "incident_id": incident_id,
        "category": category,
        "state": state,
        "priority": priority,
        "lat_deg": lat_deg,
        "lon_deg": lon_deg,
        "sigma_m": math.sqrt((ee + nn) / 2.0 + math.hypot((ee - nn) / 2.0, en)),
        "unit_grid": unit_grid,
        "responsible_grid": responsible_grid,
        "segment": segment,
        "assignee": assignee,
        "opened_at": _instant(opened_at),
        "due_at": _instant(due_at),
        "level": level,
        "urged": urged,
        "parent": parent,
        "merged_into": merged_into,
        "version": version,
        "incident": case,
        "history": events,
    }


def _instant(micros: int | None) -> datetime | None:
    return None if micros is None else instant(micros)


def brief(row: Stored) -> Json:
    """What a ticket tells of its incident."""
    return _condition(row) | {"observations": len(row["observation_ids"])}


def incident(row: Stored) -> Json:
    """An incident of its row."""
    named = {
        "incident_id": row["id"],
        "category": row["category"],
        "lat_deg": row["lat_deg"],
        "lon_deg": row["lon_deg"],
    }
    sources = {
        "observation_ids": row["observation_ids"],
        "mission_ids": row["mission_ids"],
        "priority": row["priority"],
        "previous_incident_id": row["previous_incident_id"],
        "evidence": row["evidence"],
    }
    return named | _condition(row) | sources


def _condition(row: Stored) -> Json:
    return {
        "status": row["status"],
        "kind": row["kind"],
        "class": row["class_name"],
        "score": row["score"],
        "cov_en_m2": _covariance(row),
        "first_seen": iso(row["first_seen"]),
        "last_seen": iso(row["last_seen"]),
        "removed_at": iso(row["removed_at"]),
        "zone_id": row["zone_id"],
    }


def observation(row: Stored) -> Json:
    """An observation of its row; what is not known beyond the promised fields is left out."""
    record: Json = {
        "id": row["id"],
        "mission_id": row["mission_id"],
        "stream_id": row["stream_id"],
        "class": row["class_name"],
        "first_seen": iso(row["first_seen"]),
        "last_seen": iso(row["last_seen"]),
        "lat_deg": row["lat_deg"],
        "lon_deg": row["lon_deg"],
        "cov_en_m2": _covariance(row),
        "confidence": row["confidence"],
        "frames": row["frames"],
        "speed_mps": row["speed_mps"],
        "speed_sigma_mps": row["speed_sigma_mps"],
    }
    ee, en, nn = row["bias_ee_m2"], row["bias_en_m2"], row["bias_nn_m2"]
    extra = {
        "bias_cov_en_m2": None if ee is None else [[ee, en], [en, nn]],
        "size_m2": row["size_m2"],
        "model_release": row["model_release"],
        "sights": row["sights"] or None,
    }
    return record | {name: value for name, value in extra.items() if value is not None}


def look(row: Stored) -> Json:
    """A look of its row; its polygon is a ring of [lon, lat]."""
    return {
        "id": row["id"],
        "mission_id": row["mission_id"],
        "start": iso(row["start_at"]),
        "end": iso(row["end_at"]),
        "classes": row["classes"],
        "polygon": [[lon, lat] for lat, lon in row["polygon"]],
        "detection_probability": row["detection_probability"],
    }
