"""Verdicts become examples; the hardest come first; what says nothing of the picture is left."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from patrolvision import wiring
from patrolvision.cli import main
from patrolvision.config import Settings
from patrolvision.training import building, dataset
from patrolvision.training.reviews import hardness_of
from patrolvision.training.written import read_dataset

from .judged_store import Judged, write_office
from .making_sets import drawn_picture


def _reviewed(tmp_path: Path, judged: list[Judged], *more: str) -> tuple[int, Path]:
    url = write_office(tmp_path / "office", judged)
    out = tmp_path / "set"
    return main(["dataset", "from-reviews", "--db", url, "--out", str(out), *more]), out


def test_confirmed_boxes_and_false_ones_become_a_set_that_builds(tmp_path: Path) -> None:
    judged = [Judged() for _ in range(6)] + [Judged("reject", "not_there", 0.9) for _ in range(6)]
    code, out = _reviewed(tmp_path, judged)
    assert code == 0
    made = dataset.draft(out / "manifest.toml")
    assert made.problems == ()
    folder = building.write_dataset(made, tmp_path / "built")
    pictures = read_dataset(folder)
    by_source = {
        name: [p for p in pictures if p.source == name] for name in ("confirmed", "false_litter")
    }
    assert {name: len(found) for name, found in by_source.items()} == {
        "confirmed": 6,
        "false_litter": 6,
    }
    assert all(p.class_names == () and p.labelled == {"litter"} for p in by_source["false_litter"])
    for picture in by_source["confirmed"]:
        assert picture.class_names == ("litter",)
        assert picture.labelled == frozenset()  # what lies beside the thing was not judged
        x1, y1, x2, y2 = (round(v) for v in picture.xyxy[0])
        image = cv2.imread(str(picture.path))
        middle = image[(y1 + y2) // 2, (x1 + x2) // 2]
        assert np.all(middle > 200)  # the drawn thing's white heart is in the box's middle


def test_the_hardest_come_first_and_a_limit_keeps_them(tmp_path: Path) -> None:
    threshold = wiring.release(Settings()).thresholds["litter"]
    judged = [
        Judged(confidence=0.95),  # a sure thing: nothing new
        Judged(confidence=threshold + 0.01),  # a close call
        Judged("reject", "not_there", 0.92),  # surely wrong
    ]
    code, out = _reviewed(tmp_path, judged, "--limit", "2", "--json")
    assert code == 0
    table = (out / "confirmed" / "hardness.csv").read_text().splitlines()
    assert len(table) == 2
    assert float(table[1].split(",")[1]) > 0.9
    assert float((out / "false_litter" / "hardness.csv").read_text().split(",")[-1]) == 0.92


def test_a_verdict_on_the_rule_is_not_taught_to_the_detector(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    judged = [
        Judged(),
        Judged("reject", "duplicate"),
        Judged("reject", "loading", category="illegal_parking", class_name="car"),
        Judged("", ""),  # nobody judged it
        Judged("reject", "merged", actor="patrolvision"),  # the program's own doing
        Judged("reject", "not_there", has_picture=False),
        Judged(hidden=0.8),
    ]
    code, out = _reviewed(tmp_path, judged, "--json")
    told = capsys.readouterr()
    assert code == 0
    assert json.loads(told.out)["pictures"] == 1
    assert json.loads(told.out)["unused"] == 4
    assert "t1: not used: the cause 'duplicate' is not about what the picture shows" in told.err
    assert "t2: not used: a false illegal_parking says that the rule was wrong" in told.err
    assert "t5: not used: no close picture was kept of it" in told.err
    assert "t6: not used: the thing itself was made unreadable" in told.err
    assert not (out / "false_car").exists()


def test_the_last_word_counts(tmp_path: Path) -> None:
    from datetime import timedelta

    from patrolvision.training.reviews import reviews_of
    from patrolvision.types import TicketEvent

    from .judged_store import NOON, _made

    ticket = _made(tmp_path, 0, Judged("reject", "not_there"))[2]
    later = NOON + timedelta(days=1)
    events = (
        TicketEvent(later, "reported", "wang", "look again", "reopen"),
        TicketEvent(later, "reported", "wang", "", "confirm"),
    )
    from dataclasses import replace

    again = replace(ticket, state="reported", history=(*ticket.history, *events))
    assert [r.said for r in reviews_of([ticket])] == ["false"]
    assert [(r.said, r.actor) for r in reviews_of([again])] == [("confirmed", "wang")]


def test_one_place_stays_on_one_side_whatever_was_said_of_it(tmp_path: Path) -> None:
    judged = [
        Judged("reject" if k % 2 else "confirm", "not_there", mission=f"m{k // 4}")
        for k in range(24)
    ]
    _, out = _reviewed(tmp_path, judged)
    made = dataset.draft(out / "manifest.toml")
    sides: dict[str, set[str]] = {}
    for item in made.items:
        sides.setdefault(item.picture.group, set()).add(item.part)
    assert len(sides) == 6
    assert all(len(parts) == 1 for parts in sides.values())


def test_missed_things_come_from_a_file_and_a_new_class_with_them(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "report.png"), drawn_picture(1, [(30, 40, 90, 100)]))
    line = {
        "picture": "report.png",
        "class": "manhole_open",
        "xyxy": [30, 40, 90, 100],
        "mission": "c1",
    }
    (tmp_path / "missed.jsonl").write_text(json.dumps(line) + "\n")
    out = tmp_path / "set"
    call = [
        "dataset",
        "from-reviews",
        "--missed",
        str(tmp_path / "missed.jsonl"),
        "--out",
        str(out),
    ]
    assert main(call) == 0
    made = dataset.draft(out / "manifest.toml")
    assert made.manifest.classes[-1] == "manhole_open"
    assert made.items[0].picture.class_names == ("manhole_open",)
    assert made.items[0].picture.hardness == 1.0
    assert np.allclose(made.items[0].picture.xyxy, [[30, 40, 90, 100]], atol=0.1)


def test_a_wrong_line_of_missed_things_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "missed.jsonl"
    path.write_text('{"picture": "a.png", "class": "litter", "xyxy": [1, 2, 3]}\n')
    assert (
        main(["dataset", "from-reviews", "--missed", str(path), "--out", str(tmp_path / "o")]) == 2
    )
    assert "missed.jsonl:1: expected picture, class and xyxy" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("said", "confidence", "expected"),
    [
        ("missed", 0.0, 1.0),
        ("confirmed", 0.40, 1.0),  # at the threshold
        ("confirmed", 0.99, 0.0),  # far above
        ("false", 0.90, 0.90),  # sure, and wrong
        ("false", 0.40, 1.0),
    ],
)
def test_hardness_is_greatest_where_the_detector_was_wrong_or_unsure(
    said: str, confidence: float, expected: float
) -> None:
    assert hardness_of(said, confidence, 0.40) == pytest.approx(expected)
