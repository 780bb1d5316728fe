"""COCO: one JSON file with images, annotations ([x, y, width, height] in pixels) and categories."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from patrolvision.errors import ConfigError
from patrolvision.training.labels import LabelledPicture
from patrolvision.training.manifest import SourceEntry, read_text
from patrolvision.training.problems import Problem
from patrolvision.training.raw import RawBox

SLACK_PX = 1.0


class CocoLabels:
    """The labels of a COCO source; a picture is found by its file_name below the image folder.

    A problem's place is the line of the annotation's id in the file.
    """

    def __init__(self, source: SourceEntry) -> None:
        self._folder = source.path / source.images
        self._path = source.path / source.annotations
        self._text = read_text(self._path)
        try:
            value = json.loads(self._text)
            self._images = {str(i["file_name"]): i for i in value["images"]}
            self._names = {c["id"]: str(c["name"]) for c in value["categories"]}
            annotations = list(value["annotations"])
            self._of: dict[Any, list[dict[str, Any]]] = {}
            for annotation in annotations:
                self._of.setdefault(annotation["image_id"], []).append(annotation)
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{self._path}: is not COCO detection JSON ({error!r})") from error
        self.names = tuple(self._names.values())

    def file_of(self, picture: Path) -> Path:
        """The one file of all labels."""
        return self._path

    def boxes_of(
        self, picture: Path, size_wh: tuple[int, int]
    ) -> tuple[list[RawBox], list[Problem]]:
        """Boxes and faults of the picture's annotations."""
        name = picture.relative_to(self._folder).as_posix()
        image = self._images.get(name)
        if image is None:
            return [], [Problem(picture, None, f"is not among the images of {self._path.name}")]
        told = (image.get("width"), image.get("height"))
        if None not in told and told != size_wh:
            what = f"{name} is {size_wh[0]}x{size_wh[1]} upright, but {told[0]}x{told[1]} here"
            return [], [Problem(self._path, None, what)]
        boxes, problems = [], []
        for annotation in self._of.get(image["id"], ()):
            read = self._box(annotation, size_wh)
            if isinstance(read, str):
                problems.append(Problem(self._path, self._line(annotation), read))
            else:
                boxes.append(read)
        return boxes, problems

    def strays(self, pictures: Sequence[Path]) -> list[Problem]:
        """Images that the file tells of and the folder lacks."""
        there = {p.relative_to(self._folder).as_posix() for p in pictures}
        missing = sorted(set(self._images) - there)
        return [Problem(self._path, None, f"tells of {name}, which is missing") for name in missing]

    def _box(self, annotation: dict[str, Any], size_wh: tuple[int, int]) -> RawBox | str:
        who = f"annotation {annotation.get('id')}"
        category = annotation.get("category_id")
        if category not in self._names:
            return f"{who}: category_id {category} is out of range: it is no category of the file"
        try:
            x, y, w, h = (float(value) for value in annotation["bbox"])
        except (KeyError, TypeError, ValueError):
            return f"{who}: expected bbox [x, y, width, height], got {annotation.get('bbox')}"
        if not all(math.isfinite(v) for v in (x, y, w, h)) or w <= 0 or h <= 0:
            return f"{who}: the box has no area: {annotation['bbox']}"
        width, height = size_wh
        low, right, bottom = -SLACK_PX, width + SLACK_PX, height + SLACK_PX
        if x < low or y < low or x + w > right or y + h > bottom:
            return f"{who}: {annotation['bbox']} is out of range of {width}x{height} pixels"
        edges = (max(x, 0.0), max(y, 0.0), min(x + w, float(width)), min(y + h, float(height)))
        line = self._line(annotation)
        return RawBox(self._names[category], edges, line, bool(annotation.get("iscrowd")))

    def _line(self, annotation: dict[str, Any]) -> int:
        """Line of the annotation's bbox as it stands in the file; 1 if the file is one line."""
        text = json.dumps(annotation.get("id"))
        section = self._text.find('"annotations"')
        for form in (f'"id": {text}', f'"id":{text}'):
            place = self._text.find(form, max(section, 0))
            if place >= 0:
                return self._text.count("\n", 0, place) + 1
        return 1


def coco_of(pictures: Sequence[tuple[str, LabelledPicture]], classes: Sequence[str]) -> str:
    """COCO JSON of (file name, picture) pairs; a difficult box is a crowd, which is not counted."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, (name, picture) in enumerate(pictures, 1):
        width, height = picture.size_wh
        images.append({"id": number, "file_name": name, "width": width, "height": height})
        for class_name, box, difficult in zip(
            picture.class_names, picture.xyxy.tolist(), picture.difficult.tolist(), strict=True
        ):
            x1, y1, x2, y2 = (round(value, 3) for value in box)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": classes.index(class_name) + 1,
                    "bbox": [x1, y1, round(x2 - x1, 3), round(y2 - y1, 3)],
                    "area": round((x2 - x1) * (y2 - y1), 3),
                    "iscrowd": int(difficult),
                }
            )
    categories = [{"id": k, "name": name} for k, name in enumerate(classes, 1)]
    value = {"images": images, "annotations": annotations, "categories": categories}
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"
