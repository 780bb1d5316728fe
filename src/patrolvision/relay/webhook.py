"""Signed webhooks, in the headers of the Standard Webhooks specification (standardwebhooks.com).

webhook-id is the idempotency key, the same whenever the message is sent again; webhook-timestamp
are the seconds of this try; webhook-signature is "v1," and the base64 of
HMAC-SHA256(secret, id + "." + timestamp + "." + body). A receiver checks the signature, refuses
timestamps that are minutes off, and passes over ids that it has seen.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from patrolvision.errors import DeliveryError
from patrolvision.relay.http import HttpLimits, send
from patrolvision.types import Delivery, NoticePolicy, OutboxMessage

SECRET_PREFIX = "whsec_"
ERROR_BYTES = 200


def new_secret() -> str:
    """A secret of 24 random bytes, in the form of the specification."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(24)).decode()


def signature(secret: str, key: str, timestamp: int, body: bytes) -> str:
    """The value of webhook-signature; ValueError for a secret that is no base64."""
    raw = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    signed = f"{key}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(raw, signed, hashlib.sha256).digest()).decode()


def body_of(delivery: Delivery) -> bytes:
    """The JSON body: one message, or a digest of several; the same text whenever it is sent."""
    if len(delivery.messages) == 1:
        content = _record(delivery.messages[0])
    else:
        content = {
            "id": delivery.key,
            "topic": "digest",
            "messages": [_record(message) for message in delivery.messages],
        }
    return json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def _record(message: OutboxMessage) -> dict[str, object]:
    return {"id": message.id, "topic": message.topic, "payload": dict(message.payload)}


@dataclass(frozen=True, slots=True)
class WebhookSink:
    """ports.Sink: one address that is posted what it asked for."""

    name: str
    url: str
    secret: str | None  # None: its key is not there, and nothing can be signed
    clock: Callable[[], datetime]
    topics: frozenset[str] = frozenset()  # none: all
    categories: frozenset[str] = frozenset()  # none: all
    policy: NoticePolicy = field(default_factory=NoticePolicy)
    limits: HttpLimits = field(default_factory=HttpLimits)

    def wants(self, message: OutboxMessage) -> bool:
        """Whether topic and category are among those asked for."""
        category = message.payload.get("category")
        of_topic = not self.topics or message.topic in self.topics
        return of_topic and (not self.categories or category in self.categories)

    def deliver(self, delivery: Delivery) -> None:
        """Post it; DeliveryError unless the answer is 2xx."""
        if self.secret is None:
            raise DeliveryError(
                f"{self.name}: its secret is sealed with a key that is not there", is_down=True
            )
        body, timestamp = body_of(delivery), int(self.clock().timestamp())
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Idempotency-Key": delivery.key,
            "webhook-id": delivery.key,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(self.secret, delivery.key, timestamp, body),
        }
        answer = send("POST", self.url, body=body, headers=headers, limits=self.limits)
        if not 200 <= answer.status < 300:
            said = answer.body[:ERROR_BYTES].decode("utf-8", "replace")
            raise DeliveryError(
                f"{self.name}: answered {answer.status} {said}".strip(),
                is_down=answer.status in (429, 502, 503, 504),
            )
