"""Litter and fire: what is sure, what is doubtful, and what is nobody's business."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patrolvision.rules.findings import seen_score
from patrolvision.rules.rulebook import Rulebook
from patrolvision.types import Observation

from .street import feature, rectangle, seen, zone_map

BOOK = Rulebook()
YARD = rectangle(-10.0, -10.0, 10.0, 10.0)


def kind_of(observation: Observation, book: Rulebook = BOOK) -> str | None:
    findings = book.findings([observation])
    return findings[0].kind if findings else None


def litter(**other: float) -> Observation:
    return seen(class_name="litter", **other)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("observation", "kind", "because"),
    [
        (litter(confidence=0.8, frames=10), "enforce", "sure and seen often"),
        (litter(confidence=0.8, frames=1), "enforce", "one photo, but a sure one"),
        (litter(confidence=0.35, frames=1), "review", "one unsure frame"),
        (litter(confidence=0.35, frames=8), "enforce", "unsure, eight times: 1 - 0.65^4 = 0.82"),
        (litter(confidence=0.15, frames=1), None, "hardly anything"),
    ],
)
def test_litter_is_judged_by_how_surely_and_how_often_it_was_seen(
    observation: Observation, kind: str | None, because: str
) -> None:
    assert kind_of(observation) == kind, because


@pytest.mark.parametrize(
    ("size_m2", "kind", "severity", "priority"),
    [
        (None, "unknown", 1, "normal"),
        (0.02, "piece", 1, "normal"),
        (0.8, "heap", 2, "normal"),
        (4.0, "large_heap", 3, "high"),
    ],
)
def test_the_size_on_the_ground_tells_a_piece_from_a_heap(
    size_m2: float | None, kind: str, severity: int, priority: str
) -> None:
    finding = BOOK.findings([seen(class_name="litter", size_m2=size_m2)])[0]
    assert (finding.evidence["kind"], finding.evidence["severity"]) == (kind, severity)
    assert finding.priority == priority


def test_litter_in_an_ignored_yard_is_not_reported(tmp_path: Path) -> None:
    book = Rulebook(zone_map(tmp_path / "z.geojson", feature(YARD, zone_id="y", rule="ignore")))
    assert kind_of(litter(), book) is None
    assert kind_of(seen(20.0, 0.0, class_name="litter"), book) == "enforce"


@pytest.mark.parametrize(
    ("observation", "kind", "because"),
    [
        (seen(class_name="fire"), "enforce", "ten frames over two seconds"),
        (seen(class_name="fire", frames=1, lasts_s=0.0), "review", "one flash may be a reflection"),
        (seen(class_name="fire", confidence=0.1, frames=1), None, "hardly anything"),
        (seen(class_name="smoke", frames=50, lasts_s=20.0), "review", "smoke alone is a question"),
    ],
)
def test_a_fire_must_persist(observation: Observation, kind: str | None, because: str) -> None:
    assert kind_of(observation) == kind, because


def test_every_fire_is_urgent() -> None:
    assert BOOK.findings([seen(class_name="fire")])[0].priority == "urgent"


def test_a_permitted_fire_place_raises_nothing_while_it_is_permitted(tmp_path: Path) -> None:
    zone = feature(YARD, zone_id="grill", rule="fire_ok", hours="18:00-23:00")
    book = Rulebook(zone_map(tmp_path / "z.geojson", zone))
    morning = seen(class_name="fire")
    evening = seen(class_name="fire", at=morning.first_seen.replace(hour=19))
    assert kind_of(morning, book) == "enforce"
    assert kind_of(evening, book) is None
    assert kind_of(replace(morning, class_name="litter"), book) == "enforce"


def test_smoke_beside_a_fire_makes_it_surer() -> None:
    faint = seen(id="fire", class_name="fire", confidence=0.2, frames=3, lasts_s=1.0)
    smoke = seen(10.0, 10.0, id="smoke", class_name="smoke", confidence=0.9)
    far = seen(200.0, 0.0, id="smoke", class_name="smoke", confidence=0.9)
    alone = BOOK.findings([faint])
    assert [f.kind for f in alone] == ["review"]
    together = BOOK.findings([faint, smoke])  # the smoke is the fire's evidence, no second case
    assert [(f.observation.id, f.kind) for f in together] == [("fire", "enforce")]
    assert [f.kind for f in BOOK.findings([faint, far])] == ["review", "review"]


def test_findings_come_in_the_order_of_the_observations() -> None:
    names = ("fire", "litter", "smoke")
    things = [seen(100.0 * i, id=str(i), class_name=c) for i, c in enumerate(names)]
    assert [f.observation.id for f in BOOK.findings(things)] == ["0", "1", "2"]
    assert [f.observation.id for f in BOOK.findings(things[::-1])] == ["2", "1", "0"]
    assert len(BOOK.findings(things + things)) == 3


@given(st.floats(0.0, 1.0), st.integers(1, 10_000))
def test_being_seen_again_never_makes_a_thing_less_sure(confidence: float, frames: int) -> None:
    once = seen_score(seen(confidence=confidence, frames=frames))
    twice = seen_score(seen(confidence=confidence, frames=frames + 1))
    assert 0.0 <= once <= twice + 1e-12 <= 1.0 + 1e-12


def test_what_burns_is_the_fires_case_and_not_litter_too() -> None:
    heap = seen(1.5, id="heap", class_name="litter")
    fire = seen(id="fire", class_name="fire")
    other_pass = replace(fire, mission_id="m2")
    burning = {f.observation.id: f.kind for f in BOOK.findings([heap, fire])}
    assert burning == {"heap": "watch", "fire": "enforce"}
    assert [f.observation.id for f in BOOK.findings([heap, other_pass])] == ["heap", "fire"]
