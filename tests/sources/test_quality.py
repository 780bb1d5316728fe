"""What telemetry tells of its own faults: places repeated, fixes thrown away, a turned compass."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patrolvision.sources.fixes import TelemetryLog
from patrolvision.sources.heading import circular_median
from patrolvision.sources.opening import open_recording
from patrolvision.sources.quality import (
    UNSURE_HEADING_SIGMA_DEG,
    cleaned,
    quality_of,
)
from patrolvision.sources.sync import PoseTrack
from patrolvision.sources.telemetry import read_telemetry
from patrolvision.types import Mission, Pose, TelemetrySample

from .making import METRES_PER_DEGREE, START, car, log_of, make_video, sample

DRONE = car(platform="drone")


def drive(
    seconds: int, *, mps: float = 10.0, hz: int = 1, **values: float
) -> list[TelemetrySample]:
    """Due east at a steady speed."""
    return [sample(k / hz, mps * k / hz, 0.0, **values) for k in range(seconds * hz + 1)]


def held(samples: Sequence[TelemetrySample], first: int, last: int) -> list[TelemetrySample]:
    """The same with the place of sample first repeated up to sample last."""
    at = samples[first]
    return [
        replace(s, lat_deg=at.lat_deg, lon_deg=at.lon_deg) if first < k <= last else s
        for k, s in enumerate(samples)
    ]


def thrown(
    samples: Sequence[TelemetrySample], *indices: int, north_m: float = 400.0
) -> list[TelemetrySample]:
    """The same with some fixes thrown north."""
    return [
        replace(s, lat_deg=s.lat_deg + north_m / 110_574.3) if k in indices else s
        for k, s in enumerate(samples)
    ]


def pose(log: TelemetryLog, time_s: float, camera: object = None) -> Pose | str:
    return PoseTrack(log, camera or car()).pose_at(  # type: ignore[arg-type]
        START + timedelta(seconds=time_s), None
    )


def test_a_sound_log_is_left_as_it_is() -> None:
    log = log_of(drive(30, heading_deg=90.0))
    quality = quality_of(log, car())
    assert (quality.fixes, quality.rate_hz, quality.span_s) == (31, 1.0, (0.0, 30.0))
    assert (quality.stale, quality.jumps, quality.outliers, quality.gaps) == ((), (), (), ())
    assert quality.yaw_offset_deg is None
    assert cleaned(log, car()) == (log, [])


def test_one_fix_is_a_log_too() -> None:
    log = log_of([sample(0.0)])
    assert quality_of(log).rate_hz is None
    assert cleaned(log) == (log, [])


@pytest.mark.parametrize("hz", [1, 10], ids=["a fix a second", "ten records a second"])
def test_a_place_repeated_while_driving_gives_no_pose_and_is_counted(hz: int) -> None:
    log = log_of(held(drive(30, hz=hz), 10 * hz, 16 * hz))
    (run,) = quality_of(log, car()).stale
    assert (run.begin_s, run.indices) == (10.0, range(10 * hz + 1, 16 * hz + 1))
    assert run.duration_s == pytest.approx(6.0 + 1.0 / hz)
    assert quality_of(log).longest_stale_s == run.duration_s
    clean, notes = cleaned(log, car())
    assert clean.problems == {"stale": 6 * hz}
    assert len(clean.samples) == len(log.samples) - 6 * hz
    assert [pose(clean, t) for t in (11.0, 13.5, 16.5)][:2] == ["gap in telemetry"] * 2
    assert isinstance(pose(clean, 18.0), Pose)
    assert notes == [
        f"made: the same place was repeated while moving once, for {run.duration_s:.1f} s at "
        "most; there is no pose meanwhile"
    ]


def test_a_speed_that_goes_on_tells_a_stale_end_that_nothing_follows() -> None:
    log = log_of(held(drive(20, speed_mps=10.0), 14, 20))
    assert [run.indices for run in quality_of(log).stale] == [range(15, 21)]
    assert pose(cleaned(log)[0], 16.0) == "after telemetry"


def test_a_car_that_stands_at_a_light_is_not_stale() -> None:
    way_m = [10.0 * min(k, 10) + 10.0 * max(0, k - 40) for k in range(60)]
    log = log_of([sample(float(k), east_m) for k, east_m in enumerate(way_m)])
    assert quality_of(log, car()).stale == ()
    assert cleaned(log, car())[0] == log


def test_a_place_that_settles_after_a_long_stand_is_not_stale() -> None:
    way_m = [10.0 * min(k, 10) + (25.0 if k > 40 else 0.0) for k in range(60)]
    log = log_of([sample(float(k), east_m + 0.1 * k * (k > 40)) for k, east_m in enumerate(way_m)])
    assert quality_of(log, car()).stale == ()


def test_a_recorder_that_repeats_each_fix_for_a_second_is_not_stale() -> None:
    log = log_of([sample(k / 30.0, 10.0 * (k // 30)) for k in range(600)])
    quality = quality_of(log, car())
    assert (quality.stale, quality.jumps) == ((), ())


def test_a_log_with_few_decimals_is_neither_stale_nor_full_of_jumps() -> None:
    samples = [
        replace(s, lat_deg=round(s.lat_deg, 4), lon_deg=round(s.lon_deg, 4))
        for s in drive(60, mps=2.0, hz=10)
    ]
    quality = quality_of(log_of(samples), DRONE)
    assert (quality.stale, quality.jumps) == ((), ())


@pytest.mark.parametrize(
    ("indices", "why"),
    [
        ((12,), "one fix thrown away"),
        ((12, 13, 14), "three, one after the other"),
        ((12, 20), "two, each alone"),
        ((0,), "the first, before the receiver has settled"),
        ((30,), "the last"),
    ],
)
def test_fixes_that_their_neighbours_contradict_are_taken_out(
    indices: tuple[int, ...], why: str
) -> None:
    log = log_of(thrown(drive(30), *indices))
    quality = quality_of(log, car())
    assert sorted(quality.outliers) == list(indices), why
    assert all(jump.speed_mps > 60.0 for jump in quality.jumps)
    clean, notes = cleaned(log, car())
    assert clean.problems == {"jump": len(indices)}
    assert all(abs(s.lat_deg) < 1e-9 for s in clean.samples)
    assert notes == [], "what was taken out is told by its count"


def test_a_fix_left_out_leaves_a_gap_where_fixes_are_rare() -> None:
    rare = [sample(2.0 * k, 20.0 * k, 0.0) for k in range(16)]
    clean, _ = cleaned(log_of(thrown(rare, 7)), car())
    found = pose(clean, 14.0)
    assert isinstance(found, str) or abs(found.lat_deg) < 1e-6


def test_a_step_that_lasts_is_reported_not_judged() -> None:
    log = log_of(thrown(drive(30), *range(15, 31)))
    quality = quality_of(log, car())
    assert [(j.from_index, j.index, j.time_s) for j in quality.jumps] == [(14, 15, 15.0)]
    assert quality.outliers == ()
    clean, notes = cleaned(log, car())
    assert clean == log
    assert "1 steps are too fast to be true, the first at 15.0 s" in notes[0]
    (jump,) = quality.jumps
    assert jump.way_m == pytest.approx(math.hypot(400.0, 10.0), rel=0.006), "on a sphere"


def test_a_drone_has_a_lower_top_speed_than_a_car() -> None:
    log = log_of(thrown(drive(30), 12, north_m=60.0))
    assert quality_of(log, car()).jumps == ()
    assert quality_of(log, DRONE).outliers == (12,)


def test_a_fast_aircraft_is_not_all_jumps() -> None:
    log = log_of(drive(30, mps=120.0))
    assert quality_of(log, DRONE).jumps == ()


@given(
    where=st.sets(st.integers(1, 29).filter(lambda k: k % 3 == 1), max_size=6),
    north_m=st.floats(200.0, 5000.0),
)
def test_whatever_is_thrown_away_the_rest_stays(where: set[int], north_m: float) -> None:
    clean, _ = cleaned(log_of(thrown(drive(30), *where, north_m=north_m)), car())
    assert len(clean.samples) == 31 - len(where)
    assert all(abs(s.lat_deg) < 1e-9 for s in clean.samples)


def test_times_of_video_stay_with_their_samples() -> None:
    samples = thrown(drive(30), 12)
    clean, _ = cleaned(log_of(samples, [5.0 + k for k in range(31)]), car())
    assert clean.video_times_s == tuple(5.0 + k for k in range(31) if k != 12)
    assert len(clean.samples) == 30


def strips(yaws: Sequence[float]) -> TelemetryLog:
    """A drone mows east and west at 8 m/s, 10 s a strip; yaws are the gimbal's, strip by strip."""
    samples: list[TelemetrySample] = []
    for k, yaw in enumerate(yaws):
        for step in range(21):
            along_m = 4.0 * step if k % 2 == 0 else 80.0 - 4.0 * step
            time_s = 14.0 * k + step / 2.0
            samples.append(
                sample(
                    time_s,
                    along_m,
                    30.0 * k,
                    height_m=40.0,
                    gimbal_heading_deg=yaw,
                    gimbal_pitch_deg=-60.0,
                )
            )
    return log_of(samples)


def test_a_strip_whose_yaw_points_back_is_found_told_and_distrusted() -> None:
    log = strips([90.0, 270.0, 270.0, 270.0])  # the third flies east again
    quality = quality_of(log, DRONE)
    assert quality.heading_field == "gimbal_heading_deg"
    assert [round(abs(leg.offset_deg)) for leg in quality.legs] == [0, 0, 180, 0]
    assert [round(leg.course_deg) for leg in quality.legs] == [90, 270, 90, 270]
    assert all(leg.speed_mps == pytest.approx(8.0, rel=0.01) for leg in quality.legs)
    assert quality.yaw_offset_deg is None, "most strips are sound"
    clean, notes = cleaned(log, DRONE)
    sound, doubtful = pose(clean, 5.0, DRONE), pose(clean, 33.0, DRONE)
    assert isinstance(sound, Pose)
    assert isinstance(doubtful, Pose)
    assert sound.sigma_heading_deg == DRONE.sigma.heading_deg
    assert doubtful.sigma_heading_deg == UNSURE_HEADING_SIGMA_DEG
    assert doubtful.heading_deg == 270.0, "never turned round: it may have flown backwards"
    assert "180 degrees off the course on 1 of 4 straight stretches" in notes[-1]


def test_a_yaw_that_is_off_on_every_strip_is_the_verdict_on_the_log() -> None:
    quality = quality_of(strips([270.0, 90.0, 270.0]), DRONE)
    assert quality.yaw_offset_deg is not None
    assert abs(quality.yaw_offset_deg) == pytest.approx(180.0, abs=0.5)
    assert quality.spread_deg == pytest.approx(0.0, abs=0.5)


def test_a_drone_that_looks_sideways_all_along_is_believed() -> None:
    log = strips([0.0, 180.0])
    quality = quality_of(log, DRONE)
    assert quality.yaw_offset_deg == pytest.approx(-90.0, abs=0.5)
    clean, _ = cleaned(log, DRONE)
    assert clean.samples == log.samples


def test_a_cars_compass_that_contradicts_its_course_gives_way_to_it() -> None:
    log = log_of(drive(30, heading_deg=200.0))
    assert quality_of(log, car()).yaw_offset_deg == pytest.approx(110.0, abs=0.5)
    clean, notes = cleaned(log, car())
    found = pose(clean, 15.0)
    assert isinstance(found, Pose)
    assert found.heading_deg == pytest.approx(90.0, abs=0.5)
    assert notes == [
        "made: the heading is +110 degrees off the course while driving; it is left out and the "
        "course is used"
    ]


def test_a_car_that_may_have_reversed_keeps_its_compass_with_little_trust() -> None:
    log = log_of(drive(20, mps=3.0, heading_deg=270.0))
    found = pose(cleaned(log, car())[0], 10.0)
    assert isinstance(found, Pose)
    assert found.heading_deg == 270.0
    assert found.sigma_heading_deg == UNSURE_HEADING_SIGMA_DEG


@given(middle=st.floats(-180.0, 179.9), spread=st.floats(0.0, 20.0))
def test_the_median_of_angles_knows_no_seam(middle: float, spread: float) -> None:
    found, deviation = circular_median([middle - spread, middle, middle + spread])
    assert math.cos(math.radians(found - middle)) == pytest.approx(1.0, abs=1e-9)
    assert deviation == pytest.approx(1.4826 * spread, abs=1e-6)
    assert -180.0 <= found < 180.0


def test_what_was_taken_out_stands_in_the_recordings_problems(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", [k / 2.0 for k in range(41)])
    rows = held(thrown(drive(20), 4), 9, 14)
    table = "".join(f"{s.at.isoformat()},{s.lat_deg!r},{s.lon_deg!r}\n" for s in rows)
    (tmp_path / "a.csv").write_text("time,lat_deg,lon_deg\n" + table)
    source = open_recording(Mission("m1", str(path), "front"), car())
    places = [(f.pose.lat_deg, f.pose.lon_deg) for f in source.frames() if f.pose]
    counts = source.counts()
    assert counts.pose_problems["gap in telemetry"] >= 10
    assert all(abs(lat) < 1e-6 for lat, _ in places)
    assert all(lon >= 10.0 - 1.0 / METRES_PER_DEGREE for _, lon in places)
    assert list(source.problems) == [  # type: ignore[attr-defined]
        "a.mp4: 1 telemetry records left out (jump)",
        "a.mp4: 5 telemetry records left out (stale)",
        "a.csv: the same place was repeated while moving once, for 6.0 s at most; there is no "
        "pose meanwhile",
    ]


def test_a_real_recorder_that_finds_its_place_late_is_caught(shared: Path) -> None:
    """hero06 writes fixes 2 km away for 13 s, until its receiver has settled."""
    log = read_telemetry(shared / "footage/gopro_gpx/hero06.gpx")
    jumps = quality_of(log, car()).jumps
    assert jumps[0].way_m == pytest.approx(2384.0, abs=5.0)
    assert 13.0 < jumps[0].time_s < 13.3


@pytest.mark.parametrize("name", ["hero05.gpx", "fusion.gpx", "karma.gpx"])
def test_sound_real_logs_lose_nothing(shared: Path, name: str) -> None:
    log = read_telemetry(shared / "footage/gopro_gpx" / name)
    assert cleaned(log, car()) == (log, [])


@pytest.mark.parametrize(
    "name", ["matrice_300.srt", "mavic_pro.SRT", "mavic_2_style.SRT", "mavic_mini.SRT"]
)
def test_sound_real_flights_lose_nothing(shared: Path, name: str) -> None:
    log = read_telemetry(shared / "footage/dji_srt" / name)
    assert cleaned(log, DRONE) == (log, [])
