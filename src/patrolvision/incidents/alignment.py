"""One thing, many passes: sorts sightings into things while it finds each pass's common shift.

A pass's GNSS error moves all that it saw by the same vector. Comparing two passes thing by thing
with their total covariances wastes this: things closer than a few sigma get mixed up. So each
pass in turn is laid over the map made by the others: the shift that explains most of its
sightings (weighed against its prior) is found by vote, then sightings are assigned one to one. A
few sweeps settle it. Nothing depends on the order of arrival: passes go by time, and every step
is a function of the whole set. The vote is the consensus step of map matching; the refinement is
iterated least squares.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log, sqrt
from typing import Any

import numpy as np

from patrolvision.geo.pairs import pairs_within
from patrolvision.incidents import few
from patrolvision.incidents.association import (
    BoolArray,
    IntArray,
    chi2,
    inverse,
    one_to_one,
    times,
)
from patrolvision.incidents.merging import merged
from patrolvision.incidents.settings import AlignmentSettings
from patrolvision.incidents.sightings import (
    Sightings,
    Things,
    apart_at_once,
    things_on_map,
)
from patrolvision.types import FloatArray, Matrix

MAX_SWEEPS = 6
MAX_CANDIDATES = 48
RIVAL_M, RIVAL_SHARE = 4.0, 0.7  # another shift that far away, that good, is looked at closely
DOUBT = 3.0  # a thing seen n times is believed n / (n + DOUBT): false alarms draw less
SCALE_PRIOR_WEIGHT = 20.0  # residuals that the stated own noise counts for


def things_of(sightings: Sightings, settings: AlignmentSettings) -> tuple[IntArray, Sightings]:
    """A label (N,) per sighting: the same label, the same thing; and the sightings again.

    These have the own noise that their residuals show, where it had to be inferred.
    """
    if len(sightings.xy) == 1 or _is_one_thing(sightings, settings):
        return np.zeros(len(sightings.xy), np.int64), sightings
    label = np.full(len(sightings.xy), -1, np.int64)
    shift = np.zeros_like(sightings.bias[:, :, 0])
    stated = sightings
    order = _order_of_laying(sightings, settings)
    for _ in range(MAX_SWEEPS):
        before = label.copy()
        for mission in order:
            label, shift[mission] = _lay_over(mission, label, shift, sightings, settings)
        label = merged(label, shift, sightings, settings)
        sightings = _rescaled(label, shift, stated)
        if _same_partition(before, label):
            break
    return label, sightings


def _order_of_laying(s: Sightings, settings: AlignmentSettings) -> list[int]:
    """The missions, each overlapping the ones before as much as it can; ties go by time.

    A map begun from passes that share nothing has parts with shifts of their own, and the pass that
    joins them later fits only one.
    """
    number = len(s.bias)
    i, j = pairs_within(s.xy, s.xy, settings.max_link_m / 2)
    same = s.group[i] == s.group[j]
    key = s.mission[i[same]] * number + s.mission[j[same]]
    shared = np.bincount(key, minlength=number * number).reshape(number, number).astype(float)
    order = [int(np.argmax(np.bincount(s.mission, minlength=number)))]
    overlap = shared[order[0]].copy()
    while len(order) < number:
        overlap[order] = -1.0
        order.append(int(np.argmax(overlap)))
        overlap += shared[order[-1]]
    return order


def _is_one_thing(s: Sightings, settings: AlignmentSettings) -> bool:
    """The common case, without the search: nothing here contradicts one single thing."""
    if (s.group != s.group[0]).any():
        return False
    weight = inverse(s.own + s.bias[s.mission])
    centre = times(inverse(weight.sum(axis=0)), times(weight, s.xy).sum(axis=0))
    if (chi2(s.xy - centre, weight) > settings.vote_chi2).any():
        return False
    i, j = np.nonzero(np.triu(s.mission[:, None] == s.mission[None, :], 1))
    if len(i) > max(1.0, 4 * settings.broken_track_rate * len(s.xy)):
        return False
    apart = chi2(s.xy[i] - s.xy[j], inverse(s.own[i] + s.own[j]))
    clash = apart_at_once(i, j, s)
    return not (clash | (apart > settings.fragment_chi2)).any()


def _lay_over(
    mission: int, label: IntArray, shift: FloatArray, s: Sightings, settings: AlignmentSettings
) -> tuple[IntArray, FloatArray]:
    """Labels after this mission's sightings were taken off the map and laid over it anew."""
    mine = np.flatnonzero(s.mission == mission)
    label = label.copy()
    label[mine] = -1
    found = np.zeros(2)
    if (label >= 0).any():
        things = things_on_map(label, shift, s)
        i, c = _candidates(mine, things, s, settings)
        apart = s.xy[mine[i]] - things.xy[c]
        weight = inverse(s.own[mine[i]] + things.cov[c])
        if len(i):
            prior = s.bias[mission] + things.frame[c].mean(axis=0)
            found = _voted_shift(inverse(prior), i, apart, weight, settings)
        doubt = 2 * np.log(1 + DOUBT / things.count[c])
        cost = chi2(apart - found, weight) + doubt
        a, b = one_to_one(i, c, cost, settings.gate_chi2)
        label[mine[a]] = things.label[b]
        label = _with_fragments(mine, things, i, c, cost, label, s, settings)
    return _with_new(mine, label, s, settings), found


def _candidates(
    mine: IntArray, things: Things, s: Sightings, settings: AlignmentSettings
) -> tuple[IntArray, IntArray]:
    i, c = pairs_within(s.xy[mine], things.xy, settings.max_link_m)
    wait = np.maximum(s.start[mine[i]] - things.end[c], things.start[c] - s.end[mine[i]])
    keep = (s.group[mine[i]] == things.group[c]) & (wait <= s.max_gap_s[mine[i]])
    return i[keep], c[keep]


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """P pairs of a sighting and a thing that it may be, by sighting; as columns, for speed.

    east, north (P,): how far the sighting lies from the thing; ee, en, nn: the inverse covariance
    of that, en twice; sums (P, 5): what least squares adds up of each.
    """

    first: IntArray  # (I,) of each sighting
    lengths: IntArray  # (I,) how many a sighting has
    east: FloatArray
    north: FloatArray
    ee: FloatArray
    en: FloatArray
    nn: FloatArray
    sums: FloatArray

    def gain(self, east: Any, north: Any, vote_chi2: float) -> FloatArray:
        """What each pair gains by a shift (numbers), or by each of T shifts (T, 1)."""
        x, y = self.east - east, self.north - north
        return np.asarray(vote_chi2 - (self.ee * x * x + self.en * x * y + self.nn * y * y))

    def best(self, gain: FloatArray) -> FloatArray:
        """The largest gain (..., I) among the pairs of each sighting."""
        return np.asarray(np.maximum.reduceat(gain, self.first, axis=-1))


def _pairs_of(i: IntArray, apart: FloatArray, weight: FloatArray) -> _Pairs:
    first = np.flatnonzero(np.diff(i, prepend=-1))
    sums = np.empty((len(i), 5))
    sums[:, 0], sums[:, 1], sums[:, 2] = weight[:, 0, 0], weight[:, 0, 1], weight[:, 1, 1]
    sums[:, 3:] = times(weight, apart)
    east, north = np.ascontiguousarray(apart.T)
    ee, en, nn = np.ascontiguousarray(sums[:, :3].T)
    lengths = np.diff(first, append=len(i))
    return _Pairs(first, lengths, east, north, ee, 2 * en, nn, sums)


def _voted_shift(
    prior: FloatArray,
    i: IntArray,
    apart: FloatArray,
    weight: FloatArray,
    settings: AlignmentSettings,
) -> FloatArray:
    """The shift (2,) that best explains how sightings i lie apart from candidate things.

    prior (2, 2) is the inverse covariance of the shift; i (P,) is sorted; apart (P, 2), weight
    (P, 2, 2) belong to the pairs. Score of a shift: its prior, plus for each sighting what its best
    match gains over being new. The best of many trials is refined by least squares.
    """
    pairs = _pairs_of(i, apart, weight)
    pick = _densest(apart)
    alone = inverse(prior + weight[pick])  # the best shift if this pair were the only one
    trial = np.concatenate([np.zeros((1, 2)), times(alone, times(weight[pick], apart[pick]))])
    gain = pairs.gain(trial[:, :1], trial[:, 1:], settings.vote_chi2)
    total = np.maximum(pairs.best(gain), 0.0).sum(axis=1) - chi2(trial, prior)
    known = few.matrix_of(prior)
    refined = [
        _refined(float(east), float(north), known, pairs, settings.vote_chi2)
        for east, north in _rivals(trial, total)
    ]
    return np.array(max(refined, key=lambda found: found[1])[0])


def _rivals(trial: FloatArray, total: FloatArray) -> list[FloatArray]:
    """The best of the trials, and the best of those far from it unless they are much worse.

    Things in a regular row fit nearly as well one place on; a trial that comes from one noisy pair
    does not tell which is right.
    """
    first = int(np.argmax(total))
    far = ((trial - trial[first]) ** 2).sum(axis=1) > RIVAL_M**2
    second = int(np.argmax(np.where(far, total, -np.inf)))
    close_run = far[second] and total[second] >= RIVAL_SHARE * total[first]
    return [trial[first], trial[second]] if close_run else [trial[first]]


def _refined(
    east: float, north: float, prior: Matrix, pairs: _Pairs, vote_chi2: float
) -> tuple[tuple[float, float], float]:
    """A trial after a few steps of least squares over the pairs it explains, and its score."""
    explained = b""
    for _ in range(5):
        gain = pairs.gain(east, north, vote_chi2)
        best = pairs.best(gain)
        used = (gain == np.repeat(best, pairs.lengths)) & (gain > 0)
        if used.tobytes() == explained:
            break  # the same pairs give the same shift
        explained = used.tobytes()
        ee, en, nn, *pull = pairs.sums[used].sum(axis=0).tolist()
        east, north = few.times(few.inverse(few.plus(prior, (ee, en, nn))), *pull)
    else:
        best = pairs.best(pairs.gain(east, north, vote_chi2))
    score = float(np.maximum(best, 0.0).sum())
    return (east, north), score - few.chi2(east, north, prior)


def _densest(apart: FloatArray) -> IntArray:
    """Indices of the differences (K, 2) with most others nearby, the densest first."""
    if len(apart) <= MAX_CANDIDATES:
        return np.arange(len(apart))
    east, north = np.floor(apart).astype(np.int64).T
    _, at, count = np.unique(east * 2**31 + north, return_inverse=True, return_counts=True)
    return np.argsort(-count[at], kind="stable")[:MAX_CANDIDATES]


def _with_fragments(
    mine: IntArray,
    things: Things,
    i: IntArray,
    c: IntArray,
    cost: FloatArray,
    label: IntArray,
    s: Sightings,
    settings: AlignmentSettings,
) -> IntArray:
    """A second part of a broken track joins its first, a twin its other: same pass and place."""
    loose = (label[mine[i]] < 0) & (cost <= settings.gate_chi2)
    for k in np.flatnonzero(loose)[np.argsort(cost[loose], kind="stable")]:
        sighting, thing = mine[i[k]], things.label[c[k]]
        if label[sighting] >= 0:
            continue
        members = mine[label[mine] == thing]
        if not _clash(sighting, members, s, settings.fragment_chi2).any():
            label[sighting] = thing
    return label


def _with_new(
    mine: IntArray, label: IntArray, s: Sightings, settings: AlignmentSettings
) -> IntArray:
    """What fits nothing becomes a thing of its own; parts of one broken track, one together."""
    loose = mine[label[mine] < 0]
    if not len(loose):
        return label
    following = int(label.max()) + 1
    fits = _fitting(loose, s, settings.fragment_chi2 / 2)
    fresh: list[list[int]] = []  # the positions in loose of each new thing's sightings
    of: list[int] = []  # which of these each position went to
    if not fits:
        label[loose] = following + np.arange(len(loose))
        return label
    for k in range(len(loose)):
        may = fits.get(k, set())
        found = next((t for t in sorted({of[m] for m in may}) if may.issuperset(fresh[t])), None)
        if found is None:
            found = len(fresh)
            fresh.append([])
        fresh[found].append(k)
        of.append(found)
    label[loose] = following + np.array(of, np.int64)
    return label


def _fitting(loose: IntArray, s: Sightings, limit: float) -> dict[int, set[int]]:
    """For positions in loose, the earlier ones that may be another part of the same thing."""
    if len(loose) < 2:
        return {}
    own = s.own[loose]
    widest_m2 = 2 * float((own[:, 0, 0] + own[:, 1, 1]).max())
    i, j = pairs_within(s.xy[loose], s.xy[loose], sqrt(limit * widest_m2) + 1e-6)
    i, j = i[j < i], j[j < i]
    clash = _clash(loose[i], loose[j], s, limit)
    keep = (s.group[loose[i]] == s.group[loose[j]]) & ~clash
    fits: dict[int, set[int]] = {}
    for one, earlier in zip(i[keep].tolist(), j[keep].tolist(), strict=True):
        fits.setdefault(one, set()).add(earlier)
    return fits


def _clash(sighting: int | IntArray, members: IntArray, s: Sightings, limit: float) -> BoolArray:
    """Which of these of its own pass (N,) show that the sighting is another thing than they.

    sighting is one for all, or one (N,) for each.
    """
    apart = chi2(s.xy[sighting] - s.xy[members], inverse(s.own[sighting] + s.own[members]))
    return apart_at_once(sighting, members, s) | (apart > limit)


def _rescaled(label: IntArray, shift: FloatArray, stated: Sightings) -> Sightings:
    """The sightings with the own noise that their residuals show, where it was only inferred.

    The median of a chi-square with two degrees of freedom is 2 ln 2. The places of the things and
    the shifts of the passes were fitted to the same sightings and took their part of it, so only
    what is left over counts. Each stream shows its own noise, a drone another than a car, and each
    pass of it; what is believed of the larger group counts as SCALE_PRIOR_WEIGHT sightings.
    """
    things = things_on_map(label, shift, stated)
    of = np.searchsorted(things.label, label)
    missions = len(np.unique(stated.mission))
    left_over = len(label) - len(things.label) - missions
    use = np.flatnonzero(~stated.is_told)
    if left_over <= 0 or not len(use):
        return stated
    rest = stated.xy - shift[stated.mission] - things.xy[of]
    value = chi2(rest, stated.weight)[use] / (2 * log(2)) * len(label) / left_over
    believed = np.full(len(use), _pulled(float(np.median(value)), left_over, 1.0))
    for group in (stated.stream[use], stated.mission[use]):
        order = np.argsort(group, kind="stable")
        for part in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
            measured = float(np.median(value[part]))
            believed[part] = _pulled(measured, len(part), float(believed[part[0]]))
    scale = np.ones(len(label))
    scale[use] = np.clip(believed, 0.1, 4.0)
    return replace(stated, own=stated.own * scale[:, None, None])


def _pulled(measured: float, count: int, before: float) -> float:
    """What count residuals measured, pulled towards what was believed before."""
    return (SCALE_PRIOR_WEIGHT * before + count * measured) / (SCALE_PRIOR_WEIGHT + count)


def _same_partition(a: IntArray, b: IntArray) -> bool:
    if (a < 0).any():
        return False
    pairs = np.unique(a * (b.max() + 1) + b)
    return bool(len(pairs) == len(np.unique(a)) == len(np.unique(b)))
