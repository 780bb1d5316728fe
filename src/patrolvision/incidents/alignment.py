"""One thing, many passes: sorts sightings into things while it finds each pass's common shift.

A pass's GNSS error moves all that it saw by the same vector. Comparing two passes thing by thing with
their total covariances wastes this: things closer than a few sigma get mixed up. So each pass in turn
is laid over the map made by the others: the shift that explains most of its sightings (weighed
against its prior) is found by vote, then sightings are assigned one to one. A few sweeps settle it.
Nothing depends on the order of arrival: passes go by time, and every step is a function of the whole
set. The vote is the consensus step of map matching; the refinement is iterated least squares.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from patrolvision.incidents.association import (
    BoolArray,
    IntArray,
    chi2,
    inverse,
    one_to_one,
    overlap_in_time,
    pairs_within,
    times,
)
from patrolvision.incidents.settings import CategorySettings
from patrolvision.types import FloatArray

MAX_SWEEPS = 6
MAX_CANDIDATES = 48
SCALE_PRIOR_WEIGHT = 20.0  # residuals that the stated own noise counts for


@dataclass(frozen=True, slots=True, eq=False)
class Sightings:
    """N observations as arrays; missions are numbered by time.

    xy (N, 2) east, north; own (N, 2, 2) each sighting's own noise; bias (M, 2, 2) each mission's prior
    of its shift; mission, group (N,) integers; start, end (N,) seconds; is_told (N,): the split between
    own noise and bias came with the observation, it was not inferred here.
    """

    xy: FloatArray
    own: FloatArray
    bias: FloatArray
    mission: IntArray
    group: IntArray
    start: FloatArray
    end: FloatArray
    is_told: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class _Things:
    """The map: C things with their place, own covariance, frame's covariance and time span."""

    label: IntArray  # (C,)
    xy: FloatArray
    cov: FloatArray
    frame: FloatArray
    start: FloatArray
    end: FloatArray
    group: IntArray


def things_of(sightings: Sightings, settings: CategorySettings) -> IntArray:
    """A label (N,) per sighting: the same label, the same thing."""
    if len(sightings.xy) == 1 or _is_one_thing(sightings, settings):
        return np.zeros(len(sightings.xy), np.int64)
    label = np.full(len(sightings.xy), -1, np.int64)
    shift = np.zeros_like(sightings.bias[:, :, 0])
    stated = sightings
    order = _order_of_laying(sightings, settings)
    for _ in range(MAX_SWEEPS):
        before = label.copy()
        for mission in order:
            label, shift[mission] = _lay_over(mission, label, shift, sightings, settings)
        label = _merged(label, shift, sightings, settings)
        sightings = _rescaled(label, shift, stated)
        if _same_partition(before, label):
            break
    return label


def _order_of_laying(s: Sightings, settings: CategorySettings) -> list[int]:
    """The missions, each overlapping the ones before as much as it can; ties go by time.

    A map begun from passes that share nothing has parts with shifts of their own, and the pass that
    joins them later fits only one.
    """
    number = len(s.bias)
    i, j = pairs_within(s.xy, s.xy, settings.max_link_m)
    shared = np.zeros((number, number))
    np.add.at(shared, (s.mission[i], s.mission[j]), 1.0)
    size = np.bincount(s.mission, minlength=number)
    order = [int(np.argmax(size))]
    overlap = shared[order[0]].copy()
    while len(order) < number:
        overlap[order] = -1.0
        order.append(int(np.argmax(overlap)))
        overlap += shared[order[-1]]
    return order


def _is_one_thing(s: Sightings, settings: CategorySettings) -> bool:
    """The common case, without the search: nothing here contradicts one single thing."""
    if len(np.unique(s.group)) > 1:
        return False
    weight = inverse(s.own + s.bias[s.mission])
    centre = times(inverse(weight.sum(axis=0)), times(weight, s.xy).sum(axis=0))
    if (chi2(s.xy - centre, weight) > settings.fragment_chi2).any():
        return False
    i, j = np.nonzero(np.triu(s.mission[:, None] == s.mission[None, :], 1))
    if len(i) == 0:
        return True
    if len(i) > max(1.0, 4 * settings.broken_track_rate * len(s.xy)):
        return False
    apart = chi2(s.xy[i] - s.xy[j], inverse(s.own[i] + s.own[j]))
    clash = overlap_in_time(s.start[i], s.end[i], s.start[j], s.end[j])
    return not (clash | (apart > settings.fragment_chi2)).any()


def _things(label: IntArray, shift: FloatArray, s: Sightings) -> _Things:
    """The map made by the sightings that have a label (>= 0)."""
    index = np.flatnonzero(label >= 0)
    labels, of = np.unique(label[index], return_inverse=True)
    weight = inverse(s.own[index])
    mission = s.mission[index]
    frame = _sums(of, len(labels), inverse(s.bias[mission]).reshape(-1, 4))
    info = _sums(of, len(labels), weight.reshape(-1, 4)).reshape(-1, 2, 2)
    cov = inverse(info)
    pull = _sums(of, len(labels), times(weight, s.xy[index] - shift[mission]))
    start, end = np.full(len(labels), np.inf), np.full(len(labels), -np.inf)
    np.minimum.at(start, of, s.start[index])
    np.maximum.at(end, of, s.end[index])
    group = np.zeros(len(labels), np.int64)
    group[of] = s.group[index]
    return _Things(
        labels, times(cov, pull), cov, inverse(frame.reshape(-1, 2, 2)), start, end, group
    )


def _sums(of: IntArray, count: int, values: FloatArray) -> FloatArray:
    return np.stack(
        [np.bincount(of, values[:, k], minlength=count) for k in range(values.shape[1])], axis=1
    )


def _lay_over(
    mission: int, label: IntArray, shift: FloatArray, s: Sightings, settings: CategorySettings
) -> tuple[IntArray, FloatArray]:
    """Labels after this mission's sightings were taken off the map and laid over it anew."""
    mine = np.flatnonzero(s.mission == mission)
    label = label.copy()
    label[mine] = -1
    found = np.zeros(2)
    if (label >= 0).any():
        things = _things(label, shift, s)
        i, c = _candidates(mine, things, s, settings)
        found = _voted_shift(mission, mine, things, i, c, s, settings)
        cost = chi2(s.xy[mine[i]] - found - things.xy[c], inverse(s.own[mine[i]] + things.cov[c]))
        for a, b in one_to_one(i, c, cost, settings.gate_chi2):
            label[mine[a]] = things.label[b]
        label = _with_fragments(mine, things, i, c, cost, label, s, settings)
    return _with_new(mine, label, s, settings), found


def _candidates(
    mine: IntArray, things: _Things, s: Sightings, settings: CategorySettings
) -> tuple[IntArray, IntArray]:
    i, c = pairs_within(s.xy[mine], things.xy, settings.max_link_m)
    wait = np.maximum(s.start[mine[i]] - things.end[c], things.start[c] - s.end[mine[i]])
    keep = (s.group[mine[i]] == things.group[c]) & (wait <= settings.max_gap_s)
    return i[keep], c[keep]


def _voted_shift(
    mission: int,
    mine: IntArray,
    things: _Things,
    i: IntArray,
    c: IntArray,
    s: Sightings,
    settings: CategorySettings,
) -> FloatArray:
    """The mission's shift (2,) against the map: the best explanation, refined by least squares.

    Score of a shift: its prior, plus for each sighting what its best match gains over being new.
    """
    if len(i) == 0:
        return np.zeros(2)
    prior_cov = s.bias[mission] + things.frame[c].mean(axis=0)
    prior = inverse(prior_cov)
    weight = inverse(s.own[mine[i]] + things.cov[c])
    apart = s.xy[mine[i]] - things.xy[c]
    first_of_i = np.flatnonzero(np.diff(i, prepend=-1))
    pick = _densest(apart)
    alone = inverse(prior + weight[pick])  # the best shift if this pair were the only one
    trial = np.concatenate([np.zeros((1, 2)), times(alone, times(weight[pick], apart[pick]))])
    gain = settings.gate_chi2 - chi2(apart[None] - trial[:, None], weight[None])
    total = np.maximum.reduceat(np.maximum(gain, 0.0), first_of_i, axis=1).sum(axis=1)
    found = np.asarray(trial[int(np.argmax(total - chi2(trial, prior)))])
    for _ in range(5):
        gain = settings.gate_chi2 - chi2(apart - found, weight)
        best = np.repeat(np.maximum.reduceat(gain, first_of_i), np.diff(first_of_i, append=len(i)))
        used = (gain == best) & (gain > 0)
        pull = times(weight[used], apart[used]).sum(axis=0)
        found = times(inverse(prior + weight[used].sum(axis=0)), pull)
    return found


def _densest(apart: FloatArray) -> IntArray:
    """Indices of the differences (K, 2) with most others nearby, the densest first."""
    if len(apart) <= MAX_CANDIDATES:
        return np.arange(len(apart))
    cell = np.floor(apart).astype(np.int64)
    _, at, count = np.unique(cell, axis=0, return_inverse=True, return_counts=True)
    return np.argsort(-count[at.ravel()], kind="stable")[:MAX_CANDIDATES]


def _with_fragments(
    mine: IntArray,
    things: _Things,
    i: IntArray,
    c: IntArray,
    cost: FloatArray,
    label: IntArray,
    s: Sightings,
    settings: CategorySettings,
) -> IntArray:
    """A second part of a broken track joins its first: same place, another time of the same pass."""
    loose = (label[mine[i]] < 0) & (cost <= settings.fragment_chi2)
    for k in np.flatnonzero(loose)[np.argsort(cost[loose], kind="stable")]:
        sighting, thing = mine[i[k]], things.label[c[k]]
        if label[sighting] < 0 and not _clashes(sighting, mine[label[mine] == thing], s, settings):
            label[sighting] = thing
    return label


def _with_new(
    mine: IntArray, label: IntArray, s: Sightings, settings: CategorySettings
) -> IntArray:
    """What fits nothing becomes a thing of its own; parts of one broken track, one together."""
    fresh: list[int] = []
    following = int(label.max()) + 1
    for sighting in mine[label[mine] < 0]:
        for thing in fresh:
            members = mine[label[mine] == thing]
            if s.group[members[0]] == s.group[sighting] and not _clashes(
                sighting, members, s, settings
            ):
                label[sighting] = thing
                break
        else:
            label[sighting] = following
            fresh.append(following)
            following += 1
    return label


def _clashes(sighting: int, members: IntArray, s: Sightings, settings: CategorySettings) -> bool:
    """Whether the same pass shows that the sighting is another thing than these of its own."""
    together = overlap_in_time(s.start[sighting], s.end[sighting], s.start[members], s.end[members])
    apart = chi2(s.xy[sighting] - s.xy[members], inverse(s.own[sighting] + s.own[members]))
    return bool((together | (apart > settings.fragment_chi2)).any())


def _merged(
    label: IntArray, shift: FloatArray, s: Sightings, settings: CategorySettings
) -> IntArray:
    """Labels after joining things that lie within their own noise and were never told apart."""
    things = _things(label, shift, s)
    a, b = pairs_within(things.xy, things.xy, settings.max_link_m)
    cov = things.cov[a] + things.cov[b] + settings.extent_sigma_m**2 * np.eye(2)
    apart = chi2(things.xy[a] - things.xy[b], inverse(cov))
    wait = np.maximum(things.start[a] - things.end[b], things.start[b] - things.end[a])
    keep = (
        (a < b)
        & (things.group[a] == things.group[b])
        & (apart < settings.merge_chi2)
        & (wait <= settings.max_gap_s)
    )
    label = label.copy()
    used: set[int] = set()
    for k in np.flatnonzero(keep)[np.argsort(apart[keep], kind="stable")]:
        one, other = int(things.label[a[k]]), int(things.label[b[k]])
        if used & {one, other} or not _may_merge(one, other, float(apart[k]), label, s, settings):
            continue
        label[label == other] = one
        used |= {one, other}  # its place has moved: its next merge waits for the next sweep
    return label


def _may_merge(
    one: int, other: int, apart: float, label: IntArray, s: Sightings, settings: CategorySettings
) -> bool:
    """Each pass that saw both apart must be explained by a broken track, which is rare."""
    a, b = np.flatnonzero(label == one), np.flatnonzero(label == other)
    i, j = np.nonzero(s.mission[a][:, None] == s.mission[b][None, :])
    shared = len(np.unique(s.mission[a[i]]))
    i, j = a[i], b[j]
    if overlap_in_time(s.start[i], s.end[i], s.start[j], s.end[j]).any():
        return False
    return apart - 2 * shared * float(np.log(settings.broken_track_rate)) < settings.merge_chi2


def _rescaled(label: IntArray, shift: FloatArray, stated: Sightings) -> Sightings:
    """The sightings with the own noise that their residuals show, where it was only inferred.

    The median of a chi-square with two degrees of freedom is 2 ln 2. The places of the things and the
    shifts of the passes were fitted to the same sightings and took their part of it, so only what
    is left over counts, and the stated value counts as SCALE_PRIOR_WEIGHT of that.
    """
    things = _things(label, shift, stated)
    of = np.searchsorted(things.label, label)
    missions = len(np.unique(stated.mission))
    left_over = len(label) - len(things.label) - missions
    use = ~stated.is_told
    if left_over <= 0 or not use.any():
        return stated
    rest = stated.xy - shift[stated.mission] - things.xy[of]
    value = float(np.median(chi2(rest[use], inverse(stated.own[use]))))
    measured = value / (2 * float(np.log(2))) * len(label) / left_over
    scale = (SCALE_PRIOR_WEIGHT + left_over * measured) / (SCALE_PRIOR_WEIGHT + left_over)
    factor = np.where(stated.is_told, 1.0, min(max(scale, 0.1), 4.0))
    return replace(stated, own=stated.own * factor[:, None, None])


def _same_partition(a: IntArray, b: IntArray) -> bool:
    if (a < 0).any():
        return False
    pairs = np.unique(np.stack([a, b]), axis=1).shape[1]
    return pairs == len(np.unique(a)) == len(np.unique(b))
