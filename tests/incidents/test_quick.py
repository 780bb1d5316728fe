"""One finding at once: what is joined, what is new, and that absorb has the last word."""

from __future__ import annotations

import numpy as np
from incident_sights import finding, look
from test_fusion import state

from patrolvision.incidents.fusion import absorb
from patrolvision.incidents.memory import MemoryNeighbourhood
from patrolvision.incidents.quick import associate
from patrolvision.types import Finding, Incident

DAY = 86_400.0


def take(near: MemoryNeighbourhood, *findings: Finding) -> list[Incident]:
    changed: list[Incident] = []
    for one in findings:
        near.save([one])
        changed = associate(one, near)
        near.save(incidents=changed)
    return changed


def groups(near: MemoryNeighbourhood) -> set[tuple[str, ...]]:
    return {i.observation_ids for i in near.incidents.values() if i.observation_ids}


def test_a_second_sight_joins_and_a_far_one_is_new() -> None:
    near = MemoryNeighbourhood()
    take(near, finding("a", "m1"), finding("b", "m2", 3.0, after_s=60))
    take(near, finding("c", "m3", 40.0, after_s=120))
    assert groups(near) == {("a", "b"), ("c",)}


def test_the_same_finding_again_changes_nothing() -> None:
    near = MemoryNeighbourhood()
    take(near, finding("a", "m1"), finding("b", "m2", 3.0, after_s=60))
    assert take(near, finding("b", "m2", 3.0, after_s=60)) == []


def test_what_the_pass_saw_before_tells_its_shift() -> None:
    """Seven metres off, a sight lies nearer to the neighbour than to its own thing."""
    near = MemoryNeighbourhood()
    for m in ("m1", "m2", "m3"):
        take(near, *(finding(f"{m}{k}", m, 12.0 * k, after_s=float(k)) for k in range(4)))
    shifted = [finding(f"n{k}", "n", 12.0 * k + 5.0, after_s=100.0 + k) for k in range(3)]
    take(near, *shifted)
    take(near, finding("n3", "n", 36.0 + 7.0, after_s=110.0))
    assert {ids[-1] for ids in groups(near) if len(ids) == 4} == {"n0", "n1", "n2", "n3"}


def test_two_things_that_one_pass_saw_at_once_stay_two() -> None:
    near = MemoryNeighbourhood()
    take(near, finding("a", "m1", 0.0, lasts_s=3), finding("b", "m1", 3.0, after_s=1, lasts_s=3))
    assert groups(near) == {("a",), ("b",)}


def test_the_two_parts_of_a_broken_track_are_one() -> None:
    near = MemoryNeighbourhood()
    take(near, finding("a", "m1", lasts_s=1), finding("b", "m1", 0.5, after_s=2))
    assert groups(near) == {("a", "b")}


def test_what_came_back_after_its_removal_is_a_new_incident_linked_to_the_old() -> None:
    near = MemoryNeighbourhood()
    near.save(looks=[look(f"l{k}", f"gone{k}", DAY + 3600.0 * k) for k in range(5)])
    take(near, finding("a", "m1"))
    take(near, finding("b", "m2", 0.5, after_s=3 * DAY))
    old, new = sorted(near.incidents.values(), key=lambda incident: incident.first_seen)
    assert (old.status, new.status) == ("removed", "new")
    assert new.previous_incident_id == old.id


def test_absorb_afterwards_ends_where_absorb_alone_ends() -> None:
    rng = np.random.default_rng(4)
    findings = []
    for m in range(6):
        shift = rng.normal(0, 2, 2)
        for k in range(8):
            east, north = np.array([9.0 * k, 0.0]) + shift + rng.normal(0, 0.9, 2)
            findings.append(finding(f"{m}-{k}", f"m{m}", east, north, after_s=600.0 * m + k))
    near = MemoryNeighbourhood()
    take(near, *findings)
    near.save(incidents=absorb(findings, near))
    assert state(list(near.incidents.values())) == state(absorb(findings, MemoryNeighbourhood()))
