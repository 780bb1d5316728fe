from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from patrolvision.errors import ConfigError
from patrolvision.training.evaluation_data import DataFile, label_file, look, read_data
from patrolvision.training.labels import LabelledPicture

CLASSES = ("litter", "fire", "car")
YAML = "path: .\nval: images\nnames:\n  0: bag\n  1: car\nclass_map: {bag: litter}\n"


def made(
    folder: Path, text: str = YAML, labels: str = "0 0.5 0.5 0.2 0.4\n", name: str = "a"
) -> Path:
    for part in ("images", "labels"):
        (folder / part).mkdir(exist_ok=True)
    cv2.imwrite(str(folder / "images" / f"{name}.png"), np.zeros((100, 200, 3), np.uint8))
    (folder / "labels" / f"{name}.txt").write_text(labels)
    (folder / "data.yaml").write_text(text)
    return folder / "data.yaml"


def first(data: DataFile) -> LabelledPicture:
    read = look(data, data.files[0])
    assert not isinstance(read, list), read
    return read[1]


def test_boxes_come_in_pixels_and_in_the_models_classes(tmp_path: Path) -> None:
    picture = first(read_data(made(tmp_path), "val", CLASSES))
    assert picture.class_names == ("litter",)
    assert picture.xyxy.tolist() == [[80.0, 30.0, 120.0, 70.0]]
    assert picture.labelled == {"litter", "car"}


@pytest.mark.parametrize(
    "val",
    [
        "val: images",
        "val: [images]",
        "val: list.txt",  # entries beside the list, as ultralytics writes them
    ],
)
def test_a_part_is_a_folder_or_a_list_or_several(tmp_path: Path, val: str) -> None:
    path = made(tmp_path, YAML.replace("val: images", val))
    (tmp_path / "list.txt").write_text("./images/a.png\n\n")
    assert [file.name for file in read_data(path, "val", CLASSES).files] == ["a.png"]


def test_toml_says_the_same(tmp_path: Path) -> None:
    made(tmp_path)
    path = tmp_path / "data.toml"
    path.write_text('val = "images"\nnames = ["bag", "car"]\nclass_map = { bag = "litter" }\n')
    assert first(read_data(path, "val", CLASSES)).class_names == ("litter",)


def test_a_source_labels_only_what_the_file_says(tmp_path: Path) -> None:
    path = made(tmp_path, YAML + "labelled: {drone: [car]}\n", labels="", name="drone__a")
    picture = first(read_data(path, "val", CLASSES))
    assert (picture.source, picture.labelled) == ("drone", {"car"})


def test_what_is_ignored_is_neither_to_be_found_nor_wrong(tmp_path: Path) -> None:
    path = made(tmp_path, YAML.replace("bag: litter", "bag: ignore"))
    picture = first(read_data(path, "val", CLASSES))
    assert picture.class_names == ("car",)
    assert picture.difficult.tolist() == [True]


def test_background_is_a_thing_that_must_not_be_found(tmp_path: Path) -> None:
    path = made(tmp_path, YAML.replace("bag: litter", "bag: background"))
    assert first(read_data(path, "val", CLASSES)).class_names == ()


def test_a_sixth_number_tells_one_thing_from_another(tmp_path: Path) -> None:
    labels = "0 0.5 0.5 0.2 0.4 7\n1 0.5 0.5 0.1 0.1\n"
    path = made(tmp_path, YAML + "group: '^[^_]+'\n", labels, name="clip_001")
    data = read_data(path, "val", CLASSES)
    read = look(data, data.files[0])
    assert not isinstance(read, list)
    assert read[2].tolist() == [7, -1]
    assert read[1].group == "clip"


def test_labels_stand_beside_the_last_folder_named_images() -> None:
    assert label_file(Path("images/set/images/b/c.jpg")) == Path("images/set/labels/b/c.txt")
    assert label_file(Path("set/c.jpg")) == Path("set/c.txt")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("val: [images", "is not YAML"),
        ("- 1\n- 2\n", "expected keys"),
        ("val: images\n", "names must be a list"),
        ("val: images\nnames: {1: car}\n", "names must be"),
        (
            "val: images\nnames: [sofa, car, cat]\n",
            r"class 'sofa', 'cat' is none of the model's .* class_map: {sofa: back.*, cat: back",
        ),
        (
            "val: images\nnames: [bag, sofa]\nclass_map: {bag: litter}\n",
            r"'sofa' is none .* write class_map: {bag: litter, sofa: background} with",
        ),
        ("val: images\nnames: [bag]\nclass_map: {bag: lit}\n", r"class 'lit' .* {bag: background}"),
        ("train: images\nnames: [car]\n", "has no part 'val'"),
        ("val: elsewhere\nnames: [car]\n", "no folder or list"),
        ("val: empty\nnames: [car]\n", "the part 'val' is empty"),
        ("val: images\nnames: [car]\nlabelled: {a: [cat]}\n", "labelled.a has 'cat'"),
        ("val: images\nnames: [car]\ngroup: '('\n", "no regular expression"),
        ("val: images\nnames: [car]\nclass_map: [car]\n", "class_map must be a table"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_by_name(
    tmp_path: Path, text: str, sentence: str
) -> None:
    path = made(tmp_path, text)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=sentence):
        read_data(path, "val", CLASSES)


def test_the_line_to_write_is_toml_in_a_toml_file(tmp_path: Path) -> None:
    path = made(tmp_path).with_suffix(".toml")
    path.write_text('val = "images"\nnames = ["big sofa"]\n')
    with pytest.raises(ConfigError) as told:
        read_data(path, "val", CLASSES)
    line = str(told.value).split("write ")[1].split(" with")[0]
    path.write_text(f'val = "images"\nnames = ["big sofa"]\n{line}\n')
    assert read_data(path, "val", CLASSES).class_map == {"big sofa": "background"}


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ("0 0.5 0.5 0.2 0.4\n9 0.5 0.5 0.1 0.1\n", r"a\.txt:2: class 9 is out of range"),
        ("0 1.5 0.5 0.2 0.4\n", "1.5 is out of range"),
        ("0 0.5 0.5\n", "expected 5 numbers"),
        ("0 0.5 0.5 0 0\n", "no area"),
        ("car 0.5 0.5 0.1 0.1\n", "expected numbers"),
    ],
)
def test_a_wrong_label_is_named_with_its_line(tmp_path: Path, labels: str, sentence: str) -> None:
    data = read_data(made(tmp_path, labels=labels), "val", CLASSES)
    problems = look(data, data.files[0])
    assert isinstance(problems, list)
    assert any(re.search(sentence, str(problem)) for problem in problems)


def test_a_broken_picture_and_one_without_labels_are_named(tmp_path: Path) -> None:
    path = made(tmp_path)
    (tmp_path / "images" / "b.png").write_bytes(b"no picture")
    (tmp_path / "labels" / "a.txt").unlink()
    data = read_data(path, "val", CLASSES)
    told = [str(problem) for file in data.files for problem in look(data, file)]
    assert "has no label file" in told[0]
    assert "is not a picture" in told[1]
