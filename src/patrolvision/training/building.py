"""Writes a data set: pictures, labels as of YOLO (and COCO), lists, records, facts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from patrolvision.errors import ConfigError
from patrolvision.training.dataset import DatasetDraft, Item, counts, facts, name_of, record_of
from patrolvision.training.files import copy_whole, write_json, write_whole
from patrolvision.training.formats_coco import coco_of
from patrolvision.training.formats_yolo import data_yaml, rows_of
from patrolvision.training.manifest import PARTS, Manifest
from patrolvision.training.written import FACTS, PICTURES


def refuse_fatal(made: DatasetDraft) -> None:
    """Raise ConfigError with the first fault that makes the data set as such impossible."""
    fatal = [problem for problem in made.problems if problem.is_fatal]
    if fatal:
        more = f" (and {len(fatal) - 1} more: see `dataset check`)" if len(fatal) > 1 else ""
        raise ConfigError(f"{fatal[0]}{more}")


def write_dataset(made: DatasetDraft, out: Path, *, with_coco: bool = False) -> Path:
    """Write the data set to out/<name>-<version> and return that folder.

    dataset.json is written last: a folder without it is not a data set, and the same build run
    again completes it. Raises ConfigError for a fatal problem, OutputError for a full disk.
    """
    refuse_fatal(made)
    folder = out / f"{made.manifest.name}-{made.version}"
    if (folder / FACTS).is_file():
        return folder
    classes = made.manifest.classes
    repeats = {source.name: source.repeat for source in made.manifest.source}
    named = sorted(((file_name(item, made.manifest), item) for item in made.items), key=_by_name)
    for name, item in named:
        copy_whole(item.picture.path, folder / "images" / name)
        text = rows_of(item.picture, classes)
        write_whole((folder / "labels" / name).with_suffix(".txt"), text.encode())
    parts = [part for part in PARTS if any(item.part == part for _, item in named)]
    for part in parts:
        mine = [(name, item) for name, item in named if item.part == part]
        listing = "".join(f"./images/{name}\n" for name, _ in mine)
        write_whole(folder / f"{part}.txt", listing.encode())
        if with_coco:
            text = coco_of([(name, item.picture) for name, item in mine], classes)
            write_whole(folder / f"coco_{part}.json", text.encode())
    write_whole(folder / "data.yaml", data_yaml(classes, parts).encode())
    records = [
        {"file": f"images/{name}", **record_of(item), "repeat": repeats[item.picture.source]}
        for name, item in named
    ]
    lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    write_whole(folder / PICTURES, lines.encode())
    write_json(folder / FACTS, summary(made))
    return folder


def summary(made: DatasetDraft) -> dict[str, Any]:
    """The data set's facts with its version and counts, as dataset.json has them."""
    return {**facts(made), "version": made.version, "counts": counts(made.items)}


def file_name(item: Item, manifest: Manifest) -> str:
    """The picture's file in the data set's images folder."""
    return name_of(item, manifest) + item.picture.path.suffix.lower()


def _by_name(named: tuple[str, Item]) -> str:
    return named[0]
