"""From new to removed: what later looks say about a thing that was, or was not, seen again.

Recomputed from all sights and looks around a place, never counted along: the order of arrival
cannot matter. A pass that looked and did not see is one piece of evidence, however many looks it
consists of, because what hides a thing hides it for the whole pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np

from patrolvision.geo.geodesy import local_en
from patrolvision.incidents.settings import CategorySettings
from patrolvision.types import FloatArray, Look


@dataclass(frozen=True, slots=True)
class Sight:
    """One sight of a thing: its span in seconds since the epoch and the mission that had it."""

    start: float
    end: float
    mission_id: str


@dataclass(frozen=True, slots=True)
class Visit:
    """One pass looked at the place, and would have seen the thing with this probability."""

    start: float
    end: float
    mission_id: str
    probability: float


@dataclass(frozen=True, slots=True)
class Life:
    """One stay of a thing at a place: its sights by index, and when it was found gone."""

    sights: tuple[int, ...]
    removed_at: float | None
    missed: int  # passes after the last sight that looked and did not see
    is_proved: bool  # by looks; else the time without any sight alone ended it


def lives(
    sights: Sequence[Sight], visits: Sequence[Visit], settings: CategorySettings
) -> list[Life]:
    """The stays, in order of time, that best explain sights (ordered by start) and visits.

    Present throughout a gap costs the logarithm of missing it in each visit; gone and back costs
    the two priors. At the end only the going needs explaining, so less evidence is enough there;
    a later sight then takes it back. This is the Viterbi path of a two-state chain, in closed
    form. A thing that visits often missed while it was there, half hidden or seen by a poor
    detector, is harder to see than they say: what it was elsewhere tells how much (`_Record`).
    """
    missed = _missed(sights, visits, settings)
    last = max(sight.end for sight in sights)
    inside = sum(sights[0].start < visit.start and visit.end < last for visit in missed)
    record = _Record(len(visits) - len(missed), inside)
    found: list[Life] = []
    current: list[int] = []
    end = -np.inf
    for index, sight in enumerate(sights):
        if current:
            gap = [v for v in missed if end < v.start and v.end < sight.start]
            elsewhere = _Record(record.seen, record.missed - len(gap))
            prior = settings.removal_prior * settings.return_prior
            gone = _is_gone(gap, prior, elsewhere, settings)
            if gone or sight.start - end > settings.max_gap_s:
                at = gap[0].end if gone else sight.start
                found.append(Life(tuple(current), at, len(gap), gone))
                current = []
        current.append(index)
        end = max(end, sight.end)
    after = [v for v in missed if v.start > end]
    gone = _is_gone(after, settings.removal_prior, record, settings)
    found.append(Life(tuple(current), after[0].end if gone else None, len(after), gone))
    return found


@dataclass(frozen=True, slots=True)
class _Record:
    """How many visits saw a thing, and how many missed it, while it was there."""

    seen: int
    missed: int


def _is_gone(
    gap: Sequence[Visit], prior: float, record: _Record, settings: CategorySettings
) -> bool:
    if len(gap) < settings.min_missed_passes:
        return False
    return _log_missed(gap, record, settings.stated_visits) < log(prior)


def _log_missed(gap: Sequence[Visit], record: _Record, stated_visits: float) -> float:
    """The logarithm of the chance that all these visits missed what was there.

    As the visits state, or worse: with what the record adds to stated_visits at the stated chance,
    the predictive of a beta-binomial (Gelman et al., Bayesian Data Analysis, 2.4).
    """
    stated = sum(visit.probability for visit in gap) / len(gap)
    hits = stated_visits * stated + record.seen
    misses = stated_visits * (1 - stated) + record.missed
    if hits >= stated * (hits + misses):
        return sum(log(1 - visit.probability) for visit in gap)
    return sum(log((misses + k) / (hits + misses + k)) for k in range(len(gap)))


def _missed(
    sights: Sequence[Sight], visits: Sequence[Visit], settings: CategorySettings
) -> list[Visit]:
    """The visits in which their own mission did not see the thing, by time."""
    slack = settings.visit_gap_s
    by_mission: dict[str, list[Sight]] = {}
    for sight in sights:
        by_mission.setdefault(sight.mission_id, []).append(sight)
    return sorted(
        (
            visit
            for visit in visits
            if not any(
                sight.start <= visit.end + slack and visit.start - slack <= sight.end
                for sight in by_mission.get(visit.mission_id, ())
            )
        ),
        key=lambda visit: (visit.start, visit.mission_id),
    )


def visits_of(
    lat_deg: Sequence[float],
    lon_deg: Sequence[float],
    sigma_m: Sequence[float],
    classes: Sequence[frozenset[str]],
    looks: Sequence[Look],
    settings: CategorySettings,
) -> list[list[Visit]]:
    """For each of N places, the visits that looked well at it and could see any of its classes.

    Well: further inside the look's outline than its error and the settings' margin.
    """
    if not looks:
        return [[] for _ in lat_deg]
    covering: list[list[Look]] = [[] for _ in lat_deg]
    places = np.stack([np.asarray(lat_deg, np.float64), np.asarray(lon_deg, np.float64)], axis=1)
    margin = np.maximum(settings.look_margin_m, np.asarray(sigma_m, np.float64))
    for look in sorted(looks, key=lambda look: (look.start, look.id)):
        if look.detection_probability < settings.min_detection_probability:
            continue
        ring = np.asarray(look.polygon)
        low, high = ring.min(axis=0), ring.max(axis=0)
        near = np.flatnonzero(((places > low) & (places < high)).all(axis=1))
        near = np.array([k for k in near.tolist() if look.classes & classes[k]], np.int64)
        if len(near):
            for k in near[depth_m(places[near], ring) > margin[near]]:
                covering[k].append(look)
    return [_visits(found, settings) for found in covering]


def depth_m(places: FloatArray, ring: FloatArray) -> FloatArray:
    """How deep places (N, 2) lie inside a ring (K, 2), both lat, lon; negative outside.

    Even-odd rule (Shimrat, CACM 1962) and the distance to the nearest edge.
    """
    east, north = local_en(ring[0, 0], ring[0, 1], ring[:, 0], ring[:, 1])
    corner = np.stack([east, north], axis=-1)
    east, north = local_en(ring[0, 0], ring[0, 1], places[:, 0], places[:, 1])
    point = np.stack([east, north], axis=-1)[:, None]
    after = np.concatenate([corner[1:], corner[:1]])
    edge = after - corner
    with np.errstate(divide="ignore", invalid="ignore"):
        along = ((point - corner) * edge).sum(-1) / np.maximum((edge**2).sum(-1), 1e-12)
        nearest = corner + np.clip(along, 0, 1)[..., None] * edge
        rises = (corner[:, 1] > point[..., 1]) != (after[:, 1] > point[..., 1])
        slope = np.where(edge[:, 1] == 0, 1.0, edge[:, 1])
        crossing = corner[:, 0] + (point[..., 1] - corner[:, 1]) * edge[:, 0] / slope
    inside = (rises & (point[..., 0] < crossing)).sum(axis=1) % 2 == 1
    distance = np.sqrt(((point - nearest) ** 2).sum(-1)).min(axis=1)
    return np.asarray(np.where(inside, distance, -distance))


def _visits(looks: Sequence[Look], settings: CategorySettings) -> list[Visit]:
    """Looks of one mission, close in time, as one visit with the best of their probabilities."""
    found: list[Visit] = []
    latest: dict[str, int] = {}
    for look in looks:
        p = min(look.detection_probability, settings.max_detection_probability)
        visit = Visit(look.start.timestamp(), look.end.timestamp(), look.mission_id, p)
        at = latest.get(look.mission_id)
        if at is not None and visit.start - found[at].end <= settings.visit_gap_s:
            last = found[at]
            found[at] = Visit(
                last.start, max(last.end, visit.end), visit.mission_id, max(last.probability, p)
            )
        else:
            latest[look.mission_id] = len(found)
            found.append(visit)
    return found
