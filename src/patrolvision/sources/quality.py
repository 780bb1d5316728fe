"""How far one recording's telemetry may be trusted, judged by itself, before a place is made of it.

A recorder that lost reception repeats its last place; a reflected signal throws a single fix far
away; a compass disagrees with the way the vehicle went. The first two are taken out, so that an
instant there has no pose rather than a wrong one. A heading is never turned round here: a drone
may fly backwards, and telemetry alone cannot tell. Its sigma grows instead, and it is reported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from types import MappingProxyType

from patrolvision.sources.fixes import TelemetryLog
from patrolvision.sources.heading import Leg, legs_of
from patrolvision.sources.motion import Motion
from patrolvision.sources.steps import (
    Jump,
    StaleRun,
    Stay,
    impossible_steps,
    outliers,
    scale_of,
    stale_runs,
    stays_of,
)
from patrolvision.types import Camera, Platform, TelemetrySample

TOP_SPEED_MPS: Mapping[Platform, float] = {"car": 60.0, "drone": 40.0}
UNSURE_HEADING_SIGMA_DEG = 60.0
_GAP_S = 3.0
_OFFSET_DEG = 20.0
_STEADY_DEG = 15.0
_BACKWARDS_DEG = 160.0  # and more: flown or driven backwards, or a compass turned round
_SIDEWAYS_DEG = 30.0  # no car goes so far off its nose
_NO_REVERSE_MPS = 5.0


@dataclass(frozen=True, slots=True)
class TelemetryQuality:
    """What is known of one log; times are seconds of video, or since the log's first sample.

    rate_hz is of the usual interval; None for a single fix. dropped are records that were left out
    before, by reason. outliers are the samples that their neighbours contradict, a part of those
    that jumps lead to. heading_field is the field compared with the course (gimbal before
    compass), None where there is none; offset and spread are over all legs. yaw_offset_deg is
    given only where the heading is steadily off.
    """

    fixes: int
    rate_hz: float | None
    span_s: tuple[float, float]
    dropped: Mapping[str, int]
    stale: tuple[StaleRun, ...] = ()
    jumps: tuple[Jump, ...] = ()
    outliers: tuple[int, ...] = ()
    gaps: tuple[tuple[float, float], ...] = ()
    heading_field: str | None = None
    legs: tuple[Leg, ...] = ()
    offset_deg: float | None = None
    spread_deg: float | None = None
    yaw_offset_deg: float | None = None

    @property
    def longest_stale_s(self) -> float:
        """Length of the longest stale run; 0 where there is none."""
        return max((run.duration_s for run in self.stale), default=0.0)


def quality_of(log: TelemetryLog, camera: Camera | None = None) -> TelemetryQuality:
    """What one log's own samples say of its trustworthiness; without a camera as for a car."""
    platform: Platform = "car" if camera is None else camera.platform
    times = times_of(log)
    steps = [b - a for a, b in pairwise(times)]
    usual_s = median(steps) if steps else 0.0
    max_gap_s = max(_GAP_S, 2.0 * usual_s)
    stays = stays_of(log.samples, times)
    motion = _motion(stays, max_gap_s)
    stale = stale_runs(log.samples, stays, motion.quantum_m)
    repeated = {i for run in stale for i in run.indices}
    fresh = stays_of(log.samples, times, without=repeated)
    scale = scale_of(fresh, TOP_SPEED_MPS[platform], motion.quantum_m)
    astray = outliers(fresh, scale)
    left_out = repeated.union(astray)
    kept = [i for i in range(len(times)) if i not in left_out]
    heading = _heading_field(log, platform)
    motion = _motion(stays_of(log.samples, times, without=left_out), max_gap_s)
    legs, offset = legs_of(log.samples, times, kept, heading, motion) if heading else ((), None)
    return TelemetryQuality(
        fixes=len(times),
        rate_hz=1.0 / usual_s if usual_s > 0 else None,
        span_s=(times[0], times[-1]),
        dropped=dict(log.problems),
        stale=stale,
        jumps=impossible_steps(fresh, scale),
        outliers=tuple(astray),
        gaps=tuple((a, b) for a, b in pairwise(times) if b - a > max_gap_s),
        heading_field=heading,
        legs=legs,
        offset_deg=offset[0] if offset else None,
        spread_deg=offset[1] if offset else None,
        yaw_offset_deg=offset[0] if offset and _is_off(*offset) else None,
    )


def times_of(log: TelemetryLog) -> list[float]:
    """Seconds of video for a log tied to one, else seconds since its first sample."""
    if log.video_times_s is not None:
        return list(log.video_times_s)
    return [(sample.at - log.samples[0].at).total_seconds() for sample in log.samples]


def _motion(stays: Sequence[Stay], max_gap_s: float) -> Motion:
    lats, lons = [s.lat_deg for s in stays], [s.lon_deg for s in stays]
    return Motion([s.begin_s for s in stays], lats, lons, max_gap_s)


def _heading_field(log: TelemetryLog, platform: Platform) -> str | None:
    names = ("gimbal_heading_deg", "heading_deg")
    for name in names if platform == "drone" else names[:0:-1]:
        if any(getattr(sample, name) is not None for sample in log.samples):
            return name
    return None


def _is_off(offset_deg: float, spread_deg: float) -> bool:
    return abs(offset_deg) > _OFFSET_DEG and spread_deg < _STEADY_DEG


def doubtful_legs(log: TelemetryLog, camera: Camera | None = None) -> tuple[Leg, ...]:
    """The straight stretches whose heading is steadily not that of a vehicle that goes forwards."""
    return _doubtful(quality_of(log, camera), camera is None or camera.platform == "car")


def cleaned(
    log: TelemetryLog,
    camera: Camera | None = None,
    proved: Mapping[Leg, tuple[float, float]] = MappingProxyType({}),
) -> tuple[TelemetryLog, list[str]]:
    """(the log without what cannot be true, sentences on what a person should know).

    Stale repetitions and jumps that their neighbours contradict are left out and counted in the
    log's problems. A drone's heading that points back along the way it flew keeps its value with a
    sigma of 60 degrees there. A car's compass that contradicts the course for most of the way is
    left out, so that the course stands in; where the car may have reversed, its sigma grows.
    proved: doubtful legs of which the pictures tell the heading's error (to be added) and its sigma
    in degrees.
    """
    quality = quality_of(log, camera)
    times = times_of(log)
    is_car = camera is None or camera.platform == "car"
    found = _doubtful(quality, is_car)
    doubtful = tuple(leg for leg in found if leg not in proved)
    is_without_compass = is_car and _is_wrong(quality, doubtful)
    repeated = {i for run in quality.stale for i in run.indices}
    left_out = repeated.union(quality.outliers)
    kept = [i for i in range(len(times)) if i not in left_out]
    samples = tuple(
        replace(log.samples[i], heading_deg=None)
        if is_without_compass
        else _turned(_unsure(log.samples[i], times[i], doubtful), times[i], proved)
        for i in kept
    )
    problems = Counter(log.problems)
    problems.update({"stale": len(repeated), "jump": len(quality.outliers)})
    clean = replace(
        log,
        samples=samples,
        video_times_s=None if log.video_times_s is None else tuple(times[i] for i in kept),
        problems={reason: count for reason, count in sorted(problems.items()) if count},
    )
    notes = _notes(log.name, quality, doubtful, is_without_compass)
    return clean, notes + _proved_notes(log.name, proved)


def _doubtful(quality: TelemetryQuality, is_car: bool) -> tuple[Leg, ...]:
    """The legs on which the heading is steadily not that of a vehicle that goes forwards."""
    if is_car and quality.heading_field != "heading_deg":
        return ()  # a camera on a car may look anywhere
    least_deg = _SIDEWAYS_DEG if is_car else _BACKWARDS_DEG
    return tuple(
        leg
        for leg in quality.legs
        if abs(leg.offset_deg) >= least_deg and leg.spread_deg < _STEADY_DEG
    )


def _is_wrong(quality: TelemetryQuality, doubtful: Sequence[Leg]) -> bool:
    """Whether a car's compass is proved wrong on more than half of its straight way."""
    proved_s = sum(
        leg.end_s - leg.begin_s
        for leg in doubtful
        if abs(leg.offset_deg) < _BACKWARDS_DEG or leg.speed_mps > _NO_REVERSE_MPS
    )
    return proved_s > 0.5 * sum(leg.end_s - leg.begin_s for leg in quality.legs)


def _unsure(sample: TelemetrySample, time_s: float, doubtful: Sequence[Leg]) -> TelemetrySample:
    if not any(leg.begin_s <= time_s <= leg.end_s for leg in doubtful):
        return sample
    own_deg = sample.sigma_heading_deg or 0.0
    return replace(sample, sigma_heading_deg=max(own_deg, UNSURE_HEADING_SIGMA_DEG))


def _turned(
    sample: TelemetrySample, time_s: float, proved: Mapping[Leg, tuple[float, float]]
) -> TelemetrySample:
    """The sample with the heading that the pictures prove, where they do."""
    leg = next((g for g in proved if g.begin_s <= time_s <= g.end_s), None)
    if leg is None:
        return sample
    error, sigma = proved[leg]
    heading = sample.gimbal_heading_deg
    if heading is None or abs(error) < _OFFSET_DEG:
        return sample
    own_deg = sample.sigma_heading_deg or 0.0
    return replace(
        sample,
        gimbal_heading_deg=(heading + error) % 360.0,
        sigma_heading_deg=max(own_deg, sigma),
    )


def _proved_notes(name: str, proved: Mapping[Leg, tuple[float, float]]) -> list[str]:
    wrong = [leg for leg, (error, _) in proved.items() if abs(error) >= _OFFSET_DEG]
    if not wrong:
        return []
    first = min(wrong, key=lambda leg: leg.begin_s)
    return [
        f"{name}: by the ground that its pictures share, the camera's heading is wrong on "
        f"{len(wrong)} straight stretches, first from {first.begin_s:.1f} to {first.end_s:.1f} s "
        f"by {proved[first][0]:+.0f} degrees; the pictures' own is used"
    ]


def _notes(
    name: str, quality: TelemetryQuality, doubtful: Sequence[Leg], is_without_compass: bool
) -> list[str]:
    notes: list[str] = []
    astray = set(quality.outliers)
    lasting = [j for j in quality.jumps if not {j.from_index, j.index} & astray]
    if quality.stale:
        count = len(quality.stale)
        often = "once" if count == 1 else f"{count} times"
        notes.append(
            f"{name}: the same place was repeated while moving {often}, for "
            f"{quality.longest_stale_s:.1f} s at most; there is no pose meanwhile"
        )
    if quality.gaps:
        longest_s = max(end - begin for begin, end in quality.gaps)
        count = len(quality.gaps)
        gaps = "a gap" if count == 1 else f"{count} gaps, the longest"
        notes.append(f"{name}: {gaps} of {longest_s:.1f} s; there is no pose meanwhile")
    if lasting:
        first = lasting[0]
        notes.append(
            f"{name}: {len(lasting)} steps are too fast to be true, the first at "
            f"{first.time_s:.1f} s ({first.way_m:.0f} m, {first.speed_mps:.0f} m/s); which side "
            "is wrong cannot be told, both are used"
        )
    if is_without_compass and doubtful:
        notes.append(
            f"{name}: the heading is {doubtful[0].offset_deg:+.0f} degrees off the course while "
            "driving; it is left out and the course is used"
        )
    elif doubtful:
        first_leg = doubtful[0]
        notes.append(
            f"{name}: the heading is {first_leg.offset_deg:+.0f} degrees off the course on "
            f"{len(doubtful)} of {len(quality.legs)} straight stretches, the first from "
            f"{first_leg.begin_s:.1f} to {first_leg.end_s:.1f} s: moved backwards or a wrong "
            f"compass; its sigma there is {UNSURE_HEADING_SIGMA_DEG:.0f} degrees"
        )
    return notes
