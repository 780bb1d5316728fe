"""The gate: worse beyond the interval is refused, noise is not, and every reason is named."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from patrolvision.errors import ModelError
from patrolvision.training import cards, gate, promotion
from patrolvision.training.labels import LabelledPicture
from patrolvision.types import Detections

AT = datetime(2026, 11, 1, tzinfo=UTC)


def pictures(count: int, name: str = "litter") -> list[LabelledPicture]:
    """One thing on each."""
    box = np.array([[10.0, 10.0, 50.0, 50.0]])
    return [
        LabelledPicture(Path(f"{k}.jpg"), box, (name,), frozenset({name}), (100, 100))
        for k in range(count)
    ]


def seen(count: int, hits: int, classes: tuple[str, ...] = ("litter",)) -> gate.Seen:
    """The first `hits` pictures' things found, on the others nothing."""
    hit = Detections(
        np.array([[10, 10, 50, 50]], np.float32), np.array([0.9], np.float32), np.array([0])
    )
    return gate.Seen(classes, [hit if k < hits else Detections.none() for k in range(count)])


@pytest.mark.parametrize(
    ("before", "after", "is_worse"),
    [
        (36, 36, False),  # the same
        (36, 38, False),  # better
        (36, 35, False),  # one in forty: noise
        (36, 20, True),  # sixteen lost
        (36, 0, True),
    ],
)
def test_a_class_is_worse_only_beyond_the_interval(before: int, after: int, is_worse: bool) -> None:
    (row,) = gate.changes(pictures(40), seen(40, before), seen(40, after), seed=1)
    assert row.is_worse is is_worse
    told = gate.refusals([row], [], [])
    assert bool(told) is is_worse
    if is_worse:
        assert told[0].startswith("class litter is worse: AP50 ")
        assert "on 40 boxes in 40 pictures" in told[0]


def test_a_class_that_is_not_known_any_more_is_a_refusal() -> None:
    rows = gate.changes(pictures(10), seen(10, 9), seen(10, 9, ("fire",)))
    told = gate.refusals(rows, ["litter"], [])
    assert told == ["the candidate does not know class litter any more"]


def test_two_pictures_make_no_interval_and_are_named_as_not_judged() -> None:
    rows = gate.changes(pictures(2), seen(2, 2), seen(2, 0))
    assert gate.unjudged(rows) == ["litter"]
    assert gate.refusals(rows, [], []) == [
        "the frozen test set shows too little of every class the candidate knows"
    ]


def card(folder: Path, **changed: Any) -> dict[str, Any]:
    """A complete card with its files."""
    files = {}
    for name, runtime in (("m.xml", "openvino"), ("m.bin", "openvino"), ("m.pt", "torch")):
        (folder / name).write_bytes(name.encode())
        digest = sha256(name.encode()).hexdigest()
        files[name] = {"sha256": digest, "bytes": 5, "runtime": runtime}
    whole: dict[str, Any] = {
        "name": "m",
        "version": "2",
        "classes": ["litter", "fire"],
        "input": {"width": 640, "height": 640},
        "thresholds": {"litter": 0.4, "fire": 0.3},
        "nms_iou": 0.6,
        "files": files,
        "licence": "AGPL-3.0",
        "parent": "m@1",
        "created": "2026-11-01",
        "hyper_parameters": {"steps": 1},
        "trained_on": [{"name": "own", "licence": "own", "released": True}],
        "metrics": {"validation": {"classes": {"litter": {"ap50": {"value": 0.8}}}}},
        "limits": ["no validation box at all, so nothing is known: fire"],
    }
    return {**whole, **changed}


def test_a_complete_card_has_no_gaps(tmp_path: Path) -> None:
    assert cards.gaps(card(tmp_path), tmp_path) == []


def test_the_shipped_card_has_no_gaps() -> None:
    folder = Path(__file__).resolve().parents[2] / "models" / "patrol-n" / "0.1.0"
    told = json.loads((folder / "card.json").read_text())
    assert [g for g in cards.gaps(told, folder) if "bicycle" not in g] == []


GAPS: dict[str, tuple[dict[str, Any], str]] = {
    "no parent": ({"parent": ""}, "the card has no parent"),
    "no limits": ({"limits": []}, "the card has no limits"),
    "no threshold": ({"thresholds": {"litter": 0.4}}, "class fire has no threshold"),
    "no figure": ({"limits": ["few"]}, "class fire has no AP50 in the metrics"),
    "no licence": ({"trained_on": [{"name": "own"}]}, "source own of the training data names no"),
    "not to be released": (
        {"trained_on": [{"name": "own", "licence": "none stated", "released": False}]},
        "source own of the training data may not be in a released model",
    ),
    "no default engine": ({"files": {}}, "there are no OpenVINO weights"),
}


@pytest.mark.parametrize("case", GAPS)
def test_each_gap_is_named(case: str, tmp_path: Path) -> None:
    changed, expected = GAPS[case]
    assert any(expected in gap for gap in cards.gaps(card(tmp_path, **changed), tmp_path))


def test_an_altered_file_is_named(tmp_path: Path) -> None:
    told = card(tmp_path)
    (tmp_path / "m.bin").write_bytes(b"other")
    assert cards.gaps(told, tmp_path) == ["its file m.bin is not the one the card describes"]


def released(models: Path, version: str) -> None:
    (models / "m" / version).mkdir(parents=True)
    (models / "m" / version / "card.json").write_text("{}")


def test_promotions_and_roll_backs_go_forth_and_back_like_a_stack(tmp_path: Path) -> None:
    for version in "123":
        released(tmp_path, version)
    (tmp_path / "production.json").write_text('{"name": "m", "version": "1"}')
    used = []
    for step in ("2", "back", "3", "2", "back", "back"):
        if step == "back":
            value = promotion.roll_back(tmp_path, AT)
        else:
            value = promotion.put_in_use(tmp_path, "m", step, AT, {})
        used.append(value["version"])
    assert used == ["2", "1", "3", "2", "3", "1"]
    assert len(promotion.production(tmp_path)["history"]) == 6
    with pytest.raises(ModelError, match="no earlier release"):
        promotion.roll_back(tmp_path, AT)


def test_going_back_to_what_is_gone_is_refused(tmp_path: Path) -> None:
    released(tmp_path, "2")
    (tmp_path / "production.json").write_text('{"name": "m", "version": "1"}')
    promotion.put_in_use(tmp_path, "m", "2", AT, {})
    with pytest.raises(ModelError, match="m@1 is not there any more"):
        promotion.roll_back(tmp_path, AT)
    assert promotion.production(tmp_path)["version"] == "2"


def test_another_release_of_the_same_name_is_never_overwritten(tmp_path: Path) -> None:
    one, other, models = (tmp_path / name for name in ("one", "other", "models"))
    for folder in (one, other, models):
        folder.mkdir()
    told = card(one)
    (one / "card.json").write_text(json.dumps(told))
    target = promotion.installed(one, told, models)
    assert (target / "card.json").is_file()
    assert promotion.installed(one, told, models) == target
    with pytest.raises(ModelError, match="holds another release"):
        promotion.installed(other, {**told, "files": {}}, models)
