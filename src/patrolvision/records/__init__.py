"""Values to the JSON, GeoJSON and CSV that leave and enter the program, and back.

The formats are promised to other programs: fields are added, never changed. What comes in from
outside is checked field by field in fields.py; ObservationError names the id and the field.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import pairwise
from typing import Any

from patrolvision.records import fields
from patrolvision.types import GeoPoint, Incident, Look, Observation, Sight, Ticket, TicketEvent

Record = dict[str, Any]


def observation_from_record(
    record: Mapping[str, Any],
    *,
    now: datetime | None = None,
    registered: Collection[str] = (),
) -> Observation:
    """Observation of one JSON object; times come back in UTC.

    Raises ObservationError for a missing or impossible field, for a place at (0, 0), and, if now
    is given, for an observation that ends after it. Fields that are not known are passed over.
    registered are the classes that are known beside the detector's.
    """
    given = fields.Fields("observation", record)
    first_seen, last_seen = given.span("first_seen", "last_seen")
    if now is not None and last_seen > now:
        raise given.wrong("last_seen", f"no later than now, {now.isoformat()}")
    return Observation(
        id=given.identity,
        mission_id=given.take("mission_id", fields.name),
        stream_id=given.take("stream_id", fields.name),
        class_name=given.take("class", partial(fields.class_name, registered=registered)),
        first_seen=first_seen,
        last_seen=last_seen,
        place=given.place(),
        confidence=given.take("confidence", fields.share),
        frames=given.take("frames", fields.positive_count),
        speed_mps=given.maybe("speed_mps", fields.not_negative),
        speed_sigma_mps=given.maybe("speed_sigma_mps", fields.not_negative),
        bias_cov_en_m2=given.maybe("bias_cov_en_m2", fields.bias_covariance),
        size_m2=given.maybe("size_m2", fields.not_negative),
        model_release=given.maybe("model_release", fields.name),
        sights=given.maybe("sights", fields.sights) or (),
    )


def observation_to_record(observation: Observation) -> Record:
    """JSON object of an observation; fields beyond the promised ones only where they are known."""
    record: Record = {
        "id": observation.id,
        "mission_id": observation.mission_id,
        "stream_id": observation.stream_id,
        "class": observation.class_name,
        "first_seen": observation.first_seen.isoformat(),
        "last_seen": observation.last_seen.isoformat(),
        **_place_record(observation.place),
        "confidence": float(observation.confidence),
        "frames": int(observation.frames),
        "speed_mps": observation.speed_mps,
        "speed_sigma_mps": observation.speed_sigma_mps,
    }
    bias = observation.bias_cov_en_m2
    extra = {
        "bias_cov_en_m2": None if bias is None else bias.tolist(),
        "size_m2": observation.size_m2,
        "model_release": observation.model_release,
        "sights": [_sight_record(sight) for sight in observation.sights] or None,
    }
    return record | {name: value for name, value in extra.items() if value is not None}


def look_from_record(
    record: Mapping[str, Any],
    *,
    now: datetime | None = None,
    registered: Collection[str] = (),
) -> Look:
    """Look of one JSON object, its ring turned to (lat_deg, lon_deg).

    Raises ObservationError, if now is given also for a look that ends after it.
    """
    given = fields.Fields("look", record)
    start, end = given.span("start", "end")
    if now is not None and end > now:
        raise given.wrong("end", f"no later than now, {now.isoformat()}")
    return Look(
        id=given.identity,
        mission_id=given.take("mission_id", fields.name),
        start=start,
        end=end,
        classes=given.take("classes", partial(fields.class_names, registered=registered)),
        polygon=given.take("polygon", fields.ring),
        detection_probability=given.take("detection_probability", fields.share),
    )


def look_to_record(look: Look) -> Record:
    """JSON object of a look; its polygon is a ring of [lon, lat]."""
    return {
        "id": look.id,
        "mission_id": look.mission_id,
        "start": look.start.isoformat(),
        "end": look.end.isoformat(),
        "classes": sorted(look.classes),
        "polygon": [[float(lon), float(lat)] for lat, lon in look.polygon],
        "detection_probability": float(look.detection_probability),
    }


def incident_to_record(incident: Incident) -> Record:
    """JSON object of an incident: the promised fields, then the others."""
    return {
        "incident_id": incident.id,
        "category": incident.category,
        "status": incident.status,
        **_place_record(incident.place),
        "first_seen": incident.first_seen.isoformat(),
        "last_seen": incident.last_seen.isoformat(),
        "observation_ids": list(incident.observation_ids),
        "mission_ids": list(incident.mission_ids),
        "zone_id": incident.zone_id,
        "score": float(incident.score),
        "kind": incident.kind,
        "class": incident.class_name,
        "priority": incident.priority,
        "previous_incident_id": incident.previous_incident_id,
        "removed_at": _iso(incident.removed_at),
        "evidence": dict(incident.evidence),
    }


def ticket_to_record(ticket: Ticket) -> Record:
    """JSON object of a ticket, with its history, oldest event first."""
    return {
        "ticket_id": ticket.id,
        "incident_id": ticket.incident_id,
        "category": ticket.category,
        "state": ticket.state,
        "priority": ticket.priority,
        "lat_deg": float(ticket.place.lat_deg),
        "lon_deg": float(ticket.place.lon_deg),
        "sigma_m": ticket.place.sigma_m,
        "unit_grid": ticket.grid.unit_grid,
        "responsible_grid": ticket.grid.responsible_grid,
        "segment": ticket.grid.segment,
        "assignee": ticket.assignee,
        "due_at": _iso(ticket.due_at),
        "history": [event_to_record(event) for event in ticket.history],
        "number": ticket.number,
        "version": ticket.version,
        "level": ticket.level,
        "urged": ticket.urged,
        "merged_into": ticket.merged_into,
        "parent": ticket.parent,
    }


def event_to_record(event: TicketEvent) -> Record:
    """JSON object of one line of a ticket's history."""
    return {
        "at": event.at.isoformat(),
        "state": event.state,
        "actor": event.actor,
        "note": event.note,
        "action": event.action,
        "data": dict(event.data),
    }


def features(records: Iterable[Mapping[str, Any]]) -> Record:
    """GeoJSON FeatureCollection (RFC 7946, lon before lat) of the records above.

    A look becomes a Polygon, everything else a Point; what is left are the properties.
    """
    return {"type": "FeatureCollection", "features": [_feature(record) for record in records]}


def csv_rows(records: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """A header and one row a record; None is empty, lists and objects are JSON text."""
    names = list(dict.fromkeys(name for record in records for name in record))
    return [names, *([_cell(record.get(name)) for name in names] for record in records)]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (list, dict, bool)):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def _feature(record: Mapping[str, Any]) -> Record:
    properties = dict(record)
    identity = next((record[k] for k in ("ticket_id", "incident_id", "id") if k in record), None)
    if "polygon" in properties:
        ring = properties.pop("polygon")
        geometry: Record = {"type": "Polygon", "coordinates": [_counterclockwise_and_closed(ring)]}
    else:
        lat, lon = properties.pop("lat_deg"), properties.pop("lon_deg")
        geometry = {"type": "Point", "coordinates": [lon, lat]}
    return {"type": "Feature", "id": identity, "geometry": geometry, "properties": properties}


def _counterclockwise_and_closed(ring: Sequence[Sequence[float]]) -> list[list[float]]:
    corners = [list(corner) for corner in ring]
    if corners[0] != corners[-1]:
        corners.append(list(corners[0]))
    doubled_area = sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise(corners))
    return corners[::-1] if doubled_area < 0 else corners


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _place_record(place: GeoPoint) -> Record:
    return {
        "lat_deg": float(place.lat_deg),
        "lon_deg": float(place.lon_deg),
        "cov_en_m2": place.cov_en_m2.tolist(),
    }


def _sight_record(sight: Sight) -> Record:
    return {
        "media": sight.media,
        "frame_index": int(sight.frame_index),
        "captured_at": sight.captured_at.isoformat(),
        "xyxy": [float(edge) for edge in sight.xyxy],
        "confidence": float(sight.confidence),
    }
