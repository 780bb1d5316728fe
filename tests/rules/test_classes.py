"""A vehicle whose sights disagree about its class, where the kerb's rules tell classes apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from patrolvision.rules.classes import class_shares
from patrolvision.rules.rulebook import Rulebook
from patrolvision.rules.settings import RuleSettings
from patrolvision.types import Finding, Observation

from . import street
from .street import MONDAY_8, feature, rectangle, seen, zone_map

KERB = rectangle(-20.0, -1.5, 20.0, 1.5)
NOT_TRUCKS = {"exempt_classes": ["truck"]}
TRUCKS_ONLY = {"vehicle_classes": ["truck"]}
OTHER = {"car": "truck", "truck": "car"}


def book_of(tmp_path: Path, *more: Any, rule: str = "no_parking", **properties: Any) -> Rulebook:
    zone = feature(KERB, zone_id="z", rule=rule, **properties)
    return Rulebook(zone_map(tmp_path / "z.geojson", zone, *more))


def sights(*names: str, every_s: float = 600.0, **more: Any) -> list[Observation]:
    """One sight of each class named, by passes ten minutes apart."""
    return [
        replace(
            seen(id=f"o{k}", class_name=name, at=MONDAY_8 + timedelta(seconds=k * every_s), **more),
            mission_id=f"m{k}",
        )
        for k, name in enumerate(names)
    ]


def judged(book: Rulebook, passes: Sequence[Observation]) -> Finding | None:
    findings = [f for one in passes for f in book.findings([one])]
    return book.rejudged(findings, street.place(0.0, 0.0)) if findings else None


@pytest.mark.parametrize("bound", ["car", "truck"])
@pytest.mark.parametrize(
    ("is_bound", "kind", "because"),
    [
        ((False, False, True), "watch", "two of three sights excuse it"),
        ((True, True, False), "enforce", "two of three accuse it"),
        ((True, False), "review", "one against one: a person decides"),
        ((True, True, False, False), "review", "two against two"),
        ((True, True, True, False, False), "review", "three against two is no clear majority"),
        ((False, False, False, True), "watch", "one of four is not worth a doubt"),
    ],
)
def test_most_sights_say_of_which_class_a_vehicle_is_whatever_their_order(
    tmp_path: Path, bound: str, is_bound: tuple[bool, ...], kind: str, because: str
) -> None:
    told_apart = NOT_TRUCKS if bound == "car" else TRUCKS_ONLY
    book = book_of(tmp_path, rule="no_stopping", **told_apart)
    for order in sorted(set(permutations(is_bound))):
        passes = sights(*(bound if yes else OTHER[bound] for yes in order))
        verdicts = [judged(book, told) for told in (passes, passes[::-1])]
        assert [v and v.kind for v in verdicts] == [kind, kind], (because, order)
        assert verdicts[0] is not None
        assert verdicts[1] is not None
        assert verdicts[0].observation.class_name == bound
        assert dict(verdicts[0].evidence) == dict(verdicts[1].evidence)


def test_a_loading_bay_frees_what_most_sights_call_a_truck(tmp_path: Path) -> None:
    bay = feature(
        rectangle(-3.0, -1.25, 3.0, 1.25),
        zone_id="bay",
        rule="parking_allowed",
        vehicle_classes=["truck"],
    )
    book = book_of(tmp_path, bay, rule="no_stopping")
    excused = judged(book, sights("truck", "truck", "car"))
    accused = judged(book, sights("car", "car", "truck"))
    assert [v and v.kind for v in (excused, accused)] == ["watch", "enforce"]


def test_where_no_rule_tells_the_classes_apart_their_quarrel_does_not_matter(
    tmp_path: Path,
) -> None:
    verdict = judged(book_of(tmp_path), sights("car", "truck"))
    assert verdict is not None
    assert (verdict.kind, verdict.evidence["class_share"]) == ("enforce", 1.0)


def test_one_long_pass_does_not_outvote_two_short_ones() -> None:
    long, *short = sights("car", "truck", "truck")
    shares = class_shares([replace(long, frames=500), *short])
    assert shares["truck"] > RuleSettings().class_majority


def test_a_sight_that_is_hardly_sure_weighs_less() -> None:
    sure, unsure = sights("car", "truck")
    shares = class_shares([sure, replace(unsure, confidence=0.3, frames=1)])
    assert shares["car"] == pytest.approx(1.0 / 1.3, abs=0.01)
    assert class_shares([replace(unsure, confidence=0.0)]) == {"truck": 1.0}


def test_an_exempt_truck_proves_no_dwell_of_the_car_that_came_after_it(tmp_path: Path) -> None:
    truck, *cars = sights("truck", "car", "car", "car", every_s=3600.0)
    came = cars[0].first_seen
    close = [
        replace(
            car,
            first_seen=came + timedelta(seconds=60 * k),
            last_seen=came + timedelta(seconds=60 * k),
        )
        for k, car in enumerate(cars)
    ]
    verdict = judged(book_of(tmp_path, **NOT_TRUCKS), [truck, *close])
    assert verdict is not None
    assert (verdict.kind, verdict.evidence["dwell_s"]) == ("watch", 120.0)


@pytest.mark.parametrize(
    ("observation", "properties", "kept", "because"),
    [
        (seen(class_name="truck"), NOT_TRUCKS, 1, "it may be a car after all"),
        (seen(class_name="car"), TRUCKS_ONLY, 1, "it may be a truck after all"),
        (seen(class_name="truck", speed_mps=8.0), NOT_TRUCKS, 0, "it drives"),
        (seen(30.0, class_name="truck"), NOT_TRUCKS, 0, "it stands elsewhere"),
        (seen(class_name="truck"), NOT_TRUCKS | {"hours": "Su"}, 0, "it is Monday"),
        (seen(class_name="truck"), NOT_TRUCKS | {"phase": "warning"}, 0, "nothing is proved there"),
        (
            seen(class_name="motorcycle"),
            {"exempt_classes": ["motorcycle"]},
            0,
            "none looks like it",
        ),
    ],
)
def test_a_sight_excused_by_its_class_alone_is_kept_as_a_watch_without_weight(
    tmp_path: Path,
    observation: Observation,
    properties: dict[str, Any],
    kept: int,
    because: str,
) -> None:
    found = book_of(tmp_path, **properties).findings([observation])
    assert [(f.kind, f.score) for f in found] == [("watch", 0.0)] * kept, because
    assert not any("grace_s" in f.evidence for f in found)
