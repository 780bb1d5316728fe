"""What is wrong with one item of a data set, and where: collected, never thrown away."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault; line counts from 1, None where the fault is the file's as a whole.

    is_fatal: the data set as such cannot be built; else the item is left out and the rest goes on.
    """

    path: Path
    line: int | None
    what: str
    is_fatal: bool = False

    def __str__(self) -> str:
        where = f"{self.path}" if self.line is None else f"{self.path}:{self.line}"
        return f"{where}: {self.what}"
