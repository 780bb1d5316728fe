"""What a pass could have seen, and what it proves about what it did not find."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from patrolvision.coverage import CoverageBook, CoverageSettings, reach_m
from patrolvision.geo.footprint import footprint, is_inside
from patrolvision.geo.geodesy import local_en, offset
from patrolvision.pipeline import Judged, settle
from patrolvision.rules.rulebook import Rulebook
from patrolvision.store.sql_store import SqlStore, open_store
from patrolvision.types import Camera, FloatArray, Frame, GeoPoint, Lens, Look, Observation, Pose

AT = datetime(2026, 5, 4, tzinfo=UTC)
LAT, LON = 22.84, 113.23
CLASSES = ("litter", "fire", "smoke", "person", "bicycle", "car")
LENS = Lens(1920, 1080, 1400.0, 1400.0, 960.0, 540.0)
CAR = Camera("front", "car", LENS)
DRONE = Camera("below", "drone", LENS)
IMAGE = np.zeros((1080, 1920, 3), np.uint8)
HALF_IMAGE = np.zeros((540, 960, 3), np.uint8)


def car(seconds: float, north_m: float, heading: float = 0.0, east_m: float = 0.0) -> Frame:
    lat, lon = (float(x) for x in offset(LAT, LON, east_m, north_m))
    at = AT + timedelta(seconds=seconds)
    pose = Pose(at, lat, lon, 1.8, heading, -6.0, 0.0, 2.5, 1.0, 0.5, 0.5)
    return Frame("cam", round(seconds * 100), at, IMAGE, pose)


def drive(seconds: float, speed: float = 10.0, fps: float = 5.0) -> list[Frame]:
    return [car(k / fps, speed * k / fps) for k in range(round(seconds * fps))]


def looks_of(
    frames: Iterable[Frame], camera: Camera = CAR, classes: tuple[str, ...] = CLASSES
) -> list[Look]:
    book = CoverageBook("m1", camera, classes)
    looks: list[Look] = []
    for frame in frames:
        book.add(frame)
        looks += book.finished()
    return looks + book.flush()


def outline(look: Look) -> FloatArray:
    corners = np.array(look.polygon)
    return np.stack(local_en(LAT, LON, corners[:, 0], corners[:, 1]), axis=-1)


def is_covered(looks: Iterable[Look], east_m: float, north_m: float) -> bool:
    return any(is_inside(outline(look), np.array([east_m, north_m])) for look in looks)


def test_a_drive_is_looks_of_five_seconds_without_a_hole_between_them() -> None:
    looks = looks_of(drive(20.0))
    assert [look.id for look in looks] == [f"m1-look-{k}" for k in range(4)]
    assert all((look.end - look.start).total_seconds() <= 5.0 for look in looks)
    assert [look.start for look in looks] == sorted(look.start for look in looks)
    assert all(is_covered(looks, 0.0, north) for north in np.arange(5.0, 200.0, 0.5))


def test_two_pictures_a_second_are_enough_to_join_them_in_town() -> None:
    assert len(looks_of(drive(20.0, speed=12.0, fps=2.0))) == 4


def test_what_lies_behind_beside_or_too_far_ahead_was_not_looked_at() -> None:
    looks = looks_of(drive(20.0))
    assert not is_covered(looks, 0.0, 2.0), "the picture's lower edge is 3.5 m ahead"
    assert not is_covered(looks, 15.0, 100.0), "20 m away it would be in the picture's corner"
    assert not is_covered(looks, 0.0, 199.0 + 20.0), "it stopped 198 m on"


def test_every_place_in_a_look_was_in_some_picture_within_reach() -> None:
    frames = drive(5.0)
    (look,) = looks_of(frames)
    rings = [footprint(LENS, f.pose, 20.3) for f in frames if f.pose is not None]
    shown = []
    for ring in rings:
        assert ring is not None
        corners = np.array(ring)
        shown.append(np.stack(local_en(LAT, LON, corners[:, 0], corners[:, 1]), axis=-1))
    claimed = outline(look)
    low, high = claimed.min(axis=0), claimed.max(axis=0)
    places = np.random.default_rng(1).uniform(low, high, (500, 2))
    inside = [place for place in places if is_inside(claimed, place)]
    unseen = [p for p in inside if not any(is_inside(ring, p) for ring in shown)]
    # Between two pictures 2 m apart the hull holds slivers along the slanted sides only.
    assert len(inside) > 200
    assert len(unseen) <= 0.02 * len(inside)


def test_the_same_pictures_kept_smaller_show_the_same_ground_if_fine_enough() -> None:
    (full,) = looks_of(drive(4.0))
    (half,) = looks_of([replace(frame, image=HALF_IMAGE) for frame in drive(4.0)])
    assert np.allclose(full.polygon, half.polygon, atol=2e-7)


def test_frames_without_a_pose_or_ground_see_nothing() -> None:
    blind = [replace(frame, pose=None) for frame in drive(3.0)]
    assert looks_of(blind) == []
    assert (
        looks_of([replace(f, pose=replace(f.pose, pitch_deg=40.0)) for f in drive(3.0) if f.pose])
        == []
    )


def test_a_camera_that_waits_makes_one_look_a_minute() -> None:
    looks = looks_of(car(k / 5, 0.0) for k in range(5 * 90))
    assert [round((k.end - k.start).total_seconds()) for k in looks] == [60, 30]


def test_a_sharp_bend_is_cut_into_looks_that_leave_out_its_inner_side() -> None:
    turning = [car(k / 5, 0.0, heading=90.0 * k / 25) for k in range(26)]
    looks = looks_of(turning)
    assert len(looks) >= 4
    assert not is_covered(looks, -5.0, 0.0)


def test_photos_far_apart_are_each_a_look_and_claim_nothing_between() -> None:
    looks = looks_of(car(10.0 * k, 60.0 * k) for k in range(3))
    assert len(looks) == 3
    assert all(look.start == look.end for look in looks)
    assert is_covered(looks, 0.0, 10.0)
    assert not is_covered(looks, 0.0, 40.0)


def test_pictures_that_do_not_overlap_are_not_joined_however_soon_they_come() -> None:
    assert len(looks_of(drive(2.0, speed=60.0, fps=2.0))) == 4


def test_a_look_speaks_of_the_hazards_its_detector_knows_and_doubts_itself() -> None:
    (look,) = looks_of(drive(2.0))
    assert look.classes == {"litter", "fire", "smoke", "car"}
    assert look.detection_probability == 0.5
    assert looks_of(drive(2.0), classes=("person", "bicycle")) == []


def test_a_drone_sees_as_far_as_its_pixels_are_fine_enough() -> None:
    settings = CoverageSettings()
    assert reach_m(LENS, 42.0, 100.0, settings) == pytest.approx(56.0), "70² - 42²"
    assert reach_m(LENS, 10.0, 50.0, settings) == 50.0
    assert reach_m(LENS, 71.0, 100.0, settings) == 0.0
    pose = Pose(AT, LAT, LON, 71.0, 0.0, -90.0, 0.0, 2.5, 1.0, 0.5, 0.5)
    high = Frame("cam", 0, AT, IMAGE, pose)
    low = replace(high, pose=replace(pose, height_m=35.0))
    assert looks_of([high], DRONE) == []
    assert len(looks_of([low], DRONE)) == 1


def test_the_same_frames_give_the_same_looks() -> None:
    assert looks_of(drive(12.0)) == looks_of(drive(12.0))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    opened = open_store(f"sqlite:///{tmp_path / 'patrol.db'}")
    yield opened
    opened.close()


def heap(mission: str) -> Observation:
    lat, lon = offset(LAT, LON, 0.0, 12.0)
    place = GeoPoint(float(lat), float(lon), np.eye(2) * 0.4)
    return Observation(f"{mission}-1", mission, "cam", "litter", AT, AT, place, 0.9, frames=12)


def passed(store: SqlStore, mission: str, day: int, *, away_m: float = 0.0) -> None:
    """A pass that finds nothing along the heap's street, or away from it."""
    looks = [
        replace(look, id=f"{mission}-look-{k}", mission_id=mission,
                start=look.start + timedelta(days=day), end=look.end + timedelta(days=day))
        for k, look in enumerate(looks_of(car(k / 5, away_m + 2.0 * k) for k in range(10)))
    ]  # fmt: skip
    with store.transaction() as transaction:
        settle(transaction, Judged(looks=tuple(looks)), mission_id=mission)


def found(store: SqlStore, mission: str) -> None:
    judged = Judged((heap(mission),), tuple(Rulebook().findings([heap(mission)])))
    with store.transaction() as transaction:
        settle(transaction, judged, mission_id=mission)


def statuses(store: SqlStore) -> list[str]:
    return [incident.status for incident in store.incidents()]


def test_only_many_passes_that_looked_and_found_nothing_prove_a_thing_gone(store: SqlStore) -> None:
    found(store, "first")
    for day in range(1, 6):
        passed(store, f"pass-{day}", day)
    assert statuses(store) == ["new"], "0.5 to the fifth is more than the prior of 0.02"
    passed(store, "pass-6", 6)
    assert statuses(store) == ["removed"]


def test_passes_elsewhere_prove_nothing(store: SqlStore) -> None:
    found(store, "first")
    for day in range(1, 10):
        passed(store, f"pass-{day}", day, away_m=200.0)
    assert statuses(store) == ["new"]


def test_a_mission_run_again_replaces_its_looks_and_what_they_proved(store: SqlStore) -> None:
    found(store, "first")
    for day in range(1, 7):
        passed(store, f"pass-{day}", day)
    before = store.digest()
    passed(store, "pass-6", 6)
    assert store.digest() == before
    passed(store, "pass-6", 6, away_m=200.0)
    assert statuses(store) == ["new"], "the sixth pass was elsewhere, as a better telemetry says"
    kept = [look for look in store.looks_since(AT) if look.mission_id == "pass-6"]
    assert len(kept) == 1
    assert is_covered(kept, 0.0, 210.0)
    passed(store, "pass-6", 6)
    assert store.digest() == before
