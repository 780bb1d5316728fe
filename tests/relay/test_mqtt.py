"""Events over MQTT, with a real broker on loopback where there is one."""

from __future__ import annotations

import json
import queue
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from patrolvision.errors import ConfigError, DeliveryError
from patrolvision.relay.mqtt import MqttSink, publications
from patrolvision.types import Delivery, OutboxMessage

PAYLOAD = {"ticket_id": "t-1", "state": "filed", "category": "litter", "priority": "normal",
           "assignee": None, "event": {"at": "2026-05-04T08:00:00+00:00"}}  # fmt: skip


def delivery(topic: str = "ticket.moved", **more: Any) -> Delivery:
    message = OutboxMessage("t-1:1", topic, {**PAYLOAD, **more})
    return Delivery("mqtt", message.id, (message,), 1, "lease")


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def broker(port: int, folder: Path) -> Iterator[None]:
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        pytest.skip("MQTT: no broker here; apt-get install mosquitto")
    pytest.importorskip("paho.mqtt", reason="pip install 'patrolvision[mqtt]'")
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
    process = subprocess.Popen([program, "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 10
        while time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.02)
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def subscribed(port: int) -> Iterator[queue.Queue[tuple[str, bytes, bool]]]:
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    heard: queue.Queue[tuple[str, bytes, bool]] = queue.Queue()
    ready: queue.Queue[bool] = queue.Queue()
    client = Client(CallbackAPIVersion.VERSION2)
    client.on_message = lambda c, u, m: heard.put((m.topic, m.payload, m.retain))
    client.on_subscribe = lambda *said: ready.put(True)
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.subscribe("pv/#", 1)
    ready.get(timeout=10)
    try:
        yield heard
    finally:
        client.disconnect()
        client.loop_stop()


def take(heard: queue.Queue[tuple[str, bytes, bool]], count: int) -> dict[str, tuple[bytes, bool]]:
    found = [heard.get(timeout=10) for _ in range(count)]
    return {topic: (payload, retained) for topic, payload, retained in found}


def test_who_comes_later_learns_where_each_ticket_stands(port: int, tmp_path: Path) -> None:
    with broker(port, tmp_path):
        sink = MqttSink("mqtt", "127.0.0.1", port=port, site="foshan")
        with subscribed(port) as heard:
            sink.deliver(delivery())
            live = take(heard, 3)
        event = json.loads(live["pv/foshan/tickets/t-1/events"][0])
        assert (event["id"], event["topic"]) == ("t-1:1", "ticket.moved")
        with subscribed(port) as heard:
            kept = take(heard, 2)
        assert set(kept) == {"pv/foshan/status", "pv/foshan/tickets/t-1/state"}
        assert all(retained for _, retained in kept.values())
        state = json.loads(kept["pv/foshan/tickets/t-1/state"][0])
        assert (state["state"], state["id"]) == ("filed", "t-1:1")
        assert kept["pv/foshan/status"][0] == b"online"
        sink.close()
        with subscribed(port) as heard:
            assert take(heard, 2)["pv/foshan/status"][0] == b"offline"


def test_the_last_will_says_that_the_relay_died(port: int, tmp_path: Path) -> None:
    with broker(port, tmp_path):
        sink = MqttSink("mqtt", "127.0.0.1", port=port)
        sink.deliver(delivery())
        with subscribed(port) as heard:
            take(heard, 2)
            client = sink._client
            assert client is not None
            client.loop_stop()
            client.socket().shutdown(socket.SHUT_RDWR)  # as when the process is killed
            assert take(heard, 1)["pv/city/status"][0] == b"offline"
        client._sock_close()


def test_a_broker_that_went_away_is_down_and_found_again(port: int, tmp_path: Path) -> None:
    sink = MqttSink("mqtt", "127.0.0.1", port=port, timeout_s=2.0)
    with broker(port, tmp_path):
        sink.deliver(delivery())
    with pytest.raises(DeliveryError) as caught:
        sink.deliver(delivery())
    assert caught.value.is_down
    with broker(port, tmp_path), subscribed(port) as heard:
        sink.deliver(delivery())
        assert "pv/city/tickets/t-1/events" in take(heard, 3)
        sink.close()


def test_a_new_ticket_is_told_among_the_incidents() -> None:
    [*_, last] = publications("x", OutboxMessage("t-1:0", "ticket.raised", PAYLOAD))
    assert last[0] == "pv/x/incidents" and not last[2]


def test_an_id_that_would_be_a_topic_of_its_own_is_not_published() -> None:
    assert publications("x", OutboxMessage("m", "ticket.moved", {"ticket_id": "a/#"})) == []


def test_a_site_that_would_be_a_wildcard_is_refused() -> None:
    with pytest.raises(ConfigError, match="site"):
        MqttSink("mqtt", "h", site="a/+")


def test_replies_to_citizens_are_not_published() -> None:
    assert not MqttSink("mqtt", "h").wants(OutboxMessage("m", "citizen.reply", {}))
