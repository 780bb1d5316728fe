"""Zone files: what is good is read, what is bad is named, and the rest goes on."""

from __future__ import annotations

import time
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shapely.geometry import Point

from patrolvision.errors import ConfigError
from patrolvision.rules.zones import Zone, ZoneMap, load_zones, read_zones
from patrolvision.types import GeoPoint

from .street import MONDAY_8, feature, held, lonlat, place, rectangle, write, zone_map

BOX = rectangle(-10.0, -1.5, 10.0, 1.5)


def good(**properties: Any) -> Any:
    return feature(BOX, **{"zone_id": "z", "rule": "no_stopping", **properties})


def polygon(*corners: tuple[float, float]) -> Any:
    return {"type": "Polygon", "coordinates": [[lonlat(*c) for c in corners]]}


def _box(west: float, east: float, half_lat: float = 0.001) -> list[list[float]]:
    south, north = -16.8 - half_lat, -16.8 + half_lat
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


BOW_TIE = polygon((0, 0), (10, 10), (10, 0), (0, 10), (0, 0))


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (good(rule="no_waiting"), "rule must be one of"),
        (good(rule=None), "rule"),
        (good(hours="Mo-Fr 25:99"), "hours"),
        (good(hours="sometimes"), "hours"),
        (good(hours=7), "hours"),
        (good(timezone="Mars/Olympus"), "timezone"),
        (good(timezone="../etc"), "timezone"),
        (good(vehicle_classes="car"), "vehicle_classes"),
        (good(exempt_classes=["tank"]), "exempt_classes"),
        (good(grace_s=-1), "grace_s"),
        (good(grace_s="5 min"), "grace_s"),
        (good(valid_from="11/05/2026"), "valid_from"),
        (good(valid_from="2026-05-11", valid_to="2026-05-10"), "valid_to"),
        (good(phase="maybe"), "phase"),
        (feature(BOW_TIE, zone_id="z", rule="no_stopping"), "Self-intersection"),
        (feature({"type": "Point", "coordinates": [113, 22]}, zone_id="z", rule="ignore"), "Point"),
        (feature(None, zone_id="z", rule="ignore"), "geometry"),
        (feature(polygon((0, 0), (1, 1)), zone_id="z", rule="ignore"), "geometry"),
        (
            feature({"type": "Polygon", "coordinates": []}, zone_id="z", rule="ignore"),
            "geometry",
        ),
        (
            feature({"type": "Polygon", "coordinates": "round"}, zone_id="z", rule="ignore"),
            "geometry",
        ),
        (
            feature(
                {"type": "Polygon", "coordinates": [[[22, 113], [22, 114], [23, 114], [22, 113]]]},
                zone_id="z",
                rule="ignore",
            ),
            "latitude must lie",
        ),
        (
            feature(
                {"type": "LineString", "coordinates": [lonlat(0, 0), lonlat(9, 0)]},
                zone_id="z",
                rule="no_parking",
            ),
            "width_m",
        ),
    ],
)
def test_a_bad_zone_is_named_with_its_field_and_the_rest_goes_on(
    tmp_path: Path, bad: Any, says: str
) -> None:
    path = write(tmp_path / "zones.geojson", bad, good(zone_id="fine"))
    zones, problems = read_zones(path)
    assert [zone.zone_id for zone in zones.zones] == ["fine"]
    assert len(problems) == 1
    assert str(path) in problems[0]
    assert "zone 'z'" in problems[0]
    assert says in problems[0]
    with pytest.raises(ConfigError, match="zone 'z'"):
        load_zones(path)


def test_a_zone_without_an_id_is_named_by_its_number(tmp_path: Path) -> None:
    path = write(tmp_path / "zones.geojson", good(), feature(BOX, rule="ignore"), "what")
    zones, problems = read_zones(path)
    assert len(zones) == 1
    assert "feature 1: zone_id" in problems[0]
    assert "feature 2: properties" in problems[1]


def test_a_zone_id_used_twice_is_refused_the_second_time(tmp_path: Path) -> None:
    path = write(tmp_path / "zones.geojson", good(), good(rule="ignore"))
    zones, problems = read_zones(path)
    assert [zone.rule for zone in zones.zones] == ["no_stopping"]
    assert "used twice" in problems[0]


def test_a_bay_that_leaves_nothing_of_a_prohibition_contradicts_it(tmp_path: Path) -> None:
    path = write(tmp_path / "z.geojson", good(), good(zone_id="bay", rule="parking_allowed"))
    zones, problems = read_zones(path)
    assert len(zones) == 0
    assert "'z'" in problems[0]
    assert "'bay'" in problems[0]
    other_hours = good(zone_id="bay", rule="parking_allowed", hours="20:00-07:00")
    assert read_zones(write(path, good(), other_hours))[1] == []


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        ({}, {"phase": "warning"}, "phase 'enforce' here and 'warning' there"),
        ({}, {"grace_s": 60}, "grace_s 0 here and 60 there"),
    ],
)
def test_one_prohibition_said_twice_in_two_ways_contradicts_itself(
    tmp_path: Path, first: dict[str, Any], second: dict[str, Any], says: str
) -> None:
    path = tmp_path / "z.geojson"
    zones, problems = read_zones(write(path, good(**first), good(zone_id="again", **second)))
    assert len(zones) == 0
    assert len(problems) == 1
    assert says in problems[0]
    later = good(zone_id="again", valid_from="2026-06-01", **second)
    assert read_zones(write(path, good(**first, valid_to="2026-05-31"), later))[1] == []
    assert read_zones(write(path, good(), good(zone_id="again")))[1] == []


def test_a_priority_that_raises_no_alarm_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "z.geojson", good(), good(zone_id="lane", priority="firelane"))
    zones, problems = read_zones(path)
    assert [zone.zone_id for zone in zones.zones] == ["z"]
    assert "priority must be one of normal, fire_lane, found 'firelane'" in problems[0]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[]", "FeatureCollection"),
        (b'{"type": "FeatureCollection"}', "features"),
    ],
)
def test_a_file_that_is_no_collection_is_refused_whole(
    tmp_path: Path, content: bytes, says: str
) -> None:
    path = tmp_path / "zones.geojson"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=says):
        read_zones(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        load_zones(tmp_path / "nowhere.geojson")


def test_a_line_with_a_width_is_a_strip(tmp_path: Path) -> None:
    line = {"type": "LineString", "coordinates": [lonlat(-10, 0), lonlat(10, 0)]}
    zones = zone_map(
        tmp_path / "z.geojson", feature(line, zone_id="s", rule="no_parking", width_m=3.0)
    )
    at = {
        (east, north): round(held(zones, place(east, north, 0.05), MONDAY_8).get("s", 0.0))
        for east, north in [(0.0, 0.0), (0.0, 1.3), (0.0, 1.7), (9.8, 0.0), (10.2, 0.0)]
    }
    assert list(at.values()) == [1, 1, 0, 1, 0]
    assert zones.zones[0].grace_s == 300.0


@pytest.mark.parametrize(
    ("instant", "is_open", "because"),
    [
        ("2026-09-30T08:00:00+08:00", True, "a Wednesday"),
        ("2026-10-01T08:00:00+08:00", False, "China's national day"),
        ("2026-10-04T08:00:00+08:00", False, "a Sunday"),
        ("2026-09-30T00:00:00+00:00", True, "the same Wednesday, told in UTC"),
        ("2026-09-30T09:00:00+08:00", False, "the end is not part of the hours"),
    ],
)
def test_holidays_are_those_of_the_zones_own_country(
    tmp_path: Path, instant: str, is_open: bool, because: str
) -> None:
    zones = zone_map(tmp_path / "z.geojson", good(hours="Mo-Fr 07:00-09:00; PH off"))
    inside = held(zones, place(0.0, 0.0), datetime.fromisoformat(instant))
    assert ("z" in inside) == is_open, because


OCTOBER = [date(2025, 10, 1) + timedelta(days=k) for k in range(8)]


@pytest.mark.parametrize(
    ("hours", "instant", "is_open", "because"),
    [
        ("Mo-Fr 07:00-09:00; PH off", "2025-10-02T08:00:00+08:00", False, "second of eight days"),
        ("Mo-Fr 07:00-09:00; PH off", "2025-10-09T08:00:00+08:00", True, "the day after them"),
        ("Mo-Fr 07:00-09:00; PH off", "2025-10-04T08:00:00+08:00", False, "a Saturday of them"),
        ("Mo-Fr 07:00-09:00; PH off", "2026-10-01T08:00:00+08:00", False, "the library's own"),
        ("Sa,Su,PH 10:00-20:00", "2025-10-02T11:00:00+08:00", True, "in a list of weekdays"),
        ("Sa,Su,PH 10:00-20:00", "2025-10-09T11:00:00+08:00", False, "an ordinary Thursday"),
        ('PH 10:00-20:00 "fair"', "2025-10-08T11:00:00+08:00", True, "with a comment"),
        ('PH 10:00-20:00 "a; b"', "2025-10-01T11:00:00+08:00", True, "left alone"),
        ("Mo-Su 10:00-20:00", "2025-10-02T11:00:00+08:00", True, "does not speak of holidays"),
    ],
)
def test_holidays_that_are_told_count_beside_those_that_the_library_knows(
    tmp_path: Path, hours: str, instant: str, is_open: bool, because: str
) -> None:
    path = write(tmp_path / "z.geojson", good(hours=hours))
    zones = load_zones(path, "Asia/Shanghai", {"Asia/Shanghai": OCTOBER})
    assert ("z" in held(zones, place(0.0, 0.0), datetime.fromisoformat(instant))) == is_open, (
        because
    )


def test_holidays_of_another_clock_are_not_those_of_the_zone(tmp_path: Path) -> None:
    path = write(tmp_path / "z.geojson", good(hours="Mo-Fr 07:00-09:00; PH off"))
    zones = load_zones(path, "Asia/Shanghai", {"Europe/Berlin": OCTOBER})
    at = datetime.fromisoformat("2025-10-02T08:00:00+08:00")
    assert "z" in held(zones, place(0.0, 0.0), at)


@pytest.mark.parametrize(
    ("utc", "is_open", "because"),
    [
        ("2026-03-28T01:30:00+00:00", True, "02:30 in Berlin's winter"),
        (
            "2026-03-29T01:30:00+00:00",
            False,
            "the night in which 02:30 does not exist: it is 03:30",
        ),
        ("2026-10-25T00:30:00+00:00", True, "02:30 for the first time"),
        ("2026-10-25T01:30:00+00:00", True, "02:30 for the second time"),
        ("2026-10-25T02:30:00+00:00", False, "03:30"),
    ],
)
def test_hours_follow_the_clock_on_the_wall_when_it_is_put_forward_or_back(
    utc: str, is_open: bool, because: str
) -> None:
    zone = Zone("z", "no_stopping", Point(13.4, 52.5).buffer(0.001), "02:00-03:00", "Europe/Berlin")
    assert (zone.force_at(datetime.fromisoformat(utc)) == "open") == is_open, because


def test_ten_thousand_zones_are_asked_in_well_under_a_millisecond_each() -> None:
    rng = np.random.default_rng(3)
    areas = [
        Point(113.0 + dx, 22.0 + dy).buffer(2e-5) for dx, dy in rng.uniform(0, 0.3, (10_000, 2))
    ]
    zones = ZoneMap(Zone(f"z{i}", "no_stopping", area) for i, area in enumerate(areas))
    start = time.perf_counter()
    for _ in range(200):
        zones.hits(place(0.0, 0.0, 2.0))
    assert (time.perf_counter() - start) / 200 < 0.02  # measured 0.0002; far from a linear scan


@pytest.mark.parametrize(
    "zone",
    [
        {"type": "Polygon", "coordinates": [_box(179.9999, -179.9999)]},
        {"type": "MultiPolygon", "coordinates": [[_box(179.9999, 180)], [_box(-180, -179.9999)]]},
    ],
    ids=["drawn as one", "cut there"],
)
def test_a_zone_across_the_date_line_is_the_small_one_and_whole(zone: Any, tmp_path: Path) -> None:
    zones = load_zones(write(tmp_path / "z.geojson", feature(zone, zone_id="z", rule="ignore")))
    for lon in (180.0, 179.99999, -179.99999):  # 21 m wide, seen to 1 m
        seen = GeoPoint(-16.8, lon, np.eye(2))
        assert zones.probability_of("ignore", seen, MONDAY_8) == pytest.approx(1.0, abs=0.01)
    far = GeoPoint(-16.8, 10.0, np.eye(2))
    assert zones.probability_of("ignore", far, MONDAY_8) == 0.0


def test_a_zone_around_the_whole_world_stays_so(tmp_path: Path) -> None:
    world = {"type": "Polygon", "coordinates": [_box(-180.0, 180.0, half_lat=60.0)]}
    zones = load_zones(write(tmp_path / "z.geojson", feature(world, zone_id="z", rule="ignore")))
    seen = GeoPoint(22.8, 113.2, np.eye(2))
    assert zones.probability_of("ignore", seen, MONDAY_8) == pytest.approx(1.0, abs=0.01)
