"""Events over MQTT (the extra `mqtt`): what screens and other programs of the city listen to.

    pv/<site>/status                 online | offline, retained; offline is the broker's last will
    pv/<site>/tickets/<id>/state     where the ticket stands, retained
    pv/<site>/tickets/<id>/events    each message of the outbox, with its key as `id`
    pv/<site>/incidents              each ticket that is raised
Everything goes out with quality of service 1 and counts as taken once the broker has said so.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from patrolvision.errors import ConfigError, DeliveryError
from patrolvision.types import Delivery, NoticePolicy, OutboxMessage

if TYPE_CHECKING:
    from paho.mqtt.client import Client

SITE = re.compile(r"[\w.-]{1,64}")  # no +, # or /: they have a meaning in topics
QOS = 1


class MqttSink:
    """ports.Sink; connects with the first delivery and stays connected until close()."""

    def __init__(
        self,
        name: str,
        host: str,
        *,
        port: int = 1883,
        site: str = "city",
        username: str | None = None,
        password: str | None = None,
        tls: bool = False,
        timeout_s: float = 10.0,
    ) -> None:
        if not SITE.fullmatch(site):
            raise ConfigError(f"mqtt.site: letters, digits and . _ - only, found {site!r}")
        self.name, self.policy = name, NoticePolicy()
        self._host, self._port, self._site = host, port, site
        self._login, self._tls, self._timeout_s = (username, password), tls, timeout_s
        self._client: Client | None = None
        self._lock = threading.Lock()

    def wants(self, message: OutboxMessage) -> bool:
        """Whether it is about a ticket; replies to citizens are nobody else's business."""
        return message.topic.startswith("ticket.")

    def deliver(self, delivery: Delivery) -> None:
        """Publish it; DeliveryError unless the broker acknowledges in time."""
        with self._lock:
            client = self._connected()
            try:
                for message in delivery.messages:
                    for topic, payload, retain in publications(self._site, message):
                        client.publish(topic, payload, QOS, retain).wait_for_publish(
                            self._timeout_s
                        )
                        if not client.is_connected():
                            raise RuntimeError("the connection was lost")
            except (ValueError, RuntimeError, OSError) as error:
                self._drop()
                raise DeliveryError(f"{self.name}: {error}", is_down=True) from error

    def close(self) -> None:
        """Say that it goes offline, and disconnect."""
        with self._lock:
            if self._client is not None and self._client.is_connected():
                said = self._client.publish(f"pv/{self._site}/status", "offline", QOS, True)
                said.wait_for_publish(self._timeout_s)
            self._drop()

    def _connected(self) -> Client:
        if self._client is not None and self._client.is_connected():
            return self._client
        self._drop()
        try:
            from paho.mqtt.client import Client, MQTTv311
            from paho.mqtt.enums import CallbackAPIVersion
        except ImportError as error:
            raise DeliveryError(
                f"{self.name}: needs the extra: pip install 'patrolvision[mqtt]'", is_down=True
            ) from error
        client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv311, reconnect_on_failure=False)
        if self._login[0] is not None:
            client.username_pw_set(*self._login)
        if self._tls:
            client.tls_set()
        up = threading.Event()
        client.on_connect = lambda *said: up.set() if not said[3].is_failure else None
        client.will_set(f"pv/{self._site}/status", "offline", QOS, True)
        client.connect_timeout = self._timeout_s
        try:
            client.connect(self._host, self._port)
        except (OSError, ValueError) as error:
            raise DeliveryError(f"{self.name}: no broker ({error})", is_down=True) from error
        client.loop_start()
        self._client = client
        if not up.wait(self._timeout_s):
            self._drop()
            raise DeliveryError(f"{self.name}: the broker lets nobody in", is_down=True)
        client.publish(f"pv/{self._site}/status", "online", QOS, True)
        return client

    def _drop(self) -> None:
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()
            self._client = None


def publications(site: str, message: OutboxMessage) -> list[tuple[str, bytes, bool]]:
    """(topic, payload, retained) of what a message becomes; nothing for one without a ticket."""
    payload = message.payload
    ticket = payload.get("ticket_id")
    if not ticket or not SITE.fullmatch(str(ticket)):
        return []
    base = f"pv/{site}/tickets/{ticket}"
    state = {name: payload.get(name) for name in ("state", "category", "priority", "assignee")}
    event = {"id": message.id, "topic": message.topic, "payload": dict(payload)}
    at = payload.get("event", {}).get("at")
    found = [
        (f"{base}/events", _json(event), False),
        (f"{base}/state", _json({"id": message.id, "at": at, **state}), True),
    ]
    if message.topic == "ticket.raised":
        found.append((f"pv/{site}/incidents", _json(event), False))
    return found


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True).encode()
