from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from patrolvision.cli import main

NAMES = "names: [litter, fire, smoke, person, bicycle, car, motorcycle, bus, truck]\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two pictures of noise, one with a box that nobody can find."""
    for part in ("images", "labels"):
        (tmp_path / part).mkdir()
    rng = np.random.default_rng(0)
    for name, labels in (("a__1", "0 0.5 0.5 0.2 0.2\n"), ("b__2", "")):
        image = rng.integers(90, 110, (96, 128, 3), np.uint8)
        cv2.imwrite(str(tmp_path / "images" / f"{name}.png"), image)
        (tmp_path / "labels" / f"{name}.txt").write_text(labels)
    path = tmp_path / "data.yaml"
    path.write_text("val: images\n" + NAMES)
    return path


def test_the_report_is_json_and_a_page_that_needs_nothing_else(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    call = ["evaluate", "--data", str(data), "--out", str(out), "--rounds", "5", "--json"]
    assert main(call) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    litter = told["classes"]["litter"]
    assert (litter["boxes"], litter["recall"]["value"]) == (1, 0.0)
    assert litter["false_alarms"]["pictures"] == 1
    assert told["sources"] == {"a": 1, "b": 1}
    assert json.loads((out / "report.json").read_text())["model"] == told["model"]
    page = (out / "report.html").read_text()
    assert "data:image/jpeg;base64," in page
    assert "<script" not in page and "http" not in page


def test_bad_pictures_are_named_and_the_rest_is_judged(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data.parent / "images" / "c.png").write_bytes(b"broken")
    (data.parent / "labels" / "b__2.txt").write_text("12 0.5 0.5 0.1 0.1\n")
    assert main(["evaluate", "--data", str(data), "--rounds", "5", "--json"]) == 3
    captured = capsys.readouterr()
    assert "c.png: is not a picture" in captured.err
    assert "b__2.txt:1: class 12 is out of range" in captured.err
    told = json.loads(captured.out.splitlines()[-1])
    assert told["pictures"] == 1
    assert len(told["failed"]) == 2


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"data": "none.yaml"}, "none.yaml: cannot be read"),
        ({"model": "none"}, "model 'none' is neither a release nor a weights file"),
        ({"part": "test"}, "has no part 'test'"),
        ({"rounds": "0"}, "--rounds: must be at least 1"),
        ({"out": "data.yaml/x"}, "cannot be written"),
    ],
)
def test_a_wrong_call_is_one_sentence_and_exit_code_2(
    data: Path,
    change: dict[str, str],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(data.parent)
    options = {"data": "data.yaml", **change}
    assert main(["evaluate", *(x for k, v in options.items() for x in (f"--{k}", v))]) == 2
    assert sentence in capsys.readouterr().err


def test_a_set_of_broken_pictures_only_cannot_be_judged(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (data.parent / "images").iterdir():
        path.write_bytes(b"broken")
    assert main(["evaluate", "--data", str(data)]) == 2
    assert "none of its 2 pictures could be judged" in capsys.readouterr().err
