"""kill -9 between any two steps of an outgoing message: nothing is lost, repetitions show."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import pytest

from helpers.killing import deaths, drained
from helpers.listening import listening
from patrolvision.store import open_store


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="kills forked processes")
def test_nothing_is_lost_when_the_relay_is_killed_at_any_step(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'p.db'}"
    open_store(url).close()
    with listening() as neighbour:
        produced = deaths(url, neighbour.url, wanted=28, seed=1)
        counts = drained(url, neighbour.url)
        received = list(neighbour.requests)
    assert counts["webhook:test"] == {"done": produced}
    times = Counter(request.headers["webhook-id"] for request in received)
    assert set(times) == {f"m-{k:04d}" for k in range(produced)}, "every message arrived"
    assert max(times.values()) > 1, "some were sent twice, or nothing was killed in between"
    bodies = {(r.headers["webhook-id"], r.body) for r in received}
    assert len(bodies) == produced, "what comes twice is the same under the same key"
    first_seen: dict[str, list[int]] = {}
    for request in received:
        payload = json.loads(request.body)["payload"]
        order = first_seen.setdefault(payload["ticket_id"], [])
        if payload["position"] not in order:
            order.append(payload["position"])
    assert all(order == sorted(order) for order in first_seen.values()), "in order, per ticket"
