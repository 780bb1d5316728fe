"""A live stream's fire is on the desk while it burns, once, and is one with what is said later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from patrolvision.early import AGAIN, LEAST_AGE_S, STAYS, OpenTracks
from patrolvision.evidence.keeper import PictureKeeper
from patrolvision.follower import Company, Desk
from patrolvision.observe import TrackBook
from patrolvision.pipeline import Judged, Stages
from patrolvision.rules.rulebook import Rulebook
from patrolvision.store.sql_store import SqlStore, open_store
from patrolvision.types import Camera, Detections, Frame, Lens, Pose, Ticket

AT = datetime(2026, 5, 4, tzinfo=UTC)
CLASSES = ("litter", "fire", "smoke")
DRONE = Camera("below", "drone", Lens(1920, 1080, 1400.0, 1400.0, 960.0, 540.0))
POSE = Pose(AT, 22.84, 113.23, 50.0, 0.0, -90.0, 0.0, 2.5, 2.0, 0.5, 0.5, 1.0)
BOX = np.array([[1000.0, 400.0, 1042.0, 442.0]], np.float32)  # 1.5 m seen from 50 m above
IMAGE = np.zeros((1080, 1920, 3), np.uint8)
FPS = 4.0


@dataclass(frozen=True)
class Hovering:
    """What a drone that stands in the air says of one thing below it, second by second."""

    class_name: str
    stages: Stages

    def at(self, index: int) -> Frame:
        seen = Frame("cam", index, AT + timedelta(seconds=index / FPS), IMAGE, POSE, "live")
        class_id = np.array([CLASSES.index(self.class_name)])
        found = Detections(BOX, np.array([0.85], np.float32), class_id, np.array([7]))
        self.stages.book.add(seen, found)
        return seen

    def told(self, in_view: OpenTracks, seconds: float) -> Iterator[tuple[float, Judged]]:
        for index in range(int(seconds * FPS) + 1):
            seen = self.at(index)
            judged = in_view.judged(seen.captured_at)
            if judged is not None:
                yield index / FPS, judged


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    store = open_store(f"sqlite:///{tmp_path / 'patrol.db'}")
    yield store
    store.close()


class Unused:
    """Stands where this test needs no detector and no tracker."""


def hovering(class_name: str) -> Hovering:
    keeper = PictureKeeper(None, CLASSES, timezone=UTC)
    unused = Unused()
    book = TrackBook("m1", "cam", DRONE, CLASSES, "model@1")
    stages = Stages(unused, unused, book, Rulebook(), keeper)  # type: ignore[arg-type]
    return Hovering(class_name, stages)


def test_a_fire_is_told_of_at_once_and_now_and_then_while_it_burns() -> None:
    drone = hovering("fire")
    times = [at_s for at_s, _ in drone.told(OpenTracks(drone.stages), 75.0)]
    assert LEAST_AGE_S <= times[0] <= LEAST_AGE_S + 0.75
    assert np.diff(times) == pytest.approx(AGAIN.total_seconds(), abs=0.75)
    assert len(times) == 3


def test_litter_is_told_of_when_it_stays_in_view() -> None:
    drone = hovering("litter")
    times = [at_s for at_s, _ in drone.told(OpenTracks(drone.stages), 25.0)]
    assert len(times) == 1 and abs(times[0] - STAYS.total_seconds()) < 0.75


def test_what_is_told_early_and_what_is_told_in_the_end_is_one_ticket(store: SqlStore) -> None:
    drone, rules = hovering("fire"), Rulebook()
    desk, company = Desk(store, None, rules), Company(rules)
    raised: list[Ticket] = []
    for _, judged in drone.told(OpenTracks(drone.stages), 40.0):
        raised += desk.settle(company.judged(judged)).raised
    (ticket,) = raised
    assert (ticket.category, ticket.priority) == ("open_fire", "urgent")
    (incident,) = store.incidents()
    seen_until = incident.last_seen

    closed = drone.stages.book.flush()
    end = Judged(tuple(closed), tuple(rules.findings(closed)))
    assert desk.settle(company.judged(end)).raised == ()
    (incident,) = store.incidents()
    (after,) = store.tickets()
    assert (after.id, incident.status) == (ticket.id, "new")
    assert seen_until < incident.last_seen == AT + timedelta(seconds=40.0)
    assert len(list(store.observations())) == 1


def test_a_session_remembers_an_observation_once_as_it_was_said_last() -> None:
    drone, rules = hovering("fire"), Rulebook()
    company = Company(rules)
    told = [judged for _, judged in drone.told(OpenTracks(drone.stages), 75.0)]
    for judged in told:
        said = company.judged(judged)
        assert len(said.observations) == 1
    assert company._size() == 1
    assert [f.observation.last_seen for f in company._verdicts.values()] == [
        told[-1].observations[0].last_seen
    ]
