"""Fires in CAP 1.2: the standard's order of elements and its enumerations, from a ticket's life."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from helpers.listening import listening
from patrolvision.errors import DeliveryError
from patrolvision.relay.cap import (
    NAMESPACE,
    CapSender,
    Resource,
    alert_at,
    alert_xml,
    alerts,
    cap_time,
    radius_km,
)
from patrolvision.relay.cap_sink import CapSink
from patrolvision.relay.http import HttpLimits
from patrolvision.types import Delivery, OutboxMessage

AT = datetime(2026, 5, 4, 8, tzinfo=UTC)
SENDER = CapSender("fires@city.example", "City", web="https://city.example")

# CAP-v1.2.xsd: the children of each element in their order, with how often each may stand there.
CHILDREN = {
    "alert": "identifier sender sent status msgType source? scope restriction? addresses? code* "
    "note? references? incidents? info*",
    "info": "language? category+ event responseType* urgency severity certainty audience? "
    "eventCode* effective? onset? expires? senderName? headline? description? instruction? web? "
    "contact? parameter* resource* area*",
    "parameter": "valueName value",
    "resource": "resourceDesc mimeType size? uri? derefUri? digest?",
    "area": "areaDesc polygon* circle* geocode* altitude? ceiling?",
}
VALUES = {
    "status": {"Actual", "Exercise", "System", "Test", "Draft"},
    "msgType": {"Alert", "Update", "Cancel", "Ack", "Error"},
    "scope": {"Public", "Restricted", "Private"},
    "category": {"Geo", "Met", "Safety", "Security", "Rescue", "Fire", "Health", "Env",
                 "Transport", "Infra", "CBRNE", "Other"},
    "responseType": {"Shelter", "Evacuate", "Prepare", "Execute", "Avoid", "Monitor", "Assess",
                     "AllClear", "None"},
    "urgency": {"Immediate", "Expected", "Future", "Past", "Unknown"},
    "severity": {"Extreme", "Severe", "Moderate", "Minor", "Unknown"},
    "certainty": {"Observed", "Likely", "Possible", "Unlikely", "Unknown"},
}  # fmt: skip
INSTANT = re.compile(r"\d\d\d\d-\d\d-\d\dT\d\d:\d\d:\d\d[-,+]\d\d:\d\d")
LIFE = (
    ("reported", "raise"),
    ("reported", "confirm"),
    ("filed", "file"),
    ("dispatched", "dispatch"),
    ("dispatched", "urge"),
    ("handling", "take"),
    ("feedback", "report_back"),
    ("verified", "verify"),
    ("closed", "close"),
)


def ticket(*steps: tuple[str, str], **more: Any) -> dict[str, Any]:
    history = [
        {
            "at": (AT + timedelta(minutes=k)).isoformat(),
            "state": state,
            "actor": "somebody",
            "note": "",
            "action": action,
            "data": {},
        }
        for k, (state, action) in enumerate(steps)
    ]
    return {
        "ticket_id": "t-1",
        "incident_id": "inc-1",
        "category": "open_fire",
        "state": steps[-1][0],
        "lat_deg": 22.84,
        "lon_deg": 113.23,
        "sigma_m": 20.0,
        "unit_grid": "440605001",
        "history": history,
        **more,
    }


def parsed(record: dict[str, Any], resources: tuple[Resource, ...] = ()) -> ET.Element:
    return ET.fromstring(alert_xml(record, alerts(record)[-1], SENDER, resources))


def check(element: ET.Element) -> None:
    """What the schema says of an element and everything below it."""
    name = element.tag.removeprefix(f"{{{NAMESPACE}}}")
    assert element.tag == f"{{{NAMESPACE}}}{name}"
    children = [child.tag.removeprefix(f"{{{NAMESPACE}}}") for child in element]
    if name in CHILDREN:
        parts = [re.match(r"(\w+)([?*+]?)", part) for part in CHILDREN[name].split()]
        pattern = "".join(f"(?:{part[1]} ){part[2]}" for part in parts if part)
        assert re.fullmatch(pattern, "".join(f"{child} " for child in children)), children
    else:
        assert not children
        assert name not in VALUES or element.text in VALUES[name]
    if name in ("sent", "effective", "onset", "expires"):
        assert INSTANT.fullmatch(str(element.text))
    for child in element:
        check(child)


def text(root: ET.Element, path: str) -> str | None:
    return root.findtext(path, namespaces={"": NAMESPACE})


PICTURE = Resource(
    "close picture", "image/jpeg", 3, "https://city.example/e/1.jpg", "0" * 40, "f" * 64
)


@pytest.mark.parametrize("length", range(1, len(LIFE) + 1))
def test_every_alert_of_a_ticket_s_life_keeps_to_the_schema(length: int) -> None:
    check(parsed(ticket(*LIFE[:length]), (PICTURE,)))


def test_a_fire_is_a_draft_until_a_person_has_verified_it() -> None:
    life = [(a.position, a.status, a.msg_type) for a in alerts(ticket(*LIFE))]
    assert life == [
        (0, "Draft", "Alert"),
        (1, "Actual", "Alert"),
        (2, "Actual", "Update"),
        (3, "Actual", "Update"),
        (5, "Actual", "Update"),  # urging is the office's own business
        (6, "Actual", "Update"),
        (7, "Actual", "Update"),
        (8, "Actual", "Update"),
    ]


def test_a_draft_is_restricted_and_an_actual_alert_public() -> None:
    draft, actual = parsed(ticket(*LIFE[:1])), parsed(ticket(*LIFE[:2]))
    assert (text(draft, "scope"), text(actual, "scope")) == ("Restricted", "Public")
    assert text(draft, "restriction") and text(actual, "restriction") is None
    assert text(draft, "info/certainty") == "Possible"
    assert text(actual, "info/certainty") == "Observed"


def test_an_update_references_everything_before_it() -> None:
    root = parsed(ticket(*LIFE[:3]))
    assert text(root, "references") == (
        "fires@city.example,t-1.0,2026-05-04T08:00:00-00:00 "
        "fires@city.example,t-1.1,2026-05-04T08:01:00-00:00"
    )
    assert text(root, "incidents") == "inc-1"


def test_a_place_that_turns_out_elsewhere_is_an_update_of_the_first_alert() -> None:
    root = parsed(ticket(*LIFE[:2], ("reported", "relocate"), lat_deg=22.841))
    check(root)
    assert text(root, "msgType") == "Update"
    assert str(text(root, "references")).startswith("fires@city.example,t-1.0,2026-05-04T08:00:00")
    assert str(text(root, "info/area/circle")).startswith("22.841000,113.23")


def test_a_pass_that_sees_no_fire_is_an_update_and_not_yet_an_all_clear() -> None:
    record = ticket(*LIFE[:3], ("filed", "propose"))
    record["history"][-1]["data"] = {"kind": "verify"}
    root = parsed(record)
    check(root)
    assert (text(root, "msgType"), text(root, "info/responseType")) == ("Update", "Monitor")
    assert text(root, "info/headline") == "Open fire, no longer seen by a later pass"


def test_what_was_no_fire_is_cancelled() -> None:
    root = parsed(ticket(LIFE[0], ("rejected", "reject")))
    assert (text(root, "status"), text(root, "msgType")) == ("Draft", "Cancel")
    assert text(root, "info/urgency") == "Past"
    after = parsed(ticket(*LIFE[:3], ("rejected", "reject")))
    assert (text(after, "status"), text(after, "msgType")) == ("Actual", "Cancel")


def test_a_fire_that_another_is_merged_into_is_updated() -> None:
    found = alerts(ticket(*LIFE[:3], ("filed", "absorb")))
    assert (found[-1].position, found[-1].msg_type, len(found[-1].references)) == (3, "Update", 3)


def test_a_fire_that_goes_on_under_another_ticket_is_not_called_off() -> None:
    root = parsed(ticket(*LIFE[:3], ("rejected", "merge"), merged_into="t-2"))
    check(root)
    assert text(root, "msgType") == "Update"
    assert text(root, "info/urgency") == "Immediate"
    assert text(root, "info/responseType") == "Monitor"
    assert text(root, "info/headline") == "Open fire, from now on under t-2"


def test_a_fire_that_is_out_is_all_clear() -> None:
    assert text(parsed(ticket(*LIFE)), "info/responseType") == "AllClear"


def test_litter_is_no_alert() -> None:
    assert alerts(ticket(*LIFE, category="litter")) == []
    assert alert_at(ticket(*LIFE), 4) is None


def test_the_circle_holds_the_place_with_95_percent() -> None:
    drawn = np.random.default_rng(0).normal(0.0, 20.0, (200_000, 2))
    share = float((np.hypot(*drawn.T) <= 1000 * radius_km(20.0)).mean())
    assert share == pytest.approx(0.95, abs=4 * np.sqrt(0.95 * 0.05 / 200_000))
    assert text(parsed(ticket(*LIFE)), "info/area/circle") == "22.840000,113.230000 0.049"
    assert radius_km(0.5) == 0.010


def test_utc_is_written_as_the_standard_wants_it() -> None:
    assert cap_time(AT) == "2026-05-04T08:00:00-00:00"
    assert cap_time(AT.astimezone(timezone(timedelta(hours=8)))) == "2026-05-04T16:00:00+08:00"


def test_a_sender_that_would_break_references_is_refused() -> None:
    with pytest.raises(ValueError, match="no space"):
        CapSender("city fires")


def test_the_digest_is_the_evidence_s() -> None:
    root = parsed(ticket(*LIFE), (replace(PICTURE, digest=hashlib.sha1(b"x").hexdigest()),))
    assert text(root, "info/resource/digest") == hashlib.sha1(b"x").hexdigest()
    names = {p[0].text: p[1].text for p in root.iter(f"{{{NAMESPACE}}}parameter")}
    assert names["evidence-sha256"] == "f" * 64


def delivery(record: dict[str, Any]) -> Delivery:
    position = len(record["history"]) - 1
    event = {**record["history"][-1], "position": position}
    message = OutboxMessage(f"t-1:{position}", "ticket.moved", {**record, "event": event})
    return Delivery("cap", message.id, (message,), 1, "lease")


def test_an_alert_that_is_brought_twice_is_one_file(tmp_path: Path) -> None:
    sink = CapSink("cap", SENDER, folder=tmp_path / "out")
    for length in (1, 2, 2, 5):
        sink.deliver(delivery(ticket(*LIFE[:length])))
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["t-1.0.cap", "t-1.1.cap"]
    check(ET.fromstring((tmp_path / "out" / "t-1.1.cap").read_bytes()))


def test_an_alert_is_posted_under_its_identifier() -> None:
    with listening() as neighbour:
        limits = HttpLimits(allow_private=True)
        sink = CapSink("cap", SENDER, url=neighbour.url, limits=limits)
        sink.deliver(delivery(ticket(*LIFE[:1])))
        neighbour.answer = lambda request: (503, {}, b"")
        with pytest.raises(DeliveryError, match="503"):
            sink.deliver(delivery(ticket(*LIFE[:1])))
    first, second = neighbour.requests
    assert first.headers["content-type"] == "application/cap+xml"
    assert first.headers["idempotency-key"] == "t-1.0"
    assert first.body == second.body


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    sink = CapSink("cap", SENDER, folder=tmp_path / "file" / "out")
    with pytest.raises(DeliveryError, match="cannot be written"):
        sink.deliver(delivery(ticket(*LIFE[:1])))
