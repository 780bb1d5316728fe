"""What a sweeper's round did to the litter on its segments."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.command_line import in_process
from helpers.office_days import FIRST_DAY, HOUR, LAT, LON, METRE, patrol
from patrolvision.pipeline import Judged, settle
from patrolvision.report.sweeping import sweeps
from patrolvision.rules.rulebook import Rulebook
from patrolvision.store import open_store
from patrolvision.types import GeoPoint, GridCodes, Observation, TelemetrySample

NOON = FIRST_DAY + 12 * HOUR
HEAPS = (105.0, 255.0, 405.0)  # metres along the road


def place(north_m: float, east_m: float = 0.0) -> tuple[float, float]:
    return LAT + north_m * METRE, LON + east_m * METRE


def heap(north_m: float, mission: str, at: datetime) -> Observation:
    where = GeoPoint(*place(north_m), 0.25 * np.eye(2))
    id = f"{mission}-{north_m:.0f}"
    ends = at + timedelta(seconds=2)
    return Observation(id, mission, "car", "litter", at, ends, where, 0.9, 12)


def drive(mission: str, at: datetime, stand: tuple[float, ...]) -> Judged:
    """A pass along the 600 m road that sees what stands there."""
    looks = patrol(mission, at, looks=21)
    seen = []
    for north_m in stand:
        look = looks[round(north_m / 30.0)]
        seen.append(heap(north_m, mission, look.start))
    return Judged(tuple(seen), tuple(Rulebook().findings(seen)), tuple(looks))


def gpx(path: Path, start: datetime, along_m: tuple[float, float]) -> Path:
    """A sweeper that drives along the road at 2 m/s."""
    first, last = along_m
    points = []
    for k in range(int((last - first) / 10) + 1):
        lat, lon = place(first + 10.0 * k)
        at = (start + timedelta(seconds=5 * k)).isoformat().replace("+00:00", "Z")
        points.append(f'<trkpt lat="{lat}" lon="{lon}"><time>{at}</time></trkpt>')
    path.write_text(
        '<gpx version="1.1" creator="t" xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>'
        f"{''.join(points)}</trkseg></trk></gpx>"
    )
    return path


@pytest.fixture
def grids(tmp_path: Path) -> Path:
    """The road in two segments of 300 m, and one that nobody sweeps."""
    spans = {"south": (0.0, 299.0, 0.0), "north": (301.0, 600.0, 0.0), "idle": (0.0, 600.0, 500.0)}
    features = [
        {
            "type": "Feature",
            "properties": {"layer": "segment", "code": code},
            "geometry": {
                "type": "LineString",
                "coordinates": [list(reversed(place(n, east))) for n in (first, last)],
            },
        }
        for code, (first, last, east) in spans.items()
    ]
    path = tmp_path / "grids.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Two passes in the morning see three heaps, two in the afternoon the one that was left."""
    address = f"sqlite:///{tmp_path / 'p.db'}"
    store = open_store(address)
    for mission, hours, stand in (
        ("m0", -4, HEAPS), ("m1", -2, HEAPS), ("m2", 3, HEAPS[2:]), ("m3", 5, HEAPS[2:]),
    ):  # fmt: skip
        with store.transaction() as transaction:
            settle(transaction, drive(mission, NOON + hours * HOUR, stand), rules=Rulebook())
    store.close()
    return address


def rows(out: str) -> dict[str, dict[str, Any]]:
    return {row["segment"]: row for row in map(json.loads, out.splitlines())}


def test_the_litter_of_each_segment_is_told_before_and_after(
    url: str, grids: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    route = gpx(tmp_path / "round.gpx", NOON, (0.0, 600.0))
    done = in_process(capsys, "sweeping", route, "--db", url, "--grids", grids, "--format", "json")
    assert done.rc == 0, done.err
    found = rows(done.out)
    assert set(found) == {"south", "north", "all"}
    south, north, both = found["south"], found["north"], found["all"]
    assert (south["before_things"], south["after_things"]) == (2, 0)
    assert (north["before_things"], north["after_things"]) == (1, 1)
    assert (south["before_passes"], south["after_passes"]) == (2, 2)
    assert south["change"] == -1.0
    assert north["change"] == pytest.approx(0.0, abs=0.01)
    # two passes of 600 m: three things each before, one each after
    assert both["before_per_km"] == pytest.approx(3 / 0.6, rel=0.08)
    assert both["after_per_km"] == pytest.approx(1 / 0.6, rel=0.08)
    assert both["change"] == pytest.approx(-2 / 3, abs=0.01)
    assert south["swept_m"] == pytest.approx(300.0, abs=10.0)


def test_only_what_was_swept_and_seen_in_time_counts(
    url: str, grids: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    route = gpx(tmp_path / "half.gpx", NOON, (0.0, 250.0))
    command = ("sweeping", route, "--db", url, "--grids", grids, "--format", "json")
    assert set(rows(in_process(capsys, *command).out)) == {"south", "all"}
    late = rows(in_process(capsys, *command, "--within-h", "2.5").out)["south"]
    assert (late["before_passes"], late["after_passes"]) == (1, 0)
    assert (late["after_per_km"], late["change"]) == (None, None)


def test_a_second_sweep_ends_the_effect_of_the_first(
    url: str, grids: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    routes = [
        gpx(tmp_path / "a.gpx", NOON, (0.0, 250.0)),
        gpx(tmp_path / "b.gpx", NOON + 4 * HOUR, (0.0, 250.0)),
    ]
    done = in_process(
        capsys, "sweeping", *routes, "--db", url, "--grids", grids, "--format", "json"
    )
    first, second = [json.loads(line) for line in done.out.splitlines()][:2]
    assert (first["before_passes"], first["after_passes"]) == (2, 1)
    assert (second["before_passes"], second["after_passes"]) == (1, 1)


@pytest.mark.parametrize("form", ["table", "csv", "geojson"])
def test_it_is_told_in_every_form(
    form: str, url: str, grids: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    route = gpx(tmp_path / "round.gpx", NOON, (0.0, 600.0))
    done = in_process(capsys, "sweeping", route, "--db", url, "--grids", grids, "--format", form)
    assert done.rc == 0
    assert "south" in done.out
    if form == "geojson":
        told = json.loads(done.out)["features"]
        assert [f["geometry"]["type"] for f in told] == ["LineString"] * 2


def test_a_route_that_cannot_be_read_is_named_and_the_others_count(
    url: str, grids: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    route, broken = gpx(tmp_path / "round.gpx", NOON, (0.0, 600.0)), tmp_path / "broken.gpx"
    broken.write_text("<gpx")
    command = ("sweeping", broken, route, "--db", url, "--grids", grids, "--format", "json")
    done = in_process(capsys, *command)
    assert done.rc == 3
    assert "broken.gpx" in done.err
    assert set(rows(done.out)) == {"south", "north", "all"}


def test_a_crossing_or_a_leap_of_the_fixes_is_no_sweep() -> None:
    def codes_at(lat_deg: float, lon_deg: float) -> GridCodes:
        return GridCodes(segment="s" if abs(lat_deg - LAT) < 8 * METRE else "road")

    def sample(seconds: float, north_m: float) -> TelemetrySample:
        return TelemetrySample(NOON + timedelta(seconds=seconds), *place(north_m))

    across = [sample(k, -50.0 + 5.0 * k) for k in range(21)]
    assert [s.segment for s in sweeps(across, codes_at)] == ["road"]
    leap = [sample(0, 100.0), sample(1, 5000.0), sample(2, 5001.0)]
    assert sweeps(leap, codes_at) == []
