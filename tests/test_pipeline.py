"""The order of the stages, with a detector that finds painted blobs on a rendered road."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from helpers.blob_detector import COLOURS_BGR, BlobDetector
from patrolvision.evidence.keeper import PictureKeeper
from patrolvision.geo.geodesy import distance_m
from patrolvision.geo.project import pixel_of
from patrolvision.observe import ObserveSettings, TrackBook
from patrolvision.pipeline import Judged, Stages, followed, perceive, settle, together
from patrolvision.rules.rulebook import Rulebook
from patrolvision.store.sql_store import SqlStore, open_store
from patrolvision.track.bytetrack import ByteTracker
from patrolvision.types import Camera, Detections, Frame, Image, Lens, Pose

START = datetime(2026, 5, 4, tzinfo=UTC)
LENS = Lens(640, 360, 500.0, 500.0, 320.0, 180.0)
CAMERA = Camera("front", "car", LENS)
LAT, LON = 22.84, 113.23
LITTER = (LAT + 25 / 110_700, LON)  # 25 m ahead of the first frame
FPS, SPEED_MPS, FRAMES = 5.0, 2.0, 40


def pose(k: int) -> Pose:
    north = k / FPS * SPEED_MPS
    return Pose(START + timedelta(seconds=k / FPS), LAT + north / 110_700, LON, 1.8, 0.0, -5.0, 0.0,
                1.0, 1.0, 0.3, 0.3, speed_mps=SPEED_MPS, course_deg=0.0)  # fmt: skip


def drive(frames: int = FRAMES) -> Iterator[Frame]:
    """A car drives towards a red blob that stands on the ground at LITTER."""
    for k in range(frames):
        image = np.full((360, 640, 3), 90, np.uint8)
        here = pose(k)
        foot = pixel_of(LENS, here, *LITTER)
        if foot is not None:
            u, v = round(float(foot[0])), round(float(foot[1]))
            image[max(0, v - 20) : v, max(0, u - 12) : u + 12] = COLOURS_BGR["litter"]
        yield Frame("front", k, here.at, image, here)


def stages(folder: Path | None = None) -> Stages:
    detector = BlobDetector()
    classes = detector.release.classes
    return Stages(
        detector=detector,
        tracker=ByteTracker(classes),
        book=TrackBook("m1", "front", CAMERA, classes, "blob@1", ObserveSettings()),
        rules=Rulebook(),
        keeper=PictureKeeper(folder, classes, root=folder or Path(), timezone=UTC),
    )


def judged(batch_size: int = 4) -> Judged:
    all_stages = stages()
    parts = list(followed(drive(), all_stages, batch_size=batch_size))
    return together(parts, all_stages.rules)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    opened = open_store(f"sqlite:///{tmp_path / 'a.db'}")
    yield opened
    opened.close()


def test_a_drive_towards_one_blob_is_one_observation_where_the_blob_stands() -> None:
    result = judged()
    (observation,) = result.observations
    (finding,) = result.findings
    assert finding.observation == observation
    assert finding.category == "litter"
    place = observation.place
    apart_m = float(distance_m(place.lat_deg, place.lon_deg, *LITTER))
    assert apart_m < 2.0 * place.sigma_m, "two of its own sigmas"


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_batches_change_nothing(batch_size: int) -> None:
    one, other = judged(4), judged(batch_size)
    assert [o.id for o in one.observations] == [o.id for o in other.observations]
    assert [o.place.lat_deg for o in one.observations] == [
        o.place.lat_deg for o in other.observations
    ]


def test_frames_come_back_in_order_each_with_its_own_detections() -> None:
    seen = list(perceive(drive(9), BlobDetector(), ByteTracker(("litter", "car")), batch_size=4))
    assert [s.frame.index for s in seen] == list(range(9))
    bottoms = [float(s.detections.xyxy[0, 3]) for s in seen]
    assert bottoms == sorted(bottoms), "the blob sinks as the car drives towards it"


def test_no_frames_are_no_observations() -> None:
    assert list(followed([], stages())) == []
    assert together([], Rulebook()) == Judged()


class Failing(BlobDetector):
    """Breaks at its second batch."""

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        if self.pictures_seen:
            raise RuntimeError("the engine broke")
        return super().detect(images)


def test_an_engine_that_breaks_stops_the_stream_and_does_not_hang() -> None:
    with pytest.raises(RuntimeError, match="the engine broke"):
        list(perceive(drive(), Failing(), ByteTracker(("litter", "car")), batch_size=4))


def test_settling_twice_changes_nothing_the_second_time(store: SqlStore) -> None:
    digests = set()
    for expected in [(1, 1, 1), (0, 0, 0)]:
        with store.transaction() as transaction:
            settled = settle(transaction, judged(), rules=Rulebook(), mission_id="m1")
        assert (settled.observations, settled.incidents, settled.tickets) == expected
        assert len(settled.raised) == expected[2]
        digests.add(store.digest())
    assert len(digests) == 1


def test_what_fails_midway_leaves_nothing(store: SqlStore) -> None:
    empty = store.digest()
    with pytest.raises(RuntimeError), store.transaction() as transaction:
        settle(transaction, judged(), rules=Rulebook(), mission_id="m1")
        raise RuntimeError("the power went")
    assert store.digest() == empty
