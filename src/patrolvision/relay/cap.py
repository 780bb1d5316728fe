"""Fires as CAP 1.2 alerts (OASIS Common Alerting Protocol 1.2), made of a ticket's history alone.

First seen: Draft, Restricted. Once a person has verified it: Actual. Every further step is an
Update that references what was sent before, from the first alert on; so is a place that turns out
to be elsewhere, and a later pass that sees no fire. What was no fire is a Cancel; what is out is an
Update with AllClear; what was merged goes on under another ticket, and its last Update says so.
Identifiers, times and references come from the history, so that the alert of an outbox message is
the same, byte for byte, whenever it is sent again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import log, sqrt
from typing import Any, Literal
from xml.etree import ElementTree as ET

from patrolvision.relay.georeport import NOT_XML

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
CATEGORY = "open_fire"
OF_95_PERCENT = sqrt(-2 * log(0.05))  # sigmas of a circle that holds 95 % (Rayleigh)
SMALLEST_M = 10.0  # a fire is no point
LASTS = timedelta(hours=24)
VERIFIED_STATES = ("filed", "dispatched", "handling", "feedback", "verified", "closed")
TOLD_ACTIONS = ("raise", "confirm", "absorb", "reopen", "relocate", "propose")  # beside states
FORBIDDEN = frozenset(" ,<&\t\r\n")

Status = Literal["Draft", "Actual"]
MsgType = Literal["Alert", "Update", "Cancel"]


@dataclass(frozen=True, slots=True)
class CapSender:
    """Who speaks; id must be unique in the world and holds no space, comma, < or &."""

    id: str = "patrolvision@localhost"
    name: str = "City patrol"
    contact: str = ""
    web: str = ""  # of the office; the ticket's id is added

    def __post_init__(self) -> None:
        if not self.id or FORBIDDEN & set(self.id):
            raise ValueError(f"the sender's id holds no space, comma, < or &, got {self.id!r}")


@dataclass(frozen=True, slots=True)
class Resource:
    """A picture: digest is the SHA-1 that CAP asks for, sha256 the one of the evidence log."""

    description: str
    mime_type: str
    size: int
    uri: str
    digest: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Alert:
    """One message about one ticket, at one position of its history."""

    identifier: str
    position: int
    sent: str
    status: Status
    msg_type: MsgType
    note: str
    is_over: bool
    is_unseen: bool = False  # a later look saw no fire, and no person has said so yet
    merged_into: str | None = None  # the ticket whose alerts go on about this fire
    references: tuple[tuple[str, str], ...] = field(default=())  # (identifier, sent)


def alerts(record: Mapping[str, Any]) -> list[Alert]:
    """Every alert that a ticket's record (records.ticket_to_record) has given rise to, in order."""
    if record.get("category") != CATEGORY:
        return []
    found: list[Alert] = []
    verified, before = False, ""
    for position, event in enumerate(record["history"]):
        state, action = str(event["state"]), str(event.get("action", ""))
        was_verified = verified
        verified = verified or action == "confirm" or state in VERIFIED_STATES
        told = position == 0 or state != before or action in TOLD_ACTIONS
        before = state
        if not told or (action == "confirm" and was_verified):
            continue
        named = event.get("data", {}).get("into") or record.get("merged_into")
        into = named if action == "merge" else None
        is_cancel = state == "rejected" and action != "merge"
        is_first = not found or (verified and not was_verified)
        found.append(
            Alert(
                identifier=f"{record['ticket_id']}.{position}",
                position=position,
                sent=cap_time(datetime.fromisoformat(str(event["at"]))),
                status="Actual" if verified else "Draft",
                msg_type="Cancel" if is_cancel else "Alert" if is_first else "Update",
                note=str(event.get("note", "")),
                is_unseen=action == "propose" and event.get("data", {}).get("kind") == "verify",
                is_over=state in ("verified", "closed") or is_cancel,
                merged_into=None if into is None else str(into),
                references=tuple((alert.identifier, alert.sent) for alert in found),
            )
        )
    return found


def alert_at(record: Mapping[str, Any], position: int) -> Alert | None:
    """The alert that this line of the history gives rise to; None if it is nobody's business."""
    return next((alert for alert in alerts(record) if alert.position == position), None)


def cap_time(at: datetime) -> str:
    """CAP's form of an instant: to the second, UTC as -00:00, never Z (section 3.3.2)."""
    text = at.isoformat(timespec="seconds")
    return text[:-6] + "-00:00" if text.endswith("+00:00") else text


def radius_km(sigma_m: float) -> float:
    """Radius of the circle that holds the place with 95 %, from the ellipse's long axis."""
    return max(OF_95_PERCENT * sigma_m, SMALLEST_M) / 1000.0


def alert_xml(
    record: Mapping[str, Any],
    alert: Alert,
    sender: CapSender,
    resources: Sequence[Resource] = (),
) -> bytes:
    """The alert as an XML document in UTF-8; the elements in the order of the standard's schema."""
    root = ET.Element("alert", {"xmlns": NAMESPACE})
    is_draft = alert.status == "Draft"
    _add(root, "identifier", alert.identifier)
    _add(root, "sender", sender.id)
    _add(root, "sent", alert.sent)
    _add(root, "status", alert.status)
    _add(root, "msgType", alert.msg_type)
    _add(root, "source", "patrolvision")
    _add(root, "scope", "Restricted" if is_draft else "Public")
    _add(root, "restriction", "Not verified by a person: for the office only." if is_draft else "")
    _add(root, "note", alert.note)
    _add(root, "references", " ".join(f"{sender.id},{i},{sent}" for i, sent in alert.references))
    _add(root, "incidents", str(record["incident_id"]))
    _info(root, record, alert, sender, resources)
    text: bytes = ET.tostring(root, encoding="UTF-8", xml_declaration=True)
    return text


def _info(
    root: ET.Element,
    record: Mapping[str, Any],
    alert: Alert,
    sender: CapSender,
    resources: Sequence[Resource],
) -> None:
    info = ET.SubElement(root, "info")
    onset = datetime.fromisoformat(str(record["history"][0]["at"]))
    sent = datetime.fromisoformat(alert.sent)
    is_cancel, is_draft = alert.msg_type == "Cancel", alert.status == "Draft"
    _add(info, "language", "en-US")
    _add(info, "category", "Fire")
    _add(info, "event", "Open fire")
    _add(info, "responseType", "AllClear" if alert.is_over else "Assess" if is_draft else "Monitor")
    _add(info, "urgency", "Past" if alert.is_over else "Immediate")
    _add(info, "severity", "Unknown" if is_draft else "Minor" if alert.is_over else "Moderate")
    _add(info, "certainty", "Unlikely" if is_cancel else "Possible" if is_draft else "Observed")
    _add(info, "effective", alert.sent)
    _add(info, "onset", cap_time(onset))
    _add(info, "expires", cap_time(sent + LASTS))
    _add(info, "senderName", sender.name)
    _add(info, "headline", _headline(alert))
    _add(info, "description", _description(record))
    _add(
        info, "web", f"{sender.web.rstrip('/')}/#ticket={record['ticket_id']}" if sender.web else ""
    )
    _add(info, "contact", sender.contact)
    for name, value in (
        ("ticket", record["ticket_id"]),
        ("state", record["history"][alert.position]["state"]),
    ):
        _parameter(info, name, str(value))
    if alert.merged_into is not None:
        _parameter(info, "merged-into", alert.merged_into)
    for resource in resources:
        _parameter(info, "evidence-sha256", resource.sha256)
    for resource in resources:
        _resource(info, resource)
    _area(info, record)


def _headline(alert: Alert) -> str:
    if alert.msg_type == "Cancel":
        return "No open fire"
    if alert.is_over:
        return "Open fire is out"
    if alert.merged_into is not None:
        return f"Open fire, from now on under {alert.merged_into}"
    if alert.is_unseen:
        return "Open fire, no longer seen by a later pass"
    return "Possible open fire, not verified" if alert.status == "Draft" else "Open fire"


def _description(record: Mapping[str, Any]) -> str:
    place = f"{record['lat_deg']:.5f}, {record['lon_deg']:.5f}"
    return f"Open fire at {place} (WGS-84), known to {record['sigma_m']:.0f} m (1 sigma)."


def _parameter(info: ET.Element, name: str, value: str) -> None:
    parameter = ET.SubElement(info, "parameter")
    _add(parameter, "valueName", name)
    _add(parameter, "value", value)


def _resource(info: ET.Element, resource: Resource) -> None:
    element = ET.SubElement(info, "resource")
    _add(element, "resourceDesc", resource.description)
    _add(element, "mimeType", resource.mime_type)
    _add(element, "size", str(resource.size))
    _add(element, "uri", resource.uri)
    _add(element, "digest", resource.digest)


def _area(info: ET.Element, record: Mapping[str, Any]) -> None:
    area = ET.SubElement(info, "area")
    lat, lon = float(record["lat_deg"]), float(record["lon_deg"])
    grid = record.get("unit_grid") or record.get("segment")
    _add(area, "areaDesc", f"Grid {grid}" if grid else f"{lat:.5f}, {lon:.5f}")
    _add(area, "circle", f"{lat:.6f},{lon:.6f} {radius_km(float(record['sigma_m'])):.3f}")


def _add(parent: ET.Element, name: str, text: str) -> None:
    """An element with text; nothing where there is none."""
    if text:
        ET.SubElement(parent, name).text = NOT_XML.sub("\ufffd", text)
