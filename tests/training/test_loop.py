"""The whole loop on a tiny set: reviews, data set, training, compare, refused, granted, back."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import pytest

from patrolvision.cli import main

from .judged_store import Judged, write_office
from .making_sets import GREEN, drawn_picture, manifest_text, source_text, write_source

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("torch") is None
        or importlib.util.find_spec("ultralytics") is None,
        reason="needs torch and ultralytics: run `make torch`",
    ),
    pytest.mark.timeout(400),
]
SIDE = "96"  # pixels the network sees: enough for discs, and a step takes a third of a second
SMALL = ["--imgsz", SIDE, "--batch", "8", "--freeze", "0", "--threads", "1"]


def small_models(folder: Path) -> Path:
    """A models folder whose only release is the shipped one, looking at small pictures."""
    target = folder / "patrol-n" / "0.1.0"
    shutil.copytree(ROOT / "models" / "patrol-n" / "0.1.0", target)
    path = target / "card.json"
    card = json.loads(path.read_text())
    card["input"] |= {"width": int(SIDE), "height": int(SIDE)}
    path.write_text(json.dumps(card))
    (folder / "production.json").write_text('{"name": "patrol-n", "version": "0.1.0"}')
    return folder


def built(
    folder: Path, sources: list[str], split: str, classes: tuple[str, ...] = ("litter",)
) -> Path:
    """The data set of these sources, built by the command."""
    (folder / "manifest.toml").write_text(manifest_text(classes, sources, split=split))
    out = folder / "sets"
    assert main(["dataset", "build", str(folder / "manifest.toml"), "--out", str(out)]) == 0
    (found,) = out.iterdir()
    return found


def answer(capsys: pytest.CaptureFixture[str], *call: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, last JSON line and standard error of a command."""
    capsys.readouterr()
    code = main(list(call))
    told = capsys.readouterr()
    lines = told.out.strip().splitlines()
    return code, json.loads(lines[-1]) if lines else {}, told.err


def test_the_loop_from_reviews_to_rollback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = small_models(tmp_path / "models")
    here = ["--models-dir", str(models), "--json"]

    # What people said of tickets, as a data set of its own version.
    judged = [Judged(box=(150 + k, 120, 250 + k, 220)) for k in range(16)]
    judged += [Judged("reject", "not_there", 0.8, box=(20, 20, 60, 60)) for _ in range(2)]
    url = write_office(tmp_path / "office", judged)
    call = ("dataset", "from-reviews", "--db", url, "--out", str(tmp_path / "said"))
    assert answer(capsys, *call, *here)[1]["pictures"] == 18
    call = ("dataset", "build", str(tmp_path / "said" / "manifest.toml"))
    code, made, _ = answer(capsys, *call, "--out", str(tmp_path / "said_sets"), "--json")
    assert code == 0

    # The old pictures, of which a part is frozen to judge by.
    write_source(tmp_path / "old" / "rings", 80)
    split = "val_share = 0.2\ntest_share = 0.3"
    old = built(tmp_path / "old", [source_text("rings")], split)

    # A candidate from both together is better, and is put in use.
    run = tmp_path / "good"
    train = ("train", "--data", made["dataset"], "--replay", str(old), "--out", str(run))
    more = ("--steps", "40", "--lr", "0.002", "--replay-share", "0.75")
    code, trained, _ = answer(capsys, *train, *SMALL, *more, *here)
    assert code == 0
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert log[-1]["step"] == 40
    assert log[-1]["cls_loss"] < log[0]["cls_loss"]
    judge = ("--data", str(old), "--part", "test", "--rounds", "200")
    code, compared, _ = answer(
        capsys, "models", "compare", "patrol-n@0.1.0", trained["release"], *judge, *here
    )
    assert code == 0
    assert compared["classes"]["litter"]["low"] > 0.1
    code, promoted, _ = answer(capsys, "models", "promote", trained["release"], *judge, *here)
    assert code == 0, promoted
    good = trained["candidate"]
    assert in_use(models) == good

    # One that was taught that there is nothing is worse, and is refused with the reason.
    write_source(tmp_path / "bad" / "blank", 24, first=300, is_blank=True)
    bad = built(tmp_path / "bad", [source_text("blank")], "val_share = 0.2")
    train = ("train", "--data", str(bad), "--out", str(tmp_path / "worse"))
    more = ("--steps", "25", "--lr", "0.004")
    code, trained, told = answer(capsys, *train, *SMALL, *more, *here)
    assert code == 0
    assert "no --replay" in told
    code, refused, told = answer(capsys, "models", "promote", trained["release"], *judge, *here)
    assert code == 2
    assert not refused["promoted"]
    assert any("class litter is worse: AP50" in reason for reason in refused["reasons"])
    assert "is refused: class litter is worse" in told
    assert in_use(models) == good

    # One command goes back; a second has nowhere to go.
    code, back, _ = answer(capsys, "models", "rollback", *here)
    assert (code, back["production"], back["was"]) == (0, "patrol-n@0.1.0", good)
    assert in_use(models) == "patrol-n@0.1.0"
    code, _, told = answer(capsys, "models", "rollback", *here)
    assert code == 2
    assert "no earlier release" in told


def in_use(models: Path) -> str:
    """name@version in production."""
    pointer = json.loads((models / "production.json").read_text())
    return f"{pointer['name']}@{pointer['version']}"


def test_a_new_class_from_labels_alone_reaches_a_ticket(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    models = small_models(tmp_path / "models")
    monkeypatch.setenv("PATROLVISION_MODELS", str(models))
    write_source(tmp_path / "set" / "holes", 50, class_name="manhole_open", colour=GREEN)
    text = source_text("holes", "manhole_open")
    data = built(tmp_path / "set", [text], "val_share = 0.2", ("manhole_open",))
    train = ("train", "--data", str(data), "--out", str(tmp_path / "run"), "--steps", "60")
    code, trained, _ = answer(capsys, *train, *SMALL, "--lr", "0.003", "--json")
    assert code == 0
    card = json.loads((tmp_path / "run" / "release" / "card.json").read_text())
    assert card["classes"][-1] == "manhole_open"
    assert len(card["classes"]) == 10

    # It is detected,
    picture = tmp_path / "street.png"
    cv2.imwrite(str(picture), drawn_picture(900, [(50, 60, 100, 110)], 160, GREEN))
    call = ("detect", str(picture), "--model", trained["release"], "--conf", "0.2")
    code, found, _ = answer(capsys, *call)
    assert code == 0
    best = max(found["detections"], key=lambda box: box["confidence"])
    assert best["class"] == "manhole_open"
    assert best["xyxy"] == pytest.approx([50, 60, 100, 110], abs=12)

    # and, registered by a few lines of data, becomes a ticket that says who saw it.
    (models / "registry.toml").write_text(
        '[[algorithm]]\nname = "manholes"\nversion = "1"\nowner = "water bureau"\n'
        'classes = { manhole_open = "open_manhole" }\npriority = "high"\nenforce = 0.5\n'
    )
    line = {
        "id": "p-1", "mission_id": "p", "stream_id": "car1", "class": best["class"],
        "first_seen": "2026-05-04T08:00:00+08:00", "last_seen": "2026-05-04T08:00:02+08:00",
        "lat_deg": 22.84, "lon_deg": 113.23, "cov_en_m2": [[2.0, 0.0], [0.0, 2.0]],
        "confidence": best["confidence"], "frames": 8, "model_release": trained["candidate"],
    }  # fmt: skip
    (tmp_path / "seen.jsonl").write_text(json.dumps(line) + "\n")
    db = f"sqlite:///{tmp_path / 'patrol.db'}"
    assert main(["fuse", str(tmp_path / "seen.jsonl"), "--db", db]) == 0
    _, ticket, _ = answer(capsys, "tickets", "--db", db, "--format", "json")
    assert (ticket["category"], ticket["priority"]) == ("open_manhole", "high")
    _, seen, _ = answer(capsys, "observations", "--db", db, "--format", "json")
    assert seen["model_release"] == trained["candidate"]
