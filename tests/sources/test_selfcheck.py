"""Pictures held against telemetry and mount: a car over ground that is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import cv2
import numpy as np
import pytest

from helpers.flights import HOME, METRES_PER_PIXEL, make_ground
from patrolvision.geo.attitude import enu_from_camera
from patrolvision.geo.camera import rays_from_pixels
from patrolvision.geo.geodesy import offset
from patrolvision.geo.ground import meet_flat
from patrolvision.sources.selfcheck import SelfCheck, SelfChecker
from patrolvision.types import Camera, Frame, Image, Lens, Mount, Pose
from sources.making import START

LENS = Lens(256, 192, 180.0, 180.0, 128.0, 96.0)
FPS = 5.0
SPEED_MPS = 6.0
HEIGHT_M = 1.8
Course = Callable[[float], float]


@pytest.fixture(scope="module")
def ground() -> Image:
    return make_ground(11, side_m=300.0)


def view(ground: Image, east_m: float, north_m: float, heading: float, pitch: float) -> Image:
    """What a camera HEIGHT_M above the ground sees; sky above the horizon."""
    grid = np.stack(np.meshgrid(np.arange(256) + 0.5, np.arange(192) + 0.5), axis=-1)
    rays = rays_from_pixels(LENS, grid.reshape(-1, 2)) @ enu_from_camera(heading, pitch, 0.0).T
    east, north = np.nan_to_num(meet_flat(rays, HEIGHT_M), nan=1e6).T
    x = ((east + east_m) / METRES_PER_PIXEL + ground.shape[1] / 2).astype(np.float32)
    y = (-(north + north_m) / METRES_PER_PIXEL + ground.shape[0] / 2).astype(np.float32)
    shape = (192, 256)
    far = (np.hypot(east, north) > 60.0).reshape(shape)
    seen = cv2.remap(ground, x.reshape(shape), y.reshape(shape), cv2.INTER_LINEAR)
    seen[far] = (200, 190, 180)
    return np.asarray(seen, np.uint8)


def drive(
    ground: Image,
    course: Course,
    seconds: float,
    *,
    camera: Camera,
    yaw_deg: float = 0.0,
    pitch_deg: float = -8.0,
    late_s: float = 0.0,
) -> SelfCheck:
    """yaw and pitch are the mount's true ones; the telemetry tells at t what was at t - late_s."""
    checker = SelfChecker(camera)
    east, north, step = -60.0, 0.0, 1 / 50
    path = {}
    for k in range(round((seconds + 5) / step)):
        angle = math.radians(course(k * step))
        path[k] = (east, north)
        east += SPEED_MPS * step * math.sin(angle)
        north += SPEED_MPS * step * math.cos(angle)
    for index in range(int(seconds * FPS)):
        at_s = 3.0 + index / FPS
        here = path[round(at_s / step)]
        image = view(ground, *here, course(at_s) + yaw_deg, pitch_deg)
        told = course(at_s - late_s)
        lat, lon = offset(*HOME, *here)
        pose = Pose(
            START + timedelta(seconds=at_s), float(lat), float(lon), HEIGHT_M,
            told + camera.mount.yaw_deg, camera.mount.pitch_deg, 0.0, 2.0, 1.0, 0.5, 0.5,
            speed_mps=SPEED_MPS, course_deg=told,
        )  # fmt: skip
        checker.add(Frame("car", index, pose.at, image, pose))
    return checker.report()


def straight(at_s: float) -> float:
    return 90.0


def winding(at_s: float) -> float:
    return 90.0 + 25.0 * math.sin(at_s / 1.7) + 10.0 * math.sin(at_s / 0.9)


CAMERA = Camera("front", "car", LENS, Mount(HEIGHT_M, yaw_deg=0.0, pitch_deg=-8.0))


def test_a_mount_that_is_as_stated_is_confirmed(ground: Image) -> None:
    found = drive(ground, straight, 18.0, camera=CAMERA)
    assert found.yaw_error_deg is not None
    assert found.pitch_error_deg is not None
    for error in (found.yaw_error_deg, found.pitch_error_deg):
        assert abs(error.value) < 3.0 * error.sigma
        assert error.sigma < 0.4
    assert found.clock_offset_s is None  # a straight drive does not show it
    assert found.notes("a.mp4") == []


def test_a_mount_that_is_off_is_told_by_how_much(ground: Image) -> None:
    found = drive(ground, straight, 18.0, camera=CAMERA, yaw_deg=3.0, pitch_deg=-6.0)
    assert found.yaw_error_deg is not None
    assert found.pitch_error_deg is not None
    yaw, pitch = found.yaw_error_deg, found.pitch_error_deg
    assert yaw.value == pytest.approx(3.0, abs=3.0 * yaw.sigma)
    assert pitch.value == pytest.approx(2.0, abs=3.0 * pitch.sigma)
    assert max(yaw.sigma, pitch.sigma) < 0.4
    assert len(found.notes("a.mp4")) == 2


@pytest.mark.parametrize("late_s", [-0.8, 0.0, 0.6])
def test_a_clock_that_is_off_shows_in_the_turns(ground: Image, late_s: float) -> None:
    found = drive(ground, winding, 24.0, camera=CAMERA, late_s=late_s)
    assert found.clock_offset_s is not None
    # the telemetry's record of this instant comes late_s later
    assert found.clock_offset_s.value == pytest.approx(late_s, abs=0.12)
    assert found.clock_offset_s.sigma < 0.2
    assert bool(found.notes("a.mp4")) == (late_s != 0.0)


def test_a_standing_camera_and_a_drone_say_nothing_of_a_mount(ground: Image) -> None:
    assert SelfChecker(None).report() == SelfCheck()
    drone = replace(CAMERA, platform="drone")
    assert drive(ground, straight, 12.0, camera=drone).yaw_error_deg is None
