from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patrolvision.training import evaluation_figures as figures
from patrolvision.training.calibration import calibrate
from patrolvision.training.evaluation import EvalReport, as_json, evaluate
from patrolvision.training.evaluation_matching import IOUS, ClassMatches, match_class
from patrolvision.training.evaluation_mistakes import confusion
from patrolvision.training.labels import LabelledPicture
from patrolvision.types import Detections

CLASSES = ("litter", "fire", "car")
HALF = dict.fromkeys(CLASSES, 0.5)
Box = tuple[float, float, float, float]


def picture(
    *drawn: tuple[str, Box],
    labelled: Sequence[str] = CLASSES,
    difficult: Sequence[bool] = (),
    source: str = "a",
    group: str = "",
) -> LabelledPicture:
    return LabelledPicture(
        path=Path("p.jpg"),
        xyxy=np.array([box for _, box in drawn], np.float64).reshape(-1, 4),
        class_names=tuple(name for name, _ in drawn),
        labelled=frozenset(labelled),
        size_wh=(640, 480),
        difficult=np.array(difficult, np.bool_),
        source=source,
        group=group,
    )


def boxes(*rows: tuple[str, Box, float]) -> Detections:
    return Detections(
        np.array([box for _, box, _ in rows], np.float32).reshape(-1, 4),
        np.array([confidence for _, _, confidence in rows], np.float32),
        np.array([CLASSES.index(name) for name, _, _ in rows], np.int64),
    )


def at(x: float, side: float = 40.0) -> Box:
    return (x, 10.0, x + side, 10.0 + side)


def litter(pictures: list[LabelledPicture], found: list[Detections]) -> ClassMatches:
    return match_class(pictures, found, "litter", 0)


def report(pictures: list[LabelledPicture], found: list[Detections]) -> EvalReport:
    return evaluate(pictures, found, CLASSES, HALF, rounds=20)


@pytest.mark.parametrize(
    ("confidences", "expected"),
    [
        # two things; hit, false, hit: precision 1 up to recall 0.5, then 2/3
        ((0.9, 0.8, 0.7), (51 * 1.0 + 50 * 2 / 3) / 101),
        # hit, hit, false: the false one comes too late to cost anything
        ((0.9, 0.6, 0.7), 1.0),
        # false first: best precision is 2/3 everywhere
        ((0.7, 0.9, 0.6), 2 / 3),
    ],
)
def test_average_precision_is_what_one_works_out_by_hand(
    confidences: tuple[float, float, float], expected: float
) -> None:
    one, false, two = confidences
    found = boxes(("litter", at(0), one), ("litter", at(300), false), ("litter", at(100), two))
    matches = litter([picture(("litter", at(0)), ("litter", at(100)))], [found])
    assert figures.ap50(matches) == pytest.approx(expected)


def test_a_box_that_is_half_right_counts_up_to_its_own_overlap() -> None:
    # shifted by a quarter of its side: IoU = 0.75 / 1.25 = 0.6, so IoU 0.5, 0.55 and 0.6 of ten
    matches = litter([picture(("litter", at(100)))], [boxes(("litter", at(110), 0.9))])
    assert figures.average_precisions(matches).tolist() == [1.0] * 3 + [0.0] * 7
    assert figures.ap50_95(matches) == pytest.approx(0.3)


def test_the_second_box_on_one_thing_is_false() -> None:
    found = boxes(("litter", at(0), 0.9), ("litter", at(1), 0.8))
    matches = litter([picture(("litter", at(0)))], [found])
    assert matches.is_hit[0].tolist() == [True, False]
    assert figures.precision_at(matches, 0.5) == 0.5


def test_boxes_on_a_crowd_are_neither_right_nor_wrong() -> None:
    crowd = picture(("litter", (0, 0, 400, 400)), ("litter", at(500)), difficult=[True, False])
    found = boxes(("litter", at(0), 0.9), ("litter", at(60), 0.8), ("litter", at(500), 0.7))
    matches = litter([crowd], [found])
    assert figures.ap50(matches) == 1.0
    assert matches.drawn.tolist() == [1]
    assert matches.is_ignored[0].tolist() == [True, True, False]


def test_a_source_that_does_not_label_a_class_says_nothing_of_it() -> None:
    silent = picture(("car", at(0)), labelled=["car"], source="cars only")
    judged = picture(("litter", at(0)))
    found = boxes(("litter", at(200), 0.99))
    both = report([silent, judged], [found, boxes(("litter", at(0), 0.9))])
    row = next(row for row in both.classes if row.name == "litter")
    assert (row.pictures, row.ap50.value, row.precision.value) == (1, 1.0, 1.0)
    assert row.false_alarms.pictures == 0
    assert sum(map(sum, both.confusion)) == 2  # the litter found, the car missed; no false litter


def test_false_alarms_are_counted_in_pictures_without_the_class_only() -> None:
    there = picture(("litter", at(0)))
    found = boxes(("litter", at(200), 0.9))
    bare = [picture(source="street") for _ in range(4)]
    row = report([there, *bare], [found, found, *[boxes()] * 3]).classes[0]
    assert (row.false_alarms.pictures, row.false_alarms.boxes) == (4, 1)
    assert row.false_alarms.per_1000.value == 250.0
    assert row.false_alarms_by_source["street"].boxes == 1


def test_no_false_box_in_a_few_pictures_is_no_proof_of_none() -> None:
    bare = [picture() for _ in range(60)]
    alarms = report(bare, [boxes()] * 60).classes[0].false_alarms
    assert (alarms.per_1000.value, alarms.per_1000.high) == (0.0, 50.0)


def test_figures_by_size_leave_other_sizes_out_of_right_and_wrong() -> None:
    drawn = picture(("litter", at(0, 20)), ("litter", at(200, 200)))
    found = boxes(("litter", at(200, 200), 0.9), ("litter", at(100, 20), 0.8))
    row = report([drawn], [found]).classes[0]
    assert set(row.by_size) == {"small", "large"}
    assert row.by_size["large"].precision.value == 1.0
    assert row.by_size["small"].recall.value == 0.0


def test_what_is_taken_for_something_else_stands_in_its_cell() -> None:
    drawn = picture(("car", at(0)), ("litter", at(200)))
    found = boxes(("litter", at(0), 0.9), ("litter", at(400), 0.6), ("fire", at(500), 0.4))
    table, mistakes = confusion([drawn], [found], CLASSES, HALF)
    assert table[2, 0] == 1  # the car taken for litter
    assert table[0, 3] == 1  # the litter missed
    assert table[3, 0] == 1  # litter where nothing is; the fire lies below its threshold
    assert table.sum() == 3
    assert sorted(mistake.kind for mistake in mistakes) == ["false", "missed", "taken for"]


def test_a_thing_is_found_if_any_picture_of_its_clip_shows_it_as_found() -> None:
    first, second = (picture(("fire", at(x)), group="clip") for x in (0, 100))
    other = picture(("fire", at(0)), group="other")
    things = [np.array([1]), np.array([1]), np.array([1])]
    found = [boxes(), boxes(("fire", at(100), 0.9)), boxes(("fire", at(30), 0.9))]
    told = evaluate([first, second, other], found, CLASSES, HALF, things=things, rounds=5)
    fire = next(row.incidents for row in told.classes if row.name == "fire")
    assert fire is not None
    assert (fire.things, fire.found, fire.touched, fire.clips) == (2, 1, 2, 2)
    assert fire.is_by_thing


def test_pictures_of_one_clip_are_drawn_together() -> None:
    rounds = figures.resampled(["a", "a", "", "", "b"], 50, seed=3)
    assert (rounds[:, 0] == rounds[:, 1]).all()
    assert (rounds[:, 2] != rounds[:, 3]).any()


def test_of_a_few_clips_there_is_a_figure_but_no_interval() -> None:
    clip = [picture(("litter", at(0)), group="one clip")] * 20
    ap50 = report(clip, [boxes(("litter", at(0), 0.9)), boxes()] * 10).classes[0].ap50
    assert ap50.value is not None
    assert (ap50.low, ap50.high) == (None, None)


def test_an_interval_holds_its_figure_and_narrows_with_more_pictures() -> None:
    hit, miss = boxes(("litter", at(0), 0.9)), boxes()

    def width(count: int) -> float:
        pictures = [picture(("litter", at(0))) for _ in range(count)]
        matches = litter(pictures, [hit, miss] * (count // 2))
        told = figures.estimate(figures.ap50, matches, figures.resampled([""] * count, 200, seed=0))
        assert told.value is not None and told.low is not None and told.high is not None
        assert told.low <= told.value <= told.high
        return told.high - told.low

    assert width(200) < 0.6 * width(20)


def test_a_detector_does_not_differ_from_itself() -> None:
    pictures = [picture(("litter", at(0))) for _ in range(10)]
    matches = litter(pictures, [boxes(("litter", at(0), 0.9)), boxes()] * 5)
    rounds = figures.resampled([""] * 10, 50, seed=0)
    told = figures.difference(figures.ap50, matches, matches, rounds)
    assert (told.value, told.low, told.high) == (0.0, 0.0, 0.0)


def test_the_threshold_rises_until_the_budget_of_false_alarms_is_kept() -> None:
    there = [picture(("litter", at(0))) for _ in range(20)]
    found = [boxes(("litter", at(0), 0.3 + 0.03 * k)) for k in range(20)]
    bare = [boxes(("litter", at(200), 0.5)), *[boxes()] * 19]
    matches = litter(there + [picture()] * 20, found + bare)
    free, bound = calibrate(matches), calibrate(matches, budget_per_1000=10.0)
    assert free.proposed == pytest.approx(0.3, abs=0.011)
    assert bound.proposed == pytest.approx(0.51)
    assert "below 10 per 1,000" in bound.reason


def test_a_budget_that_cannot_be_kept_is_said() -> None:
    matches = litter(
        [picture(("litter", at(0))), picture()],
        [boxes(("litter", at(0), 0.4)), boxes(("litter", at(0), 0.99))],
    )
    assert "no threshold keeps" in calibrate(matches, budget_per_1000=10.0).reason


def test_the_same_boxes_give_the_same_report() -> None:
    pictures = [picture(("litter", at(0)), ("car", at(100)))] * 6
    found = [boxes(("litter", at(5), 0.9), ("car", at(100), 0.3))] * 6
    assert as_json(report(pictures, found)) == as_json(report(pictures, found))


corner = st.integers(0, 12).map(lambda k: 20.0 * k)
row = st.tuples(st.just("litter"), st.builds(at, corner), st.floats(0.05, 0.99))


@settings(max_examples=40, deadline=None)
@given(st.lists(row, max_size=6), st.lists(st.builds(at, corner), min_size=1, max_size=5))
def test_a_stricter_overlap_never_raises_the_figure(
    rows: list[tuple[str, Box, float]], drawn: list[Box]
) -> None:
    matches = litter([picture(*(("litter", box) for box in drawn))], [boxes(*rows)])
    told = figures.average_precisions(matches)
    assert ((told >= 0) & (told <= 1)).all()
    assert (np.diff(told) <= 1e-12).all() or len(set(drawn)) < len(drawn)
    assert len(told) == len(IOUS)


def test_average_precision_is_that_of_faster_coco_eval() -> None:
    coco = pytest.importorskip("faster_coco_eval", reason="needs the dev extra")
    rng = np.random.default_rng(7)
    pictures, found = [], []
    for _ in range(40):
        drawn = [at(float(x), float(s)) for x, s in rng.uniform((0, 40), (500, 130), (4, 2))]
        moved = [tuple(np.array(box) + rng.normal(0, 4, 4)) for box in drawn]
        hard = rng.random(4) < 0.2
        pictures.append(picture(*(("litter", box) for box in drawn), difficult=hard.tolist()))
        found.append(boxes(*(("litter", box, float(rng.uniform())) for box in moved)))
    images, told, said = [], [], []
    for k, (truth, boxed) in enumerate(zip(pictures, found, strict=True), 1):
        images.append({"id": k, "width": 640, "height": 480})
        for (x1, y1, x2, y2), hard in zip(truth.xyxy.tolist(), truth.difficult, strict=True):
            size = {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1)}
            told.append(
                {"id": len(told) + 1, "image_id": k, "category_id": 1, "iscrowd": int(hard), **size}
            )
        for (x1, y1, x2, y2), confidence in zip(
            boxed.xyxy.astype(float).tolist(), boxed.confidence.tolist(), strict=True
        ):
            bbox = [x1, y1, x2 - x1, y2 - y1]
            said.append({"image_id": k, "category_id": 1, "bbox": bbox, "score": confidence})
    categories = [{"id": 1, "name": "litter"}]
    truth_set = coco.COCO({"images": images, "annotations": told, "categories": categories})
    judge = coco.COCOeval_faster(truth_set, truth_set.loadRes(said), "bbox")
    judge.run()
    theirs = judge.eval["precision"][:, :, 0, 0, 2].mean(axis=1)
    ours = figures.average_precisions(litter(pictures, found))
    # where a recall equals one of the 101 levels, rounding decides on which side theirs falls
    assert ours == pytest.approx(theirs, abs=5e-4)
