"""Photos of one flight checked against each other: headings, fixes, heights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from helpers.flights import HOME, Shot, make_ground, place_of, write_flight
from patrolvision.geo.geodesy import local_en
from patrolvision.sources.angles import turn_between
from patrolvision.sources.photos import PhotoFolderSource
from patrolvision.types import Image, Pose

STEP_M = 14.0


@pytest.fixture(scope="module")
def ground() -> Image:
    return make_ground(5)


def strips(pitch_deg: float = -90.0, per_strip: int = 5) -> list[Shot]:
    """Out eastwards and back 20 m farther north, with a pilot's small errors."""
    rng = np.random.default_rng(2)
    shots = []
    for north_m, course, sign in ((-10.0, 90.0, 1), (10.0, 270.0, -1)):
        for k in range(per_strip):
            east_m = sign * (k - (per_strip - 1) / 2) * STEP_M
            heading = course + float(rng.normal(0, 2))
            shots.append(
                Shot(
                    east_m,
                    north_m,
                    heading,
                    pitch_deg,
                    said_east_m=east_m + float(rng.normal(0, 0.4)),
                    said_north_m=north_m + float(rng.normal(0, 0.4)),
                    said_heading_deg=heading + float(rng.normal(0, 2)),
                )
            )
    return shots


def poses(folder: Path) -> tuple[list[Pose | None], PhotoFolderSource]:
    source = PhotoFolderSource(folder, stream_id="drone")
    found = [frame.pose for frame in source.frames()]
    return found, source


@pytest.mark.parametrize("pitch_deg", [-90.0, -60.0])
def test_a_strip_whose_gimbal_says_the_opposite_is_turned_round(
    tmp_path: Path, ground: Image, pitch_deg: float
) -> None:
    shots = strips(pitch_deg)
    turned = [
        replace(s, said_heading_deg=(s.said_heading_deg or 0.0) + 180.0) if k >= 5 else s
        for k, s in enumerate(shots)
    ]
    found, source = poses(write_flight(tmp_path / "flight", ground, turned))
    for pose, shot in zip(found, shots, strict=True):
        assert pose is not None
        error = abs(turn_between(shot.heading_deg, pose.heading_deg))
        assert error < 3 * max(pose.sigma_heading_deg, 2.0)
    assert any("heading of 5 photos" in problem for problem in source.problems)


def test_headings_that_are_right_are_left_alone(tmp_path: Path, ground: Image) -> None:
    shots = strips()
    found, source = poses(write_flight(tmp_path / "flight", ground, shots))
    for pose, shot in zip(found, shots, strict=True):
        assert pose is not None
        assert abs(turn_between(shot.heading_deg, pose.heading_deg)) < 5.0
    assert not any("heading" in problem for problem in source.problems)


def test_a_fix_that_is_repeated_while_the_ground_moves_on_gives_no_pose(
    tmp_path: Path, ground: Image
) -> None:
    shots = strips()
    held = shots[1]
    for k in (2, 3):
        shots[k] = replace(shots[k], said_east_m=held.said_east_m, said_north_m=held.said_north_m)
    found, source = poses(write_flight(tmp_path / "flight", ground, shots))
    assert [k for k, pose in enumerate(found) if pose is None] == [2, 3]
    assert source.counts().pose_problems == {"stale fix": 2}
    assert any("repeat an earlier fix" in problem for problem in source.problems)


def test_a_drone_that_hovers_and_turns_keeps_its_poses(tmp_path: Path, ground: Image) -> None:
    shots = [Shot(0.0, 0.0, heading) for heading in (0.0, 30.0, 60.0, 90.0)]
    found, source = poses(write_flight(tmp_path / "flight", ground, shots))
    assert all(found)
    assert source.problems == []


@pytest.mark.parametrize("thrown", [
    {"said_north_m": -75.0}, {"said_east_m": 60.0}, {"said_east_m": -60.0}, {"said_east_m": 40.0},
])  # fmt: skip
def test_a_fix_thrown_far_off_gives_no_pose(
    tmp_path: Path, ground: Image, thrown: dict[str, float]
) -> None:
    shots = strips()
    shots[2] = replace(shots[2], **thrown)
    found, source = poses(write_flight(tmp_path / "flight", ground, shots))
    assert [k for k, pose in enumerate(found) if pose is None] == [2]
    assert source.counts().pose_problems == {"jump in telemetry": 1}


def test_a_height_that_the_ground_contradicts_is_corrected(tmp_path: Path, ground: Image) -> None:
    shots = [replace(shot, said_height_m=shot.height_m * 0.75) for shot in strips()]
    found, source = poses(write_flight(tmp_path / "flight", ground, shots))
    heights = [pose.height_m for pose in found if pose]
    assert len(heights) == len(shots)
    assert np.allclose(heights, 40.0, rtol=0.06)  # the fixes are 0.57 m off in steps of 14 m
    assert any("height above the ground" in problem for problem in source.problems)


@pytest.mark.parametrize("pitch_deg", [-90.0, -65.0])
def test_photos_lie_to_each_other_as_their_pictures_do_and_not_as_noisy_fixes(
    tmp_path: Path, ground: Image, pitch_deg: float
) -> None:
    rng = np.random.default_rng(11)
    shots = [
        replace(s, said_east_m=s.east_m + 3.0 + float(rng.normal(0, 1.5)),
                said_north_m=s.north_m - 2.0 + float(rng.normal(0, 1.5)))
        for s in strips(pitch_deg, per_strip=6)
    ]  # fmt: skip
    found, source = poses(write_flight(tmp_path / "flight", ground, shots))
    assert all(found)
    truth = np.array([[s.east_m, s.north_m] for s in shots])
    said = np.array([[s.said_east_m, s.said_north_m] for s in shots]) - truth
    places = np.array([local_en(*HOME, p.lat_deg, p.lon_deg) for p in found if p])
    off = places - truth
    assert said.std(axis=0).max() > 1.2
    assert off.std(axis=0).max() < 0.5
    assert off.mean(axis=0) == pytest.approx(said.mean(axis=0), abs=0.2)  # what all fixes share
    assert any("from photo to photo the fixes are" in problem for problem in source.problems)


def test_fixes_that_agree_with_the_pictures_are_left_alone(tmp_path: Path, ground: Image) -> None:
    rng = np.random.default_rng(12)
    shots = [replace(s, said_east_m=s.east_m + 3.0 + float(rng.normal(0, 0.03)),
                     said_north_m=s.north_m - 2.0 + float(rng.normal(0, 0.03)))
             for s in strips()]  # fmt: skip
    found, source = poses(write_flight(tmp_path / "flight", ground, shots))
    for pose, shot in zip(found, shots, strict=True):
        assert pose is not None
        assert (pose.lat_deg, pose.lon_deg) == pytest.approx(place_of(shot), abs=1e-7)
        assert abs(turn_between(shot.said_heading_deg or 0.0, pose.heading_deg)) < 0.02
    assert source.problems == []


def test_photos_that_share_no_ground_say_nothing_of_each_other(
    tmp_path: Path, ground: Image
) -> None:
    shots = [Shot(-90.0, -90.0, 0.0), Shot(90.0, 90.0, 0.0)]
    found, source = poses(write_flight(tmp_path / "flight", ground, shots))
    assert [pose.heading_deg for pose in found if pose] == pytest.approx([0.0, 0.0])
    assert place_of(shots[0]) == pytest.approx((found[0].lat_deg, found[0].lon_deg))  # type: ignore[union-attr]
    assert source.problems == []
