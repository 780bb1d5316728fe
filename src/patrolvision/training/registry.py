"""The registry of algorithms: which class means which hazard, from which certainty, where and when.

A TOML file, so that a class that a new detector knows becomes tickets without a line of code. The
project's own hazards stand in registry.toml beside this file; a city's file adds algorithms, and
one of a name that is there already takes its place.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from patrolvision.errors import ConfigError
from patrolvision.training.manifest import line_of, read_text
from patrolvision.types import Platform

OWN = Path(__file__).with_name("registry.toml")
Share = Annotated[float, Field(ge=0, le=1)]
Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Word
    version: Annotated[str, Field(min_length=1, max_length=40)]
    owner: Annotated[str, Field(min_length=1, max_length=200)]
    classes: Annotated[dict[Word, Word], Field(min_length=1)]  # the detector's class -> category
    review: Share = 0.25  # a score from which a person is asked
    enforce: Share = 0.6  # a score from which it becomes a ticket
    frames: Annotated[int, Field(ge=1, le=1000)] = 2  # seen in fewer, it is only a question
    priority: Literal["normal", "high", "urgent"] = "normal"
    suits: Annotated[tuple[Platform, ...], Field(min_length=1)] = ("car", "drone")
    hours: str = "24/7"  # OSM opening_hours: when it is looked for

    @model_validator(mode="after")
    def _in_order(self) -> _Entry:
        if self.review > self.enforce:
            raise ValueError(f"review {self.review} must not lie above enforce {self.enforce}")
        return self


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    algorithm: tuple[_Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One algorithm: who answers for it, what it finds, and when that counts."""

    name: str
    version: str
    owner: str
    classes: tuple[tuple[str, str], ...]  # the detector's class, the category
    review: float
    enforce: float
    frames: int
    priority: Literal["normal", "high", "urgent"]
    suits: frozenset[str]
    hours: str

    @property
    def id(self) -> str:
        """name@version: what a finding carries."""
        return f"{self.name}@{self.version}"


def load_registry(path: Path | None = None) -> tuple[Algorithm, ...]:
    """The project's algorithms with those of a city's file over them; read anew when it changes.

    Raises ConfigError that names the file, line and field at fault, or the class that two
    algorithms claim.
    """
    try:
        changed_ns = 0 if path is None else path.stat().st_mtime_ns
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    return _load(path, changed_ns)


@lru_cache(maxsize=16)
def _load(path: Path | None, _changed_ns: int) -> tuple[Algorithm, ...]:
    found = {algorithm.name: algorithm for algorithm in _read(OWN)}
    if path is not None:
        found |= {algorithm.name: algorithm for algorithm in _read(path)}
    owner: dict[str, str] = {}
    for algorithm in found.values():
        for class_name, _ in algorithm.classes:
            if class_name in owner:
                raise ConfigError(
                    f"{path}: class {class_name!r} is claimed by {owner[class_name]!r} and "
                    f"{algorithm.name!r}"
                )
            owner[class_name] = algorithm.name
    return tuple(found.values())


def unsuited(algorithms: Sequence[Algorithm], platform: str) -> frozenset[str]:
    """The classes that are not to be looked for from such a vehicle."""
    return frozenset(
        class_name
        for algorithm in algorithms
        if platform not in algorithm.suits
        for class_name, _ in algorithm.classes
    )


def _read(path: Path) -> tuple[Algorithm, ...]:
    text = read_text(path)
    try:
        file = _File.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: is not valid TOML ({error})") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = [str(part) for part in first["loc"]]
        number = int(where[1]) if len(where) > 1 and where[1].isdigit() else None
        line = line_of(text, number, where[2] if len(where) > 2 else "", table="algorithm")
        what = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{path}:{line}: {'.'.join(where)}: {what}") from error
    names = [entry.name for entry in file.algorithm]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"{path}: algorithm {twice!r} is there twice")
    return tuple(_algorithm(entry) for entry in file.algorithm)


def _algorithm(entry: _Entry) -> Algorithm:
    return Algorithm(
        name=entry.name,
        version=entry.version,
        owner=entry.owner,
        classes=tuple(sorted(entry.classes.items())),
        review=entry.review,
        enforce=entry.enforce,
        frames=entry.frames,
        priority=entry.priority,
        suits=frozenset(entry.suits),
        hours=entry.hours,
    )
