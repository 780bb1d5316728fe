"""Boxes as a source has them, before its classes are mapped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from patrolvision.training.problems import Problem


@dataclass(frozen=True, slots=True)
class RawBox:
    """One box in pixels of the upright picture; line is where its label stands, from 1."""

    class_name: str
    xyxy: tuple[float, float, float, float]
    line: int | None = None
    is_crowd: bool = False  # a box around many things, not to be counted


class SourceLabels(Protocol):
    """The labels of one source, in whatever format."""

    def file_of(self, picture: Path) -> Path:
        """Where the labels of a picture stand."""

    def boxes_of(
        self, picture: Path, size_wh: tuple[int, int]
    ) -> tuple[list[RawBox], list[Problem]]:
        """The boxes of a picture of that size, and what is wrong with its labels."""

    def strays(self, pictures: Sequence[Path]) -> list[Problem]:
        """Labels that belong to none of these pictures."""
