"""Which pictures each step is shown: new and old together, a function of seed and step alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

HARD_WEIGHT = 2.0  # the hardest picture comes this many times more often, beside its one


@dataclass(frozen=True, slots=True)
class Pool:
    """How often each of some pictures comes in an epoch; start is the first one's number."""

    start: int
    weights: tuple[float, ...]


def pool_of(start: int, hardness: Sequence[float], repeats: Sequence[float]) -> Pool:
    """The pool of pictures numbered from start, the hard ones more often."""
    weights = (
        repeat * (1.0 + HARD_WEIGHT * hard) for hard, repeat in zip(hardness, repeats, strict=True)
    )
    return Pool(start, tuple(weights))


def chosen(
    new: Pool, old: Pool | None, *, step: int, batch: int, replay: float, seed: int
) -> list[int]:
    """The pictures' numbers of one step: a share `replay` of the batch from old, the rest new."""
    of_old = round(batch * replay) if old is not None else 0
    picked = _from_pool(new, step, batch - of_old, seed)
    return picked + (_from_pool(old, step, of_old, seed + 1) if old is not None else [])


def _from_pool(pool: Pool, step: int, count: int, seed: int) -> list[int]:
    length = len(_epoch(pool, 0, seed))
    places = range(step * count, (step + 1) * count)
    return [int(_epoch(pool, k // length, seed)[k % length]) for k in places]


@lru_cache(maxsize=8)
def _epoch(pool: Pool, epoch: int, seed: int) -> NDArray[np.int64]:
    """All pictures of the pool in an order of its own for each epoch, as often as their weights.

    A broken share of a weight is drawn anew each epoch, so that the length is the same each time.
    """
    rng = np.random.default_rng([seed, epoch])
    weights = np.array(pool.weights)
    length = max(1, round(float(weights.sum())))
    whole = np.floor(weights).astype(np.int64)
    rest = weights - whole
    missing = length - int(whole.sum())
    if missing > 0:
        few = missing > int(np.count_nonzero(rest))
        extra = rng.choice(len(weights), size=missing, replace=few, p=rest / rest.sum())
        np.add.at(whole, extra, 1)
    order = np.repeat(np.arange(len(weights)), whole)
    return rng.permutation(order)[:length] + pool.start
