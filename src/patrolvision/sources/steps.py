"""Places that a recorder repeats, and places where it cannot have been."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from patrolvision.sources.fixes import STALE_AFTER_S
from patrolvision.types import TelemetrySample

_EARTH_M = 6_371_009.0
_LONGEST_OUTLIER_S = 5.0
_LONE_S = 1.0  # a single fix at either end of a log, and its repetitions
_NOISE_M = 10.0  # two fixes of one place may lie so far apart
_STALE_SLACK_M = 15.0  # standing receivers hold their place, and let go of it with a small step
_FEWEST_FOR_SPEED = 10
_MIN_NEIGHBOURS = 3


@dataclass(frozen=True, slots=True)
class StaleRun:
    """A place repeated for duration_s from begin_s on; indices are the samples that repeat it."""

    begin_s: float
    duration_s: float
    indices: range


@dataclass(frozen=True, slots=True)
class Jump:
    """A step between two fixes that no such vehicle can make, from one sample to another."""

    from_index: int
    index: int
    time_s: float
    way_m: float
    speed_mps: float


@dataclass(frozen=True, slots=True)
class Stay:
    """Consecutive samples first to last at one place: many recorders repeat a fix for a while."""

    first: int
    last: int
    begin_s: float
    end_s: float
    lat_deg: float
    lon_deg: float


@dataclass(frozen=True, slots=True)
class Scale:
    """What is possible in this log: usual_s from place to place, speed, rounding in metres."""

    usual_s: float
    speed_mps: float
    quantum_m: float

    def is_possible(self, a: Stay, b: Stay) -> bool:
        """Whether the vehicle can have been at both places at their times."""
        slack_m = _NOISE_M + 2.0 * self.quantum_m
        return _way_m(a, b) <= self.speed_mps * self.pause_s(a, b) + slack_m

    def pause_s(self, a: Stay, b: Stay) -> float:
        """The time from place to place: not the short one from the last repetition on."""
        return max(b.begin_s - a.end_s, min(self.usual_s, b.begin_s - a.begin_s))


def stays_of(
    samples: Sequence[TelemetrySample], times: Sequence[float], without: Collection[int] = ()
) -> list[Stay]:
    """The samples, those without left out, as one stay for each place after the other."""
    found: list[Stay] = []
    for i, (sample, time_s) in enumerate(zip(samples, times, strict=True)):
        if i in without:
            continue
        place = sample.lat_deg, sample.lon_deg
        if found and place == (found[-1].lat_deg, found[-1].lon_deg):
            found[-1] = replace(found[-1], last=i, end_s=time_s)
        else:
            found.append(Stay(i, i, time_s, time_s, *place))
    return found


def _way_m(a: Stay, b: Stay) -> float:
    """Haversine on a sphere, better than 0.6 %: a log may have 100,000 steps to judge."""
    north, east = math.radians(b.lat_deg - a.lat_deg), math.radians(b.lon_deg - a.lon_deg)
    across = math.cos(math.radians(a.lat_deg)) * math.cos(math.radians(b.lat_deg))
    chord = math.sin(north / 2.0) ** 2 + across * math.sin(east / 2.0) ** 2
    return 2.0 * _EARTH_M * math.asin(math.sqrt(min(chord, 1.0)))


def _usual_s(stays: Sequence[Stay]) -> float:
    return median([b.begin_s - a.begin_s for a, b in pairwise(stays)]) if len(stays) > 1 else 0.0


def stale_runs(
    samples: Sequence[TelemetrySample], stays: Sequence[Stay], quantum_m: float
) -> tuple[StaleRun, ...]:
    """The stays of a vehicle that moved: by the recorder's own speed, or by the leap that ends one.

    A stay must last 3 s and three usual intervals. With a speed, the way covered must exceed 30 m
    and four roundings; the leap must exceed half of that and a quarter of the way covered.
    """
    usual_s = _usual_s(stays)
    found: list[StaleRun] = []
    for k, stay in enumerate(stays):
        following = stays[k + 1] if k + 1 < len(stays) else None
        lasted_s = (following.begin_s if following else stay.end_s) - stay.begin_s
        is_repeated = stay.last > stay.first
        if not is_repeated or lasted_s <= max(STALE_AFTER_S, 3.0 * usual_s):
            continue
        slack_m = _STALE_SLACK_M + 2.0 * quantum_m
        if _says_it_moved(samples[stay.first : stay.last + 1], lasted_s, slack_m) or (
            following is not None and _leapt_after(stays, k, lasted_s, usual_s, slack_m)
        ):
            found.append(StaleRun(stay.begin_s, lasted_s, range(stay.first + 1, stay.last + 1)))
    return tuple(found)


def _says_it_moved(samples: Sequence[TelemetrySample], lasted_s: float, slack_m: float) -> bool:
    """The recorder's own speed says that the place cannot have stayed the same."""
    speeds = [s.speed_mps for s in samples if s.speed_mps is not None]
    return len(speeds) >= 2 and median(speeds) * lasted_s > 2.0 * slack_m


def _leapt_after(
    stays: Sequence[Stay], k: int, lasted_s: float, usual_s: float, slack_m: float
) -> bool:
    """The first step out is not that of a vehicle that starts, but the whole way at once."""
    out_m = _way_m(stays[k], stays[k + 1])
    speed = max(_speed_from(stays[k + 1 :]), _speed_from(stays[k::-1]))
    leapt_m = out_m - 1.5 * speed * usual_s
    return speed > 0 and leapt_m > max(slack_m, 0.25 * speed * lasted_s)


def _speed_from(stays: Sequence[Stay], over_s: float = 2.0) -> float:
    """The mean speed over the first stays, 2 s or more; 0 where there is only one."""
    for stay in stays[1:]:
        span_s = abs(stay.begin_s - stays[0].begin_s)
        if span_s >= over_s or stay is stays[-1]:
            return _way_m(stays[0], stay) / span_s if span_s > 0 else 0.0
    return 0.0


def scale_of(stays: Sequence[Stay], top_mps: float, quantum_m: float) -> Scale:
    """An aircraft that is faster than any drone is not made of jumps alone."""
    plain = Scale(_usual_s(stays), top_mps, quantum_m)
    speeds = [_way_m(a, b) / plain.pause_s(a, b) for a, b in pairwise(stays)]
    usual_mps = median(speeds) if len(speeds) >= _FEWEST_FOR_SPEED else 0.0
    return replace(plain, speed_mps=max(top_mps, 2.0 * usual_mps))


def impossible_steps(stays: Sequence[Stay], scale: Scale) -> tuple[Jump, ...]:
    """Steps longer than top speed and 10 m of noise allow."""
    return tuple(
        Jump(a.last, b.first, b.begin_s, _way_m(a, b), _way_m(a, b) / scale.pause_s(a, b))
        for a, b in pairwise(stays)
        if not scale.is_possible(a, b)
    )


def outliers(stays: Sequence[Stay], scale: Scale) -> list[int]:
    """Samples of short stretches away from a way that goes on without them."""
    stretches: list[list[Stay]] = []
    for k, stay in enumerate(stays):
        if k and scale.is_possible(stays[k - 1], stay):
            stretches[-1].append(stay)
        else:
            stretches.append([stay])
    return [i for k in _led_astray(stretches, scale) for s in stretches[k] for i in _samples(s)]


def _samples(stay: Stay) -> range:
    return range(stay.first, stay.last + 1)


def _led_astray(stretches: Sequence[Sequence[Stay]], scale: Scale) -> list[int]:
    """Which stretches to leave out: those between two that fit, or a lone fix at either end."""
    bad: list[int] = []
    k = 1
    while k < len(stretches):
        last = stretches[k - 1][-1]
        back = _return(stretches, k, last, scale)
        bad += range(k, back)
        k = back + 1
    rest = [k for k in range(len(stretches)) if k not in bad]
    for end, neighbour in (rest[:2], rest[:-3:-1]) if len(rest) > 1 else ():
        a, b = sorted((end, neighbour))
        if _is_lone(stretches[end], stretches[neighbour]) and not scale.is_possible(
            stretches[a][-1], stretches[b][0]
        ):
            bad.append(end)
    return bad


def _is_lone(stretch: Sequence[Stay], neighbour: Sequence[Stay]) -> bool:
    is_short = len(stretch) == 1 and stretch[0].end_s - stretch[0].begin_s <= _LONE_S
    return is_short and len(neighbour) >= _MIN_NEIGHBOURS


def _return(stretches: Sequence[Sequence[Stay]], k: int, last: Stay, scale: Scale) -> int:
    """The stretch after k that continues from last soon; k itself where none does."""
    for j in range(k + 1, len(stretches)):
        away = stretches[j - 1]
        if away[-1].end_s - last.end_s > _LONGEST_OUTLIER_S + scale.usual_s:
            break
        if scale.is_possible(last, stretches[j][0]):
            return j
    return k
