"""Fires to whoever is to be alarmed: CAP documents in a folder, posted to an address, or both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from patrolvision.errors import DeliveryError
from patrolvision.relay.cap import CATEGORY, CapSender, Resource, alert_at, alert_xml
from patrolvision.relay.files import write_whole
from patrolvision.relay.http import HttpLimits, send
from patrolvision.types import Delivery, NoticePolicy, OutboxMessage

MEDIA_TYPE = "application/cap+xml"
TOPICS = ("ticket.raised", "ticket.moved")


def _no_pictures(ticket_id: str) -> Sequence[Resource]:
    return ()


@dataclass(frozen=True, slots=True)
class CapSink:
    """ports.Sink for the tickets of fires; the alert's identifier is file name and key."""

    name: str
    sender: CapSender
    folder: Path | None = None
    url: str | None = None
    pictures: Callable[[str], Sequence[Resource]] = _no_pictures
    policy: NoticePolicy = field(default_factory=NoticePolicy)
    limits: HttpLimits = field(default_factory=HttpLimits)

    def wants(self, message: OutboxMessage) -> bool:
        """Whether it speaks of a fire's ticket."""
        return message.topic in TOPICS and message.payload.get("category") == CATEGORY

    def deliver(self, delivery: Delivery) -> None:
        """Write and post the alerts that the messages give rise to; DeliveryError if not taken."""
        for message in delivery.messages:
            self._bring(message)

    def _bring(self, message: OutboxMessage) -> None:
        payload: dict[str, Any] = dict(message.payload)
        position = int(payload.get("event", {}).get("position", len(payload["history"]) - 1))
        payload["history"] = payload["history"][: position + 1]
        alert = alert_at(payload, position)
        if alert is None:
            return
        content = alert_xml(payload, alert, self.sender, self.pictures(str(payload["ticket_id"])))
        if self.folder is not None:
            write_whole(self.folder / f"{alert.identifier}.cap", content)
        if self.url is not None:
            headers = {"Content-Type": MEDIA_TYPE, "Idempotency-Key": alert.identifier}
            answer = send("POST", self.url, body=content, headers=headers, limits=self.limits)
            if not 200 <= answer.status < 300:
                down = answer.status in (429, 502, 503, 504)
                raise DeliveryError(f"{self.name}: answered {answer.status}", is_down=down)
