"""What was taken for two things is joined where one explains the passes better."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from incident_sights import finding

from patrolvision.incidents.fusion import absorb
from patrolvision.incidents.memory import MemoryNeighbourhood
from patrolvision.types import Finding, Incident

HOUR = 3600.0
Place = tuple[float, float]


def street(
    rng: np.random.Generator, extra: dict[str, Place], pull: dict[str, Place]
) -> list[Finding]:
    """Eight things 15 m apart, o<pass>-<thing>, seen by twenty passes with a shift of their own.

    extra: further sights, x<pass>, at a place beside; pull: by how much a sight lies off.
    """
    found = []
    for k in range(20):
        shift = rng.normal(0, 2, 2)
        places = {f"o{k}-{n}": (15.0 * n, 0.0) for n in range(8)}
        if f"x{k}" in extra:
            places[f"x{k}"] = extra[f"x{k}"]
        for id, place in places.items():
            east, north = shift + rng.normal(0, 0.9, 2) + place + pull.get(id, (0.0, 0.0))
            at_s = HOUR * k + place[0] / 5
            found.append(finding(id, f"m{k}", east, north, after_s=at_s))
    return found


def fuse(findings: list[Finding]) -> list[Incident]:
    return absorb(findings, MemoryNeighbourhood())


def test_a_sight_far_off_its_thing_is_no_second_thing_where_all_other_passes_saw_one() -> None:
    # 4.5 sigma of its own noise: one sight in 25,000, which a city has every other day
    found = street(np.random.default_rng(1), {}, {"o10-4": (0.0, 4.05)})
    assert len(fuse(found)) == 8


def test_a_thing_that_stood_there_for_a_few_passes_stays_a_thing_of_its_own() -> None:
    beside = dict.fromkeys(("x9", "x10", "x11"), (45.0, 6.0))
    found = street(np.random.default_rng(2), beside, {})
    assert sorted(len(i.observation_ids) for i in fuse(found)) == [3, *[20] * 8]


def test_passes_of_unlike_noise_are_each_believed_as_far_as_they_agree() -> None:
    """Cars of 0.6 m, a drone of 1.6 m; only the total is told, so the parts are inferred."""
    rng = np.random.default_rng(5)
    along_m = np.cumsum(rng.uniform(12, 20, 24))
    found = []
    for k in range(40):
        own, stream = (0.6, "car1") if k % 3 else (1.6, "drone1")
        shift = rng.normal(0, 2, 2)
        for n, east_m in enumerate(along_m):
            east, north = shift + rng.normal(0, own, 2) + (east_m, 0.0)
            at_s = HOUR * k + 2.0 * n
            seen = finding(f"o{k}-{n}", f"m{k}", east, north, after_s=at_s, own_sigma_m=own)
            told = replace(seen.observation, bias_cov_en_m2=None, stream_id=stream)
            found.append(replace(seen, observation=told))
    assert len(fuse(found)) == 24


def followed_twice(rate: float, seed: int, *, pair_m: float = 0.0) -> list[Finding]:
    """Twelve things 15 m apart, five passes; of the sights this share has a second track at once.

    pair_m: every other thing has a neighbour so far off.
    """
    rng = np.random.default_rng(seed)
    places = [(15.0 * n, 0.0) for n in range(12)]
    if pair_m:
        places += [(15.0 * n, pair_m) for n in range(0, 12, 2)]
    found = []
    for k in range(5):
        shift = rng.normal(0, 2, 2)
        for n, place in enumerate(places):
            for part in range(1 + (rng.random() < rate)):
                east, north = shift + place + rng.normal(0, 0.9, 2)
                at_s = HOUR * k + place[0] / 5
                found.append(finding(f"o{k}-{n}-{part}", f"m{k}", east, north, after_s=at_s))
    return found


def test_where_trackers_follow_things_twice_a_twin_beyond_the_room_is_no_second_thing() -> None:
    """Of each twin its own noise puts a third farther than 2 m from its other."""
    counts = [len(fuse(followed_twice(0.25, seed))) for seed in range(4)]
    assert 48 <= sum(counts) <= 49  # one may be left of some sixty twins; where none is joined, 58


def test_two_that_stand_three_metres_apart_stay_two_where_nothing_is_followed_twice() -> None:
    counts = [len(fuse(followed_twice(0.0, seed, pair_m=3.0))) for seed in range(4)]
    assert counts == [18] * 4
