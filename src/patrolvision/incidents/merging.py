"""Two of what was taken for things that are more likely one: a death move over the whole map.

The passes are laid over the map one by one, and each may leave a sight beside its thing. Here all
passes are asked together.
"""

from __future__ import annotations

from math import log

import numpy as np

from patrolvision.geo.pairs import pairs_within
from patrolvision.incidents.association import (
    IntArray,
    chi2,
    inverse,
    overlap_in_time,
)
from patrolvision.incidents.settings import AlignmentSettings
from patrolvision.incidents.sightings import (
    Sightings,
    apart_at_once,
    matrix_sums,
    things_on_map,
)
from patrolvision.types import FloatArray

TWIN_PRIOR_WEIGHT = 50.0  # sightings without twins that every map is begun with
FLOOR_M2 = 0.1  # things closer than their model errors are not told apart


def merged(
    label: IntArray, shift: FloatArray, s: Sightings, settings: AlignmentSettings
) -> IntArray:
    """Labels after joining what is more likely one thing than two.

    One thing must explain how far apart the two lie, and every pass that saw both. Two must explain
    every pass that saw only one of them: missed, while both were there, and before or after the
    life of one of them either missed or because it had not come yet, or was gone. What lies within
    most of a thing's room is one whatever was seen: a tracker sees one thing twice, no crew two.
    """
    things = things_on_map(label, shift, s)
    of = np.searchsorted(things.label, label)
    count = np.bincount(of)
    max_gap_s = np.zeros(len(count))
    max_gap_s[of] = s.max_gap_s
    same_m = np.zeros(len(count))
    same_m[of] = settings.same_place * s.room_m
    cov = _frame_covariances(of, count, s)
    a, b = pairs_within(things.xy, things.xy, settings.max_link_m)
    a, b = a[a < b], b[a < b]
    apart = chi2(things.xy[a] - things.xy[b], inverse(cov[a] + cov[b] + FLOOR_M2 * np.eye(2)))
    wait = np.maximum(things.start[a] - things.end[b], things.start[b] - things.end[a])
    lonely = -2 * log(1 - settings.sight_rate)
    same_place = np.sum((things.xy[a] - things.xy[b]) ** 2, axis=1) < same_m[a] ** 2
    keep = (
        (things.group[a] == things.group[b])
        & (same_place | (apart < settings.merge_chi2 + lonely * (count[a] + count[b])))
        & (wait <= max_gap_s[a])
    )
    twins = _twin_rate(label, s, settings)
    label = label.copy()
    used: set[int] = set()
    for k in np.flatnonzero(keep)[np.argsort(apart[keep], kind="stable")]:
        one, other = int(a[k]), int(b[k])
        if used & {one, other}:
            continue  # its place has moved: its next merge waits for the next sweep
        if same_place[k] or _may_merge(
            np.flatnonzero(of == one),
            np.flatnonzero(of == other),
            float(apart[k]),
            s,
            settings,
            twins,
        ):
            label[of == other] = things.label[one]
            used |= {one, other}
    return label


def _frame_covariances(of: IntArray, count: IntArray, s: Sightings) -> FloatArray:
    """The covariance (C, 2, 2) of each thing's place with what is left of its passes' shifts.

    A pass's shift is known from its other sightings (of things seen more than once) and its prior.
    """
    weight = s.weight * (count[of] > 1)[:, None, None]
    known = matrix_sums(s.mission, len(s.bias), weight)
    others = known[s.mission] - weight + s.bias_weight
    each = inverse(s.own + inverse(others))
    return inverse(matrix_sums(of, len(count), each))


def _twin_rate(label: IntArray, s: Sightings, settings: AlignmentSettings) -> float:
    """Of the sightings, how many are a second track of what the pass followed at the same time.

    Counted where nothing else can be meant: within the room of one thing. There are others farther
    apart; how far, only their noise knows. Passes that show none are believed to have settings.
    """
    order = np.lexsort((s.start, s.mission, label))
    one, other = order[:-1], order[1:]
    same = (label[one] == label[other]) & (s.mission[one] == s.mission[other])
    one, other = one[same], other[same]
    at_once = overlap_in_time(s.start[one], s.end[one], s.start[other], s.end[other])
    shown = int((at_once & ~apart_at_once(one, other, s)).sum())
    return max(settings.twin_rate, shown / (len(label) + TWIN_PRIOR_WEIGHT))


def _may_merge(
    a: IntArray,
    b: IntArray,
    apart: float,
    s: Sightings,
    settings: AlignmentSettings,
    twin_rate: float,
) -> bool:
    i, j = np.nonzero(s.mission[a][:, None] == s.mission[b][None, :])
    i, j = a[i], b[j]
    shared = np.unique(s.mission[i])
    together = np.unique(s.mission[i[apart_at_once(i, j, s)]])
    if not s.room_m[b].all():
        twin_rate = settings.twin_rate  # what stands side by side shows no twins
    apart += -2 * log(twin_rate) * len(together)
    apart += -2 * log(settings.broken_track_rate) * (len(shared) - len(together))
    return apart < settings.merge_chi2 + _loneliness(a, b, shared, s, settings)


def _loneliness(
    a: IntArray, b: IntArray, shared: IntArray, s: Sightings, settings: AlignmentSettings
) -> float:
    """What it costs two things that so many passes saw only one of them; chi-square."""
    missed, turned = -2 * log(1 - settings.sight_rate), -2 * log(settings.turnover_rate)
    since = max(s.start[a].min(), s.start[b].min())
    until = min(s.end[a].max(), s.end[b].max())
    both = np.concatenate([a, b])
    before, after = s.end[both] < since, s.start[both] > until
    single = [
        len(np.setdiff1d(s.mission[both[when]], shared))
        for when in (~before & ~after, before, after)
    ]
    return missed * single[0] + sum(min(missed * count, turned) for count in single[1:])
