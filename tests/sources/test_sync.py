"""The pose at an instant: interpolated, never extrapolated, and honest about what is not known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from patrolvision.errors import TelemetryError
from patrolvision.geo.geodesy import distance_m
from patrolvision.sources.angles import circular_between, turn_between
from patrolvision.sources.fixes import TelemetryLog
from patrolvision.sources.sync import PoseTrack, SyncSettings, check_overlap
from patrolvision.types import Pose, TelemetrySample

from .making import START, car, log_of, sample


def drive(
    speed_mps: float = 10.0, heading_deg: float = 90.0, n: int = 11, **values: float
) -> list[TelemetrySample]:
    """A fix a second along a straight line."""
    east, north = math.sin(math.radians(heading_deg)), math.cos(math.radians(heading_deg))
    way = [speed_mps * k for k in range(n)]
    return [sample(float(k), w * east, w * north, **values) for k, w in enumerate(way)]


def pose(track: PoseTrack, time_s: float) -> Pose | str:
    return track.pose_at(START + timedelta(seconds=time_s), None)


def sure(answer: Pose | str) -> Pose:
    assert isinstance(answer, Pose), answer
    return answer


def away_m(found: Pose, at: TelemetrySample) -> float:
    return float(distance_m(found.lat_deg, found.lon_deg, at.lat_deg, at.lon_deg))


def test_between_two_fixes_the_place_is_on_the_line_between_them() -> None:
    found = sure(pose(PoseTrack(log_of(drive()), car()), 4.25))
    assert away_m(found, sample(0, 42.5)) < 0.01
    assert found.speed_mps == pytest.approx(10.0, rel=1e-3)


def test_before_and_after_the_telemetry_there_is_no_pose() -> None:
    track = PoseTrack(log_of(drive()), car())
    assert pose(track, -0.01) == "before telemetry"
    assert pose(track, 10.01) == "after telemetry"
    assert isinstance(pose(track, 0.0), Pose)
    assert isinstance(pose(track, 10.0), Pose)


def test_nothing_is_interpolated_across_a_gap() -> None:
    samples = [s for k, s in enumerate(drive(n=20)) if not 5 <= k < 12]
    track = PoseTrack(log_of(samples), car())
    assert pose(track, 8.0) == "gap in telemetry"
    assert isinstance(pose(track, 3.9), Pose)
    assert isinstance(pose(track, 12.0), Pose)


def test_a_slow_log_may_be_interpolated_over_twice_its_own_interval() -> None:
    samples = [sample(10.0 * k, 50.0 * k, heading_deg=90.0) for k in range(5)]
    assert isinstance(pose(PoseTrack(log_of(samples), car()), 15.0), Pose)


@given(
    st.lists(st.floats(0.05, 6.0), min_size=1, max_size=20),
    st.floats(-20.0, 150.0),
    st.floats(-30.0, 30.0),
)
@example([4.0, 1.0, 1.0], 4.0, 0.0)
def test_no_pose_is_ever_extrapolated(
    steps_s: Sequence[float], time_s: float, speed_mps: float
) -> None:
    times = np.concatenate([[0.0], np.cumsum(steps_s)])
    samples = [sample(float(t), speed_mps * float(t), heading_deg=90.0) for t in times]
    track = PoseTrack(log_of(samples), car())
    instants = [(s.at - START).total_seconds() for s in samples]  # a datetime counts microseconds
    found = pose(track, time_s)
    if not instants[0] - 2e-6 <= time_s <= instants[-1] + 2e-6:
        assert isinstance(found, str)
    elif isinstance(found, Pose):
        after = next(i for i, t in enumerate(instants) if t >= time_s - 2e-6)
        around = [samples[max(after - 1, 0)].lon_deg, samples[after].lon_deg]
        assert min(around) - 1e-9 <= found.lon_deg <= max(around) + 1e-9
        is_on_a_fix = abs(instants[after] - time_s) <= 2e-6  # nothing is interpolated there
        gap_s = instants[after] - instants[max(after - 1, 0)]
        assert is_on_a_fix or gap_s <= track.max_gap_s + 1e-5


def test_headings_are_interpolated_the_shorter_way_through_north() -> None:
    samples = [sample(0, heading_deg=359.0), sample(1, heading_deg=1.0)]
    found = sure(pose(PoseTrack(log_of(samples), car()), 0.5))
    assert found.heading_deg == pytest.approx(0.0, abs=1e-9) or found.heading_deg > 359.999


@given(st.floats(0, 360), st.floats(0, 360), st.floats(0, 1))
def test_a_circular_mean_lies_on_the_shorter_arc(first: float, second: float, share: float) -> None:
    between = circular_between(first, second, share)
    arc = abs(turn_between(first, second))
    assert abs(turn_between(first, between)) == pytest.approx(share * arc, abs=1e-6)
    assert abs(turn_between(between, second)) == pytest.approx((1 - share) * arc, abs=1e-6)


@pytest.mark.parametrize("heading_deg", [0.0, 37.0, 90.0, 200.0, 359.0])
def test_without_a_compass_the_track_gives_the_heading(heading_deg: float) -> None:
    found = sure(pose(PoseTrack(log_of(drive(heading_deg=heading_deg)), car()), 5.3))
    assert abs(turn_between(found.heading_deg, heading_deg)) < 0.01
    # The noise floor of 5 cm over 40 to 60 m of baseline adds 0.1° to the mount's own 1°.
    assert 1.0 < found.sigma_heading_deg < 1.02


def test_the_sigma_of_a_tracks_heading_covers_its_error() -> None:
    rng = np.random.default_rng(7)
    errors = []
    for _ in range(40):
        noise = rng.normal(0.0, 1.0, (61, 2))
        samples = [sample(float(k), 5.0 * k + e, n) for k, (e, n) in enumerate(noise)]
        track = PoseTrack(log_of(samples), car())
        for time_s in (10.0, 30.0, 50.0):
            found = sure(pose(track, time_s))
            track_sigma = math.sqrt(found.sigma_heading_deg**2 - 1.0)
            errors.append(turn_between(90.0, found.heading_deg) / track_sigma)
    spread = float(np.std(errors))
    assert 0.3 < spread < 1.2  # never too sure; at most three times too cautious


def test_standing_still_without_a_compass_there_is_no_heading() -> None:
    rng = np.random.default_rng(3)
    still = [sample(float(k), e, n) for k, (e, n) in enumerate(rng.normal(0, 0.5, (60, 2)))]
    track = PoseTrack(log_of(still), car())
    answers = [pose(track, k / 2) for k in range(118)]
    assert all(answer == "no heading" for answer in answers)
    assert pose(PoseTrack(log_of([sample(k, 0, 0) for k in range(9)]), car()), 4) == "no heading"


def test_standing_still_with_a_compass_the_heading_is_the_compass() -> None:
    still = [sample(float(k), heading_deg=123.0) for k in range(9)]
    assert sure(pose(PoseTrack(log_of(still), car()), 4.5)).heading_deg == pytest.approx(123.0)


def test_a_car_that_has_just_stopped_keeps_its_heading_for_a_while() -> None:
    stop = [sample(float(k), min(k, 10) * 10.0, 0.0) for k in range(40)]
    track = PoseTrack(log_of(stop), car())
    moving, held = sure(pose(track, 5.0)), sure(pose(track, 15.0))
    assert held.heading_deg == pytest.approx(90.0, abs=0.1)
    assert held.sigma_heading_deg > moving.sigma_heading_deg
    assert pose(track, 25.0) == "no heading"
    strict = PoseTrack(log_of(stop), car(), settings=SyncSettings(hold_heading_s=0.0))
    assert pose(strict, 15.0) == "no heading"
    drone = PoseTrack(log_of(stop), car(platform="drone"))
    assert isinstance(pose(drone, 15.0), str)  # a drone turns on the spot


def test_the_receivers_own_course_is_used_and_is_worth_less_when_slow() -> None:
    fast = drive(course_deg=80.0, speed_mps=10.0)
    track = PoseTrack(log_of([fast[0], fast[1]]), car())
    found = sure(pose(track, 0.5))
    assert found.course_deg is not None
    assert found.sigma_heading_deg >= 1.0


def test_the_mount_is_composed_as_a_rotation_and_not_added() -> None:
    # On a car that is rolled 90° to its right, a camera that looks down looks to the car's left.
    rolled = [sample(k, heading_deg=0.0, pitch_deg=0.0, roll_deg=90.0) for k in range(3)]
    found = sure(pose(PoseTrack(log_of(rolled), car(pitch_deg=-30.0)), 1.0))
    assert found.heading_deg == pytest.approx(330.0)
    assert found.pitch_deg == pytest.approx(0.0, abs=1e-9)
    assert found.roll_deg == pytest.approx(90.0)


def test_the_lever_arm_turns_with_the_car() -> None:
    east = [sample(k, heading_deg=90.0) for k in range(3)]
    found = sure(pose(PoseTrack(log_of(east), car(lever_arm_m=(1.0, 2.0, 0.5))), 1.0))
    assert away_m(found, sample(0, 2.0, -1.0)) < 0.001  # forward is east, right is south


def test_a_cars_height_is_its_mounts_whatever_the_altitude_says() -> None:
    samples = [sample(k, heading_deg=0.0, alt_msl_m=430.0, alt_takeoff_m=90.0) for k in range(3)]
    found = sure(pose(PoseTrack(log_of(samples), car(height_m=1.6)), 1.0))
    assert (found.height_m, found.sigma_height_m) == (1.6, 0.05)


@pytest.mark.parametrize(
    ("values", "height_m", "least_sigma_m"),
    [
        ({"height_m": 30.0, "alt_takeoff_m": 80.0, "alt_msl_m": 400.0}, 30.0, 1.0),
        ({"alt_takeoff_m": 80.0, "alt_msl_m": 400.0}, 80.0, 4.0),
        ({"alt_msl_m": 400.0}, "no height", 0.0),
        ({"alt_takeoff_m": 0.2}, "not in the air", 0.0),
    ],
)
def test_a_drones_three_heights_are_never_confused(
    values: dict[str, float], height_m: float | str, least_sigma_m: float
) -> None:
    samples = [
        sample(k, gimbal_heading_deg=10.0, gimbal_pitch_deg=-45.0, **values) for k in range(3)
    ]
    found = pose(PoseTrack(log_of(samples), car(platform="drone")), 1.0)
    if isinstance(height_m, str):
        assert found == height_m
    else:
        assert (sure(found).height_m, sure(found).sigma_height_m) == (height_m, least_sigma_m)


def test_a_drone_that_tells_no_height_flies_at_its_camera_files() -> None:
    """But not at 1.8 m, a car's that was left there, and not where some samples do tell."""
    samples = [sample(k, gimbal_heading_deg=10.0, alt_msl_m=400.0) for k in range(3)]
    silent, low = log_of(samples), car(platform="drone")
    found = sure(pose(PoseTrack(silent, car(platform="drone", height_m=25.0)), 1.0))
    assert (found.height_m, found.sigma_height_m) == (25.0, 1.25)
    assert pose(PoseTrack(silent, low), 1.0) == "no height"
    partly = log_of([*samples[:2], sample(2, gimbal_heading_deg=10.0, alt_takeoff_m=30.0)])
    assert pose(PoseTrack(partly, car(platform="drone", height_m=25.0)), 1.0) == "no height"


def test_a_drones_gimbal_is_absolute_and_its_tilt_is_not_the_cameras() -> None:
    gimbal = {"gimbal_heading_deg": 10.0, "gimbal_pitch_deg": -45.0, "gimbal_roll_deg": 0.0}
    samples = [
        sample(k, heading_deg=200.0, pitch_deg=-20.0, roll_deg=5.0, height_m=30.0, **gimbal)
        for k in range(3)
    ]
    found = sure(pose(PoseTrack(log_of(samples), car(platform="drone", pitch_deg=-10.0)), 1.0))
    assert (found.heading_deg, found.pitch_deg, found.roll_deg) == (10.0, -45.0, 0.0)
    assert found.sigma_heading_deg == 1.0


def test_a_drone_without_a_gimbal_log_looks_where_its_mount_says_and_is_less_sure() -> None:
    samples = [sample(k, heading_deg=200.0, pitch_deg=-20.0, height_m=30.0) for k in range(3)]
    found = sure(pose(PoseTrack(log_of(samples), car(platform="drone", pitch_deg=-60.0)), 1.0))
    assert (found.heading_deg, found.pitch_deg) == (200.0, -60.0)
    assert found.sigma_heading_deg > 5.0
    flying = [s for s in drive() if s]
    blind = [
        sample((s.at - START).total_seconds(), 10.0 * k, height_m=30.0)
        for k, s in enumerate(flying)
    ]
    guessed = sure(pose(PoseTrack(log_of(blind), car(platform="drone")), 5.0))
    assert guessed.sigma_heading_deg > 30.0


def test_a_receivers_own_accuracy_replaces_the_cameras() -> None:
    samples = [sample(k, heading_deg=0.0, sigma_position_m=7.0) for k in range(3)]
    assert sure(pose(PoseTrack(log_of(samples), car()), 1.0)).sigma_position_m == pytest.approx(7.0)


def test_places_written_with_four_decimals_are_known_to_be_coarse() -> None:
    samples = [
        TelemetrySample(START + timedelta(seconds=k), 22.8401, 113.2300 + k / 1e4, heading_deg=90.0)
        for k in range(9)
    ]
    found = sure(pose(PoseTrack(log_of(samples), car()), 2.0))
    assert found.sigma_position_m > math.hypot(2.0, 11.1 / math.sqrt(12)) - 0.01


def test_a_fix_repeated_until_the_next_one_is_not_a_stop() -> None:
    # Thirty records a second of a receiver that fixes five times a second.
    samples = [sample(k / 30, 10.0 * (k // 6) / 5) for k in range(90)]
    track = PoseTrack(log_of(samples), car())
    found = sure(pose(track, 1.5))
    assert away_m(found, sample(0, 15.0)) < 0.4
    assert found.heading_deg == pytest.approx(90.0, abs=0.1)


def test_the_clock_offset_is_added_to_the_videos_time() -> None:
    track = PoseTrack(log_of(drive()), car(), clock_offset_s=2.0)
    assert away_m(sure(pose(track, 3.0)), sample(0, 50.0)) < 0.01
    tied = PoseTrack(log_of(drive(), [float(k) for k in range(11)]), car(), clock_offset_s=2.0)
    assert away_m(sure(tied.pose_at(START, 3.0)), sample(0, 50.0)) < 0.01


def test_a_log_of_one_fix_has_a_pose_at_that_instant_only() -> None:
    track = PoseTrack(log_of([sample(0, heading_deg=9.0)]), car())
    assert sure(pose(track, 0.0)).heading_deg == pytest.approx(9.0)
    assert pose(track, 0.1) == "after telemetry"


def test_crossing_the_date_line_goes_the_short_way() -> None:
    samples = [
        TelemetrySample(START, 0.0, 179.9999, heading_deg=90.0),
        TelemetrySample(START + timedelta(seconds=1), 0.0, -179.9999, heading_deg=90.0),
    ]
    assert abs(sure(pose(PoseTrack(log_of(samples), car()), 0.5)).lon_deg) > 179.9999


def clock_log() -> TelemetryLog:
    return log_of(drive())


def test_telemetry_that_shares_no_instant_with_the_video_names_both_spans() -> None:
    late = START + timedelta(hours=8)
    with pytest.raises(
        TelemetryError, match=r"made: covers 2026-05-04T00:00:00.* clip\.mp4 covers .*08:00"
    ):
        check_overlap(clock_log(), "clip.mp4", late, 10.0)
    with pytest.raises(TelemetryError, match=r"made: covers 100\.0 to 110\.0 s of video"):
        check_overlap(log_of(drive(), [100.0 + k for k in range(11)]), "clip.mp4", None, 10.0)
    check_overlap(clock_log(), "clip.mp4", START + timedelta(seconds=9), 10.0)
    check_overlap(clock_log(), "clip.mp4", late, 10.0, clock_offset_s=-8 * 3600)
