"""The office's rules as tables: CSV files that a city replaces; a mistake is named by file, row and
column. Rows are counted as a spreadsheet counts them: the header is row 1.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

from patrolvision.errors import ConfigError

T = TypeVar("T")
TABLES = (
    "categories", "causes", "deadlines", "hours", "holidays", "levels", "dispatch", "retention",
    "scoring", "sensors")  # fmt: skip
LARGEST_TABLE = 5_000_000  # bytes


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table; every complaint names file, row and column."""

    table: str
    number: int
    cells: Mapping[str, str]

    def wrong(self, column: str, expected: str) -> ConfigError:
        """The complaint that a cell is not what it should be."""
        found = self.cells.get(column, "")
        shown = repr(found if len(found) <= 60 else found[:57] + "…")
        return ConfigError(
            f"{self.table}: row {self.number}, column {column}: expected {expected}, found {shown}"
        )

    def text(self, column: str) -> str:
        """A cell that must say something."""
        value = self.cells[column]
        if not value:
            raise self.wrong(column, "a text")
        return value

    def one_of(self, column: str, choices: Sequence[str]) -> str:
        """A cell that must be one of a few words."""
        value = self.cells[column]
        if value not in choices:
            raise self.wrong(column, f"one of {', '.join(choices)}")
        return value

    def yes(self, column: str) -> bool:
        """Whether a cell says yes."""
        return self.one_of(column, ("yes", "no")) == "yes"

    def number_from(self, column: str, low: float, high: float = math.inf) -> float:
        """A finite number within bounds."""
        limits = f"from {low:g}" if math.isinf(high) else f"in [{low:g}, {high:g}]"
        expected = f"a number {limits}"
        try:
            value = float(self.cells[column])
        except ValueError:
            raise self.wrong(column, expected) from None
        if not (math.isfinite(value) and low <= value <= high):
            raise self.wrong(column, expected)
        return value

    def read(self, column: str, reader: Callable[[str], T], expected: str) -> T:
        """A cell as a reader that raises ValueError understands it."""
        try:
            return reader(self.cells[column])
        except ValueError as error:
            reason = str(error)
            raise self.wrong(column, f"{expected} ({reason})" if reason else expected) from None


def table_text(name: str, replacements: Mapping[str, Path]) -> tuple[str, str]:
    """What to call a table in complaints, and its text: the user's file, else the project's own."""
    if name not in replacements:
        own = files("patrolvision.tickets").joinpath("data", f"{name}.csv")
        return f"{name}.csv", own.read_text(encoding="utf-8")
    path = Path(replacements[name])
    try:
        if path.stat().st_size > LARGEST_TABLE:
            raise ConfigError(f"{path}: the {name} table is larger than {LARGEST_TABLE} bytes")
        return str(path), path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: the {name} table cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: the {name} table must be UTF-8: {error.reason}") from error


def read_table(name: str, columns: Sequence[str], replacements: Mapping[str, Path]) -> list[Row]:
    """The rows of a table, each with the columns given and perhaps more; empty lines are skipped.

    ConfigError naming file, row and column for the first thing that is wrong.
    """
    shown, text = table_text(name, replacements)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        _check_header(shown, header, columns)
        rows: list[Row] = []
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                rows.append(_row(shown, reader.line_num, header, stripped))
    except csv.Error as error:
        raise ConfigError(f"{shown}: row {reader.line_num}: no proper CSV: {error}") from error
    if not rows:
        raise ConfigError(f"{shown}: row 2: expected at least one row below the header, found none")
    return rows


def _check_header(shown: str, header: Sequence[str], columns: Sequence[str]) -> None:
    for column in columns:
        if column not in header:
            raise ConfigError(f"{shown}: row 1, column {column}: the column is missing")
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"{shown}: row 1, column {twice}: the column is there twice")


def _row(shown: str, number: int, header: Sequence[str], cells: Sequence[str]) -> Row:
    if len(cells) != len(header):
        raise ConfigError(
            f"{shown}: row {number}, column {header[min(len(cells), len(header)) - 1]}: "
            f"expected {len(header)} cells, found {len(cells)}"
        )
    return Row(shown, number, dict(zip(header, cells, strict=True)))
