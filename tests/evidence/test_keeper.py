"""Which of a thing's sights are shown, when people and vehicles are hidden in front of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from patrolvision.evidence.keeper import PictureKeeper
from patrolvision.types import Detections, Finding, Frame, GeoPoint, Image, Observation, Sight

START = datetime(2026, 5, 4, tzinfo=UTC)
CLASSES = ("litter", "person", "car")
THING = (100.0, 100.0, 200.0, 200.0)
PERSON = (100.0, 60.0, 190.0, 200.0)  # seen by the second look only: a bust, hidden whole
BEST, FIRST, LAST = 1, 0, 2  # frames


def picture(index: int) -> Image:
    """Grain, so that hiding changes every pixel; its corner tells the frame."""
    image = np.random.default_rng(index).integers(0, 255, (240, 320, 3), np.uint8)
    image[:8, :8] = 40 * index
    return image


def boxes(*rows: tuple[tuple[float, float, float, float], int]) -> Detections:
    xyxy = np.array([row for row, _ in rows], np.float32).reshape(-1, 4)
    kinds = np.array([kind for _, kind in rows], np.int64)
    return Detections(
        xyxy, np.full(len(rows), 0.9, np.float32), kinds, np.zeros(len(rows), np.int64)
    )


def shown(
    covered: dict[int, tuple[float, float, float, float]], folder: Path, kind: str = "litter"
) -> Finding:
    """A finding with its pictures; covered: in which frames the second look sees whom."""

    def careful(image: Image) -> Detections:
        person = covered.get(int(image[0, 0, 0]) // 40)
        return boxes() if person is None else boxes((person, 1))

    keeper = PictureKeeper(folder, CLASSES, root=folder, timezone=UTC, careful=careful)
    sights = []
    for index in (FIRST, BEST, LAST):
        at = START + timedelta(seconds=index)
        keeper.remember(Frame("s", index, at, picture(index)), boxes((THING, CLASSES.index(kind))))
        sights.append(Sight("a.mp4", index, at, THING, 0.9))
    place = GeoPoint(22.84, 113.23, np.eye(2))
    seen = Observation("o", "m", "s", kind, START, START + timedelta(seconds=2), place, 0.9, 3,
                       sights=tuple(sights))  # fmt: skip
    return keeper.illustrated(Finding("f", "litter", "enforce", seen, 0.9))


def closest(finding: Finding) -> tuple[int, float]:
    """The second of the frame shown close, and how much of the thing is hidden in it."""
    pictures = finding.evidence["pictures"]
    (close,) = [p for p in pictures if p["view"] == "close"]
    assert pictures[0]["captured_at"] == close["captured_at"]  # the clearest comes first
    assert len(pictures) == 4
    at = datetime.fromisoformat(close["captured_at"])
    return (at - START).seconds, close["hidden"]


@pytest.mark.parametrize(
    ("covered", "frame"),
    [
        ({}, BEST),
        ({BEST: PERSON}, FIRST),
        ({BEST: PERSON, FIRST: PERSON}, LAST),
        ({BEST: (100.0, 60.0, 145.0, 240.0)}, BEST),  # only the head of someone before it
    ],
)
def test_the_best_sight_is_shown_close_unless_it_had_to_be_hidden(
    covered: dict[int, tuple[float, float, float, float]], frame: int, tmp_path: Path
) -> None:
    index, hidden = closest(shown(covered, tmp_path))
    assert index == frame
    assert hidden < 0.2


def test_a_vehicles_own_plates_make_no_sight_worse(tmp_path: Path) -> None:
    index, hidden = closest(shown({}, tmp_path, kind="car"))
    assert (index, hidden) == (BEST, pytest.approx(0.0, abs=0.1))
    index, _ = closest(shown({BEST: PERSON}, tmp_path, kind="car"))
    assert index == FIRST


def test_where_every_sight_is_hidden_the_least_hidden_one_is_shown(tmp_path: Path) -> None:
    half = (100.0, 100.0, 150.0, 199.0)
    index, hidden = closest(shown({BEST: PERSON, FIRST: PERSON, LAST: half}, tmp_path))
    assert index == LAST
    assert hidden == pytest.approx(0.5, abs=0.1)
