"""What a sensor's event may mean: a replaceable table; a person decides each case.

Events without a row are refused by name rather than taken for something else. class_name is one of
the detector's, or the category itself where patrols do not see such a thing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from patrolvision.tickets.categories import category_names, rows_about
from patrolvision.types import DETECTOR_CLASSES

COLUMNS = (
    "event", "category", "class_name", "sigma_m", "score", "name_en", "name_zh", "source",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SensorRule:
    """An event of sensors; sigma_m is how far what it means may be from where the sensor hangs."""

    event: str
    category: str
    class_name: str
    sigma_m: float
    score: float
    name_en: str
    name_zh: str
    source: str


def load_sensors(files: Mapping[str, Path] | None = None) -> dict[str, SensorRule]:
    """event -> its rule; ConfigError naming file, row and column."""
    found: dict[str, SensorRule] = {}
    known = category_names(files)
    for row in rows_about("sensors", COLUMNS, files or {}, known):
        rule = SensorRule(
            event=row.text("event"),
            category=row.one_of("category", known),
            class_name=row.one_of("class_name", (*DETECTOR_CLASSES, *known)),
            sigma_m=row.number_from("sigma_m", 0.1, 1000.0),
            score=row.number_from("score", 0.0, 1.0),
            name_en=row.text("name_en"),
            name_zh=row.text("name_zh"),
            source=row.text("source"),
        )
        if rule.event in found:
            raise row.wrong("event", "each event once")
        found[rule.event] = rule
    return found
