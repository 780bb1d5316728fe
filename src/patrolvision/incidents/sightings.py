"""Sightings as arrays, and the map of things that they make."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from patrolvision.incidents.association import (
    BoolArray,
    IntArray,
    inverse,
    overlap_in_time,
    times,
)
from patrolvision.types import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Sightings:
    """N observations as arrays, by start; missions are numbered by time.

    xy (N, 2) east, north; own (N, 2, 2) each sighting's own noise; bias (M, 2, 2) each mission's
    prior of its shift; mission, stream, group (N,) integers, and only sightings of one group may be
    one thing; start, end (N,) seconds; max_gap_s (N,): unseen for longer, it is another thing;
    room_m (N,): another of its kind does not stand closer;
    is_told (N,): the split between own noise and bias came with the observation, it was not
    inferred here.
    """

    xy: FloatArray
    own: FloatArray
    bias: FloatArray
    mission: IntArray
    stream: IntArray
    group: IntArray
    start: FloatArray
    end: FloatArray
    max_gap_s: FloatArray
    room_m: FloatArray
    is_told: BoolArray
    weight: FloatArray = field(init=False)  # (N, 2, 2) the inverse of own
    bias_weight: FloatArray = field(init=False)  # (N, 2, 2) the inverse of its mission's bias

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", inverse(self.own))
        object.__setattr__(self, "bias_weight", inverse(self.bias)[self.mission])


@dataclass(frozen=True, slots=True, eq=False)
class Things:
    """The map: C things with their place, own covariance, frame's covariance and time span."""

    label: IntArray  # (C,)
    xy: FloatArray
    cov: FloatArray
    frame: FloatArray
    start: FloatArray
    end: FloatArray
    group: IntArray
    count: IntArray


def things_on_map(label: IntArray, shift: FloatArray, s: Sightings) -> Things:
    """The map made by the sightings that have a label (>= 0)."""
    nothing = int(label.max()) + 1  # the number of what has no label, left out at the end
    of = np.where(label < 0, nothing, label)
    count = nothing + 1
    number = np.bincount(of, minlength=count)
    live = np.flatnonzero(number[:nothing])
    pull = sums(of, count, times(s.weight, s.xy - shift[s.mission]))[live]
    cov = inverse(matrix_sums(of, count, s.weight)[live])
    frame = inverse(matrix_sums(of, count, s.bias_weight)[live])
    start, end, group = np.zeros(count), np.zeros(count), np.zeros(count, np.int64)
    start[of[::-1]] = s.start[::-1]  # they come by time: the first one stays
    end[of], group[of] = s.end, s.group
    return Things(
        live, times(cov, pull), cov, frame, start[live], end[live], group[live], number[live]
    )


def apart_at_once(one: int | IntArray, other: IntArray, s: Sightings) -> BoolArray:
    """Which of these pairs (N,) of sights of one pass are two things, because it saw them at once.

    A tracker may follow one thing twice at once; such twins lie within the room that a thing needs,
    since their pass shifts both alike.
    """
    far = np.sum((s.xy[one] - s.xy[other]) ** 2, axis=-1) > s.room_m[other] ** 2
    at_once = overlap_in_time(s.start[one], s.end[one], s.start[other], s.end[other])
    return np.asarray(far & at_once)


def sums(of: IntArray, count: int, values: FloatArray) -> FloatArray:
    """The sums (count, K) of the rows of values (N, K) that carry the same number in of (N,)."""
    out = np.empty((count, values.shape[1]))
    for k in range(values.shape[1]):
        out[:, k] = np.bincount(of, values[:, k], minlength=count)
    return out


def matrix_sums(of: IntArray, count: int, matrices: FloatArray) -> FloatArray:
    """The sums (count, 2, 2) of the symmetric matrices (N, 2, 2) of each number in of (N,)."""
    out = np.empty((count, 2, 2))
    out[:, 0, 0] = np.bincount(of, matrices[:, 0, 0], minlength=count)
    out[:, 0, 1] = out[:, 1, 0] = np.bincount(of, matrices[:, 0, 1], minlength=count)
    out[:, 1, 1] = np.bincount(of, matrices[:, 1, 1], minlength=count)
    return out
