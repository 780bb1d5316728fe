"""A data set as data: which pictures, from where, under which terms, and what their labels mean.

A TOML file. Classes of a source are mapped to the project's, to "background" (a thing that must
not be found: a hard negative) or to "ignore" (neither). `labelled` names the classes of which the
source boxes every thing; of the others its pictures teach no absence.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from patrolvision.errors import ConfigError
from patrolvision.training.problems import Problem

BACKGROUND, IGNORE = "background", "ignore"
Part = Literal["train", "val", "test"]
PARTS: tuple[Part, ...] = ("train", "val", "test")
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*$", max_length=80)]
Share = Annotated[float, Field(ge=0, lt=1)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SplitRule(_Frozen):
    """How pictures are parted; shares are of each source, in whole groups."""

    val_share: Share = 0.15
    test_share: Share = 0.0
    hash_distance: Annotated[int, Field(ge=0, le=32)] = 8  # bits of 64: closer is a look-alike
    seed: int = 0
    keep: Path | None = None  # an earlier version's folder: what it parted stays where it was


class SourceEntry(_Frozen):
    """One folder of labelled pictures; paths inside it are relative to `path`."""

    name: Name
    path: Path
    format: Literal["yolo", "coco"] = "yolo"
    images: str = "images"
    labels: str = "labels"  # of yolo: the folder of .txt files
    classes: str | tuple[str, ...] = "classes.txt"  # of yolo: a file, one name a line, or the names
    annotations: str = "annotations.json"  # of coco
    class_map: dict[str, str]
    labelled: tuple[str, ...]
    licence: str = ""
    origin: str = ""
    released: bool = False  # whether its terms allow it in a model that is given away
    checksum: str | None = None  # as `dataset stats` prints it
    group: str | None = None  # regular expression; what its groups find in a file's name ties it
    hardness: str | None = None  # a CSV of file, hardness: how much each picture teaches, 0 to 1
    split: Literal["auto", "train", "val", "test"] = "auto"
    repeat: Annotated[float, Field(gt=0, le=100)] = 1.0  # how often a picture comes in an epoch

    @field_validator("group")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise ValueError(f"{pattern!r} is not a regular expression ({error})") from error
        return pattern


class Manifest(_Frozen):
    """A manifest file, its sources' paths resolved against its folder."""

    name: Name
    classes: tuple[str, ...] = Field(min_length=1)
    split: SplitRule = Field(default_factory=SplitRule)
    source: tuple[SourceEntry, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _fits(self) -> Manifest:
        names = [source.name for source in self.source]
        for what, given in (("classes", self.classes), ("source names", tuple(names))):
            twice = sorted({name for name in given if given.count(name) > 1})
            if twice:
                raise ValueError(f"{what}: {twice[0]!r} is given twice")
        reserved = {BACKGROUND, IGNORE} & set(self.classes)
        if reserved:
            raise ValueError(f"classes: {sorted(reserved)[0]!r} has a meaning of its own in maps")
        for source in self.source:
            self._check_targets(source)
        return self

    def _check_targets(self, source: SourceEntry) -> None:
        known = {*self.classes, BACKGROUND, IGNORE}
        for theirs, ours in source.class_map.items():
            if ours not in known:
                raise ValueError(
                    f"source {source.name!r}: class_map sends {theirs!r} to {ours!r}, which is no "
                    f"class of the manifest: expected one of {', '.join(sorted(known))}"
                )
        for name in source.labelled:
            if name not in self.classes:
                raise ValueError(f"source {source.name!r}: labelled names unknown class {name!r}")


def load_manifest(path: Path) -> Manifest:
    """The manifest of a TOML file; ConfigError names the file, line and field that is wrong."""
    text = read_text(path)
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: is not valid TOML ({error})") from error
    try:
        manifest = Manifest.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_explained(path, text, error)) from error
    return _resolved(manifest, path.parent)


def read_text(path: Path) -> str:
    """The text of a UTF-8 file; ConfigError names one that cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text ({error})") from error


def unlicensed(path: Path, manifest: Manifest) -> list[Problem]:
    """A fatal problem for each source that names no licence, with its line in the manifest."""
    text = read_text(path)
    return [
        Problem(
            path,
            line_of(text, index, "licence"),
            f"source {source.name!r} names no licence: write the terms, or 'none stated'",
            is_fatal=True,
        )
        for index, source in enumerate(manifest.source)
        if not source.licence.strip()
    ]


def line_of(text: str, source: int | None, key: str, table: str = "source") -> int:
    """The line, from 1, of a key; where it is missing, of its [[source]] table (by index)."""
    lines = text.splitlines()
    starts = [k for k, line in enumerate(lines) if re.match(rf"\s*\[\[\s*{table}\s*\]\]", line)]
    first, last = 0, len(lines)
    if source is not None and source < len(starts):
        first = starts[source]
        last = starts[source + 1] if source + 1 < len(starts) else len(lines)
    for number in range(first, last):
        if re.match(rf"\s*{re.escape(key)}\s*=", lines[number]):
            return number + 1
    return first + 1


def _explained(path: Path, text: str, error: ValidationError) -> str:
    first = error.errors()[0]
    where = list(first["loc"])
    source = where[1] if len(where) > 1 and where[0] == "source" else None
    keys = [str(part) for part in where if isinstance(part, str) and part != "source"]
    line = line_of(text, source if isinstance(source, int) else None, keys[0] if keys else "")
    named = ".".join(str(part) for part in where)
    what = first["msg"].removeprefix("Value error, ")
    return f"{path}:{line}: {named + ': ' if named else ''}{what}"


def _resolved(manifest: Manifest, folder: Path) -> Manifest:
    sources = tuple(s.model_copy(update={"path": folder / s.path}) for s in manifest.source)
    keep = manifest.split.keep
    split = manifest.split.model_copy(update={"keep": None if keep is None else folder / keep})
    return manifest.model_copy(update={"source": sources, "split": split})


def facts_of(source: SourceEntry) -> dict[str, Any]:
    """What a card and a data set say of a source."""
    return {
        "name": source.name,
        "origin": source.origin,
        "licence": source.licence,
        "released": source.released,
        "labelled": list(source.labelled),
        "class_map": dict(sorted(source.class_map.items())),
        "repeat": source.repeat,
    }
