"""Telling citizens what became of their report: e-mails in a spool folder.

The relay writes one RFC 5322 message a reply; the city's own mail server collects them. Contacts
are asked for at the last moment, so that they stand in no outbox.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from patrolvision.relay.files import write_whole
from patrolvision.types import Delivery, NoticePolicy, OutboxMessage

TOPIC = "citizen.reply"


def reply_message(
    report_id: str, ticket: Mapping[str, Any], outcome: str, *, service_name: str
) -> OutboxMessage:
    """What the outbox carries: which report, which request, and how it ended; no contact."""
    history = ticket["history"]
    return OutboxMessage(
        id=f"reply:{report_id}:{ticket['ticket_id']}:{len(history) - 1}",
        topic=TOPIC,
        payload={
            "report_id": report_id,
            "ticket_id": ticket["ticket_id"],
            "category": ticket["category"],
            "state": ticket["state"],
            "at": history[-1]["at"],
            "service_name": service_name,
            "outcome": outcome,
        },
    )


@dataclass(frozen=True, slots=True)
class ReplySink:
    """ports.Sink for replies; those whose sender left no e-mail are told by nobody."""

    name: str
    folder: Path
    from_address: str
    contact_of: Callable[[str], Mapping[str, str] | None]
    policy: NoticePolicy = field(default_factory=NoticePolicy)

    def wants(self, message: OutboxMessage) -> bool:
        """Whether it is a reply."""
        return message.topic == TOPIC

    def deliver(self, delivery: Delivery) -> None:
        """Write one file a reply, named by its key."""
        for message in delivery.messages:
            contact = self.contact_of(str(message.payload["report_id"])) or {}
            if contact.get("email"):
                name = message.id.replace(":", "_")
                content = mail_of(message, contact["email"], self.from_address)
                write_whole(self.folder / f"{name}.eml", content)


def mail_of(message: OutboxMessage, to: str, sender: str) -> bytes:
    """The e-mail of a reply; the same whenever it is written."""
    said = message.payload
    mail = EmailMessage(policy=SMTP)
    mail["From"] = Address(addr_spec=sender)
    mail["To"] = Address(addr_spec=to)
    mail["Date"] = format_datetime(datetime.fromisoformat(str(said["at"])))
    mail["Message-ID"] = f"<{message.id.replace(':', '.')}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: so that no robot answers
    mail["Subject"] = f"Your report {said['ticket_id']}: {said['service_name']}"
    mail.set_content(
        f"Your report of {said['service_name'].lower()} (request {said['ticket_id']}):\n\n"
        f"{said['outcome']}\n\nThank you for your report.\n",
        cte="8bit",
    )
    return mail.as_bytes()
