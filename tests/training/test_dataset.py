"""Manifests, checks, splits and what is written."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patrolvision.errors import ConfigError
from patrolvision.training import building, dataset
from patrolvision.training.duplicates import look_alikes, perceptual_hash
from patrolvision.training.manifest import SplitRule, load_manifest
from patrolvision.training.splits import Candidate, groups_of, parted
from patrolvision.training.written import read_dataset

from .making_sets import drawn_picture, manifest_text, source_text, write_source


def _manifest(folder: Path, *sources: str, split: str = "val_share = 0.2") -> Path:
    path = folder / "manifest.toml"
    path.write_text(manifest_text(["litter", "fire"], sources, split=split))
    return path


def _told(path: Path) -> list[str]:
    return [str(problem) for problem in dataset.draft(path).problems]


def test_the_same_files_make_the_same_version_anywhere(tmp_path: Path) -> None:
    folders = []
    for name in ("here", "there"):
        write_source(tmp_path / name / "a", 12)
        made = dataset.draft(_manifest(tmp_path / name, source_text("a")))
        folders.append(building.write_dataset(made, tmp_path / name / "out", with_coco=True))
    assert folders[0].name == folders[1].name
    for file in ("dataset.json", "pictures.jsonl", "data.yaml", "train.txt", "coco_val.json"):
        assert (folders[0] / file).read_bytes() == (folders[1] / file).read_bytes()


def test_a_changed_label_makes_another_version(tmp_path: Path) -> None:
    write_source(tmp_path / "a", 12)
    path = _manifest(tmp_path, source_text("a"))
    before = dataset.draft(path).version
    label = tmp_path / "a" / "labels" / "p3.txt"
    label.write_text("0 0.5 0.5 0.2 0.2\n")
    assert dataset.draft(path).version != before


def test_what_is_written_reads_back_as_it_was(tmp_path: Path) -> None:
    write_source(tmp_path / "a", 12)
    made = dataset.draft(_manifest(tmp_path, source_text("a")))
    folder = building.write_dataset(made, tmp_path / "out")
    back = {p.path.stem: p for p in read_dataset(folder)}
    assert len(back) == 12
    for item in made.items:
        read = back[f"a__{item.picture.path.stem}"]
        assert np.allclose(read.xyxy, item.picture.xyxy, atol=1e-3)
        assert read.labelled == frozenset({"litter"})
        assert read.path.is_file()
    assert {p.path.name for p in read_dataset(folder, "val")} == {
        line.split("/")[-1] for line in (folder / "val.txt").read_text().split()
    }


def test_coco_goes_out_and_comes_back_with_the_same_boxes(tmp_path: Path) -> None:
    write_source(tmp_path / "a", 8)
    made = dataset.draft(_manifest(tmp_path, source_text("a"), split="val_share = 0.0"))
    folder = building.write_dataset(made, tmp_path / "out", with_coco=True)
    source = {"format": '"coco"', "annotations": '"coco_train.json"', "path": f'"{folder}"'}
    text = source_text("b", **source)
    again = dataset.draft(_manifest(tmp_path, text, split="val_share = 0.0"))
    assert not again.problems
    boxes = {item.picture.path.name: item.picture.xyxy for item in again.items}
    for item in made.items:
        assert np.allclose(boxes[f"a__{item.picture.path.name}"], item.picture.xyxy, atol=2e-3)


BAD = {
    "a broken picture": (
        lambda f: (f / "images" / "p1.png").write_bytes(b"no picture"),
        "images/p1.png: is not a picture that can be decoded",
    ),
    "an empty picture": (
        lambda f: (f / "images" / "p1.png").write_bytes(b""),
        "images/p1.png: is not a picture that can be decoded",
    ),
    "a label out of range": (
        lambda f: (f / "labels" / "p2.txt").write_text("0 0.5 0.5 0.1 0.1\n0 1.7 0.5 0.1 0.1\n"),
        "labels/p2.txt:2: 1.7 is out of range: shares of the picture lie in 0 to 1",
    ),
    "a class out of range": (
        lambda f: (f / "labels" / "p2.txt").write_text("7 0.5 0.5 0.1 0.1\n"),
        "labels/p2.txt:1: class 7 is out of range: the source has classes 0 to 0",
    ),
    "words for numbers": (
        lambda f: (f / "labels" / "p2.txt").write_text("litter 0.5 0.5 0.1 0.1\n"),
        "labels/p2.txt:1: expected numbers",
    ),
    "no label file": (
        lambda f: (f / "labels" / "p2.txt").unlink(),
        "images/p2.png: has no label file",
    ),
    "a duplicate": (
        lambda f: (
            (f / "images" / "z.png").write_bytes((f / "images" / "p1.png").read_bytes()),
            (f / "labels" / "z.txt").write_bytes((f / "labels" / "p1.txt").read_bytes()),
        ),
        "images/z.png: is a duplicate of",
    ),
    "labels of nothing": (
        lambda f: (f / "labels" / "gone.txt").write_text(""),
        "labels/gone.txt: has labels for no picture",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_item_is_named_with_file_and_line_and_the_rest_is_built(
    case: str, tmp_path: Path
) -> None:
    spoil, expected = BAD[case]
    spoil(write_source(tmp_path / "a", 10))
    path = _manifest(tmp_path, source_text("a"))
    told = _told(path)
    assert len(told) == 1
    assert expected in told[0]
    folder = building.write_dataset(dataset.draft(path), tmp_path / "out")
    assert len(read_dataset(folder)) in (9, 10)


def test_a_class_missing_from_the_map_is_named_where_its_label_stands(tmp_path: Path) -> None:
    source = write_source(tmp_path / "a", 10)
    (source / "classes.txt").write_text("litter\nbin\n")
    (source / "labels" / "p4.txt").write_text("0 0.5 0.5 0.1 0.1\n1 0.2 0.2 0.1 0.1\n")
    path = _manifest(tmp_path, source_text("a"))
    assert any(
        "p4.txt:2: class 'bin' is missing from the class_map" in line for line in _told(path)
    )
    with pytest.raises(ConfigError, match="missing from the class_map"):
        building.write_dataset(dataset.draft(path), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_missing_licence_is_named_with_the_sources_line(tmp_path: Path) -> None:
    write_source(tmp_path / "a", 10)
    path = _manifest(tmp_path, source_text("a", licence='""'))
    line = path.read_text().splitlines().index('licence = ""') + 1
    assert _told(path) == [
        f"{path}:{line}: source 'a' names no licence: write the terms, or 'none stated'"
    ]


def test_an_empty_split_is_refused(tmp_path: Path) -> None:
    write_source(tmp_path / "a", 1)
    path = _manifest(tmp_path, source_text("a"))
    with pytest.raises(ConfigError, match=r"the split '(train|val)' would be empty"):
        building.write_dataset(dataset.draft(path), tmp_path / "out")


def test_a_changed_source_is_refused_by_its_checksum(tmp_path: Path) -> None:
    write_source(tmp_path / "a", 10)
    checksum = dataset.draft(_manifest(tmp_path, source_text("a"))).checksums["a"]
    path = _manifest(tmp_path, source_text("a", checksum=f'"{checksum}"'))
    assert _told(path) == []
    (tmp_path / "a" / "labels" / "p0.txt").write_text("")
    assert any("expected sha256:" in line for line in _told(path))


WRONG_MANIFESTS = {
    "an unknown key": ('colour = "red"', "source.0.colour"),
    "an unknown class": ('class_map = { litter = "rubbish" }', "'rubbish'"),
    "a broken pattern": ('group = "(("', "not a regular expression"),
    "a negative repeat": ("repeat = -1", "repeat"),
}


@pytest.mark.parametrize("case", WRONG_MANIFESTS)
def test_a_wrong_manifest_is_refused_with_its_line(case: str, tmp_path: Path) -> None:
    line, expected = WRONG_MANIFESTS[case]
    key = line.split(" ")[0]
    text = "\n".join(t for t in source_text("a").splitlines() if not t.startswith(key))
    path = _manifest(tmp_path, f"{text}\n{line}")
    with pytest.raises(ConfigError, match=r"manifest\.toml:\d+: ") as error:
        load_manifest(path)
    assert expected in str(error.value)


def test_an_ignored_class_is_difficult_and_background_is_gone(tmp_path: Path) -> None:
    source = write_source(tmp_path / "a", 10)
    (source / "classes.txt").write_text("litter\nbin\nheap\n")
    (source / "labels" / "p4.txt").write_text("1 0.5 0.5 0.1 0.1\n2 0.2 0.2 0.1 0.1\n")
    mapping = '{ litter = "litter", bin = "background", heap = "ignore" }'
    made = dataset.draft(_manifest(tmp_path, source_text("a", class_map=mapping)))
    picture = next(i.picture for i in made.items if i.picture.path.stem == "p4")
    assert picture.class_names == ("litter",)
    assert picture.difficult.tolist() == [True]


def test_a_kept_split_stays_when_pictures_are_added(tmp_path: Path) -> None:
    write_source(tmp_path / "a", 20)
    first = dataset.draft(_manifest(tmp_path, source_text("a")))
    folder = building.write_dataset(first, tmp_path / "out")
    write_source(tmp_path / "b", 20, first=100)
    keep = f'val_share = 0.3\nkeep = "{folder}"'
    again = dataset.draft(_manifest(tmp_path, source_text("a"), source_text("b"), split=keep))
    before = {item.looked.sha256: item.part for item in first.items}
    after = {item.looked.sha256: item.part for item in again.items}
    assert {sha: after[sha] for sha in before} == before


def test_a_look_alike_is_found_through_scaling_and_compression(tmp_path: Path) -> None:
    image = drawn_picture(3, [(40, 40, 100, 100)])
    _, small = cv2.imencode(".jpg", cv2.resize(image, (120, 120)), [cv2.IMWRITE_JPEG_QUALITY, 60])
    again = perceptual_hash(cv2.imdecode(small, cv2.IMREAD_COLOR))
    other = perceptual_hash(drawn_picture(4, [(10, 90, 70, 150)]))
    assert (perceptual_hash(image) ^ again).bit_count() < 8
    assert (perceptual_hash(image) ^ other).bit_count() > 8


candidates = st.lists(
    st.builds(
        Candidate,
        source=st.sampled_from("ab"),
        sha256=st.integers(0, 30).map(str),
        looks=st.integers(0, 15).map(lambda k: k * 0x1111),
        ties=st.lists(st.sampled_from(("m1", "m2", "p1", "p2")), max_size=2).map(tuple),
    ),
    max_size=40,
)


@given(candidates, st.integers(0, 5))
def test_no_group_is_ever_torn_and_the_order_does_not_matter(
    pictures: list[Candidate], seed: int
) -> None:
    rule = SplitRule(val_share=0.3, test_share=0.2, hash_distance=3, seed=seed)
    parts = parted(pictures, rule)
    groups = groups_of(pictures, 3).tolist()
    assert len(set(zip(groups, parts, strict=True))) == len(set(groups))
    for one, part in zip(pictures, parts, strict=True):
        for other, its in zip(pictures, parts, strict=True):
            tied = one.sha256 == other.sha256 or set(one.ties) & set(other.ties)
            if tied or (one.looks ^ other.looks).bit_count() < 3:
                assert part == its


@given(st.lists(st.integers(0, 2**64 - 1), max_size=30), st.integers(0, 20))
def test_look_alikes_are_those_that_counting_bits_finds(hashes: list[int], distance: int) -> None:
    slow = [
        (i, j)
        for i in range(len(hashes))
        for j in range(i + 1, len(hashes))
        if (hashes[i] ^ hashes[j]).bit_count() < distance
    ]
    assert sorted(look_alikes(hashes, distance)) == slow


def test_tasks_carry_the_boxes_in_the_tools_own_units(tmp_path: Path) -> None:
    from xml.etree import ElementTree

    from patrolvision.training import tasks
    from patrolvision.types import Detections

    boxes = Detections(
        np.array([[20, 10, 60, 50]], np.float32), np.array([0.9], np.float32), np.array([1])
    )
    task = tasks.Task("images/a.jpg", (200, 100), boxes)
    root = ElementTree.fromstring(tasks.cvat_xml([task], ("litter", "fire")))
    box = root.find("image/box")
    assert box is not None
    assert (box.get("label"), box.get("xtl"), box.get("ybr")) == ("fire", "20.00", "50.00")
    made = json.loads(tasks.label_studio_json([task], ("litter", "fire"), "m@1"))
    value = made[0]["predictions"][0]["result"][0]["value"]
    assert value["rectanglelabels"] == ["fire"]
    assert (value["x"], value["y"], value["width"], value["height"]) == (10, 10, 20, 40)


def test_the_command_answers_with_what_became_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from patrolvision.cli import main

    source = write_source(tmp_path / "a", 10)
    path = _manifest(tmp_path, source_text("a"))
    assert main(["dataset", "check", str(path)]) == 0
    (source / "images" / "p1.png").write_bytes(b"")
    assert main(["dataset", "check", str(path), "--json"]) == 3
    told = capsys.readouterr()
    assert "p1.png: is not a picture" in told.err
    assert len(json.loads(told.out.splitlines()[-1])["failed"]) == 1
    no_terms = _manifest(tmp_path, source_text("a", licence='""'))
    assert main(["dataset", "check", str(no_terms)]) == 2
    assert main(["dataset", "build", str(no_terms), "--out", str(tmp_path / "o")]) == 2
    assert main(["dataset", "check", str(tmp_path / "none.toml")]) == 2
    assert "none.toml: cannot be read" in capsys.readouterr().err
    path = _manifest(tmp_path, source_text("a"))
    assert main(["dataset", "stats", str(path)]) == 0
    assert "checksum = " in capsys.readouterr().out
    assert main(["dataset", "split", str(path)]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line["part"] for line in lines} == {"train", "val"}
