"""How well a detector finds what was drawn: figures with intervals, by class, size and source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patrolvision.training import evaluation_figures as figures
from patrolvision.training.calibration import FALSE_PER_1000, Calibration, calibrate
from patrolvision.training.evaluation_figures import Estimate, Weights
from patrolvision.training.evaluation_incidents import IncidentRecall, Things, recalls
from patrolvision.training.evaluation_matching import AREAS_PX2, ClassMatches, match_class
from patrolvision.training.evaluation_mistakes import NOTHING, Mistake, confusion, worst
from patrolvision.training.labels import LabelledPicture
from patrolvision.types import Detections

FLOOR = 0.01  # boxes less sure than this are not asked for: they change no figure visibly
CURVE_POINTS = 200
LEAST_UNITS = 5  # places or clips with the class: of fewer no interval can be told


@dataclass(frozen=True, slots=True)
class Slice:
    """The figures of one class over some of its boxes or pictures."""

    pictures: int
    boxes: int
    ap50: Estimate
    precision: Estimate
    recall: Estimate


@dataclass(frozen=True, slots=True)
class FalseAlarms:
    """Boxes at the shipped threshold in pictures that have none of the class."""

    pictures: int
    boxes: int
    per_1000: Estimate


@dataclass(frozen=True, slots=True)
class ClassReport:
    """Everything about one class; threshold is the shipped one."""

    name: str
    threshold: float
    pictures: int  # that label the class
    boxes: int
    ap50: Estimate
    ap50_95: Estimate
    precision: Estimate
    recall: Estimate
    by_size: Mapping[str, Slice]
    by_source: Mapping[str, Slice]
    false_alarms: FalseAlarms
    false_alarms_by_source: Mapping[str, FalseAlarms]
    curve: Sequence[tuple[float, float, float]]  # confidence, precision, recall
    calibration: Calibration
    incidents: IncidentRecall | None


@dataclass(frozen=True, slots=True)
class EvalReport:
    """A detector judged on one set of pictures."""

    model: str
    data: str
    part: str
    pictures: int
    sources: Mapping[str, int]
    rounds: int
    classes: tuple[ClassReport, ...]
    confusion_names: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    mistakes: tuple[Mistake, ...]


def matches_of(
    pictures: Sequence[LabelledPicture], found: Sequence[Detections], classes: Sequence[str]
) -> dict[str, ClassMatches]:
    """The matches of every class that any of the pictures labels."""
    labelled = frozenset().union(*(picture.labelled for picture in pictures))
    return {
        name: match_class(pictures, found, name, k)
        for k, name in enumerate(classes)
        if name in labelled
    }


def evaluate(
    pictures: Sequence[LabelledPicture],
    found: Sequence[Detections],
    classes: Sequence[str],
    thresholds: Mapping[str, float],
    *,
    model: str = "",
    data: str = "",
    part: str = "",
    things: Sequence[Things] | None = None,
    rounds: int = figures.ROUNDS,
    seed: int = 0,
    budgets: Mapping[str, float] = FALSE_PER_1000,
) -> EvalReport:
    """Judge the boxes `found`, in the pictures' order and down to FLOOR, against what was drawn.

    Only classes that the pictures label are judged. The same input and seed give the same report.
    """
    weights = figures.resampled([picture.group for picture in pictures], rounds, seed)
    incidents = recalls(pictures, found, classes, thresholds, things)
    rows = tuple(
        _class_report(
            pictures, found, matches, classes.index(name), name, thresholds[name], weights,
            budgets.get(name), incidents.get(name),
        )
        for name, matches in matches_of(pictures, found, classes).items()
    )  # fmt: skip
    table, mistakes = confusion(pictures, found, classes, thresholds)
    sources = [picture.source for picture in pictures]
    return EvalReport(
        model=model,
        data=data,
        part=part,
        pictures=len(pictures),
        sources={name: sources.count(name) for name in sorted(set(sources))},
        rounds=rounds,
        classes=rows,
        confusion_names=(*classes, NOTHING),
        confusion=tuple(tuple(int(v) for v in row) for row in table),
        mistakes=tuple(worst(mistakes)),
    )


def _class_report(
    pictures: Sequence[LabelledPicture],
    found: Sequence[Detections],
    matches: ClassMatches,
    class_id: int,
    name: str,
    threshold: float,
    weights: Weights,
    budget: float | None,
    incidents: IncidentRecall | None,
) -> ClassReport:
    mine = weights[:, matches.pictures]
    units = np.array([pictures[k].group or f"\0{k}" for k in matches.pictures])
    whole = _slice(matches, threshold, mine, units)
    sources = np.array([pictures[k].source for k in matches.pictures])
    by_source = {str(s): sources == s for s in sorted(set(sources.tolist()))}
    sized = {
        size: match_class(pictures, found, name, class_id, area) for size, area in AREAS_PX2.items()
    }
    return ClassReport(
        name=name,
        threshold=threshold,
        pictures=whole.pictures,
        boxes=whole.boxes,
        ap50=whole.ap50,
        ap50_95=figures.estimate(figures.ap50_95, matches, _enough(matches, mine, units)),
        precision=whole.precision,
        recall=whole.recall,
        by_size={
            size: _slice(m, threshold, mine, units) for size, m in sized.items() if m.drawn.sum()
        },
        by_source={
            source: _slice(matches.only(kept), threshold, mine[:, kept], units[kept])
            for source, kept in by_source.items()
            if matches.drawn[kept].sum()
        },
        false_alarms=_alarms(matches, threshold, mine),
        false_alarms_by_source={
            source: _alarms(matches.only(kept), threshold, mine[:, kept])
            for source, kept in by_source.items()
            if not matches.has_class[kept].all()
        },
        curve=_thin(matches),
        calibration=calibrate(matches, budget),
        incidents=incidents,
    )


def _enough(matches: ClassMatches, weights: Weights, units: NDArray[np.str_]) -> Weights:
    """The rounds, or none of them where too few places or clips have the class."""
    return weights if len(set(units[matches.drawn > 0].tolist())) >= LEAST_UNITS else weights[:0]


def _slice(
    matches: ClassMatches, threshold: float, weights: Weights, units: NDArray[np.str_]
) -> Slice:
    weights = _enough(matches, weights, units)
    return Slice(
        pictures=len(matches.drawn),
        boxes=int(matches.drawn.sum()),
        ap50=figures.estimate(figures.ap50, matches, weights),
        precision=figures.estimate(
            lambda m, w: figures.precision_at(m, threshold, w), matches, weights
        ),
        recall=figures.estimate(lambda m, w: figures.recall_at(m, threshold, w), matches, weights),
    )


def _alarms(matches: ClassMatches, threshold: float, weights: Weights) -> FalseAlarms:
    """No false box in n pictures still allows 3 in n (Hanley & Lippman-Hand, JAMA 249, 1983)."""
    negative = ~matches.has_class
    boxes = int((negative[matches.index] & (matches.confidence >= threshold)).sum())
    told = figures.estimate(lambda m, w: figures.false_per_1000(m, threshold, w), matches, weights)
    count = int(negative.sum())
    if boxes == 0 and count:
        told = Estimate(0.0, 0.0, min(3000.0 / count, 1000.0))
    return FalseAlarms(count, boxes, told)


def _thin(matches: ClassMatches) -> tuple[tuple[float, float, float], ...]:
    """At most CURVE_POINTS points of the curve, the last included."""
    confidence, precision, recall = figures.curve(matches)
    if len(confidence) == 0:
        return ()
    kept = np.unique(np.linspace(0, len(confidence) - 1, CURVE_POINTS).astype(int))
    return tuple(
        (round(float(confidence[k]), 4), round(float(precision[k]), 4), round(float(recall[k]), 4))
        for k in kept
    )


def as_json(report: EvalReport) -> dict[str, Any]:
    """The report as JSON values, floats with four decimals; without the mistakes' pictures."""
    value = _rounded(asdict(report))
    value["classes"] = {row.pop("name"): row for row in value["classes"]}
    result: dict[str, Any] = value
    return result


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value
