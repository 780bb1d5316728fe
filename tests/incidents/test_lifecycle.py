"""What proves that a thing is gone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from incident_sights import LAT_DEG, LON_DEG, at, look

from patrolvision.incidents.lifecycle import Sight, Visit, depth_m, lives, visits_of
from patrolvision.incidents.settings import LITTER, VEHICLES


def visit(start: float, mission: str, p: float = 0.9) -> Visit:
    return Visit(start, start + 10, mission, p)


HERE = Sight(0, 2, "m1")


def test_one_blink_does_not_remove() -> None:
    (life,) = lives([HERE], [visit(3600, "m2", 0.95)], LITTER)
    assert life.removed_at is None
    assert life.missed == 1


def test_two_passes_that_should_have_seen_it_remove() -> None:
    (life,) = lives([HERE], [visit(3600, "m2"), visit(7200, "m3")], LITTER)
    assert life.removed_at == 3610  # known gone since the first of them


def test_many_looks_of_one_pass_are_one_blink() -> None:
    looks = [look(f"l{k}", "m2", 3600 + 5 * k) for k in range(20)]
    (visits,) = visits_of([LAT_DEG], [LON_DEG], [1.0], [frozenset({"litter"})], looks, LITTER)
    assert len(visits) == 1
    (life,) = lives([HERE], visits, LITTER)
    assert life.removed_at is None


def test_a_sight_in_between_cancels() -> None:
    sights = [HERE, Sight(5400, 5402, "m9")]
    (life,) = lives(sights, [visit(3600, "m2"), visit(7200, "m3")], LITTER)
    assert life.sights == (0, 1)
    assert life.removed_at is None


def test_a_return_needs_more_proof_than_a_removal() -> None:
    sights = [HERE, Sight(50_000, 50_002, "m9")]
    visits = [visit(3600.0 * (k + 1), f"x{k}") for k in range(5)]
    assert len(lives(sights, visits[:2], LITTER)) == 1
    old, new = lives(sights, visits, LITTER)
    assert old.removed_at == visits[0].end
    assert new.removed_at is None


def days_of(pattern: str) -> tuple[list[Sight], list[Visit]]:
    """One visit an hour: x saw it, a dot did not."""
    visits = [visit(3600.0 * k, f"m{k}") for k in range(len(pattern))]
    sights = [
        Sight(v.start, v.start + 2, v.mission_id)
        for v, is_seen in zip(visits, pattern, strict=True)
        if is_seen == "x"
    ]
    return sights, visits


@pytest.mark.parametrize(
    ("pattern", "stays"),
    [
        ("xxxxxxxxxx.....xxxxxxxxxx", 2),  # five misses of what was seen ten times out of ten
        ("xxxxxxxxxx....xxxxxxxxxx", 1),  # four: one thing of 200 is missed so by chance
        ("x.x..x.x.x...x.x.....x.x.x..xx", 1),  # half hidden: seen by every other visit at best
        ("x.x..x.x.x...x.x" + 16 * "." + "x.x.x..xx", 2),  # even so, sixteen are too many
    ],
)
def test_how_often_a_thing_was_missed_elsewhere_tells_what_a_gap_proves(
    pattern: str, stays: int
) -> None:
    assert len(lives(*days_of(pattern), LITTER)) == stays


def test_a_thing_often_missed_while_there_is_not_gone_after_two_misses() -> None:
    (hidden,) = lives(*days_of("x.x..x.x.x...x.x.."), LITTER)
    (plain,) = lives(*days_of("xxxxxxxxxxxxxxxx.."), LITTER)
    assert hidden.removed_at is None
    assert plain.removed_at is not None


def test_the_pass_that_saw_it_did_not_miss_it() -> None:
    sights = [HERE, Sight(3600, 3602, "m2"), Sight(7200, 7202, "m3")]
    visits = [visit(3590, "m2"), visit(7190, "m3"), visit(7230, "m3")]
    (life,) = lives(sights, visits, LITTER)
    assert life.missed == 0


def test_a_vehicle_unseen_for_longer_than_its_gap_is_another() -> None:
    gap = VEHICLES.max_gap_s + 10
    old, new = lives([HERE, Sight(gap, gap + 1, "m2")], [], VEHICLES)
    assert not old.is_proved
    assert old.removed_at == gap
    assert new.sights == (1,)


@given(st.permutations(range(6)))
def test_the_order_in_which_looks_arrive_does_not_matter(order: list[int]) -> None:
    looks = [look(f"l{k}", f"m{k % 4}", 3600.0 * (k + 1)) for k in range(6)]
    place = ([LAT_DEG], [LON_DEG], [1.0], [frozenset({"litter"})])
    first = visits_of(*place, looks, LITTER)
    again = visits_of(*place, [looks[k] for k in order], LITTER)
    assert first == again


@pytest.mark.parametrize(
    ("east_m", "sigma_m", "class_name", "p", "counts"),
    [
        (0, 1, "litter", 0.9, True),
        (19, 1, "litter", 0.9, False),  # one metre from the edge: the margin is two
        (15, 6, "litter", 0.9, False),  # five metres from the edge, but the error is six
        (0, 1, "person", 0.9, False),  # a class the pass did not look for
        (0, 1, "litter", 0.2, False),  # a look that hardly sees anything
    ],
)
def test_only_a_look_that_could_well_have_seen_it_counts(
    east_m: float, sigma_m: float, class_name: str, p: float, counts: bool
) -> None:
    lat, lon = at(east_m, 0)
    (visits,) = visits_of(
        [lat], [lon], [sigma_m], [frozenset({class_name})], [look("l", "m", 0, p)], LITTER
    )
    assert bool(visits) is counts


def test_depth_is_the_distance_to_the_nearest_edge_and_negative_outside() -> None:
    ring = np.array([at(0, 0), at(10, 0), at(10, 4), at(0, 4)])
    depth = depth_m(np.array([at(5, 2), at(9, 2), at(12, 2), at(5, -1)]), ring)
    assert np.allclose(depth, [2, 1, -2, -1], atol=1e-3)
