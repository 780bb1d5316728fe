"""Poses along what a receiver tells while it drives."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from patrolvision.sources.fixes import RawFix, RawLog, build_log
from patrolvision.sources.live_fixes import SILENT_S, SPAN_S, LiveFixes
from patrolvision.sources.quality import cleaned
from patrolvision.sources.sync import PoseTrack
from patrolvision.types import Pose

from .making import METRES_PER_DEGREE, START, car

SPEED_MPS = 8.0


def fix(time_s: float, *, north_m: float | None = None, at: datetime | None = None) -> RawFix:
    """Where a car is that drives north along a meridian."""
    north_m = SPEED_MPS * time_s if north_m is None else north_m
    values = {"speed_mps": SPEED_MPS, "course_deg": 0.0, "sigma_position_m": 1.5}
    at = START + timedelta(seconds=time_s) if at is None else at
    return RawFix(north_m / METRES_PER_DEGREE, 10.0, at, None, values)


@dataclass
class Wall:
    """A clock that stands where it is put."""

    now: datetime = field(default=START)

    def __call__(self) -> datetime:
        return self.now


def told(fixes: Sequence[RawFix], *, late_s: float = 0.1, off_s: float = 0.0) -> LiveFixes:
    """A receiver whose fixes arrive late_s after their time at a machine whose clock is off_s."""
    wall = Wall()
    live = LiveFixes("gps", car(), clock=wall)
    for one in fixes:
        assert one.at is not None
        wall.now = one.at + timedelta(seconds=late_s + off_s)
        live.take([one])
    return live


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_between_two_fixes_the_pose_is_that_of_a_recording() -> None:
    fixes = [fix(float(k)) for k in range(20)]
    recorded, _ = cleaned(build_log(Path("x"), RawLog("x", tuple(fixes), "x")), car())
    track = PoseTrack(recorded, car())
    live = told(fixes)
    for time_s in (10.0, 12.3, 18.9, 19.0):
        assert live.pose_at(after(time_s), 0.0) == track.pose_at(after(time_s), 0.0)


def test_a_picture_newer_than_the_newest_fix_waits_and_is_never_guessed() -> None:
    live = told([fix(float(k)) for k in range(10)])
    assert not live.is_ready(after(9.4), 0.0)
    assert live.pose_at(after(9.4), 0.0) == "after telemetry"
    live.take([fix(10.0)])
    assert live.is_ready(after(9.4), 0.0)
    pose = live.pose_at(after(9.4), 0.0)
    assert isinstance(pose, Pose)
    assert pose.lat_deg == pytest.approx(SPEED_MPS * 9.4 / METRES_PER_DEGREE, abs=1e-9)


def test_nothing_is_waited_for_from_a_receiver_that_is_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    live = told([fix(float(k)) for k in range(10)])
    heard_s = 0.0 if live.silent_s is None else live.silent_s
    assert heard_s < SILENT_S and not live.is_ready(after(12.0), 0.0)
    began_s = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: began_s + SILENT_S + 1.0)
    assert live.is_ready(after(12.0), 0.0)
    assert live.pose_at(after(12.0), 0.0) == "after telemetry"


def test_one_that_never_said_anything_holds_nobody_up() -> None:
    live = LiveFixes("gps", car())
    assert live.is_ready(START, 0.0) and live.pose_at(START, 0.0) == "no telemetry"
    live.take([RawFix(None, None, START, None, {}, "no fix")])
    assert live.pose_at(START, 0.0) == "no telemetry"


def test_a_stray_fix_is_contradicted_by_those_that_follow() -> None:
    fixes = [fix(float(k)) for k in range(20)]
    fixes[12] = fix(12.0, north_m=SPEED_MPS * 12 + 400.0)
    live = told(fixes)
    pose = live.pose_at(after(12.0), 0.0)
    assert isinstance(pose, Pose)
    assert pose.lat_deg == pytest.approx(SPEED_MPS * 12.0 / METRES_PER_DEGREE, abs=1e-6)


def test_the_last_minute_is_kept_and_what_comes_too_fast_is_thinned_out() -> None:
    live = told([fix(0.05 * k) for k in range(4000)])  # 20 a second for 200 s
    assert isinstance(live.pose_at(after(198.0), 0.0), Pose)
    assert live.pose_at(after(199.0 - SPAN_S - 5.0), 0.0) == "before telemetry"
    assert len(live._fixes) <= SPAN_S / 0.2 + 2


@pytest.mark.parametrize("off_s", [-400.0, 37.0])
def test_a_machine_whose_clock_is_wrong_takes_the_satellites_time(
    off_s: float, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        live = told([fix(float(k)) for k in range(10)], off_s=off_s)
    assert abs((live.now() - after(9.0)).total_seconds()) < 0.3
    assert [r.message for r in caplog.records] == [
        "gps: this machine's clock is not the satellites'; theirs is used"
    ]


def test_a_clock_that_is_right_is_left_alone() -> None:
    wall_off = told([fix(float(k)) for k in range(10)], late_s=0.4).now() - after(9.4)
    assert abs(wall_off.total_seconds()) < 1e-6


def test_fixes_of_another_time_are_told_and_not_used(caplog: pytest.LogCaptureFixture) -> None:
    """A receiver after its week counter rolled over is 1024 weeks behind."""
    wall = Wall(START)
    live = LiveFixes("gps", car(), clock=wall)
    old = START - timedelta(weeks=1024)
    with caplog.at_level(logging.WARNING):
        live.take([fix(0.0, at=old + timedelta(seconds=k)) for k in range(5)])
    assert live.pose_at(START, 0.0) == "no telemetry" and live.now() == START
    assert [r.message for r in caplog.records] == [
        f"gps: sends fixes of {old:%Y-%m-%d}; they are not used"
    ]
