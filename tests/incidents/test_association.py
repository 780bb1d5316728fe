"""Neighbours, parts and pairings against their plain definitions."""

from __future__ import annotations

from itertools import permutations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from patrolvision.incidents.association import (
    chi2,
    components,
    inverse,
    one_to_one,
    overlap_in_time,
    times,
)


@given(st.integers(0, 10_000))
def test_two_nodes_have_one_label_where_a_path_leads_from_one_to_the_other(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 12))
    i, j = rng.integers(0, count, (2, int(rng.integers(0, 14))))
    reaches = np.eye(count, dtype=bool)
    reaches[i, j] = reaches[j, i] = True
    for _ in range(4):
        reaches = reaches @ reaches
    assert components(count, i, j).tolist() == reaches.argmax(axis=1).tolist()


def test_a_chain_is_one_part_and_its_label_is_its_smallest_member() -> None:
    label = components(7, np.array([5, 3, 1]), np.array([3, 1, 6]))
    assert label.tolist() == [0, 1, 2, 1, 4, 1, 1]


@given(st.integers(0, 10_000))
def test_the_pairing_is_the_cheapest_of_all(seed: int) -> None:
    rng = np.random.default_rng(seed)
    table, limit = rng.uniform(0, 20, (3, 4)), 10.0
    i, j = (x.ravel() for x in np.indices(table.shape))
    chosen = list(zip(*one_to_one(i, j, table.ravel(), limit), strict=True))
    cost = sum(table[a, b] - limit for a, b in chosen)
    best = min(
        sum(min(table[a, b] - limit, 0) for a, b in enumerate(order))
        for order in permutations(range(4), 3)
    )
    assert np.isclose(cost, best)
    assert len({a for a, _ in chosen}) == len({b for _, b in chosen}) == len(chosen)


def test_two_by_two_algebra_agrees_with_numpy() -> None:
    cov = np.array([[[4.0, 1.0], [1.0, 2.0]], [[3.0, -0.5], [-0.5, 1.0]]])
    vector = np.array([[1.0, 2.0], [-3.0, 0.5]])
    assert np.allclose(inverse(cov), np.linalg.inv(cov))
    assert np.allclose(times(cov, vector), np.einsum("nij,nj->ni", cov, vector))
    expected = np.einsum("ni,nij,nj->n", vector, cov, vector)
    assert np.allclose(chi2(vector, cov), expected)


def test_spans_that_only_touch_do_not_overlap_but_an_instant_on_the_edge_does() -> None:
    spans = [(0.0, 2.0, 2.0, 4.0), (0.0, 2.1, 2.0, 4.0), (1.0, 1.0, 1.0, 1.0), (2.0, 2.0, 2.0, 4.0)]
    a, b, c, d = (np.array(x) for x in zip(*spans, strict=True))
    assert overlap_in_time(a, b, c, d).tolist() == [False, True, True, True]
