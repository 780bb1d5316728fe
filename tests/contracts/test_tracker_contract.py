"""What every Tracker promises, run on ours and on the library's where it is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from helpers.moving_scenes import CAR, CLASSES, LITTER, boxes, drive, follow, frame_at, ids_each
from patrolvision.ports import Tracker
from patrolvision.track.bytetrack import ByteTracker
from patrolvision.types import Detections

PICTURE = np.full((360, 640, 3), 90, np.uint8)
ROWS = np.array([[100.0, 100, 160, 140], [300, 100, 360, 140], [500, 200, 520, 215]])


def _library(kind: str) -> Callable[[], Tracker]:
    def make() -> Tracker:
        if importlib.util.find_spec("trackers") is None:
            pytest.skip("needs the package trackers: run `pip install trackers`")
        from patrolvision.track.trackers_lib import LibraryTracker

        return LibraryTracker(CLASSES, kind=kind)  # type: ignore[arg-type]

    return make


MAKERS: dict[str, Callable[[], Tracker]] = {
    "ours": lambda: ByteTracker(CLASSES),
    "botsort": _library("botsort"),
    "bytetrack": _library("bytetrack"),
    "cbiou": _library("cbiou"),
}


@pytest.fixture(params=MAKERS)
def tracker(request: pytest.FixtureRequest) -> Tracker:
    return MAKERS[request.param]()


def _ids(found: Detections) -> list[int]:
    assert found.track_id is not None
    return [int(i) for i in found.track_id]


def test_the_detections_come_back_in_their_order_with_ids(tracker: Tracker) -> None:
    given = boxes(ROWS, CAR)
    for index in range(8):
        found = tracker.update(given, frame_at(index, 10, PICTURE))
        assert np.array_equal(found.xyxy, given.xyxy)
        assert np.array_equal(found.confidence, given.confidence)
        assert np.array_equal(found.class_id, given.class_id)
        assert found.track_id is not None
        assert found.track_id.dtype == np.int64
    assert len(set(_ids(found))) == 3
    assert min(_ids(found)) >= 0


def test_ids_stay_with_their_boxes_when_the_order_changes(tracker: Tracker) -> None:
    for index in range(5):
        found = tracker.update(boxes(ROWS, CAR), frame_at(index, 10, PICTURE))
    turned = tracker.update(boxes(ROWS[::-1], CAR), frame_at(5, 10, PICTURE))
    assert _ids(turned) == _ids(found)[::-1]


def test_empty_frames_are_answered_with_nothing(tracker: Tracker) -> None:
    for index in range(3):
        found = tracker.update(Detections.none(), frame_at(index, 10, PICTURE))
        assert len(found) == 0
        assert found.track_id is not None


def test_different_kinds_of_things_never_share_an_id(tracker: Tracker) -> None:
    for index in range(6):
        kind = CAR if index < 3 else LITTER
        found = tracker.update(boxes(ROWS[:1], kind), frame_at(index, 10, PICTURE))
        if index == 2:
            car = _ids(found)
    assert car != _ids(found)


def test_a_thing_seen_once_gets_no_id_later_by_another_far_away(tracker: Tracker) -> None:
    ids = []
    for index in range(6):
        rows = ROWS[:1] if index < 3 else ROWS[2:]
        ids.append(_ids(tracker.update(boxes(rows, CAR), frame_at(index, 10, PICTURE)))[0])
    assert ids[2] >= 0
    assert ids[5] >= 0
    assert ids[5] != ids[2]


def test_the_same_frames_give_the_same_ids(
    tracker: Tracker, request: pytest.FixtureRequest
) -> None:
    other = MAKERS[request.node.callspec.params["tracker"]]()
    steps = drive(5, 8, cars=2)
    assert follow(tracker, steps) == follow(other, steps)


def test_a_parked_row_passed_at_five_frames_a_second_keeps_one_id_each(tracker: Tracker) -> None:
    assert set(ids_each(follow(tracker, drive(5, 5, cars=2)))) == {1}


def test_a_clock_that_jumps_back_is_survived(tracker: Tracker) -> None:
    frame = frame_at(5, 10, PICTURE)
    tracker.update(boxes(ROWS, CAR), frame)
    earlier = replace(frame, captured_at=frame.captured_at - timedelta(seconds=3))
    assert len(tracker.update(boxes(ROWS, CAR), earlier)) == 3
