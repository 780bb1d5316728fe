"""A manifest -> a data set: read, checked, parted, written under an id derived from its content.

The same manifest over the same files gives the same id on any machine; nothing else is in it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from patrolvision.errors import ConfigError
from patrolvision.training.duplicates import look_alikes
from patrolvision.training.formats_coco import CocoLabels
from patrolvision.training.formats_yolo import YoloLabels
from patrolvision.training.labels import LabelledPicture
from patrolvision.training.manifest import (
    BACKGROUND,
    IGNORE,
    PARTS,
    Manifest,
    Part,
    SourceEntry,
    facts_of,
    load_manifest,
    read_text,
    unlicensed,
)
from patrolvision.training.pictures import Looked, look_at, picture_files
from patrolvision.training.problems import Problem
from patrolvision.training.raw import RawBox, SourceLabels
from patrolvision.training.splits import Candidate, parted
from patrolvision.training.written import read_written

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One picture of a data set, how it looked, and the part it belongs to."""

    picture: LabelledPicture
    looked: Looked
    part: Part = "train"


@dataclass(frozen=True, slots=True, eq=False)
class DatasetDraft:
    """What a manifest comes to: its good pictures in parts, and everything that is wrong."""

    manifest: Manifest
    items: tuple[Item, ...]
    problems: tuple[Problem, ...]
    checksums: dict[str, str]  # source name -> checksum of its files

    @property
    def version(self) -> str:
        """Twelve hex digits over every picture's bytes, labels, part and source's terms."""
        digest = sha256(json.dumps(facts(self), sort_keys=True, ensure_ascii=False).encode())
        for record in sorted(json.dumps(record_of(item), sort_keys=True) for item in self.items):
            digest.update(record.encode())
        return digest.hexdigest()[:12]


def draft(path: Path, progress: Progress = lambda what, done, total: None) -> DatasetDraft:
    """Read everything that a manifest names, collect what is wrong, and part the good pictures.

    Raises ConfigError if the manifest itself, a source's folder or its label file cannot be read.
    """
    manifest = load_manifest(path)
    problems = unlicensed(path, manifest)
    items: list[Item] = []
    checksums: dict[str, str] = {}
    for source in manifest.source:
        found, wrong, checksums[source.name] = _read_source(source, progress)
        items += found
        problems += wrong
        if source.checksum and source.checksum != checksums[source.name]:
            what = f"source {source.name!r}: expected {source.checksum}, found "
            problems.append(Problem(path, None, what + checksums[source.name], is_fatal=True))
    items, wrong = _without_copies(items)
    problems += wrong
    items = _into_parts(items, manifest)
    problems += _empty_parts(path, manifest, items)
    return DatasetDraft(manifest, tuple(items), tuple(problems), checksums)


def _labels_of(source: SourceEntry) -> SourceLabels:
    return YoloLabels(source) if source.format == "yolo" else CocoLabels(source)


def _read_source(source: SourceEntry, progress: Progress) -> tuple[list[Item], list[Problem], str]:
    folder = source.path / source.images
    if not folder.is_dir():
        raise ConfigError(f"source {source.name!r}: there is no folder of pictures {folder}")
    labels = _labels_of(source)
    files = picture_files(folder)
    problems = labels.strays(files)
    if not files:
        problems.append(Problem(folder, None, "holds no picture", is_fatal=True))
    items: list[Item] = []
    hardness = hardness_of(source)
    digest = sha256()
    for number, path in enumerate(files, 1):
        looked = look_at(path)
        if isinstance(looked, str):
            problems.append(Problem(path, None, looked))
        else:
            boxes, wrong = labels.boxes_of(path, looked.size_wh)
            digest.update(f"{path.relative_to(folder).as_posix()} {looked.sha256}\n".encode())
            digest.update(repr([(b.class_name, b.xyxy) for b in boxes]).encode())
            made = _picture(source, path, looked, boxes, labels.file_of(path), hardness)
            problems += wrong
            if isinstance(made, list):
                problems += made
            elif not wrong:
                items.append(Item(made, looked))
        progress(source.name, number, len(files))
    return items, problems, f"sha256:{digest.hexdigest()}"


def _picture(
    source: SourceEntry,
    path: Path,
    looked: Looked,
    boxes: Sequence[RawBox],
    file: Path,
    hardness: Mapping[str, float],
) -> LabelledPicture | list[Problem]:
    """The picture in the project's classes; or each box whose class the map does not have."""
    missing = [
        Problem(
            file,
            box.line,
            f"class {box.class_name!r} is missing from the class_map of source {source.name!r}",
            is_fatal=True,
        )
        for box in boxes
        if box.class_name not in source.class_map
    ]
    if missing:
        return missing
    kept, difficult = [], []
    for box in boxes:
        ours = source.class_map[box.class_name]
        if ours == IGNORE:  # neither to be found nor wrong: for every class that is judged here
            kept += [(name, box.xyxy) for name in source.labelled]
            difficult += [True] * len(source.labelled)
        elif ours != BACKGROUND:
            kept.append((ours, box.xyxy))
            difficult.append(box.is_crowd)
    return LabelledPicture(
        path=path,
        xyxy=np.array([xyxy for _, xyxy in kept], np.float64).reshape(-1, 4),
        class_names=tuple(name for name, _ in kept),
        labelled=frozenset(source.labelled),
        size_wh=looked.size_wh,
        difficult=np.array(difficult, np.bool_),
        source=source.name,
        group=next((tie.rpartition(":")[2] for tie in ties_of(source, path)), ""),
        hardness=hardness.get(path.name, 0.0),
        repeat=source.repeat,
    )


def ties_of(source: SourceEntry, path: Path) -> tuple[str, ...]:
    """What a picture's file name says it belongs to: each group of the pattern that finds any.

    Without groups in the pattern, what the whole of it finds. Sources with one pattern name their
    files alike, so equal finds tie their pictures too.
    """
    if source.group is None:
        return ()
    relative = path.relative_to(source.path / source.images).as_posix()
    found = re.search(source.group, relative)
    if found is None:
        return ()
    groups = found.groups() or (found[0],)
    return tuple(f"{source.group}:{k}:{text}" for k, text in enumerate(groups) if text)


def hardness_of(source: SourceEntry) -> dict[str, float]:
    """How much each picture teaches, by file name; ConfigError names the line at fault."""
    if source.hardness is None:
        return {}
    path = source.path / source.hardness
    found: dict[str, float] = {}
    for number, line in enumerate(read_text(path).splitlines()[1:], 2):
        name, _, value = line.rpartition(",")
        try:
            found[name] = float(value)
        except ValueError as error:
            raise ConfigError(f"{path}:{number}: expected file,hardness, got {line!r}") from error
        if not 0.0 <= found[name] <= 1.0:
            raise ConfigError(f"{path}:{number}: hardness must lie in 0 to 1, got {value}")
    return found


def _without_copies(items: Sequence[Item]) -> tuple[list[Item], list[Problem]]:
    """Each picture's bytes once; the copies are named, the first stays."""
    first: dict[str, Item] = {}
    problems = []
    for item in items:
        kept = first.setdefault(item.looked.sha256, item)
        if kept is not item:
            what = f"is a duplicate of {kept.picture.path}"
            problems.append(Problem(item.picture.path, None, what))
    return list(first.values()), problems


def _into_parts(items: Sequence[Item], manifest: Manifest) -> list[Item]:
    kept = {} if manifest.split.keep is None else _parts_before(manifest.split.keep)
    fixed: dict[str, Part | None] = {
        s.name: None if s.split == "auto" else s.split for s in manifest.source
    }
    sources = {source.name: source for source in manifest.source}
    candidates = [
        Candidate(
            item.picture.source,
            item.looked.sha256,
            item.looked.looks,
            ties_of(sources[item.picture.source], item.picture.path),
            fixed[item.picture.source] or kept.get(item.looked.sha256),
        )
        for item in items
    ]
    parts = parted(candidates, manifest.split)
    return [replace(item, part=part) for item, part in zip(items, parts, strict=True)]


def _parts_before(folder: Path) -> dict[str, Part]:
    return {str(record["sha256"]): record["part"] for record in read_written(folder)[1]}


def _empty_parts(path: Path, manifest: Manifest, items: Sequence[Item]) -> list[Problem]:
    """A part that is asked for and has no picture."""
    asked: set[Part] = {"train"} if any(s.split != "test" for s in manifest.source) else set()
    asked |= {s.split for s in manifest.source if s.split != "auto"}
    if any(s.split == "auto" for s in manifest.source):
        asked |= {"val"} if manifest.split.val_share else set()
        asked |= {"test"} if manifest.split.test_share else set()
    count = Counter(item.part for item in items)
    return [
        Problem(path, None, f"the split {part!r} would be empty", is_fatal=True)
        for part in PARTS
        if part in asked and not count[part]
    ]


def name_of(item: Item, manifest: Manifest) -> str:
    """The picture's name in a data set, without suffix: source, two underscores, its path."""
    source = next(s for s in manifest.source if s.name == item.picture.source)
    relative = item.picture.path.relative_to(source.path / source.images).with_suffix("")
    return f"{source.name}__{relative.as_posix().replace('/', '__')}"


def record_of(item: Item) -> dict[str, Any]:
    """What the data set says of a picture: JSON values, no path of the machine it was made on."""
    picture = item.picture
    return {
        "sha256": item.looked.sha256,
        "source": picture.source,
        "part": item.part,
        "group": picture.group,
        "size_wh": list(picture.size_wh),
        "labelled": sorted(picture.labelled),
        "hardness": picture.hardness,
        "boxes": [
            {"class": name, "xyxy": [round(v, 3) for v in box], "difficult": bool(hard)}
            for name, box, hard in zip(
                picture.class_names, picture.xyxy.tolist(), picture.difficult, strict=True
            )
        ],
    }


def facts(made: DatasetDraft) -> dict[str, Any]:
    """Everything of the data set that is not a picture."""
    return {
        "name": made.manifest.name,
        "classes": list(made.manifest.classes),
        "sources": [
            {**facts_of(source), "checksum": made.checksums[source.name]}
            for source in made.manifest.source
        ],
        "split": made.manifest.split.model_dump(mode="json", exclude={"keep"}),
    }


def counts(items: Sequence[Item]) -> dict[str, dict[str, dict[str, int]]]:
    """part -> source -> pictures, empty ones, and boxes of each class."""
    table: dict[str, dict[str, Counter[str]]] = {}
    for item in items:
        row = table.setdefault(item.part, {}).setdefault(item.picture.source, Counter())
        row["pictures"] += 1
        row["without a box"] += not item.picture.class_names
        row.update(item.picture.class_names)
    return {
        part: {source: dict(row) for source, row in sorted(rows.items())}
        for part, rows in sorted(table.items())
    }


def look_alike_pairs(made: DatasetDraft) -> list[tuple[Path, Path]]:
    """Pairs of pictures that look alike; they are kept on one side of the split."""
    hashes = [item.looked.looks for item in made.items]
    pairs = look_alikes(hashes, made.manifest.split.hash_distance)
    return [(made.items[i].picture.path, made.items[j].picture.path) for i, j in pairs]
