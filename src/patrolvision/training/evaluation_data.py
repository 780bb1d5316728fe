"""DATA.yaml -> the pictures to judge a detector on: as ultralytics writes it, or `dataset build`.

Keys: path (relative to the file, default its folder), train, val, test (a folder, a list file, or
several of them), names. Ours, all optional: class_map (their class -> ours, "background" or
"ignore"), labelled (source -> the classes of which it boxes every thing; default: all), and group
(a regular expression: what it finds in a file's name is the picture's clip). A picture's
source is what stands before two underscores in its name. A sixth number of a label line is the
number of the thing in its clip. Where `path` holds a data set of `dataset build`, its own records
say all this.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from patrolvision.errors import ConfigError
from patrolvision.training.evaluation_incidents import Things
from patrolvision.training.formats_yolo import row
from patrolvision.training.labels import LabelledPicture
from patrolvision.training.manifest import BACKGROUND, IGNORE
from patrolvision.training.pictures import SUFFIXES, decoded
from patrolvision.training.problems import Problem
from patrolvision.training.written import is_dataset, read_dataset
from patrolvision.types import Image


@dataclass(frozen=True, slots=True, eq=False)
class DataFile:
    """What DATA.yaml says of one part; names are as its labels number them."""

    path: Path
    part: str
    names: tuple[str, ...]
    class_map: Mapping[str, str]
    labelled: Mapping[str, frozenset[str]]  # by source; a source that is not here labels all
    group: str | None
    files: tuple[Path, ...]
    written: Mapping[Path, LabelledPicture] = field(default_factory=dict)  # of `dataset build`


def read_data(path: Path, part: str, classes: Sequence[str]) -> DataFile:
    """The pictures of a part and how to read their labels in a model's classes.

    Raises ConfigError that names the file and key at fault: not YAML or TOML, no such part, an
    empty one, a class that the model does not have and class_map does not mention.
    """
    value = _parsed(path)
    root = path.parent / str(value.get("path") or ".")
    names = _names(path, value.get("names"))
    class_map = _class_map(path, value.get("class_map"), names, classes)
    if is_dataset(root):
        written = {p.path: _mapped(p, class_map) for p in read_dataset(root, part)}
        files = tuple(written)
    else:
        written, files = {}, _files(path, root, part, value.get(part))
    labelled = {
        str(source): frozenset(str(name) for name in theirs)
        for source, theirs in _table(path, "labelled", value.get("labelled")).items()
    }
    for source, theirs in labelled.items():
        if unknown := sorted(theirs - set(names) - set(class_map.values())):
            raise ConfigError(f"{path}: labelled.{source} has {unknown[0]!r}, which is no class")
    group = value.get("group")
    try:
        re.compile(group or "")
    except (re.error, TypeError) as error:
        raise ConfigError(f"{path}: group is no regular expression ({error})") from error
    return DataFile(path, part, names, class_map, labelled, group, files, written)


def look(data: DataFile, path: Path) -> tuple[Image, LabelledPicture, Things] | list[Problem]:
    """One picture with its labels in the model's classes; or what is wrong with it."""
    try:
        image = decoded(path.read_bytes())
    except OSError as error:
        return [Problem(path, None, f"cannot be read ({error.strerror})")]
    if image is None:
        return [Problem(path, None, "is not a picture that can be decoded")]
    size_wh = (image.shape[1], image.shape[0])
    if path in data.written:
        picture = data.written[path]
        if picture.size_wh != size_wh:
            return [Problem(path, None, f"is {size_wh}, its record says {picture.size_wh}")]
        return image, picture, np.full(len(picture.class_names), -1)
    read = _labels(data, path, size_wh)
    return read if isinstance(read, list) else (image, *read)


def _labels(
    data: DataFile, path: Path, size_wh: tuple[int, int]
) -> tuple[LabelledPicture, Things] | list[Problem]:
    file = label_file(path)
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        what = f"has no label file {file.name}: an empty one would say that nothing is there"
        return [Problem(path, None, what)]
    except UnicodeDecodeError:
        return [Problem(file, None, "is not text")]
    source = path.name.partition("__")[0] if "__" in path.name else ""
    ours = {name: data.class_map.get(name, name) for name in data.names}
    told = data.labelled.get(source, frozenset(data.names))
    labelled = frozenset(ours.get(name, name) for name in told) - {BACKGROUND, IGNORE}
    kept: list[tuple[str, tuple[float, ...], bool, int]] = []
    problems = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        parts = line.split()
        is_numbered = len(parts) == 6 and parts[5].lstrip("-").isdigit()
        read = row(" ".join(parts[:5]) if is_numbered else line, data.names, size_wh)
        if isinstance(read, str):
            problems.append(Problem(file, number, read))
            continue
        thing = int(parts[5]) if is_numbered else -1
        name = ours[read[0]]
        if name == IGNORE:  # neither to be found nor wrong, whatever it is taken for
            kept += [(other, read[1], True, -1) for other in sorted(labelled)]
        elif name != BACKGROUND:
            kept.append((name, read[1], False, thing))
    if problems:
        return problems
    picture = LabelledPicture(
        path=path,
        xyxy=np.array([box for _, box, _, _ in kept], np.float64).reshape(-1, 4),
        class_names=tuple(name for name, _, _, _ in kept),
        labelled=labelled,
        size_wh=size_wh,
        difficult=np.array([hard for _, _, hard, _ in kept], np.bool_),
        source=source,
        group=_clip(data.group, path),
    )
    return picture, np.array([thing for _, _, _, thing in kept], np.int64)


def label_file(picture: Path) -> Path:
    """…/images/a.jpg has …/labels/a.txt; a picture elsewhere has its labels beside it."""
    parts = list(picture.parts)
    for k in range(len(parts) - 2, -1, -1):
        if parts[k] == "images":
            parts[k] = "labels"
            break
    return Path(*parts).with_suffix(".txt")


def _clip(group: str | None, path: Path) -> str:
    found = re.search(group, path.name) if group else None
    return "" if found is None else next((g for g in found.groups() if g), found[0])


def _mapped(picture: LabelledPicture, class_map: Mapping[str, str]) -> LabelledPicture:
    """The picture with the file's class_map over the classes its records have."""
    ours = [class_map.get(name, name) for name in picture.class_names]
    kept = np.array([name not in (BACKGROUND, IGNORE) for name in ours], np.bool_)
    return replace(
        picture,
        xyxy=picture.xyxy[kept],
        class_names=tuple(n for n, is_kept in zip(ours, kept, strict=True) if is_kept),
        difficult=picture.difficult[kept],
        labelled=frozenset(class_map.get(name, name) for name in picture.labelled)
        - {BACKGROUND, IGNORE},
    )


def _parsed(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text") from error
    if path.suffix.lower() == ".toml":
        try:
            return tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{path}: is not TOML ({error})") from error
    import yaml

    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark is not None else ""
        raise ConfigError(f"{path}: is not YAML{where}") from error
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: expected keys such as path, val and names")
    return value


def _table(path: Path, key: str, value: Any) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: {key} must be a table, got {type(value).__name__}")
    return value


def _names(path: Path, value: Any) -> tuple[str, ...]:
    if isinstance(value, list) and value:
        return tuple(str(name) for name in value)
    if isinstance(value, dict) and value:
        try:
            numbered = {int(number): str(name) for number, name in value.items()}
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{path}: names must be numbered from 0") from error
        if sorted(numbered) == list(range(len(numbered))):
            return tuple(numbered[k] for k in range(len(numbered)))
    raise ConfigError(f"{path}: names must be a list of classes, or numbers from 0 with a class")


def _class_map(
    path: Path, value: Any, names: Sequence[str], classes: Sequence[str]
) -> dict[str, str]:
    given = {str(a): str(b) for a, b in _table(path, "class_map", value).items()}
    known = (*classes, BACKGROUND, IGNORE)
    foreign = {name: given.get(name, name) for name in names if given.get(name, name) not in known}
    if foreign:
        whole = {name: given.get(name, name) for name in (*given, *names) if name not in foreign}
        whole = {name: ours for name, ours in whole.items() if name != ours}
        line = _line_of_map({**whole, **dict.fromkeys(foreign, BACKGROUND)}, path)
        told = ", ".join(repr(ours) for ours in foreign.values())
        raise ConfigError(
            f"{path}: class {told} is none of the model's ({', '.join(classes)}): "
            f"write {line} with what each is to the model, one of its classes, {BACKGROUND} "
            f"(must not be found) or {IGNORE} (counts neither way)"
        )
    return given


def _line_of_map(class_map: Mapping[str, str], path: Path) -> str:
    """The line that would say so in this file, as YAML or TOML."""
    if path.suffix.lower() == ".toml":
        inner = ", ".join(f"{json.dumps(a)} = {json.dumps(b)}" for a, b in class_map.items())
        return f"class_map = {{ {inner} }}"
    return "class_map: {" + ", ".join(f"{a}: {b}" for a, b in class_map.items()) + "}"


def _files(path: Path, root: Path, part: str, value: Any) -> tuple[Path, ...]:
    if value is None:
        raise ConfigError(f"{path}: has no part {part!r}")
    files: list[Path] = []
    for entry in value if isinstance(value, list) else [value]:
        place = root / str(entry)
        if place.is_dir():
            files += sorted(p for p in place.rglob("*") if p.suffix.lower() in SUFFIXES)
        elif place.suffix == ".txt" and place.is_file():
            files += _listed(place, root)
        else:
            raise ConfigError(f"{path}: {part}: there is no folder or list {place}")
    if not files:
        raise ConfigError(f"{path}: the part {part!r} is empty")
    return tuple(dict.fromkeys(files))


def _listed(listing: Path, root: Path) -> list[Path]:
    lines = [line.strip() for line in listing.read_text(encoding="utf-8").splitlines()]
    entries = [Path(line) for line in lines if line]
    return [listing.parent / e if (listing.parent / e).is_file() else root / e for e in entries]
