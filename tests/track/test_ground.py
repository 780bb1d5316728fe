"""What stands on the ground is found again where the poses say it must be."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from patrolvision.geo.geodesy import offset
from patrolvision.geo.project import pixel_of
from patrolvision.track import kalman
from patrolvision.track.bytetrack import ByteTracker
from patrolvision.track.ground import carried
from patrolvision.track.kalman import MotionNoise
from patrolvision.types import Detections, Frame, Lens, Pose

LENS = Lens(960, 540, 640.0, 640.0, 480.0, 270.0)
AT = datetime(2026, 5, 4, tzinfo=UTC)


def pose(north_m: float, second: float = 0.0) -> Pose:
    lat, lon = offset(22.84, 113.23, 0.0, north_m)
    at = AT + timedelta(seconds=second)
    return Pose(at, float(lat), float(lon), 1.8, 0.0, -6.0, 0.0, 0.5, 1.0, 0.5, 0.5)


def box_of(seen_from: Pose, east_m: float, north_m: float, wide_m: float = 1.5) -> np.ndarray:
    """A thing as wide as high that stands on the ground, as the camera sees it."""
    corners = []
    for side_m, up_m in ((-wide_m / 2, 0.0), (wide_m / 2, wide_m)):
        lat, lon = offset(22.84, 113.23, east_m + side_m, north_m)
        corners.append(pixel_of(LENS, seen_from, float(lat), float(lon), up_m))
    (x1, y2), (x2, y1) = corners
    return np.array([[x1, y1, x2, y2]])


@pytest.mark.parametrize("east_m", [-3.0, 0.5, 4.0])
def test_a_box_is_carried_to_where_the_next_pose_sees_the_thing(east_m: float) -> None:
    before, after = pose(0.0), pose(2.0)
    states = kalman.born(box_of(before, east_m, 12.0), MotionNoise())
    moved, is_known = carried(states, LENS, before, after)
    assert is_known.all()
    # the thing is a flat board facing the camera, so its box scales exactly about its foot
    assert moved.xyxy == pytest.approx(box_of(after, east_m, 12.0), abs=2.0)


def test_what_has_no_foot_on_the_ground_stays_where_it_was() -> None:
    sky = kalman.born(np.array([[400.0, 20.0, 440.0, 60.0]]), MotionNoise())
    moved, is_known = carried(sky, LENS, pose(0.0), pose(2.0))
    assert not is_known.any()
    assert moved.xyxy == pytest.approx(sky.xyxy)


def test_what_the_car_has_passed_is_not_carried_behind_the_camera() -> None:
    near = kalman.born(box_of(pose(0.0), 2.0, 6.0), MotionNoise())
    _, is_known = carried(near, LENS, pose(0.0), pose(7.0))
    assert not is_known.any()


def ids_of_a_drive(with_poses: bool) -> set[int]:
    """Ids given to a heap that leaps by more than its own width between two pictures."""
    tracker = ByteTracker(("litter",), lens=LENS if with_poses else None)
    ids: set[int] = set()
    for step in range(4):
        seen_from = pose(3.0 * step, 0.5 * step)
        frame = Frame("s", step, seen_from.at, np.zeros((540, 960, 3), np.uint8))
        frame = replace(frame, pose=seen_from if with_poses else None)
        box = box_of(seen_from, 2.5, 14.0, 0.4).astype(np.float32)
        found = Detections(box, np.array([0.8], np.float32), np.array([0]))
        tracked = tracker.update(found, frame)
        assert tracked.track_id is not None
        ids |= {int(i) for i in tracked.track_id}
    return ids - {-1}


def test_poses_keep_one_id_where_the_picture_alone_loses_the_thing() -> None:
    assert len(ids_of_a_drive(with_poses=True)) == 1
    assert len(ids_of_a_drive(with_poses=False)) != 1
