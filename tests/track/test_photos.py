"""Things followed from one overlapping photo to the next, and into the strip beside it."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import cv2
import numpy as np
import pytest

from helpers.flights import HOME, LENS, Shot, make_ground, picture
from patrolvision.geo.geodesy import offset
from patrolvision.geo.project import pixel_of
from patrolvision.sources.overlap import describe, register
from patrolvision.track.photos import PhotoTracker
from patrolvision.types import Detections, Frame, Image, Pose
from sources.making import START

CLASSES = ("litter", "car", "truck")
CARS = [(float(e), float(n)) for e in (-16.0, -13.4, -10.8, 0.0, 9.0) for n in (-6.0, 1.0)]


@pytest.fixture(scope="module")
def ground() -> Image:
    return make_ground(8)


def pose_of(shot: Shot, index: int) -> Pose:
    lat, lon = offset(*HOME, shot.east_m, shot.north_m)
    at = START + timedelta(seconds=4 * index)
    angles = shot.heading_deg, shot.pitch_deg, 0.0
    return Pose(at, float(lat), float(lon), shot.height_m, *angles, 2.0, 3.0, 1.0, 1.0)


def taken(
    ground: Image, shot: Shot, index: int, cars: list[tuple[float, float]], *, posed: bool = True
) -> tuple[Frame, Detections, list[int]]:
    """The frame, a box for each car in view, and which cars these are."""
    pose = pose_of(shot, index)
    image = picture(ground, shot, np.random.default_rng(index))
    rows, seen = [], []
    for k, (east, north) in enumerate(cars):
        lat, lon = offset(*HOME, east, north)
        pixel = pixel_of(LENS, pose, float(lat), float(lon))
        if pixel is None or not (30 < pixel[0] < 610 and 30 < pixel[1] < 450):
            continue
        rows.append([pixel[0] - 11, pixel[1] - 11, pixel[0] + 11, pixel[1] + 11])
        seen.append(k)
    n = len(rows)
    found = Detections(
        np.array(rows, np.float32).reshape(n, 4),
        np.full(n, 0.9, np.float32),
        np.ones(n, np.int64),
    )
    return Frame("d", index, pose.at, image, pose if posed else None), found, seen


def followed(ground: Image, shots: list[Shot], *, posed: bool = True) -> dict[int, list[int]]:
    """car -> its track ids, in order."""
    tracker = PhotoTracker(CLASSES, describe, register)
    ids: dict[int, list[int]] = {}
    for index, shot in enumerate(shots):
        frame, found, seen = taken(ground, shot, index, CARS, posed=posed)
        tracked = tracker.update(found, frame)
        assert tracked.track_id is not None
        assert np.array_equal(tracked.xyxy, found.xyxy)
        assert len(set(tracked.track_id.tolist())) == len(found)
        for car, track_id in zip(seen, tracked.track_id, strict=True):
            ids.setdefault(car, []).append(int(track_id))
    return ids


def test_a_parked_row_keeps_one_id_each_over_two_strips(ground: Image) -> None:
    out = [Shot(e, -5.0, 90.0) for e in (-24.0, -12.0, 0.0, 12.0, 24.0)]
    back = [Shot(e, 8.0, 270.0) for e in (24.0, 12.0, 0.0, -12.0, -24.0)]
    ids = followed(ground, out + back)
    assert set(ids) == set(range(len(CARS)))
    assert max(len(one) for one in ids.values()) >= 5
    assert all(len(set(one)) == 1 for one in ids.values())
    assert len({one[0] for one in ids.values()}) == len(CARS)


def test_without_poses_the_photos_just_before_are_enough(ground: Image) -> None:
    ids = followed(ground, [Shot(e, 0.0, 90.0) for e in (-12.0, 0.0, 12.0)], posed=False)
    assert all(len(set(one)) == 1 for one in ids.values())


def test_a_car_that_drives_on_is_another_track(ground: Image) -> None:
    tracker = PhotoTracker(CLASSES, describe, register)
    ids = []
    for index, shot in enumerate(
        [Shot(-6.0, 0.0, 90.0), Shot(0.0, 0.0, 90.0), Shot(6.0, 0.0, 90.0)]
    ):
        frame, found, _ = taken(ground, shot, index, [(6.0 * index, 0.0)])
        tracked = tracker.update(found, frame)
        assert tracked.track_id is not None
        ids += [int(i) for i in tracked.track_id]
    assert len(ids) == 3
    assert all(a != b for a, b in pairwise(ids))


def test_litter_where_a_car_stood_is_not_the_car(ground: Image) -> None:
    tracker = PhotoTracker(CLASSES, describe, register)
    frame, found, _ = taken(ground, Shot(0.0, 0.0, 90.0), 0, [(0.0, 0.0)])
    first = tracker.update(found, frame)
    frame, found, _ = taken(ground, Shot(5.0, 0.0, 90.0), 1, [(0.0, 0.0)])
    litter = Detections(found.xyxy, found.confidence, np.zeros(len(found), np.int64))
    second = tracker.update(litter, frame)
    assert first.track_id is not None
    assert second.track_id is not None
    assert int(first.track_id[0]) != int(second.track_id[0])


def test_pictures_of_nothing_are_survived() -> None:
    tracker = PhotoTracker(CLASSES, describe, register)
    blank = np.full((60, 80, 3), 128, np.uint8)
    box = Detections(
        np.array([[10, 10, 20, 20]], np.float32), np.ones(1, np.float32), np.ones(1, np.int64)
    )
    ids = []
    for index in range(3):
        tracked = tracker.update(box, Frame("d", index, START, blank))
        assert tracked.track_id is not None
        ids.append(int(tracked.track_id[0]))
    assert ids == [0, 1, 2]  # nothing proves that they are the same


def test_register_finds_a_turn_and_refuses_strangers(ground: Image) -> None:
    view = ground[600:1200, 600:1400]
    turned = cv2.rotate(view, cv2.ROTATE_180)
    overlap = register(describe(view), describe(turned))
    assert overlap is not None
    corner = overlap.carried(np.array([[0.0, 0.0]]))[0]
    assert corner == pytest.approx([799.0, 599.0], abs=2.0)
    back = overlap.inverse().carried(corner[None])[0]
    assert back == pytest.approx([0.0, 0.0], abs=1e-6)
    assert register(describe(view), describe(ground[1500:2100, 1500:2300])) is None
