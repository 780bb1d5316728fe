from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from helpers.moving_scenes import (
    BUS,
    CAR,
    CLASSES,
    LITTER,
    TRUCK,
    boxes,
    drive,
    follow,
    frame_at,
    idf1,
    ids_each,
    pan,
    switches,
    without,
)
from patrolvision.track.bytetrack import ByteTracker, TrackSettings
from patrolvision.types import Detections

PICTURE = np.full((360, 640, 3), 90, np.uint8)
RATES = pytest.mark.parametrize("fps", [2, 5, 30])


def _run(
    rows: list[np.ndarray], fps: float = 10, kind: int = CAR, **settings: float
) -> list[list[int]]:
    tracker = ByteTracker(CLASSES, TrackSettings(**settings))  # type: ignore[arg-type]
    ids = []
    for index, row in enumerate(rows):
        found = tracker.update(boxes(row, kind), frame_at(index, fps, PICTURE))
        assert found.track_id is not None
        ids.append([int(i) for i in found.track_id])
    return ids


@pytest.mark.parametrize(("fps", "speed_mps"), [(2, 5.0), (5, 8.0), (30, 8.0)])
def test_parked_cars_that_are_passed_keep_one_id_each(fps: int, speed_mps: float) -> None:
    ids = follow(ByteTracker(CLASSES), drive(fps, speed_mps, cars=2))
    assert set(ids_each(ids)) == {1}
    assert switches(ids) == 0


@RATES
def test_litter_under_a_sweeping_camera_keeps_one_id_each(fps: int) -> None:
    """50 px between frames at 2 a second; a piece of litter is 22 px wide."""
    ids = follow(ByteTracker(CLASSES), pan(fps, 100)[: 2 * fps])
    assert set(ids_each(ids)) == {1}
    assert switches(ids) == 0


def test_without_compensation_the_sweep_is_lost() -> None:
    still = ByteTracker(CLASSES, TrackSettings(compensates_camera=False))
    steps = pan(5, 250)
    assert idf1(follow(still, steps)) < 0.5 < 0.9 < idf1(follow(ByteTracker(CLASSES), steps))


@pytest.mark.parametrize("fps", [5, 30])
def test_a_gap_of_half_a_second_is_bridged(fps: int) -> None:
    ids = follow(ByteTracker(CLASSES), without(drive(fps, 8.0, cars=2), 2.0, 2.5))
    assert set(ids_each(ids)) == {1}


@pytest.mark.parametrize("fps", [5, 30])
def test_two_that_cross_keep_their_ids(fps: int) -> None:
    """Two cars pass each other at 160 px/s each; in the middle both boxes lie on each other."""
    rows = []
    for index in range(2 * fps):
        x = 160 * index / fps
        rows.append(np.array([[100 + x, 100, 160 + x, 140], [400 - x, 110, 460 - x, 150]]))
    ids = _run(rows, fps)
    assert ids[-1] == ids[fps // 2]
    assert len(set(ids[-1])) == 2


def test_a_weak_box_continues_a_track_but_begins_none() -> None:
    tracker = ByteTracker(CLASSES)
    row = np.array([[100.0, 100, 160, 140]])
    strong, weak = boxes(row, CAR, 0.6), boxes(row, CAR, 0.15)
    answers = [tracker.update(d, frame_at(i, 10, PICTURE)) for i, d in enumerate([strong] * 3)]
    answers += [tracker.update(weak, frame_at(i, 10, PICTURE)) for i in range(3, 30)]
    answers.append(tracker.update(strong, frame_at(30, 10, PICTURE)))
    assert len({int(a.track_id[0]) for a in answers[2:] if a.track_id is not None}) == 1
    alone = ByteTracker(CLASSES)
    for index in range(5):
        found = alone.update(weak, frame_at(index, 10, PICTURE))
        assert found.track_id is not None
        assert found.track_id.tolist() == [-1]


def test_each_class_may_have_its_own_start() -> None:
    row = np.array([[100.0, 100, 160, 140]])
    tracker = ByteTracker(CLASSES, start_confidences={"litter": 0.5})
    for index in range(3):
        found = tracker.update(boxes(row, LITTER, 0.4), frame_at(index, 10, PICTURE))
    assert found.track_id is not None
    assert found.track_id.tolist() == [-1]


def test_a_vehicle_may_waver_between_car_truck_and_bus() -> None:
    tracker = ByteTracker(CLASSES)
    row = np.array([[100.0, 100, 160, 140]])
    ids = set()
    for index, kind in enumerate([CAR, TRUCK, CAR, BUS, TRUCK, CAR]):
        found = tracker.update(boxes(row, kind), frame_at(index, 10, PICTURE))
        assert found.track_id is not None
        ids.add(int(found.track_id[0]))
    assert ids - {-1} == {1}


def test_a_single_sight_is_no_track() -> None:
    empty = np.zeros((0, 4))
    row = np.array([[100.0, 100, 160, 140]])
    assert _run([row, empty, empty, empty, empty, empty, row])[-1] == [-1]


@pytest.mark.parametrize(
    ("fps", "unconfirmed"), [(30, 3), (5, 1), (2, 1)], ids=["0.1 s is three frames", "one", "one"]
)
def test_confirmation_takes_a_time_not_a_number_of_frames(fps: int, unconfirmed: int) -> None:
    ids = _run([np.array([[100.0, 100, 160, 140]])] * 6, fps)
    assert [i == [-1] for i in ids].count(True) == unconfirmed


@pytest.mark.parametrize(("missing", "is_same"), [(14, True), (17, False)])
def test_a_track_is_kept_for_its_time_and_no_longer(missing: int, is_same: bool) -> None:
    """lost_after_s is 1.5 s; ten frames a second."""
    row, empty = np.array([[100.0, 100, 160, 140]]), np.zeros((0, 4))
    ids = _run([row] * 3 + [empty] * missing + [row] * 3)
    assert (ids[-1] == ids[2]) is is_same


def test_ids_are_never_used_twice_even_when_the_clock_jumps_back() -> None:
    tracker = ByteTracker(CLASSES)
    row = np.array([[100.0, 100, 160, 140]])
    seen = []
    for index in [50, 51, 52, 0, 1, 2]:
        found = tracker.update(boxes(row, CAR), frame_at(index, 10, PICTURE))
        assert found.track_id is not None
        seen.append(int(found.track_id[0]))
    assert seen == [-1, 1, 1, -1, 2, 2]


def test_a_picture_of_another_size_in_the_stream_is_survived() -> None:
    tracker = ByteTracker(CLASSES)
    for index, shape in enumerate([(360, 640, 3), (720, 1280, 3), (360, 640, 3)]):
        image = np.full(shape, 90, np.uint8)
        found = tracker.update(Detections.none(), frame_at(index, 10, image))
        assert len(found) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"low_confidence": 0.5},
        {"start_confidence": 1.5},
        {"confirm_frames": 0},
        {"lost_after_s": -1},
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"expected 0|must be"):
        replace(TrackSettings(), **wrong)  # type: ignore[arg-type]
