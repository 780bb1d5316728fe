"""One incident for each hazard, whatever the order and however often it is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from incident_sights import finding, look

from patrolvision.geo.geodesy import distance_m
from patrolvision.incidents.fusion import absorb
from patrolvision.incidents.memory import MemoryNeighbourhood
from patrolvision.simulate.city import CitySettings, build_city
from patrolvision.types import Finding, Incident, Look

HOUR = 3600.0
DAY = 86_400.0


def fuse(findings: Sequence[Finding], looks: Sequence[Look] = ()) -> list[Incident]:
    return absorb(findings, MemoryNeighbourhood(), looks=looks)


def fuse_in_steps(
    steps: Sequence[Sequence[Finding]], looks: Sequence[Look] = ()
) -> MemoryNeighbourhood:
    near = MemoryNeighbourhood()
    near.save(looks=looks)
    for step in steps:
        near.save(step)
        near.save(incidents=absorb(step, near))
    return near


def state(incidents: Sequence[Incident]) -> set[tuple[object, ...]]:
    """Everything but the ids, which remember history."""
    return {
        (
            i.category,
            i.kind,
            i.status,
            i.class_name,
            round(i.place.lat_deg, 9),
            round(i.place.lon_deg, 9),
            i.observation_ids,
            i.mission_ids,
            i.first_seen,
            i.last_seen,
            i.removed_at,
            round(i.score, 9),
        )
        for i in incidents
        if i.observation_ids
    }


def test_a_thousand_passes_of_one_parked_car_are_one_incident() -> None:
    rng = np.random.default_rng(3)
    findings = []
    for k in range(1000):
        shift, own = rng.normal(0, 2, 2), rng.normal(0, 0.9, 2)
        findings.append(
            finding(
                f"o{k}",
                f"m{k}",
                *(shift + own),
                after_s=60.0 * k,
                category="illegal_parking",
            )
        )
    (incident,) = fuse(findings)
    assert len(incident.observation_ids) == 1000
    assert incident.status == "existing"
    # 1,000 passes of sigma sqrt(4.81) leave 0.07 m; four sigma
    assert distance_m(incident.place.lat_deg, incident.place.lon_deg, 22.84, 113.23) < 0.28


def test_three_reports_of_one_fire_are_one_incident() -> None:
    (incident,) = fuse(
        [
            finding("a", "m1", 0, 0, category="open_fire"),
            finding("b", "m2", 3, 1, category="open_fire", after_s=300),
            finding("c", "m3", -1, 2, category="open_fire", class_name="smoke", after_s=600),
        ]
    )
    assert incident.observation_ids == ("a", "b", "c")


def test_two_cars_that_one_pass_saw_at_once_stay_two_even_three_metres_apart() -> None:
    cars = [
        finding(f"{m}{k}", m, 3.0 * k, after_s=t, category="illegal_parking", lasts_s=3)
        for t, m in ((0, "m1"), (HOUR, "m2"), (2 * HOUR, "m3"))
        for k in range(2)
    ]
    incidents = fuse(cars)
    assert sorted(i.observation_ids for i in incidents) == [
        ("m10", "m20", "m30"),
        ("m11", "m21", "m31"),
    ]


def test_motorcycles_stand_side_by_side_and_are_counted_one_by_one() -> None:
    row = [
        finding(f"{m}{k}", m, 0.9 * k, after_s=t, category="illegal_parking",
                class_name="motorcycle", lasts_s=3, own_sigma_m=0.1)
        for t, m in ((0, "m1"), (HOUR, "m2"), (2 * HOUR, "m3"))
        for k in range(3)
    ]  # fmt: skip
    assert sorted(len(i.observation_ids) for i in fuse(row)) == [3, 3, 3]


def _twins(seed: int, apart_m: float, passes: int = 8) -> list[Finding]:
    """A row of five pieces; every pass shifted, and following a third of them twice at once."""
    rng = np.random.default_rng(seed)
    found = []
    for m in range(passes):
        shift = rng.normal(0, 2, 2)
        for k in range(5):
            for track in range(1 + int(rng.random() < 1 / 3)):
                east, north = shift + rng.normal(0, 0.5, 2) + (apart_m * k, 0.0)
                after_s = HOUR * m + 10.0 * k + 0.5 * track
                name = f"{k}-{m}-{track}"
                found.append(finding(name, f"m{m}", east, north, after_s=after_s, own_sigma_m=0.5))
    return found


@pytest.mark.parametrize("apart_m", [6.0, 12.0])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_a_pass_followed_twice_at_once_is_one_thing_and_its_neighbours_are_others(
    seed: int, apart_m: float
) -> None:
    found = fuse(_twins(seed, apart_m))
    assert [len({o[0] for o in i.observation_ids}) for i in found] == [1] * 5


def test_what_every_pass_saw_twice_a_step_apart_is_one_thing_even_if_its_shift_drifted() -> None:
    """A car comes by twice in a drive; a drift of 1.3 m is more than its own noise explains."""
    found = [
        finding(f"{m}{k}", m, 1.3 * k, after_s=t + 200.0 * k, own_sigma_m=0.1)
        for t, m in ((0, "m1"), (HOUR, "m2"), (2 * HOUR, "m3"))
        for k in range(2)
    ]
    (incident,) = fuse(found)
    assert len(incident.observation_ids) == 6


def test_two_pieces_of_litter_twelve_metres_apart_stay_two_under_shifted_passes() -> None:
    findings = [
        finding(f"{m}{k}", m, 12.0 * k + shift, after_s=t)
        for t, m, shift in ((0, "m1", 3.5), (HOUR, "m2", -3.5), (2 * HOUR, "m3", 0.0))
        for k in range(2)
    ]
    assert sorted(len(i.observation_ids) for i in fuse(findings)) == [3, 3]


def test_the_two_parts_of_a_broken_track_are_one_incident() -> None:
    (incident,) = fuse(
        [finding("a", "m1", 0, 0, lasts_s=1), finding("b", "m1", 0.8, -0.5, after_s=2)]
    )
    assert incident.status == "new"  # one pass is one sight


def test_things_of_different_kind_at_one_place_are_different_incidents() -> None:
    findings = [
        finding("a", "m1", category="illegal_parking"),
        finding("b", "m2", category="illegal_parking", class_name="truck", after_s=60),
        finding("c", "m3", category="illegal_parking", class_name="motorcycle", after_s=90),
        finding("d", "m4", category="litter", after_s=90),
    ]
    assert {i.observation_ids for i in fuse(findings)} == {("a", "b"), ("c",), ("d",)}


def test_the_place_averages_own_noise_within_a_pass_and_bias_only_between_passes() -> None:
    (one,) = fuse(
        [finding("a", "m1", 0.4, lasts_s=1), finding("b", "m1", -0.4, after_s=5)],
    )
    # bias 4 stays whole, own 0.81 halves
    assert np.allclose(one.place.cov_en_m2, (4 + 0.81 / 2) * np.eye(2), atol=1e-5)
    (two,) = fuse([finding("a", "m1"), finding("b", "m2", after_s=60)])
    assert np.allclose(two.place.cov_en_m2, (4 + 0.81) / 2 * np.eye(2), atol=1e-5)


def _street() -> list[Finding]:
    """Two litters six metres apart, a car and a fire, seen by five shifted passes."""
    rng = np.random.default_rng(5)
    findings = []
    for m in range(5):
        shift = rng.normal(0, 2, 2)
        for k, (east, category) in enumerate(
            ((0, "litter"), (6, "litter"), (20, "illegal_parking"), (40, "open_fire"))
        ):
            if rng.random() < 0.85:
                place = np.array([east, 0.0]) + shift + rng.normal(0, 0.7, 2)
                findings.append(
                    finding(
                        f"m{m}-{k}",
                        f"m{m}",
                        *place,
                        after_s=HOUR * m + 5 * k,
                        category=category,  # type: ignore[arg-type]
                        bias_sigma_m=None if m % 2 else 2.0,
                    )
                )
    return findings


STREET = _street()


@given(st.permutations(range(len(STREET))), st.integers(1, 6), st.data())
@settings(max_examples=15, deadline=None)
def test_any_order_with_any_repetition_ends_in_the_same_state(
    order: list[int], chunk: int, data: st.DataObject
) -> None:
    again = data.draw(st.lists(st.sampled_from(range(len(STREET))), max_size=5))
    queue = [STREET[k] for k in (*order, *again)]
    near = fuse_in_steps([queue[k : k + chunk] for k in range(0, len(queue), chunk)])
    assert state(list(near.incidents.values())) == state(fuse(STREET))


def test_absorbing_the_same_findings_again_changes_nothing() -> None:
    near = fuse_in_steps([STREET])
    assert absorb(STREET, near) == []


def test_an_incident_keeps_its_id_when_an_earlier_sight_of_it_arrives_later() -> None:
    late, early = finding("late", "m2", after_s=HOUR), finding("early", "m1")
    near = fuse_in_steps([[late]])
    (before,) = near.incidents.values()
    near.save([early])
    (after,) = absorb([early], near)
    assert after.id == before.id
    assert after.first_seen == early.observation.first_seen


def test_an_incident_that_joins_another_is_dismissed_and_names_it() -> None:
    a, b = finding("a", "m1", -7), finding("b", "m2", 7, after_s=60)
    near = fuse_in_steps([[a], [b]])
    assert len(near.incidents) == 2
    bridge = [finding(f"c{k}", f"m{3 + k}", 0.2 * k, after_s=HOUR * (k + 1)) for k in range(6)]
    near.save(bridge)
    near.save(incidents=absorb(bridge, near))
    holding = [i for i in near.incidents.values() if i.observation_ids]
    (gone,) = [i for i in near.incidents.values() if not i.observation_ids]
    (incident,) = holding
    assert gone.status == "dismissed"
    assert gone.evidence["merged_into"] == incident.id


def test_what_a_person_dismissed_stays_dismissed() -> None:
    near = fuse_in_steps([[finding("a", "m1")]])
    (incident,) = near.incidents.values()
    near.save(incidents=[replace(incident, status="dismissed")])
    again = finding("b", "m2", 0.5, after_s=HOUR)
    near.save([again])
    (after,) = absorb([again], near)
    assert after.status == "dismissed"
    assert after.observation_ids == ("a", "b")


def test_litter_that_came_back_after_its_removal_is_a_new_incident_linked_to_the_old() -> None:
    looks = [look(f"l{k}", f"gone{k}", HOUR * (k + 1)) for k in range(5)]
    old, new = fuse(
        [finding("a", "m1"), finding("b", "m2", 1.0, after_s=DAY)],
        [*looks, look("l-a", "m1", 0), look("l-b", "m2", DAY)],
    )
    assert old.status == "removed"
    assert new.status == "new"
    assert new.previous_incident_id == old.id


def test_looks_that_come_later_remove_what_they_no_longer_see() -> None:
    near = fuse_in_steps([[finding("a", "m1")]])
    looks = [look(f"l{k}", f"gone{k}", HOUR * (k + 1)) for k in range(3)]
    (incident,) = absorb([], near, looks=looks)
    assert incident.status == "removed"
    assert incident.removed_at == looks[0].end


def test_a_simulated_city_is_counted_once() -> None:
    city = build_city(CitySettings(seed=77, incidents=60, streets=3, days=2, cars=3, drones=1))
    findings = [
        finding_of
        for o in city.observations
        for finding_of in [
            Finding(
                f"f-{o.id}",
                {"litter": "litter", "car": "illegal_parking", "fire": "open_fire"}[o.class_name],  # type: ignore[arg-type]
                "enforce",
                o,
                0.8,
            )
        ]
    ]
    incidents = absorb(findings, MemoryNeighbourhood(), looks=city.looks)
    found = {o: i.id for i in incidents for o in i.observation_ids}
    real: dict[str, set[str]] = {}
    for observation_id, thing in city.truth.items():
        if thing is not None:
            real.setdefault(thing, set()).add(found[observation_id])
    duplicates = sum(len(ids) - 1 for ids in real.values())
    assert duplicates <= 0.02 * len(real)
    majority = [max(sorted(ids)) for ids in real.values() if len(ids) == 1]
    assert len(set(majority)) >= 0.98 * len(majority)


def test_a_shuffled_city_is_the_same_city() -> None:
    city = build_city(CitySettings(seed=78, incidents=30, streets=2, days=2, cars=2, drones=1))
    category = {"litter": "litter", "car": "illegal_parking", "fire": "open_fire"}
    findings = [
        Finding(f"f-{o.id}", category[o.class_name], "enforce", o, 0.8)  # type: ignore[arg-type]
        for o in city.observations
    ]
    order = np.random.default_rng(1).permutation(len(findings))
    shuffled = [findings[k] for k in order]
    again = fuse(shuffled + shuffled[:50], city.looks[::-1])
    first = fuse(findings, city.looks)
    assert state(again) == state(first)
    assert {i.id for i in again} == {i.id for i in first}


def test_the_rules_judge_a_vehicle_at_its_aligned_place() -> None:
    """Ten passes saw five things, the last pass alone a sixth: its shift is known from the five."""
    rng = np.random.default_rng(9)
    findings = []
    for m in range(10):
        shift = rng.normal(0, 2, 2)
        for k in range(6 if m == 9 else 5):
            place = np.array([20.0 * k, 0.0]) + shift + rng.normal(0, 0.3, 2)
            findings.append(
                finding(
                    f"m{m}-{k}",
                    f"m{m}",
                    *place,
                    after_s=HOUR * m + 5 * k,
                    category="illegal_parking",
                    own_sigma_m=0.3,
                )
            )
    judged_at: dict[int, tuple[Finding, float]] = {}

    def rejudge(about: Sequence[Finding], place: object) -> Finding:
        judged_at[len(about)] = (about[0], place.sigma_m)  # type: ignore[attr-defined]
        return replace(about[0], kind="review", score=0.5, zone_id="z")

    incidents = absorb(findings, MemoryNeighbourhood(), rejudge=rejudge)
    assert {i.kind for i in incidents} == {"review"}
    # all shifts together leave 2 / sqrt(10) = 0.63 m; the lone sight alone would have 2.02 m
    assert judged_at[1][1] < 0.9


def test_a_vehicle_of_which_the_rules_say_nothing_is_only_watched() -> None:
    (incident,) = absorb(
        [finding("a", "m1", category="illegal_parking")],
        MemoryNeighbourhood(),
        rejudge=lambda _findings, _place: None,
    )
    assert incident.kind == "watch"
