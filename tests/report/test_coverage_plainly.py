"""Coverage says what a plain reckoning over every look says, and goes on saying it."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from helpers.office_days import FIRST_DAY, HOUR, LAT, LON, METRE
from helpers.plain_coverage import plain_coverage
from patrolvision import looked
from patrolvision.report.observed import km_observed
from patrolvision.report.sheet import Ground, middles
from patrolvision.store import SqlStore, open_store
from patrolvision.tickets.grids import GridIndex
from patrolvision.types import Look

DAY = timedelta(days=1)
NOW = FIRST_DAY + 20 * DAY
LAYERS = ("unit", "responsible", "segment")


def city() -> GridIndex:
    """Cells of 250 m in districts of 1 km, with roads along and across."""
    features: list[dict[str, Any]] = []

    def add(layer: str, code: str, kind: str, coordinates: Any) -> None:
        features.append({
            "type": "Feature", "properties": {"layer": layer, "code": code},
            "geometry": {"type": kind, "coordinates": coordinates},
        })  # fmt: skip

    def at(north_m: float, east_m: float) -> list[float]:
        return [LON + east_m * METRE, LAT + north_m * METRE]

    for layer, side, count in (("unit", 250.0, 8), ("responsible", 1000.0, 2)):
        for k in range(count * count):
            south, west = k // count * side, k % count * side
            ring = [at(south, west), at(south, west + side), at(south + side, west + side),
                    at(south + side, west), at(south, west)]  # fmt: skip
            add(layer, f"{layer[0]}{k:02}", "Polygon", [ring])
    for k in range(7):
        add("segment", f"n{k}", "LineString", [at(300.0 * k, 0), at(300.0 * (k + 1), 20.0)])
    add(
        "segment",
        "both",
        "MultiLineString",
        [[at(500, 0), at(500, 900)], [at(900, 0), at(900, 700)]],
    )
    return GridIndex.from_text(json.dumps({"type": "FeatureCollection", "features": features}), "x")


def drive(rng: random.Random, mission: str, begin: datetime) -> list[Look]:
    """A drive through the city with pauses, turns, overlaps, standing and long looks."""
    found: list[Look] = []
    at, north, east = begin, rng.uniform(0, 1500), rng.uniform(0, 1500)
    for k in range(rng.randint(3, 60)):
        pause = rng.choice((0.0, 0.0, 1.0, 30.0, 61.0, 500.0, 700.0))
        at += timedelta(seconds=pause if rng.random() < 0.3 else 5.0)
        lasts = rng.choice((0.0, 5.0, 5.0, 60.0, 4000.0 if rng.random() < 0.1 else 5.0))
        north += rng.choice((0.0, 40.0, 40.0, -25.0, 900.0 if rng.random() < 0.05 else 30.0))
        east += rng.choice((0.0, 0.0, 15.0))
        wide = rng.choice((0.0, 12.0))
        ring = [(0.0, 0.0), (0.0, wide), (35.0, wide), (40.0, 0.5 * wide), (35.0, 0.0)]
        corners = tuple((LAT + (north + n) * METRE, LON + (east + e) * METRE) for n, e in ring)
        found.append(Look(f"{mission}-{k:03}", mission, at, at + timedelta(seconds=lasts),
                          frozenset({"litter"}), corners, 0.5))  # fmt: skip
        at += timedelta(seconds=rng.choice((0.0, lasts)))
    return found


def fleet(seed: int) -> list[list[Look]]:
    """Drives of some weeks and of long ago, several over midnight and over windows' ends."""
    rng = random.Random(seed)
    begins = [NOW - timedelta(days=rng.uniform(0, 40)) for _ in range(12)]
    begins += [NOW - span - timedelta(seconds=rng.uniform(-60, 200))
               for span in (7 * DAY, 30 * DAY, 365 * DAY, 0 * DAY) for _ in range(3)]  # fmt: skip
    begins += [FIRST_DAY + k * DAY + 8 * HOUR - timedelta(seconds=60) for k in range(4)]
    begins += [NOW - timedelta(days=rng.uniform(40, 370)) for _ in range(5)]
    return [drive(rng, f"m{k}", at) for k, at in enumerate(begins)]


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    opened = open_store(url)
    yield opened
    opened.close()


def tell(store: SqlStore, looks: list[Look]) -> None:
    with store.transaction() as transaction:
        transaction.add_looks(looks)


def differences(store: SqlStore, grids: GridIndex, at: datetime) -> list[Any]:
    ground = Ground(grids.id, lambda: grids)
    return [
        (layer, row, plain)
        for layer in LAYERS
        for row, plain in zip(
            map(asdict, looked.areas_looked(store, ground, layer, at)),
            plain_coverage(store, grids, layer, at),
            strict=True,
        )
        if row != plain
    ]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_area_is_what_a_plain_reckoning_says_at_any_instant(
    store: SqlStore, seed: int
) -> None:
    grids = city()
    tell(store, [look for looks in fleet(seed) for look in looks])
    instants = [
        NOW,
        NOW - 0.37 * DAY,
        NOW - 12 * DAY,
        NOW + timedelta(seconds=100),
        NOW + 400 * DAY,
    ]
    for at in instants:
        assert not differences(store, grids, at)
    rows = [r for layer in LAYERS for r in plain_coverage(store, grids, layer, NOW)]
    assert {r["passes_7d"] < r["passes_30d"] for r in rows} == {True, False}
    assert any(r["km_7d"] for r in rows)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_way_of_any_period_is_what_a_plain_reckoning_says(store: SqlStore, seed: int) -> None:
    grids = city()
    ground = Ground(grids.id, lambda: grids)
    tell(store, [look for looks in fleet(seed) for look in looks])
    for begin, end in ((NOW - 30 * DAY, NOW), (FIRST_DAY + 8 * HOUR, NOW - 0.3 * DAY),
                       (NOW - 400 * DAY, NOW + DAY), (NOW, NOW + HOUR)):  # fmt: skip
        looks = [k for k in store.looks_since(begin) if begin <= k.start < end]
        plain = km_observed(looks, grids.codes_at)
        found = looked.km_of_period(store, ground, begin, end)
        assert found == pytest.approx(plain, abs=1e-9)


def test_sheets_follow_looks_that_come_late_come_again_or_are_forgotten(store: SqlStore) -> None:
    grids = city()
    drives = fleet(4)
    tell(store, [look for looks in drives[::2] for look in looks])
    assert not differences(store, grids, NOW)
    tell(store, [look for looks in drives[1::2] for look in looks])
    assert not differences(store, grids, NOW)
    tell(store, [look for looks in drives for look in looks])  # again: nothing new
    assert not differences(store, grids, NOW)
    again = [replace(look, end=look.end + timedelta(seconds=3)) for look in drives[0][:-1]]
    with store.transaction() as transaction:  # analysed again: other looks
        transaction.withdraw("m0", [], [], again)
        transaction.add_looks(again)
    assert not differences(store, grids, NOW)
    other = GridIndex.from_text(json.dumps({"type": "FeatureCollection", "features": []}), "y")
    assert not differences(store, other, NOW)


def test_a_look_that_is_stored_while_a_sheet_is_made_is_not_lost(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    grids, (first, second, *_) = city(), fleet(5)
    tell(store, first)
    make = looked.sheet_of

    def slowly(*arguments: Any) -> Any:
        monkeypatch.setattr(looked, "sheet_of", make)
        tell(store, second)
        return make(*arguments)

    monkeypatch.setattr(looked, "sheet_of", slowly)
    looked.areas_looked(store, Ground(grids.id, lambda: grids), "unit", NOW)
    assert not differences(store, grids, NOW)


def test_the_middles_of_many_rings_are_those_of_each() -> None:
    from patrolvision.report.observed import middle

    looks = [look for looks in fleet(6) for look in looks]
    lat, lon = middles([look.polygon for look in looks])
    each = [middle(look) for look in looks]
    assert lat == pytest.approx([a for a, _ in each], abs=1e-11)
    assert lon == pytest.approx([b for _, b in each], abs=1e-11)
