"""Which threshold a class should be shipped with, from what it costs and what it finds.

The threshold with the best F1 is the start; where a class has a budget of false alarms per 1,000
pictures without it, the threshold rises until the budget is kept. A budget that no threshold keeps
is said, not hidden.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from patrolvision.training import evaluation_figures as figures
from patrolvision.training.evaluation_matching import ClassMatches

GRID = tuple(float(round(t, 2)) for t in np.arange(0.05, 0.96, 0.01))
# A reviewer's patience: false boxes per 1,000 street pictures that show no such thing.
FALSE_PER_1000: Mapping[str, float] = {"litter": 10.0, "fire": 2.0}


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """What a threshold gives; None where nothing was there to measure it on."""

    threshold: float
    precision: float | None
    recall: float | None
    f1: float | None
    false_per_1000: float | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """The thresholds looked at, and the one proposed with its reason; None: nothing to go by."""

    points: tuple[OperatingPoint, ...]
    proposed: float | None
    reason: str


def operating_point(matches: ClassMatches, threshold: float) -> OperatingPoint:
    """What one threshold gives."""
    precision = _known(figures.precision_at(matches, threshold))
    recall = _known(figures.recall_at(matches, threshold))
    f1 = None
    if recall is not None:
        both = (precision or 0.0) + recall
        f1 = 2 * (precision or 0.0) * recall / both if both else 0.0
    alarms = _known(figures.false_per_1000(matches, threshold))
    return OperatingPoint(threshold, precision, recall, f1, alarms)


def calibrate(matches: ClassMatches, budget_per_1000: float | None = None) -> Calibration:
    """The threshold to ship a class with, judged on these pictures."""
    points = tuple(operating_point(matches, threshold) for threshold in GRID)
    judged = [point for point in points if point.f1 is not None]
    if not judged:
        return Calibration(points, None, "no such thing in the pictures")
    best = max(judged, key=lambda point: (point.f1 or 0.0, point.threshold))
    if budget_per_1000 is None or best.false_per_1000 is None:
        return Calibration(points, best.threshold, "best F1")
    kept = [
        point
        for point in judged
        if point.threshold >= best.threshold
        and point.false_per_1000 is not None
        and point.false_per_1000 < budget_per_1000
    ]
    if not kept:
        told = f"best F1; no threshold keeps false alarms below {budget_per_1000:g} per 1,000"
        return Calibration(points, best.threshold, told)
    if kept[0] is best:
        return Calibration(points, best.threshold, "best F1, within the budget of false alarms")
    told = f"the least that keeps false alarms below {budget_per_1000:g} per 1,000"
    return Calibration(points, kept[0].threshold, told)


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None
