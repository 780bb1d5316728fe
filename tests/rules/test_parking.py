"""A vehicle, a kerb, a rule: the verdict a person would give from the drawing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from patrolvision.rules.parking import ParkingRule, standing_probability
from patrolvision.rules.rulebook import Rulebook
from patrolvision.rules.settings import RuleSettings
from patrolvision.types import Finding, Observation

from . import street
from .street import MONDAY_8, feature, rectangle, seen, zone_map

KERB = rectangle(-20.0, -1.5, 20.0, 1.5)  # 40 m along the street, 3 m wide
BAY = rectangle(-3.0, -1.25, 3.0, 1.25)  # inside it


def kind_of(tmp_path: Path, observation: Observation, *features: Any) -> str | None:
    findings = ParkingRule(zone_map(tmp_path / "z.geojson", *features)).findings([observation])
    return findings[0].kind if findings else None


def no_stopping(**properties: Any) -> Any:
    return feature(KERB, **{"zone_id": "z", "rule": "no_stopping", **properties})


def no_parking(**properties: Any) -> Any:
    return feature(KERB, **{"zone_id": "z", "rule": "no_parking", **properties})


@pytest.mark.parametrize(
    ("observation", "kind", "because"),
    [
        (seen(), "enforce", "it stands in the middle of the strip"),
        (seen(speed_mps=8.0), None, "it drives"),
        (seen(speed_mps=2.5), None, "it rolls too fast to stand, six sigmas"),
        (seen(speed_mps=None), "watch", "its speed is not known"),
        (seen(north_m=3.5), None, "it stands in the lane, 2 m beyond the strip, 7 sigmas"),
        (seen(east_m=40.0), None, "it stands 20 m beyond the strip's end"),
        (seen(north_m=1.5), "review", "its middle is on the line: half and half"),
        (seen(class_name="person"), None, "people do not park"),
        (seen(class_name="bicycle"), None, "a bicycle is no motor vehicle"),
        (seen(sigma_m=2.0), "review", "the strip is narrower than the error of its place"),
    ],
)
def test_a_no_stopping_strip_binds_what_stands_in_it(
    tmp_path: Path, observation: Observation, kind: str | None, because: str
) -> None:
    assert kind_of(tmp_path, observation, no_stopping()) == kind, because


@pytest.mark.parametrize(
    ("properties", "kind", "because"),
    [
        ({"exempt_classes": ["car"]}, "watch", "cars are exempt, if it is one"),
        ({"vehicle_classes": ["truck"]}, "watch", "the rule is about trucks, if it is none"),
        ({"hours": "Mo-Fr 07:00-09:00"}, "enforce", "it is Monday, eight o'clock"),
        ({"hours": "Mo-Fr 09:00-11:00"}, None, "the hours begin at nine"),
        ({"hours": "Sa,Su 00:00-24:00"}, None, "it is not the weekend"),
        ({"hours": "Mo-Fr 07:00-09:00 unknown"}, "review", "the hours themselves are unsure"),
        ({"timezone": "Europe/Berlin", "hours": "01:00-03:00"}, "enforce", "2 a.m. in Berlin"),
        ({"valid_from": "2026-05-12"}, None, "the rule begins tomorrow"),
        ({"valid_from": "2026-05-11"}, "enforce", "the rule begins today"),
        ({"valid_to": "2026-05-10"}, None, "the rule ended yesterday"),
        ({"valid_to": "2026-05-11"}, "enforce", "today is the last day"),
        ({"phase": "warning"}, "warning", "a warning phase never makes a ticket"),
    ],
)
def test_a_rule_binds_only_whom_and_when_it_says(
    tmp_path: Path, properties: dict[str, Any], kind: str | None, because: str
) -> None:
    assert kind_of(tmp_path, seen(), no_stopping(**properties)) == kind, because


def test_a_bay_wins_over_the_prohibition_around_it(tmp_path: Path) -> None:
    bay = feature(BAY, zone_id="bay", rule="parking_allowed")
    assert kind_of(tmp_path, seen(), no_stopping(), bay) is None
    assert kind_of(tmp_path, seen(east_m=8.0), no_stopping(), bay) == "enforce"


def test_a_bay_for_trucks_does_not_free_a_car(tmp_path: Path) -> None:
    bay = feature(BAY, zone_id="bay", rule="parking_allowed", vehicle_classes=["truck"])
    assert kind_of(tmp_path, seen(), no_stopping(), bay) == "enforce"
    assert kind_of(tmp_path, seen(class_name="truck"), no_stopping(), bay) == "watch"


def test_nothing_is_said_in_an_ignored_zone(tmp_path: Path) -> None:
    yard = feature(rectangle(-30.0, -10.0, 30.0, 10.0), zone_id="yard", rule="ignore")
    assert kind_of(tmp_path, seen(), no_stopping(), yard) is None


def test_no_parking_waits_for_the_grace_time(tmp_path: Path) -> None:
    assert kind_of(tmp_path, seen(lasts_s=299.0), no_parking()) == "watch"
    assert kind_of(tmp_path, seen(lasts_s=301.0), no_parking()) == "enforce"
    assert kind_of(tmp_path, seen(lasts_s=40.0), no_parking(grace_s=30)) == "enforce"


def again(first: Observation, after_s: float, **other: Any) -> Observation:
    return replace(
        first,
        **{"id": "o2", "mission_id": "m2", **other},
        first_seen=first.first_seen + timedelta(seconds=after_s),
        last_seen=first.last_seen + timedelta(seconds=after_s),
    )


def fused(book: Rulebook, *sights: Observation) -> Finding | None:
    findings = [f for o in sights for f in book.findings([o])]
    return book.rejudged(findings, sights[0].place)


@pytest.mark.parametrize("speed_mps", [None, 0.1])
def test_a_later_pass_proves_the_dwell_that_one_pass_could_not(
    tmp_path: Path, speed_mps: float | None
) -> None:
    book = Rulebook(zone_map(tmp_path / "z.geojson", no_parking()))
    first = seen(speed_mps=speed_mps)
    assert book.findings([first])[0].kind == "watch"
    early, late = fused(book, first, again(first, 200.0)), fused(book, again(first, 600.0), first)
    assert early is not None
    assert early.kind == "watch"
    assert late is not None
    assert late.kind == "enforce"
    assert late.evidence["dwell_s"] == 602.0


def test_a_vehicle_of_unknown_speed_is_proved_to_stand_by_being_there_again(tmp_path: Path) -> None:
    book = Rulebook(zone_map(tmp_path / "z.geojson", no_stopping()))
    first = seen(speed_mps=None)
    kinds = [f.kind if (f := fused(book, first, again(first, s))) else None for s in (60.0, 180.0)]
    assert kinds == ["watch", "enforce"]


def test_a_better_place_turns_a_doubt_into_a_case_or_into_nothing(tmp_path: Path) -> None:
    book = Rulebook(zone_map(tmp_path / "z.geojson", no_stopping()))
    doubt = book.findings([seen(sigma_m=2.0)])
    assert [f.kind for f in doubt] == ["review"]
    inside = book.rejudged(doubt, street.place(0.0, 0.0, 0.5))
    assert inside is not None
    assert inside.kind == "enforce"
    assert book.rejudged(doubt, street.place(0.0, 4.0, 0.5)) is None


def test_sights_outside_the_hours_do_not_count_for_the_dwell(tmp_path: Path) -> None:
    book = Rulebook(zone_map(tmp_path / "z.geojson", no_parking(hours="07:00-08:05")))
    first = book.findings([seen()])[0]
    late = replace(first, observation=again(first.observation, 1800.0))
    whole = book.rejudged([first, late], street.place(0.0, 0.0))
    assert whole is not None
    assert whole.kind == "watch"
    assert whole.evidence["dwell_s"] == 2.0


def test_a_warning_zone_makes_a_warning_or_nothing(tmp_path: Path) -> None:
    zone = no_parking(phase="warning")
    assert kind_of(tmp_path, seen(), zone) is None
    assert kind_of(tmp_path, seen(lasts_s=400.0), zone) == "warning"


def test_a_car_behind_a_creeping_one_in_its_line_is_in_a_queue(tmp_path: Path) -> None:
    rule = ParkingRule(zone_map(tmp_path / "z.geojson", no_stopping()))
    standing = seen(id="a")
    creeping = seen(7.0, 0.2, id="b", speed_mps=1.8)
    assert [f.kind for f in rule.findings([standing, creeping])] == ["watch"]
    beside = seen(2.0, 3.0, id="b", speed_mps=1.8)
    assert rule.findings([standing, beside])[0].kind == "enforce"


def test_two_abutting_prohibitions_prove_together_what_each_alone_leaves_doubtful(
    tmp_path: Path,
) -> None:
    west = feature(rectangle(-20.0, -1.5, 0.0, 1.5), zone_id="w", rule="no_stopping")
    east = feature(rectangle(0.0, -1.5, 20.0, 1.5), zone_id="e", rule="no_stopping")
    assert kind_of(tmp_path, seen(), west) == "review"
    assert kind_of(tmp_path, seen(), west, east) == "enforce"


def test_a_fire_lane_raises_the_alarm(tmp_path: Path) -> None:
    rule = ParkingRule(zone_map(tmp_path / "z.geojson", no_stopping(priority="fire_lane")))
    finding = rule.findings([seen()])[0]
    assert finding.priority == "urgent"


def test_a_finding_says_why_and_keeps_its_id(tmp_path: Path) -> None:
    zones = zone_map(tmp_path / "z.geojson", no_stopping())
    one, two = (ParkingRule(zones).findings([seen()])[0] for _ in range(2))
    assert one.id == two.id
    assert one.zone_id == "z"
    assert one.evidence["zones_version"] == zones.version
    assert one.evidence["rule"] == "no_stopping"
    first_seen = MONDAY_8.astimezone(UTC)  # one zone, whichever the footage was in
    assert one.evidence["first_seen"] == first_seen.isoformat()
    assert one.score == pytest.approx(
        one.evidence["p_place"] * one.evidence["p_standing"], abs=1e-3
    )


@pytest.mark.parametrize(
    ("speed_mps", "low", "high", "because"),
    [
        (0.0, 0.99, 1.0, "at rest within a quarter of a sigma"),
        (0.4, 0.95, 1.0, "one sigma: noise of a standing car"),
        (1.6, 0.0, 0.10, "four sigmas from rest"),
        (10.0, 0.0, 1e-6, "town traffic"),
    ],
)
def test_speed_tells_standing_from_moving(
    speed_mps: float, low: float, high: float, because: str
) -> None:
    p = standing_probability(speed_mps, 0.4, RuleSettings())
    assert p is not None
    assert low <= p <= high, because


def test_an_unknown_speed_is_not_taken_for_standing() -> None:
    assert standing_probability(None, None, RuleSettings()) is None


def test_hours_that_cross_midnight_bind_on_both_sides_of_it(tmp_path: Path) -> None:
    def at(hour: int) -> Observation:
        return seen(at=datetime.fromisoformat(f"2026-05-11T{hour:02d}:30:00+08:00"))

    night = no_stopping(hours="22:00-06:00")
    verdicts = {hour: kind_of(tmp_path, at(hour), night) for hour in (21, 23, 0, 5, 6)}
    assert verdicts == {21: None, 23: "enforce", 0: "enforce", 5: "enforce", 6: None}


def test_passes_that_fell_outside_are_kept_where_fused_places_are_judged(tmp_path: Path) -> None:
    zones = zone_map(tmp_path / "z.geojson", no_stopping())
    beside = seen(north_m=4.5, sigma_m=2.0)  # three metres outside: one and a half sigmas
    assert Rulebook(zones, RuleSettings(p_watch=0.40)).findings([beside]) == []
    book = Rulebook(zones)
    far = seen(north_m=9.9, sigma_m=2.0, id="far")  # at four sigmas
    kept = book.findings([beside, far])
    assert [f.kind for f in kept] == ["watch"]
    assert book.rejudged(kept, street.place(0.0, 4.5, 0.3)) is None
