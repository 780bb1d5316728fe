"""A stream's memory: boxes of things whose size and place are known become observations."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from patrolvision.geo.geodesy import local_en, offset
from patrolvision.geo.project import pixel_of
from patrolvision.observe import ObserveSettings, TrackBook, without_doubles
from patrolvision.types import (
    Camera,
    Detections,
    Frame,
    GeoPoint,
    Lens,
    Observation,
    Pose,
    Sigma,
)

AT = datetime(2026, 5, 4, tzinfo=UTC)
LAT, LON = 22.84, 113.23
CLASSES = ("litter", "fire", "smoke", "person", "bicycle", "car", "motorcycle", "bus", "truck")
LENS = Lens(1920, 1080, 1400.0, 1400.0, 960.0, 540.0)
CAR = Camera("front", "car", LENS, sigma=Sigma())
DRONE = Camera("below", "drone", LENS, sigma=Sigma())
IMAGE = np.zeros((1080, 1920, 3), np.uint8)


def car_pose(forward_m: float) -> Pose:
    lat, lon = (float(x) for x in offset(LAT, LON, 0.0, forward_m))
    return Pose(AT, lat, lon, 1.8, 0.0, -6.0, 0.0, 2.5, 1.0, 0.5, 0.5, 0.05)


def drone_pose(forward_m: float, pitch: float = -90.0, height: float = 50.0) -> Pose:
    lat, lon = (float(x) for x in offset(LAT, LON, 0.0, forward_m))
    return Pose(AT, lat, lon, height, 0.0, pitch, 0.0, 2.5, 2.0, 0.5, 0.5, 1.0)


def frame(index: int, pose: Pose | None, fps: float = 5.0, image: np.ndarray = IMAGE) -> Frame:
    return Frame("cam", index, AT + timedelta(seconds=index / fps), image, pose, "clip.mp4")


def box(
    pose: Pose, east: float, north: float, size: tuple[float, float, float]
) -> tuple[float, float, float, float]:
    """The box around a cuboid (east, north, up) that stands on the ground centred at a place."""
    corners = []
    for e in (-0.5, 0.5):
        for n in (-0.5, 0.5):
            for up in (0.0, 1.0):
                place = offset(LAT, LON, east + e * size[0], north + n * size[1])
                pixel = pixel_of(LENS, pose, *(float(x) for x in place), up * size[2])
                assert pixel is not None
                corners.append(pixel)
    low, high = np.min(corners, axis=0), np.max(corners, axis=0)
    return (*low, *high)


def detections(*rows: tuple[tuple[float, float, float, float], str, float, int]) -> Detections:
    return Detections(
        np.array([r[0] for r in rows], np.float32).reshape(-1, 4),
        np.array([r[2] for r in rows], np.float32),
        np.array([CLASSES.index(r[1]) for r in rows], np.int64),
        np.array([r[3] for r in rows], np.int64),
    )


def book(camera: Camera = CAR, **settings: object) -> TrackBook:
    return TrackBook(
        "m1",
        "cam",
        camera,
        CLASSES,
        "model@1",
        ObserveSettings(**settings),  # type: ignore[arg-type]
    )


def watch(
    memory: TrackBook,
    class_name: str,
    east: float,
    north: float,
    size: tuple[float, float, float],
    frames: int = 8,
    pose_of=car_pose,
    step_m: float = 1.5,
    velocity: float = 0.0,
) -> None:
    for k in range(frames):
        pose = pose_of(k * step_m)
        rows = (box(pose, east, north + velocity * k / 5.0, size), class_name, 0.8, 7)
        memory.add(frame(k, pose), detections(rows))


def place_of(observation: Observation) -> tuple[float, float]:
    east, north = local_en(LAT, LON, observation.place.lat_deg, observation.place.lon_deg)
    return float(east), float(north)


LITTER = (0.5, 0.5, 0.3)
SIDE_ON, END_ON = (4.5, 1.8, 1.5), (1.8, 4.5, 1.5)


@pytest.mark.parametrize(
    ("camera", "pose_of", "class_name", "size", "place"),
    [
        (CAR, car_pose, "litter", LITTER, (3.0, 22.0)),
        (CAR, car_pose, "fire", (0.6, 0.6, 0.8), (-4.0, 25.0)),
        (CAR, car_pose, "person", (0.4, 0.4, 1.7), (2.0, 24.0)),
        (CAR, car_pose, "car", END_ON, (3.0, 28.0)),
        (CAR, car_pose, "car", SIDE_ON, (2.0, 30.0)),
        (CAR, car_pose, "bus", (2.5, 11.0, 3.1), (4.0, 36.0)),
        (DRONE, drone_pose, "car", END_ON, (5.0, 8.0)),
        (DRONE, drone_pose, "litter", LITTER, (-8.0, 3.0)),
        (DRONE, lambda y: drone_pose(y, -45.0), "car", SIDE_ON, (5.0, 50.0)),
    ],
)
def test_a_thing_is_placed_at_the_middle_of_its_footprint(
    camera, pose_of, class_name, size, place
) -> None:
    memory = book(camera)
    watch(memory, class_name, *place, size, pose_of=pose_of)
    (found,) = memory.flush()
    assert found.class_name == class_name
    # Boxes and poses are exact here, so the miss is that of the contact alone.
    allowed = {"car": 0.9, "bus": 2.0}.get(class_name, 0.35)
    assert np.hypot(*np.subtract(place_of(found), place)) < allowed
    assert found.frames == 8
    assert found.bias_cov_en_m2 is not None
    assert np.linalg.eigvalsh(found.bias_cov_en_m2)[0] >= 2.5**2 * 0.99


def test_a_standing_car_stands_and_a_driving_one_drives() -> None:
    standing, driving = book(), book()
    watch(standing, "car", 3.0, 30.0, END_ON, frames=11)
    watch(driving, "car", 3.0, 25.0, END_ON, frames=11, velocity=9.0)
    (still,), (moving,) = standing.flush(), driving.flush()
    assert still.speed_mps is not None and still.speed_sigma_mps is not None
    assert still.speed_mps < 2 * still.speed_sigma_mps
    assert moving.speed_mps is not None and moving.speed_sigma_mps is not None
    assert moving.speed_mps > 3 * moving.speed_sigma_mps
    assert moving.speed_mps == pytest.approx(9.0, abs=2.0)


def test_litter_has_its_size_on_the_ground() -> None:
    near, above = book(), book(DRONE)
    watch(near, "litter", 2.0, 18.0, (1.0, 1.0, 0.3), frames=5)
    watch(above, "litter", 2.0, 4.0, (2.0, 3.0, 0.2), pose_of=drone_pose)
    # An ellipse in the box: pi / 4 of 1 and of 6 square metres; a cuboid's box is a little larger.
    assert near.flush()[0].size_m2 == pytest.approx(0.785, rel=0.25)
    assert above.flush()[0].size_m2 == pytest.approx(4.71, rel=0.15)


def test_ids_are_stable_and_an_open_track_already_has_its_own() -> None:
    runs = []
    for _ in range(2):
        memory = book()
        watch(memory, "litter", 3.0, 22.0, LITTER)
        (live,) = memory.open_observations()
        (closed,) = memory.flush()
        assert live.id == closed.id
        runs.append(closed.id)
    assert runs == ["m1-litter-0-0"] * 2
    assert memory.flush() == []


def test_a_track_is_closed_when_it_has_been_out_of_view_for_long_enough() -> None:
    memory = book(lost_after_s=2.0)
    watch(memory, "litter", 3.0, 22.0, LITTER, frames=3)
    assert memory.finished(AT + timedelta(seconds=2.3)) == []
    (found,) = memory.finished(AT + timedelta(seconds=2.5))
    assert found.last_seen == AT + timedelta(seconds=0.4)
    assert memory.finished(AT + timedelta(seconds=9)) == []


def test_the_class_is_what_most_of_the_confidence_says() -> None:
    memory = book()
    for k, (name, confidence) in enumerate(
        [("truck", 0.5), ("car", 0.9), ("car", 0.7), ("truck", 0.6), ("car", 0.8)]
    ):
        pose = car_pose(k * 1.0)
        memory.add(frame(k, pose), detections((box(pose, 3, 25, END_ON), name, confidence, 1)))
    (found,) = memory.flush()
    assert (found.id, found.class_name) == ("m1-vehicle-0-0", "car")
    assert found.confidence == pytest.approx(0.8, abs=1e-6)


def test_the_sights_are_the_first_the_best_and_the_last() -> None:
    memory = book()
    for k, confidence in enumerate([0.5, 0.9, 0.4]):
        pose = car_pose(0.0)
        memory.add(frame(k, pose), detections((box(pose, 3, 20, LITTER), "litter", confidence, 1)))
    (found,) = memory.flush()
    assert [s.frame_index for s in found.sights] == [0, 1, 2]
    assert found.sights[1].media == "clip.mp4"
    assert found.model_release == "model@1"


def test_smoke_has_the_place_of_the_fire_it_meets_and_none_alone() -> None:
    memory = book()
    for k in range(4):
        pose = car_pose(k * 1.0)
        fire = box(pose, 2.0, 24.0, (0.6, 0.6, 0.8))
        smoke = (fire[0] - 50, fire[1] - 300, fire[2] + 50, fire[1] + 5)
        alone = (100.0, 100.0, 300.0, 900.0)
        memory.add(
            frame(k, pose),
            detections((fire, "fire", 0.9, 1), (smoke, "smoke", 0.7, 2), (alone, "smoke", 0.7, 3)),
        )
    fire_found, smoke_found = memory.flush()
    assert (fire_found.class_name, smoke_found.class_name) == ("fire", "smoke")
    assert np.hypot(*np.subtract(place_of(smoke_found), place_of(fire_found))) < 0.1
    assert smoke_found.place.sigma_m > fire_found.place.sigma_m
    assert memory.counters["no_fire"] == 4
    assert memory.counters["without_place"] == 1


def test_what_gives_no_place_is_counted_and_not_guessed() -> None:
    memory = book(min_confidence=0.3)
    pose = car_pose(0.0)
    rows = [
        ((900.0, 500.0, 1000.0, 1079.5), "litter", 0.9, 1),  # cut by the picture's lower edge
        ((900.0, 100.0, 1000.0, 200.0), "litter", 0.9, 2),  # in the sky
        (box(pose, 0.0, 80.0, END_ON), "car", 0.9, 3),  # beyond 60 m, or too flat
        (box(pose, 2.0, 20.0, LITTER), "litter", 0.9, -1),  # not confirmed by the tracker
        (box(pose, 2.0, 20.0, LITTER), "litter", 0.1, 4),
        (box(pose, 2.0, 20.0, LITTER), "litter", 0.9, 5),  # seen once only
    ]
    memory.add(frame(0, pose), detections(*rows))
    memory.add(frame(1, None), detections(rows[5]))
    assert memory.flush() == []
    counters = dict(memory.counters)
    far = counters.pop("too_far", 0) + counters.pop("no_ground", 0)
    assert far == 2
    assert counters == {
        "cut_off": 1,
        "untracked": 1,
        "too_weak": 1,
        "located": 1,
        "without_pose": 1,
        "too_short": 4,
    }


def test_one_photo_is_enough_where_photos_are_single_shots() -> None:
    memory = book(DRONE, is_single_shot=True)
    pose = drone_pose(0.0)
    rows = detections(
        (box(pose, 3.0, 5.0, END_ON), "car", 0.9, -1),
        (box(pose, -6.0, 0.0, END_ON), "car", 0.8, -1),
    )
    memory.add(frame(4, pose), replace(rows, track_id=None))
    first, second = memory.flush()
    assert [first.id, second.id] == ["m1-vehicle-4-0", "m1-vehicle-4-1"]
    assert (first.frames, first.speed_mps) == (1, None)
    assert place_of(first) == pytest.approx((3.0, 5.0), abs=0.7)


def test_footage_smaller_than_its_calibration_gives_the_same_place() -> None:
    full, half = book(), book()
    watch(full, "litter", 3.0, 22.0, LITTER, frames=3)
    for k in range(3):
        pose = car_pose(k * 1.5)
        row = tuple(x / 2 for x in box(pose, 3.0, 22.0, LITTER))
        small = frame(k, pose, image=np.zeros((540, 960, 3), np.uint8))
        half.add(small, detections((row, "litter", 0.8, 7)))
    np.testing.assert_allclose(place_of(half.flush()[0]), place_of(full.flush()[0]), atol=0.05)


def test_a_very_long_track_keeps_a_bounded_memory() -> None:
    memory = book(DRONE)
    pose = drone_pose(0.0)
    row = box(pose, 3.0, 5.0, END_ON)
    for k in range(600):
        memory.add(frame(k, pose), detections((row, "car", 0.9, 1)))
    assert len(next(iter(memory._tracks.values())).places) <= 240
    (found,) = memory.flush()
    assert found.frames == 600
    assert found.speed_mps == pytest.approx(0.0, abs=0.01)


def _standing(name: str, east_m: float, frames: int, class_name: str = "car") -> Observation:
    lat, lon = offset(22.84, 113.23, east_m, 0.0)
    at = datetime(2026, 5, 4, tzinfo=UTC)
    place = GeoPoint(float(lat), float(lon), np.eye(2))
    return Observation(name, "m", "s", class_name, at, at, place, 0.8, frames)


def test_two_boxes_on_one_car_are_one_car_and_neighbours_stay_two() -> None:
    car, ghost = _standing("car", 0.0, 20), _standing("ghost", 0.7, 4, "truck")
    neighbour, heap = _standing("neighbour", 2.2, 9), _standing("heap", 0.2, 5, "litter")
    kept = without_doubles([ghost, car, neighbour, heap])
    assert [o.id for o in kept] == ["car", "neighbour", "heap"]


def test_a_thing_seen_again_later_in_a_pass_is_left_to_fusion() -> None:
    first = _standing("first", 0.0, 5)
    later = replace(first, id="later", first_seen=first.last_seen + timedelta(seconds=5),
                    last_seen=first.last_seen + timedelta(seconds=6))  # fmt: skip
    assert len(without_doubles([first, later])) == 2
