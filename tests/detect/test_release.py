from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from patrolvision.detect.release import known_releases, load_release, weights_file
from patrolvision.errors import ModelError

MODELS = Path(__file__).resolve().parents[2] / "models"
METADATA = "task: detect\nnames:\n  0: litter\n  1: fire hydrant\n  2: 'no'\nargs:\n  batch: 1\n"
LABELS = '<net><rt_info><model_info><labels value="litter car"/></model_info></rt_info></net>'


def _write_release(models: Path, name: str, version: str, **changes: Any) -> Path:
    folder = models / name / version
    folder.mkdir(parents=True)
    (folder / "w.xml").write_bytes(b"weights of " + version.encode())
    digest = hashlib.sha256((folder / "w.xml").read_bytes()).hexdigest()
    card = {
        "name": name,
        "version": version,
        "classes": ["litter", "car"],
        "input": {"width": 640, "height": 384},
        "output": "raw",
        "thresholds": {"litter": 0.4, "car": 0.5},
        "nms_iou": 0.6,
        "files": {"w.xml": {"sha256": digest, "bytes": 1, "runtime": "openvino"}},
    }
    (folder / "card.json").write_text(json.dumps(card | changes))
    return folder


@pytest.fixture
def models(tmp_path: Path) -> Path:
    for version in ("0.2.0", "0.9.0", "0.10.0"):
        _write_release(tmp_path, "town", version)
    _write_release(tmp_path, "other", "1")
    (tmp_path / "production.json").write_text('{"name": "town", "version": "0.9.0"}')
    return tmp_path


def test_nothing_asked_for_means_the_one_in_production(models: Path) -> None:
    assert load_release(None, models).id == "town@0.9.0"


def test_a_name_means_its_version_in_production(models: Path) -> None:
    assert load_release("town", models).id == "town@0.9.0"


def test_a_name_that_is_not_in_production_means_its_newest_version(models: Path) -> None:
    (models / "production.json").write_text('{"name": "other", "version": "1"}')
    assert load_release("town", models).id == "town@0.10.0"


def test_a_version_may_be_named(models: Path) -> None:
    assert load_release("town@0.2.0", models).id == "town@0.2.0"


def test_a_folder_with_a_card_is_a_release_wherever_it_lies(models: Path, tmp_path: Path) -> None:
    release = load_release(models / "town" / "0.2.0", tmp_path / "nowhere")
    assert release.thresholds == {"litter": 0.4, "car": 0.5}
    assert (release.input_width, release.input_height) == (640, 384)
    assert weights_file(release, "openvino").name == "w.xml"


def test_the_releases_that_exist_are_listed(models: Path) -> None:
    assert known_releases(models) == ["other@1", "town@0.10.0", "town@0.2.0", "town@0.9.0"]


@pytest.mark.parametrize("wanted", ["village", "town@7", "nowhere/w.xml", "", "../town"])
def test_an_unknown_model_is_refused_naming_what_exists(models: Path, wanted: str) -> None:
    with pytest.raises(ModelError, match=r"town@0\.10\.0"):
        load_release(wanted, models)


def test_without_any_model_the_message_names_the_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no release in .*absent"):
        load_release("town", tmp_path / "absent")
    with pytest.raises(ModelError, match=r"production\.json is missing"):
        load_release(None, tmp_path)


def test_production_that_points_at_nothing_is_refused(models: Path) -> None:
    (models / "production.json").write_text('{"name": "town", "version": "3"}')
    with pytest.raises(ModelError, match=r"town@3, which is not there; there is other@1"):
        load_release(None, models)


def test_an_altered_file_is_refused(models: Path) -> None:
    (models / "town" / "0.2.0" / "w.xml").write_bytes(b"something else")
    with pytest.raises(ModelError, match=r"w\.xml is not the file its card describes"):
        load_release("town@0.2.0", models)


def test_a_lost_file_is_refused_when_it_is_needed(models: Path) -> None:
    (models / "town" / "0.2.0" / "w.xml").unlink()
    with pytest.raises(ModelError, match=r"w\.xml is missing"):
        weights_file(load_release("town@0.2.0", models), "openvino")


def test_an_engine_without_weights_in_the_release_is_refused(models: Path) -> None:
    with pytest.raises(ModelError, match="no weights for torch, only for openvino"):
        weights_file(load_release("town", models), "torch")


@pytest.mark.parametrize(
    "changes",
    [
        {"thresholds": {"litter": 0.4}},
        {"classes": None},
        {"input": {"width": 640}},
        {"nms_iou": "much"},
        {"files": {"w.xml": {}}},
    ],
)
def test_a_garbled_card_is_refused_naming_the_file(tmp_path: Path, changes: dict[str, Any]) -> None:
    _write_release(tmp_path, "town", "1", **changes)
    with pytest.raises(ModelError, match=r"card\.json: the card lacks or garbles"):
        load_release("town", tmp_path)


def test_a_card_that_is_not_json_is_refused(tmp_path: Path) -> None:
    folder = _write_release(tmp_path, "town", "1")
    (folder / "card.json").write_text("{")
    with pytest.raises(ModelError, match=r"card\.json cannot be read as JSON"):
        load_release("town", tmp_path)


def test_bare_weights_are_named_by_their_own_hash(tmp_path: Path) -> None:
    (tmp_path / "net.xml").write_text(LABELS)
    (tmp_path / "net.bin").write_bytes(b"numbers")
    release = load_release(tmp_path / "net.xml", tmp_path)
    assert release.id == f"net@{hashlib.sha256(b'numbers').hexdigest()[:12]}"
    assert release.classes == ("litter", "car")
    assert release.thresholds == {"litter": 0.25, "car": 0.25}


def test_class_names_with_blanks_come_from_the_file_beside_the_weights(tmp_path: Path) -> None:
    (tmp_path / "net.xml").write_text(LABELS)
    (tmp_path / "net.bin").write_bytes(b"numbers")
    (tmp_path / "metadata.yaml").write_text(METADATA)
    release = load_release(tmp_path / "net.xml", tmp_path)
    assert release.classes == ("litter", "fire hydrant", "no")


def test_class_names_of_an_onnx_file_are_found_inside(tmp_path: Path) -> None:
    entry = b"r\x1f\n\x05names\x12\x16{0: 'litter', 1: 'car'}"  # a protobuf StringStringEntry
    (tmp_path / "net.onnx").write_bytes(b"graph" * 30000 + entry)
    assert load_release(tmp_path / "net.onnx", tmp_path).classes == ("litter", "car")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("net.xml", "<net/>", "does not say which classes it knows"),
        ("net.xml", "no xml", "not an OpenVINO model"),
        ("net.onnx", "graph", "does not say which classes it knows"),
        ("net.txt", "hello", r"weights end in \.xml, \.onnx, \.pt"),
    ],
)
def test_bare_files_that_are_no_models_are_refused(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ModelError, match=message):
        load_release(tmp_path / name, tmp_path)


def test_bare_openvino_weights_need_their_numbers_beside_them(tmp_path: Path) -> None:
    (tmp_path / "net.xml").write_text(LABELS)
    with pytest.raises(ModelError, match=r"net\.bin, are missing"):
        load_release(tmp_path / "net.xml", tmp_path)


def test_every_release_in_this_repository_is_whole() -> None:
    for name in known_releases(MODELS):
        weights_file(load_release(name, MODELS), "openvino")
    assert load_release(None, MODELS).classes
