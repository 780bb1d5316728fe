"""What a person said of incidents stands, in whatever order the rest arrives, and can be undone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from incident_sights import finding, look

from patrolvision.errors import ConfigError
from patrolvision.incidents import hand
from patrolvision.incidents.fusion import absorb
from patrolvision.incidents.memory import MemoryNeighbourhood
from patrolvision.types import Finding, HandDecision, Incident, Look

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = 86_400.0
NEAR = [
    finding("a", "m1"),
    finding("b", "m2", 1.0, after_s=60),
    finding("c", "m3", 2.0, after_s=99),
]
FAR = finding("z", "m9", 60.0, after_s=500)


def fused(
    findings: Sequence[Finding],
    decisions: Sequence[HandDecision] = (),
    looks: Sequence[Look] = (),
) -> MemoryNeighbourhood:
    near = MemoryNeighbourhood()
    near.decisions = list(decisions)
    near.save(findings, looks)
    near.save(incidents=absorb(findings, near, looks=looks))
    return near


def again(near: MemoryNeighbourhood, decision: HandDecision) -> None:
    near.decisions = [d for d in near.decisions if d.id != decision.id] + [decision]
    near.save(incidents=absorb(near.findings_of(hand.named(decision)), near))


def groups(near: MemoryNeighbourhood) -> set[tuple[str, ...]]:
    return {i.observation_ids for i in near.incidents.values() if i.observation_ids}


def holding(near: MemoryNeighbourhood, observation_id: str) -> Incident:
    (incident,) = near.incidents_with([observation_id])
    return incident


def test_a_merge_makes_one_of_two_far_apart_and_undoing_it_two_again() -> None:
    near = fused([*NEAR, FAR])
    before = {i.id: i.observation_ids for i in near.incidents.values()}
    decision = hand.merge(holding(near, "a"), holding(near, "z"), actor="me", at=NOW)
    again(near, decision)
    assert groups(near) == {("a", "b", "c", "z")}
    (gone,) = [i for i in near.incidents.values() if not i.observation_ids]
    assert gone.status == "dismissed"
    assert gone.evidence["merged_into"] == holding(near, "a").id
    again(near, hand.undone(decision, actor="me", at=NOW))
    assert {i.id: i.observation_ids for i in near.incidents.values()} == before
    assert {i.status for i in near.incidents.values()} == {"existing", "new"}


def test_a_split_makes_two_of_one_and_undoing_it_one_again() -> None:
    near = fused(NEAR)
    (whole,) = near.incidents.values()
    decision = hand.split(whole, ["c"], actor="me", at=NOW)
    again(near, decision)
    assert groups(near) == {("a", "b"), ("c",)}
    assert holding(near, "a").id == whole.id
    again(near, hand.undone(decision, actor="me", at=NOW))
    assert groups(near) == {("a", "b", "c")}


def test_what_comes_later_joins_the_nearer_half_of_a_split() -> None:
    sights = [finding("a", "m1"), finding("b", "m2", 4.0, after_s=60)]
    decision = hand.split(holding(fused(sights), "a"), ["b"], actor="me", at=NOW)
    later = [finding("c", "m3", 0.3, after_s=120), finding("d", "m4", 3.8, after_s=180)]
    assert groups(fused([*sights, *later], [decision])) == {("a", "c"), ("b", "d")}


def test_of_two_decisions_that_contradict_each_other_the_later_one_holds() -> None:
    near = fused(NEAR)
    split = hand.split(holding(near, "a"), ["c"], actor="me", at=NOW)
    again(near, split)
    merge = hand.merge(
        holding(near, "a"), holding(near, "c"), actor="me", at=NOW + timedelta(hours=1)
    )
    again(near, merge)
    assert groups(near) == {("a", "b", "c")}
    again(near, hand.undone(merge, actor="me", at=NOW))
    assert groups(near) == {("a", "b"), ("c",)}


def test_a_merge_of_a_removed_thing_with_the_one_after_it_says_it_never_left() -> None:
    looks = [look(f"l{k}", f"gone{k}", DAY + 3600.0 * k) for k in range(5)]
    sights = [finding("a", "m1"), finding("b", "m2", 0.5, after_s=3 * DAY)]
    near = fused(sights, looks=looks)
    assert groups(near) == {("a",), ("b",)}
    again(near, hand.merge(holding(near, "a"), holding(near, "b"), actor="me", at=NOW))
    assert groups(near) == {("a", "b")}


STREET = [
    finding(f"{m}-{k}", f"m{m}", 8.0 * k + shift, after_s=600.0 * m + k)
    for m, shift in enumerate((0.0, 2.0, -1.5, 0.7))
    for k in range(5)
]


@settings(max_examples=15)
@given(st.permutations(range(len(STREET))), st.integers(1, 6))
def test_decisions_hold_in_whatever_order_the_findings_arrive(order: list[int], step: int) -> None:
    near = fused(STREET)
    decisions = [
        hand.merge(holding(near, "0-0"), holding(near, "0-4"), actor="me", at=NOW),
        hand.split(holding(near, "0-2"), ["0-2", "1-2"], actor="me", at=NOW),
    ]
    steps = MemoryNeighbourhood()
    steps.decisions = decisions
    for low in range(0, len(order), step):
        some = [STREET[k] for k in order[low : low + step]]
        steps.save(some)
        steps.save(incidents=absorb(some, steps))
    assert groups(steps) == groups(fused(STREET, decisions))
    for decision in decisions:
        kept = [{holding(steps, o).id for o in group} for group in decision.groups]
        assert all(len(ids) == 1 for ids in kept)
        assert len(set.union(*kept)) == len(kept)


def test_impossible_decisions_are_refused_by_name() -> None:
    near = fused([*NEAR, finding("p", "m1", category="illegal_parking")])
    litter, parked = holding(near, "a"), holding(near, "p")
    with pytest.raises(ConfigError, match="only incidents of one category"):
        hand.merge(litter, parked, actor="me", at=NOW)
    with pytest.raises(ConfigError, match="named twice"):
        hand.merge(litter, litter, actor="me", at=NOW)
    with pytest.raises(ConfigError, match="found z"):
        hand.split(litter, ["a", "z"], actor="me", at=NOW)
    with pytest.raises(ConfigError, match="at least one observation must stay"):
        hand.split(litter, litter.observation_ids, actor="me", at=NOW)


def test_labels_without_decisions_stay() -> None:
    label = np.array([0, 1, 0])
    assert (hand.obeyed(label, [("litter", o) for o in "abc"], np.zeros((3, 2)), []) == label).all()
