"""Why a ticket may be rejected: a replaceable table, a row a cause; `*` fits every category.

false_alarm says that the detection was wrong: that is what retraining wants to hear of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from patrolvision.tickets.categories import ANY, category_names, rows_about

COLUMNS = ("category", "code", "false_alarm", "name_en", "name_zh", "source")


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause of a category, or of all."""

    category: str
    code: str
    false_alarm: bool
    name_en: str
    name_zh: str
    source: str


def load_causes(files: Mapping[str, Path] | None = None) -> tuple[Cause, ...]:
    """The causes, in the order of the table; ConfigError naming file, row and column."""
    found: list[Cause] = []
    known = (ANY, *category_names(files))
    for row in rows_about("causes", COLUMNS, files or {}, known):
        cause = Cause(
            category=row.one_of("category", known),
            code=row.text("code"),
            false_alarm=row.yes("false_alarm"),
            name_en=row.text("name_en"),
            name_zh=row.text("name_zh"),
            source=row.text("source"),
        )
        if any(_clash(cause, other) for other in found):
            raise row.wrong("code", "each code once for a category")
        found.append(cause)
    return tuple(found)


def cause_of(causes: Sequence[Cause], category: str, code: str) -> Cause | None:
    """The cause of this code that fits the category."""
    return next((c for c in causes if c.code == code and c.category in (ANY, category)), None)


def _clash(one: Cause, other: Cause) -> bool:
    meet = ANY in (one.category, other.category) or one.category == other.category
    return meet and one.code == other.code
