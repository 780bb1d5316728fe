"""Neighbours against the full table of distances."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from patrolvision.geo.pairs import pairs_within


@given(st.integers(0, 10_000))
def test_pairs_are_those_that_a_full_table_of_distances_gives(seed: int) -> None:
    rng = np.random.default_rng(seed)
    many = int(rng.choice([20, 400, 2000]))  # more than are all measured
    a, b = rng.uniform(-40, 40, (rng.integers(0, 30), 2)), rng.uniform(-40, 40, (many, 2))
    a[:, 1] /= rng.choice([1, 20])  # a street: most of the others lie beside it
    i, j = pairs_within(a, b, 9.0)
    table = np.hypot(*(a[:, None] - b[None]).transpose(2, 0, 1)) <= 9.0
    assert list(zip(i, j, strict=True)) == list(zip(*np.nonzero(table), strict=True))
