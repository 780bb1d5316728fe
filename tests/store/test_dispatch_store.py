"""Crews, devices, layers and approved reports on both engines: nothing that was is forgotten."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from patrolvision.store import SqlStore, open_store
from patrolvision.store.areas import area_version, save_area, stored_area
from patrolvision.store.crews import (
    StoredPosition,
    positions,
    save_crew,
    save_position,
    stored_crews,
)
from patrolvision.store.devices import heard, save_device, stored_device, stored_devices
from patrolvision.store.periods import keep_report, kept_report

T0 = datetime(2026, 5, 4, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    opened: SqlStore = open_store(url)
    yield opened.engine
    opened.close()


def test_what_was_is_not_forgotten(engine: Engine) -> None:
    east, west = {"name": "East", "contractor": "A"}, {"name": "East", "contractor": "B"}
    assert save_crew(engine, "c", east, "x", T0, is_new=False) is None
    assert save_crew(engine, "c", east, "x", T0, is_new=True) == 1
    assert save_crew(engine, "c", east, "x", T0, is_new=True) is None
    assert save_crew(engine, "c", east, "x", T0 + MINUTE, is_new=False) == 1
    assert save_crew(engine, "c", west, "x", T0 + MINUTE, is_new=False) == 2
    ages = [stored_crews(engine, at)["c"]["contractor"] for at in (T0, T0 + MINUTE)]
    assert (ages, stored_crews(engine)["c"]["contractor"]) == (["A", "A"], "B")

    assert (area_version(engine, "grids"), stored_area(engine, "grids")) == (0, None)
    for k, text in enumerate(["a", "a", "b"]):
        save_area(engine, "grids", text, "x", T0 + k * MINUTE)
    assert area_version(engine, "grids") == 2
    contents = [area.content for at in (T0, T0 + MINUTE, T0 + 3 * MINUTE)
                if (area := stored_area(engine, "grids", at))]  # fmt: skip
    assert contents == ["a", "a", "b"]
    assert stored_area(engine, "zones") is None

    texts = [
        keep_report(engine, name, lambda k: f"text {k}", "x", T0) for name in ("a_b", "a_b", "aXb")
    ]
    assert texts == [1, 2, 1]
    assert [kept_report(engine, name) for name in ("a_b", "a")] == ["text 2", None]


def test_the_newest_position_and_heartbeat_count(engine: Engine) -> None:
    for minutes, is_kept in ((0, True), (-1, False), (0, False), (2, True)):
        at = T0 + minutes * MINUTE
        assert save_position(engine, StoredPosition("c", at, 22.8, 113.2)) is is_kept
    assert positions(engine)["c"].at == T0 + 2 * MINUTE
    assert not heard(engine, "d1", T0, {})
    save_device(engine, "d1", "car", {"owner": "a"}, T0)
    assert heard(engine, "d1", T0, {"battery": 0.5})
    assert heard(engine, "d1", T0 - MINUTE, {"battery": 0.9})
    again = save_device(engine, "d1", "car", {"owner": "b"}, T0 + MINUTE)
    assert (again.registered_at, again.heartbeat, again.content) == (
        T0, {"battery": 0.5}, {"owner": "b"},
    )  # fmt: skip
    save_device(engine, "d2", "drone", {}, T0)
    assert [d.id for d in stored_devices(engine)] == ["d1", "d2"]
    assert [d.id for d in stored_devices(engine, after="d1")] == ["d2"]
    assert [d.id for d in stored_devices(engine, kind="drone")] == ["d2"]
    assert stored_device(engine, "d3") is None
    assert stored_device(engine, "d2") is not None


def test_two_who_change_one_crew_or_layer_at_once_make_two_versions(engine: Engine) -> None:
    save_crew(engine, "c", {"name": "0"}, "x", T0, is_new=True)

    def change(k: int) -> None:
        save_crew(engine, "c", {"name": str(k)}, "x", T0, is_new=False)
        save_area(engine, "zones", str(k), "x", T0)

    racers = [threading.Thread(target=change, args=(k,)) for k in range(1, 9)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert area_version(engine, "zones") == 8
    assert save_crew(engine, "c", {"name": "last"}, "x", T0, is_new=False) == 10
