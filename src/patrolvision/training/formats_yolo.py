"""YOLO: one text file a picture, `class cx cy w h` a line, in shares of width and height."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from patrolvision.errors import ConfigError
from patrolvision.training.labels import LabelledPicture
from patrolvision.training.manifest import SourceEntry, read_text
from patrolvision.training.problems import Problem
from patrolvision.training.raw import RawBox

SLACK = 1e-3  # rounding of whoever wrote the file


class YoloLabels:
    """The labels of a YOLO source: images/a/b.jpg has labels/a/b.txt."""

    def __init__(self, source: SourceEntry) -> None:
        self._images = source.path / source.images
        self._labels = source.path / source.labels
        self.names = _names(source)
        if not self._labels.is_dir():
            raise ConfigError(
                f"source {source.name!r}: there is no folder of labels {self._labels}"
            )

    def file_of(self, picture: Path) -> Path:
        """The picture's .txt file."""
        return (self._labels / picture.relative_to(self._images)).with_suffix(".txt")

    def boxes_of(
        self, picture: Path, size_wh: tuple[int, int]
    ) -> tuple[list[RawBox], list[Problem]]:
        """Boxes and faults of the picture's label file; an empty one has neither."""
        path = self.file_of(picture)
        try:
            text = path.read_text(encoding="utf-8")
        except OSError:
            what = "has no label file: an empty one would say that nothing is there"
            return [], [Problem(picture, None, what)]
        except UnicodeDecodeError:
            return [], [Problem(path, None, "is not text")]
        boxes, problems = [], []
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip():
                continue
            read = row(line, self.names, size_wh)
            if isinstance(read, str):
                problems.append(Problem(path, number, read))
            else:
                boxes.append(RawBox(read[0], read[1], number))
        return boxes, problems

    def strays(self, pictures: Sequence[Path]) -> list[Problem]:
        """Label files without a picture."""
        known = {self.file_of(picture) for picture in pictures}
        files = sorted(p for p in self._labels.rglob("*.txt") if p.name != "classes.txt")
        return [Problem(p, None, "has labels for no picture") for p in files if p not in known]


def row(
    line: str, names: Sequence[str], size_wh: tuple[int, int]
) -> tuple[str, tuple[float, float, float, float]] | str:
    """Class and box in pixels of one line, of a polygon its hull; a sentence if it is wrong."""
    parts = line.split()
    try:
        values = [float(part) for part in parts]
    except ValueError:
        return f"expected numbers 'class cx cy w h', got {line.strip()[:60]!r}"
    is_polygon = len(values) >= 7 and len(values) % 2 == 1
    if len(values) != 5 and not is_polygon:
        return f"expected 5 numbers 'class cx cy w h', got {len(values)}"
    if not all(math.isfinite(value) for value in values):
        return f"expected finite numbers, got {line.strip()[:60]!r}"
    if values[0] != int(values[0]) or not 0 <= values[0] < len(names):
        return f"class {parts[0]} is out of range: the source has classes 0 to {len(names) - 1}"
    outside = [v for v in values[1:] if not -SLACK <= v <= 1 + SLACK]
    if outside:
        return f"{outside[0]:g} is out of range: shares of the picture lie in 0 to 1"
    xyxy = _hull(values[1:]) if is_polygon else _corners(values[1:])
    clipped = [min(max(v, 0.0), 1.0) for v in xyxy]
    if clipped[2] - clipped[0] <= 0 or clipped[3] - clipped[1] <= 0:
        return f"the box has no area: {line.strip()[:60]!r}"
    width, height = size_wh
    x1, y1, x2, y2 = clipped
    return names[int(values[0])], (x1 * width, y1 * height, x2 * width, y2 * height)


def _corners(values: Sequence[float]) -> list[float]:
    x, y, w, h = values
    return [x - w / 2, y - h / 2, x + w / 2, y + h / 2]


def _hull(values: Sequence[float]) -> list[float]:
    xs, ys = values[0::2], values[1::2]
    return [min(xs), min(ys), max(xs), max(ys)]


def rows_of(picture: LabelledPicture, classes: Sequence[str]) -> str:
    """The text of the picture's label file; difficult boxes have no place in this format."""
    index: Mapping[str, int] = {name: k for k, name in enumerate(classes)}
    width, height = picture.size_wh
    lines = []
    for name, box, difficult in zip(
        picture.class_names, picture.xyxy.tolist(), picture.difficult, strict=True
    ):
        if name not in index or difficult:
            continue
        x1, y1, x2, y2 = box[0] / width, box[1] / height, box[2] / width, box[3] / height
        place = ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)
        lines.append(f"{index[name]} " + " ".join(f"{value:.6f}" for value in place) + "\n")
    return "".join(lines)


def data_yaml(classes: Sequence[str], parts: Sequence[str]) -> str:
    """The data.yaml beside it, as ultralytics and others read it."""
    quoted = [f"  {k}: '{name}'" for k, name in enumerate(classes)]
    lists = [f"{part}: {part}.txt" for part in parts]
    return "\n".join(["path: .", *lists, "names:", *quoted, ""])


def _names(source: SourceEntry) -> tuple[str, ...]:
    if not isinstance(source.classes, str):
        return source.classes
    names = tuple(line.strip() for line in read_text(source.path / source.classes).splitlines())
    while names and not names[-1]:
        names = names[:-1]
    if not names:
        raise ConfigError(f"{source.path / source.classes}: names no class")
    return names
