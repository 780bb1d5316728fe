"""Whether one detector may take another's place: class by class, on the same pictures, paired.

A candidate is refused where a class got worse beyond the bootstrap interval of the difference: when
even the interval's better end is below zero. What was not there to judge by is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from patrolvision.training.evaluation import matches_of
from patrolvision.training.evaluation_figures import (
    ROUNDS,
    Estimate,
    ap50,
    difference,
    resampled,
)
from patrolvision.training.evaluation_matching import ClassMatches
from patrolvision.training.labels import LabelledPicture
from patrolvision.types import Detections

LEAST_UNITS = 3


@dataclass(frozen=True, slots=True)
class ClassChange:
    """One class under both detectors; difference is the candidate's AP50 less the other's.

    None where a detector does not know the class, or the pictures have none of it.
    """

    name: str
    pictures: int
    boxes: int
    before: float | None
    after: float | None
    difference: Estimate
    units: int = 0  # places, missions or single pictures that show the class

    @property
    def is_worse(self) -> bool:
        """Whether the class was lost, or got worse beyond the interval."""
        if self.before is not None and self.after is None:
            return True
        return self.is_judged and self.difference.high is not None and self.difference.high < 0

    @property
    def is_judged(self) -> bool:
        """Whether there was enough to judge the class by: of one or two places no interval can be
        made, since every resampling of one is that one.
        """
        return self.boxes > 0 and self.units >= LEAST_UNITS


@dataclass(frozen=True, slots=True)
class Seen:
    """What one detector found on the frozen pictures, in their order, down to hardly sure."""

    classes: tuple[str, ...]
    found: Sequence[Detections]


def changes(
    pictures: Sequence[LabelledPicture],
    before: Seen,
    after: Seen,
    *,
    rounds: int = ROUNDS,
    seed: int = 0,
) -> list[ClassChange]:
    """Each class of either detector, the known ones first; the same input, the same answer."""
    weights = resampled([picture.group for picture in pictures], rounds, seed)
    one = matches_of(pictures, before.found, before.classes)
    other = matches_of(pictures, after.found, after.classes)
    rows = []
    for name in dict.fromkeys([*before.classes, *after.classes]):
        a, b = one.get(name), other.get(name)
        known = b if b is not None else a
        told = Estimate(None)
        if a is not None and b is not None and a.drawn.sum():
            told = difference(ap50, a, b, weights[:, a.pictures])
        rows.append(
            ClassChange(
                name,
                0 if known is None else len(known.drawn),
                0 if known is None else int(known.drawn.sum()),
                _figure(a),
                None if name not in after.classes else _figure(b),
                told,
                0 if known is None else _units(pictures, known),
            )
        )
    return rows


def _units(pictures: Sequence[LabelledPicture], matches: ClassMatches) -> int:
    """How many places, missions or single pictures show the class."""
    shown = [pictures[k] for k in matches.pictures[matches.drawn > 0]]
    return len({picture.group or str(picture.path) for picture in shown})


def _figure(matches: ClassMatches | None) -> float | None:
    if matches is None or not matches.drawn.sum():
        return None
    return ap50(matches)


def refusals(
    rows: Sequence[ClassChange], lost: Sequence[str], card_gaps: Sequence[str]
) -> list[str]:
    """Why the candidate may not be promoted, a sentence each; none: it may.

    lost: classes of the one in use that the candidate does not know.
    """
    found = [f"the candidate does not know class {name} any more" for name in lost]
    for row in rows:
        if row.is_worse and row.name not in lost:
            low, high = row.difference.low or 0.0, row.difference.high or 0.0
            found.append(
                f"class {row.name} is worse: AP50 {row.after:.3f} after {row.before:.3f}, "
                f"a difference of {row.difference.value:+.3f} (95 % interval {low:+.3f} to "
                f"{high:+.3f}) on {row.boxes} boxes in {row.pictures} pictures"
            )
    if not any(row.is_judged for row in rows):
        found.append("the frozen test set shows too little of every class the candidate knows")
    return found + list(card_gaps)


def as_json(rows: Sequence[ClassChange]) -> dict[str, dict[str, Any]]:
    """The changes as JSON values by class."""
    return {
        row.name: {
            "pictures": row.pictures,
            "boxes": row.boxes,
            "units": row.units,
            "before": _rounded(row.before),
            "after": _rounded(row.after),
            "difference": _rounded(row.difference.value),
            "low": _rounded(row.difference.low),
            "high": _rounded(row.difference.high),
            "worse": row.is_worse,
        }
        for row in rows
    }


def table(rows: Sequence[ClassChange], before: str, after: str) -> list[list[str]]:
    """A header and a row per class, for people."""
    header = ["class", "boxes", before, after, "difference (95 % interval)", ""]
    body = []
    for row in rows:
        told = row.difference
        text = "not judged"
        if told.value is not None and row.is_judged:
            low, high = told.low or 0.0, told.high or 0.0
            text = f"{told.value:+.3f} ({low:+.3f} to {high:+.3f})"
        mark = "worse" if row.is_worse else ""
        body.append([row.name, str(row.boxes), _text(row.before), _text(row.after), text, mark])
    return [header, *body]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 4)


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def unjudged(rows: Sequence[ClassChange]) -> list[str]:
    """Classes of which the frozen pictures show nothing, or too little to tell."""
    return [row.name for row in rows if not row.is_judged]
