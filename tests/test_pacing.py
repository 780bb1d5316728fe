"""What of which stream is analysed when: profiles by scene and hour, and one budget for all."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patrolvision.config import Settings, WatchFile, load_watch
from patrolvision.errors import ConfigError
from patrolvision.live import watch
from patrolvision.pacing import Gate, Pacing, shared_out
from patrolvision.pipeline import Judged
from patrolvision.types import Frame, Look
from rules.street import seen

NOON = datetime(2026, 5, 4, 12, tzinfo=ZoneInfo("Asia/Shanghai"))
NIGHT = NOON.replace(hour=23)
MARKET = {"name": "market", "scenes": ["market"], "hours": "06:00-10:00", "analysis_fps": 8.0}
QUIET = {"name": "night", "hours": "22:00-06:00", "analysis_fps": 1.0, "classes": ["fire", "smoke"]}
IMAGE = np.zeros((4, 4, 3), np.uint8)


def file(**more: Any) -> WatchFile:
    settings = Settings(timezone="Asia/Shanghai", analysis_fps=4.0)
    sources = [
        {"id": "a", "url": "rtsp://127.0.0.1:9/a", "scene": "market"},
        {"id": "b", "url": "rtsp://127.0.0.1:9/b"},
    ]
    return WatchFile.model_validate({"settings": settings, "source": sources, **more})


def analysed(gates: dict[str, Gate], start: datetime, lasts_s: float, fps: float = 30.0) -> Any:
    """How many pictures of each stream pass, and why the others do not;"""
    told: dict[str, dict[str, int]] = {name: {} for name in gates}
    for k in range(round(lasts_s * fps)):
        at = start + timedelta(seconds=k / fps)
        for name, gate in gates.items():
            reason = gate.refused(Frame(name, k, at, IMAGE)) or "analysed"
            told[name][reason] = told[name].get(reason, 0) + 1
    return told


@given(
    st.lists(st.tuples(st.floats(0.1, 60), st.floats(0.1, 9)), min_size=1, max_size=9),
    st.floats(0.1, 200),
)
def test_a_budget_is_used_up_or_everybody_has_what_is_wanted(
    streams: list[tuple[float, float]], budget: float
) -> None:
    wanted = {str(k): want for k, (want, _) in enumerate(streams)}
    weights = {str(k): weight for k, (_, weight) in enumerate(streams)}
    given_out = shared_out(wanted, weights, budget)
    assert sum(given_out.values()) == pytest.approx(min(budget, sum(wanted.values())))
    assert all(given_out[name] <= want + 1e-9 for name, want in wanted.items())
    short = [name for name in wanted if given_out[name] < wanted[name] - 1e-6]
    for name in short:  # nobody has more for its weight than one who is left short
        most = max(given_out[other] / weights[other] for other in wanted)
        assert given_out[name] / weights[name] == pytest.approx(most)


@pytest.mark.parametrize(
    ("wanted", "budget", "expected"),
    [
        ({"a": 5.0, "b": 5.0}, 20.0, {"a": 5.0, "b": 5.0}),
        ({"a": 5.0, "b": 5.0}, 4.0, {"a": 3.0, "b": 1.0}),  # by weight, 3 : 1
        ({"a": 1.0, "b": 9.0}, 4.0, {"a": 1.0, "b": 3.0}),  # what a leaves goes to b
    ],
)
def test_the_budget_goes_by_weight(
    wanted: dict[str, float], budget: float, expected: dict[str, float]
) -> None:
    assert shared_out(wanted, {"a": 3.0, "b": 1.0}, budget) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("source", "hour", "name"),
    [
        (0, 7, "market"),
        (1, 7, None),  # another scene
        (0, 12, None),
        (0, 23, "night"),
        (1, 3, "night"),  # past midnight
    ],
)
def test_the_first_profile_of_the_scene_and_hour_holds(
    source: int, hour: int, name: str | None
) -> None:
    watched = file(profile=[MARKET, QUIET])
    profile = Pacing(watched).profile(watched.source[source], NOON.replace(hour=hour))
    assert (profile and profile.name) == name


def test_a_profile_sets_the_rate_and_the_settings_hold_without_one() -> None:
    watched = file(profile=[MARKET, QUIET])
    pacing = Pacing(watched)

    def gates() -> dict[str, Gate]:
        return {entry.id: Gate(pacing, entry, 4.0) for entry in watched.source}

    morning = analysed(gates(), NOON.replace(hour=7), 10)
    assert (morning["a"]["analysed"], morning["b"]["analysed"]) == (80, 40)
    night = analysed(gates(), NIGHT, 10)
    assert (night["a"], night["b"]) == ({"analysed": 10, "profile": 290},) * 2
    assert watched.most_fps(watched.source[0]) == 8.0
    assert watched.most_fps(watched.source[1]) == 4.0


def test_a_budget_holds_for_all_streams_together_and_is_free_again_when_one_leaves() -> None:
    watched = file(budget_fps=4.0, profile=[{"name": "m", "scenes": ["market"], "weight": 3.0}])
    pacing = Pacing(watched)
    gates = {entry.id: Gate(pacing, entry, 4.0) for entry in watched.source}
    analysed(gates, NOON, 1)  # until both are known
    told = analysed(gates, NOON + timedelta(seconds=1), 20)
    assert told["a"]["analysed"] == pytest.approx(60, abs=2)
    assert told["b"]["analysed"] == pytest.approx(20, abs=2)
    assert told["b"]["budget"] > 500
    gates.pop("a").close()
    alone = analysed(gates, NOON + timedelta(seconds=21), 10)
    assert alone["b"]["analysed"] == pytest.approx(40, abs=2)


def test_what_a_profile_does_not_ask_for_is_neither_claimed_nor_looked_for() -> None:
    watched = file(profile=[QUIET])
    ring = ((22.84, 113.23), (22.84, 113.24), (22.85, 113.24))
    night = Look("l1", "m", NIGHT, NIGHT, frozenset({"litter", "fire", "car"}), ring, 0.5)
    day = replace(night, id="l2", start=NOON, end=NOON)
    asked_late = replace(night, id="l3", classes=frozenset({"litter"}))
    litter = seen(id="o1", class_name="litter", at=NIGHT)
    fire = replace(litter, id="o2", class_name="fire")
    by_day = seen(id="o3", class_name="litter", at=NOON)
    judged = Judged((litter, fire, by_day), (), (night, day, asked_late))
    asked = Pacing(watched).asked(watched.source[1], judged)
    assert [o.id for o in asked.observations] == ["o2", "o3"]
    assert [(k.id, k.classes) for k in asked.looks] == [("l1", {"fire"}), ("l2", day.classes)]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('hours = "after lunch"', r"hours: must be in opening_hours syntax.*after lunch"),
        ('scenes = ["harbour"]', r"profile 'p': no source has the scene 'harbour'"),
        ('classes = ["dog"]', r"profile 'p': classes: the detector knows no 'dog'"),
        ("weight = 0", r"weight"),
        ("analysis_fps = -1", r"analysis_fps"),
    ],
)
def test_a_profile_that_cannot_be_is_refused_by_name(lines: str, said: str, tmp_path: Path) -> None:
    config = tmp_path / "watch.toml"
    config.write_text(
        f'[settings]\nout = "{tmp_path / "out"}"\n[[source]]\nid = "a"\n'
        f'url = "rtsp://127.0.0.1:9/x"\n[[profile]]\nname = "p"\n{lines}\n'
    )
    with pytest.raises(ConfigError, match=said):
        watch(load_watch(config), stop=threading.Event())


def test_a_played_clip_keeps_to_the_budget_and_accounts_for_every_frame(
    sample_media: Path, tmp_path: Path
) -> None:
    config = tmp_path / "watch.toml"
    config.write_text(
        f'budget_fps = 1.0\n[settings]\nout = "{tmp_path / "out"}"\nanalysis_fps = 4.0\n'
        "pictures = false\n"
        f'[[source]]\nid = "a"\nurl = "{sample_media / "car_a.mp4"}"\n'
    )
    summary = watch(load_watch(config), stop=threading.Event())
    frames = summary["streams"][0]["frames"]
    assert frames["read"] == frames["analysed"] + sum(frames["skipped"].values()), json.dumps(
        frames
    )
    assert frames["skipped"]["budget"] > 2 * frames["analysed"]
    assert frames["analysed"] >= 3
