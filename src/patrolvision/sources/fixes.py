"""From what a parser read to a telemetry log: what cannot be true is dropped and counted here.

Parsers hand over RawFix values exactly as the file has them; one place judges them, so that (0, 0),
a latitude of 95 or a clock that runs backwards means the same in every format.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from patrolvision.errors import TelemetryError
from patrolvision.types import TelemetrySample

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST_CLOCK = datetime(1990, 1, 1, tzinfo=UTC)  # a receiver's clock before its first fix
LATEST_CLOCK = datetime(2200, 1, 1, tzinfo=UTC)
LONGEST_VIDEO_S = 1e7
STALE_AFTER_S = 3.0
STALE_DISTANCE_M = 30.0  # four decimals of a degree hide a move of up to 15 m
_ANGLES_360 = ("course_deg", "heading_deg", "gimbal_heading_deg")


@dataclass(frozen=True, slots=True)
class RawFix:
    """One record as its file has it; None where the file does not say.

    at is aware; video_time_s is seconds since the video's first frame; values holds further fields
    of TelemetrySample by name; problem is the parser's own reason why the record is of no use.
    """

    lat_deg: float | None
    lon_deg: float | None
    at: datetime | None = None
    video_time_s: float | None = None
    values: Mapping[str, float | None] = field(default_factory=dict)
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class RawLog:
    """All records of one file, in its order; position_field names where a position would stand."""

    format: str
    fixes: tuple[RawFix, ...]
    position_field: str
    problems: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TelemetryLog:
    """The usable samples of one recording, in strictly rising order of time.

    video_times_s[i] is the instant of samples[i] in seconds since the video's first frame, for
    formats that are tied to a video (SRT, GPMF, KLV); None for those that only know the clock.
    Without has_absolute_time the samples' `at` counts from 1970-01-01 at the video's first frame.
    problems counts the records that were dropped, by reason.
    """

    name: str
    format: str
    samples: tuple[TelemetrySample, ...]
    video_times_s: tuple[float, ...] | None
    has_absolute_time: bool
    problems: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.samples:
            raise ValueError("a telemetry log needs at least one sample")
        if self.video_times_s is not None and len(self.video_times_s) != len(self.samples):
            raise ValueError(
                f"video_times_s must be ({len(self.samples)},), got ({len(self.video_times_s)},)"
            )

    @property
    def span(self) -> tuple[datetime, datetime]:
        """The instants of the first and the last sample."""
        return self.samples[0].at, self.samples[-1].at


def later(at: datetime, seconds: float) -> datetime | None:
    """The instant so many seconds later; None where a damaged number leads beyond any calendar."""
    try:
        return at + timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        return None


def build_log(path: Path, raw: RawLog) -> TelemetryLog:
    """The records that can be true, in order of time; raises TelemetryError if none is left."""
    problems: Counter[str] = Counter(raw.problems)
    usable: list[RawFix] = []
    for fix in raw.fixes:
        reason = fix.problem or _position_problem(fix) or _time_problem(fix)
        if reason:
            problems[reason] += 1
        else:
            usable.append(fix)
    usable = _in_order(usable, problems)
    usable = _without_stale(usable, problems)
    if not usable:
        raise TelemetryError(_nothing_left(path, raw, problems))
    tied = all(fix.video_time_s is not None for fix in usable)
    return TelemetryLog(
        name=path.name,
        format=raw.format,
        samples=tuple(_sample(fix) for fix in usable),
        video_times_s=tuple(float(fix.video_time_s or 0.0) for fix in usable) if tied else None,
        has_absolute_time=all(fix.at is not None for fix in usable),
        problems=dict(sorted(problems.items())),
    )


def _nothing_left(path: Path, raw: RawLog, problems: Counter[str]) -> str:
    if not raw.fixes and not problems:
        return f"{path.name}: no record with {raw.position_field} was found ({raw.format})"
    why = ", ".join(f"{reason}: {count}" for reason, count in sorted(problems.items()))
    return (
        f"{path.name}: none of {sum(problems.values())} records has a usable "
        f"{raw.position_field} ({why})"
    )


def _position_problem(fix: RawFix) -> str | None:
    lat, lon = fix.lat_deg, fix.lon_deg
    if lat is None or lon is None:
        return "without position"
    if not (math.isfinite(lat) and math.isfinite(lon)):
        return "not a number"
    if abs(lat) > 90.0 or abs(lon) > 180.0:
        return "out of range"
    if abs(lat) < 1e-6 and abs(lon) < 1e-6:
        return "(0, 0)"
    return None


def _time_problem(fix: RawFix) -> str | None:
    if fix.at is None and fix.video_time_s is None:
        return "without time"
    if fix.at is not None and not EARLIEST_CLOCK < fix.at < LATEST_CLOCK:
        return "clock not set"
    if fix.video_time_s is not None and not abs(fix.video_time_s) < LONGEST_VIDEO_S:
        return "time out of range"
    return None


def _in_order(fixes: Sequence[RawFix], problems: Counter[str]) -> list[RawFix]:
    """The longest run of records whose time rises: one wrong clock costs one record only."""
    if not fixes:
        return []
    tied = all(fix.video_time_s is not None for fix in fixes)
    if not tied:
        missing = sum(fix.at is None for fix in fixes)
        if missing:
            problems["without time"] += missing
        fixes = [fix for fix in fixes if fix.at is not None]
    times = [
        float(fix.video_time_s or 0.0) if tied else ((fix.at or EPOCH) - EPOCH).total_seconds()
        for fix in fixes
    ]
    kept = longest_rising(times)
    kept_times = {times[i] for i in kept}
    for i in set(range(len(times))) - set(kept):
        problems["time repeated" if times[i] in kept_times else "time backwards"] += 1
    return [fixes[i] for i in kept]


def longest_rising(values: Sequence[float]) -> list[int]:
    """Indices of the longest strictly rising subsequence (patience sorting, O(n log n))."""
    tails: list[float] = []
    tail_index: list[int] = []
    before: list[int] = []
    for i, value in enumerate(values):
        slot = bisect_left(tails, value)
        before.append(tail_index[slot - 1] if slot else -1)
        if slot == len(tails):
            tails.append(value)
            tail_index.append(i)
        elif value < tails[slot]:
            tails[slot] = value
            tail_index[slot] = i
    found: list[int] = []
    at = tail_index[-1] if tail_index else -1
    while at >= 0:
        found.append(at)
        at = before[at]
    return found[::-1]


def _without_stale(fixes: Sequence[RawFix], problems: Counter[str]) -> list[RawFix]:
    """Drops fixes repeated after reception was lost: it moves, yet its place does not."""
    kept: list[RawFix] = []
    since: RawFix | None = None
    for fix in fixes:
        if since is None or (fix.lat_deg, fix.lon_deg) != (since.lat_deg, since.lon_deg):
            since = fix
        speed = fix.values.get("speed_mps") or 0.0
        elapsed_s = _seconds_between(since, fix)
        if elapsed_s > STALE_AFTER_S and speed * elapsed_s > STALE_DISTANCE_M:
            problems["stale"] += 1
        else:
            kept.append(fix)
    return kept


def _seconds_between(first: RawFix, second: RawFix) -> float:
    if first.video_time_s is not None and second.video_time_s is not None:
        return second.video_time_s - first.video_time_s
    if first.at is not None and second.at is not None:
        return (second.at - first.at).total_seconds()
    return 0.0


def _sample(fix: RawFix) -> TelemetrySample:
    at = fix.at if fix.at is not None else EPOCH + timedelta(seconds=fix.video_time_s or 0.0)
    values = {
        name: None if value is None or not math.isfinite(value) else float(value)
        for name, value in fix.values.items()
    }
    for name in _ANGLES_360:
        value = values.get(name)
        if value is not None:
            values[name] = value % 360.0
    return TelemetrySample(
        at=at.astimezone(UTC),
        lat_deg=float(fix.lat_deg or 0.0),
        lon_deg=float(fix.lon_deg or 0.0),
        **values,
    )
