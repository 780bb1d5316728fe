"""Average precision, precision and recall of matched boxes, with bootstrap intervals.

AP is COCO's: the mean of the best precision at or beyond 101 levels of recall. Intervals are the
2.5th and 97.5th percentiles of the figure over resampled pictures (Efron & Tibshirani, An
Introduction to the Bootstrap, 1993, ch. 13); pictures of one place, mission or video are drawn
together, since they are not independent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from patrolvision.training.evaluation_matching import ClassMatches

LEVELS: NDArray[np.float64] = np.linspace(0, 1, 101)
ROUNDS = 300
Weights = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its 95 % interval; value is None where there was nothing to measure it on."""

    value: float | None
    low: float | None = None
    high: float | None = None


def average_precisions(matches: ClassMatches, weights: Weights | None = None) -> Weights:
    """AP (10,) at each of IOUS; NaN if nothing was drawn. weights (P,): how often a picture counts.

    At most MAX_PER_PICTURE boxes of a picture were matched, as COCO has it.
    """
    weights = np.ones(len(matches.drawn)) if weights is None else weights
    drawn = float((matches.drawn * weights).sum())
    if drawn == 0:
        return np.full(len(matches.is_hit), np.nan)
    each = weights[matches.index]
    hits = np.cumsum(matches.is_hit * each, axis=1)
    said = np.cumsum(~matches.is_ignored * each, axis=1)
    precision = hits / np.maximum(said, 1e-12)
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    best = np.hstack([best, np.zeros((len(best), 1))])
    places = [np.searchsorted(row / drawn, LEVELS - 1e-12) for row in hits]
    return np.array([row[place].mean() for row, place in zip(best, places, strict=True)])


def ap50(matches: ClassMatches, weights: Weights | None = None) -> float:
    """AP at IoU 0.5."""
    first = ClassMatches(
        matches.confidence, matches.is_hit[:1], matches.is_ignored[:1], matches.index,
        matches.drawn, matches.has_class, matches.pictures,
    )  # fmt: skip
    return float(average_precisions(first, weights)[0])


def ap50_95(matches: ClassMatches, weights: Weights | None = None) -> float:
    """The mean AP over the ten IoUs from 0.5 to 0.95."""
    return float(average_precisions(matches, weights).mean())


def precision_at(matches: ClassMatches, threshold: float, weights: Weights | None = None) -> float:
    """The share of boxes at or above the threshold that hit at IoU 0.5; NaN without any."""
    hits, said = _counts(matches, threshold, weights)
    return hits / said if said else float("nan")


def recall_at(matches: ClassMatches, threshold: float, weights: Weights | None = None) -> float:
    """The share of drawn boxes that boxes at or above the threshold hit at IoU 0.5."""
    weights = np.ones(len(matches.drawn)) if weights is None else weights
    drawn = float((matches.drawn * weights).sum())
    return _counts(matches, threshold, weights)[0] / drawn if drawn else float("nan")


def false_per_1000(
    matches: ClassMatches, threshold: float, weights: Weights | None = None
) -> float:
    """Boxes at or above the threshold per 1,000 pictures that have none of the class."""
    weights = np.ones(len(matches.drawn)) if weights is None else weights
    negative = ~matches.has_class
    pictures = float(weights[negative].sum())
    if pictures == 0:
        return float("nan")
    said = negative[matches.index] & (matches.confidence >= threshold)
    return 1000.0 * float(weights[matches.index[said]].sum()) / pictures


def _counts(
    matches: ClassMatches, threshold: float, weights: Weights | None
) -> tuple[float, float]:
    over = matches.confidence >= threshold
    each = over if weights is None else over * weights[matches.index]
    hits = float((matches.is_hit[0] * each).sum())
    return hits, float((~matches.is_ignored[0] * each).sum())


def curve(matches: ClassMatches) -> tuple[Weights, Weights, Weights]:
    """Confidence, precision and recall at IoU 0.5 after each found box, the surest first."""
    counted = ~matches.is_ignored[0]
    hits = np.cumsum(matches.is_hit[0][counted])
    said = np.arange(1, len(hits) + 1)
    recall = hits / max(int(matches.drawn.sum()), 1)
    return matches.confidence[counted], hits / said, recall


def resampled(units: Sequence[str], rounds: int, seed: int) -> Weights:
    """How often each picture counts in each round, (rounds, P); units (P,) are drawn together.

    An empty unit stands for a picture of its own.
    """
    names = [unit or f"\0{number}" for number, unit in enumerate(units)]
    _, unit_of = np.unique(names, return_inverse=True) if names else (None, np.zeros(0, np.int64))
    count = int(unit_of.max()) + 1 if len(unit_of) else 0
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=rounds) if count else None
    return np.zeros((rounds, 0)) if drawn is None else drawn[:, unit_of].astype(np.float64)


def estimate(
    figure: Callable[[ClassMatches, Weights | None], float],
    matches: ClassMatches,
    rounds: Weights,
) -> Estimate:
    """A figure of the matches and its interval; rounds (R, P) as `resampled` gives them."""
    value = figure(matches, None)
    if not np.isfinite(value):
        return Estimate(None)
    samples = np.array([figure(matches, weights) for weights in rounds])
    return _interval(value, samples)


def difference(
    figure: Callable[[ClassMatches, Weights | None], float],
    one: ClassMatches,
    other: ClassMatches,
    rounds: Weights,
) -> Estimate:
    """`other`'s figure less `one`'s, paired: both are of the same pictures, drawn alike.

    The interval is narrower than the two figures' own, since what makes a set of pictures hard is
    hard for both.
    """
    if not np.array_equal(one.pictures, other.pictures):
        raise ValueError("a paired difference needs the same pictures on both sides")
    value = figure(other, None) - figure(one, None)
    if not np.isfinite(value):
        return Estimate(None)
    return _interval(
        value, np.array([figure(other, weights) - figure(one, weights) for weights in rounds])
    )


def _interval(value: float, samples: Weights) -> Estimate:
    samples = samples[np.isfinite(samples)]
    if len(samples) == 0:
        return Estimate(value)
    low, high = np.percentile(samples, [2.5, 97.5])
    return Estimate(value, float(low), float(high))
