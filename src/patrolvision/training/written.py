"""A built data set on disk: dataset.json, pictures.jsonl, images/, labels/ and lists as of YOLO."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from patrolvision.errors import ConfigError
from patrolvision.training.labels import LabelledPicture

FACTS, PICTURES = "dataset.json", "pictures.jsonl"


def is_dataset(folder: Path) -> bool:
    """Whether the folder holds a data set that `dataset build` made."""
    return (folder / FACTS).is_file()


def read_written(folder: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A data set's facts and its pictures' records; ConfigError names what cannot be read."""
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        lines = (folder / PICTURES).read_text(encoding="utf-8").splitlines()
        return facts, [json.loads(line) for line in lines]
    except OSError as error:
        raise ConfigError(
            f"{folder}: expected a data set made by `dataset build`, with {FACTS} and {PICTURES} "
            f"({error.strerror})"
        ) from error
    except ValueError as error:
        raise ConfigError(f"{folder}: its {FACTS} or {PICTURES} is garbled ({error})") from error


def read_dataset(folder: Path, part: str | None = None) -> list[LabelledPicture]:
    """The pictures of a built data set, or of one part (train, val, test) of it, in its order.

    ConfigError if the folder is no data set or the part has no picture.
    """
    _, records = read_written(folder)
    chosen = [record for record in records if part is None or record["part"] == part]
    if not chosen:
        raise ConfigError(f"{folder}: the split {part or 'of all parts'!r} is empty")
    try:
        return [picture_of(record, folder) for record in chosen]
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{folder / PICTURES}: a record is garbled ({error!r})") from error


def picture_of(record: dict[str, Any], folder: Path) -> LabelledPicture:
    """The picture of one record."""
    boxes = record["boxes"]
    width, height = record["size_wh"]
    return LabelledPicture(
        path=folder / record["file"],
        xyxy=np.array([box["xyxy"] for box in boxes], np.float64).reshape(-1, 4),
        class_names=tuple(box["class"] for box in boxes),
        labelled=frozenset(record["labelled"]),
        size_wh=(int(width), int(height)),
        difficult=np.array([box.get("difficult", False) for box in boxes], np.bool_),
        source=record["source"],
        group=record["group"],
        hardness=float(record.get("hardness", 0.0)),
        repeat=float(record.get("repeat", 1.0)),
    )
