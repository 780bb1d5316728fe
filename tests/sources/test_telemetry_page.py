"""docs/howto/telemetry.md against the reader it describes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from patrolvision.sources.opening import SIDE_CARS
from patrolvision.sources.telemetry import read_telemetry
from patrolvision.types import TelemetrySample

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "telemetry.md"


def rows() -> list[list[str]]:
    """The names in the first two cells of each row of the table of columns."""
    table = PAGE.read_text().split("## CSV columns")[1].split("\n## ")[0]
    cells = [line.split("|") for line in table.splitlines() if line.startswith("| `")]
    return [re.findall(r"`(\w+)`", row[1] + row[2]) for row in cells]


VALUES = [
    name
    for row in rows()
    for name in row
    if not row[0].startswith(("time", "video_time_s", "lat_deg"))
]


@pytest.mark.parametrize("name", VALUES)
def test_each_column_of_the_page_is_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"time,lat,lon,{name}\n2026-05-04T08:00:00Z,22.84,113.23,12.5\n")
    (found,) = read_telemetry(path).samples
    assert [f for f in TelemetrySample.__slots__ if getattr(found, f) == 12.5]


@pytest.mark.parametrize("time", [name for row in rows()[:2] for name in row])
def test_each_name_of_a_time_and_a_place_is_read(tmp_path: Path, time: str) -> None:
    names = rows()[2]
    lats = [name for name in names if name.startswith("lat")]
    lons = [name for name in names if name.startswith("l") and name not in lats]
    for lat, lon in zip(lats + lats[:1] * (len(lons) - len(lats)), lons, strict=True):
        path = tmp_path / "a.csv"
        path.write_text(f"{lat};{time};{lon}\n22.84;3.5;113.23\n")
        log = read_telemetry(path)
        assert (log.samples[0].lat_deg, log.samples[0].lon_deg) == (22.84, 113.23)
        assert log.video_times_s == (3.5,)


def test_the_page_names_the_files_looked_for_beside_a_video() -> None:
    found = re.findall(r"`a(\.\w+)`", PAGE.read_text())
    assert [suffix for suffix in found if suffix != ".mp4"] == list(SIDE_CARS)
