"""DJI's subtitle telemetry (.SRT), in all its dialects.

The dialect is never told by a file's name: every block is searched for every known key. Samples
of the dialects: JuanIrache/DJI_SRT_Parser (MIT). Traps met there: `longtitude`; GPS(lon, lat, n)
in most but GPS(lat, lon, 0.0M) in the Matrice 300; rel_alt and abs_alt in one bracket; no `-->`
lines in the first Mavic 2 files; no date in Phantom 4 files; no position at all in Mavic Air
files.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

from patrolvision.errors import TelemetryError
from patrolvision.sources.fixes import RawFix, RawLog

FORMAT = "dji-srt"

_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?|[-+]?nan|[-+]?inf"
_ARROW = re.compile(r"(\d{1,3}):(\d\d):(\d\d)[,.](\d{1,3})\s*-->")
_DATE = re.compile(
    r"(\d{4})[-./](\d{1,2})[-./](\d{1,2})[ T]+(\d{1,2}):(\d{2}):(\d{2})"
    r"(?:[.,](\d{1,3}))?(?:[.,](\d{1,3}))?"
)
_BRACKET = re.compile(r"\[([^\[\]]*)\]")
_PAIR = re.compile(rf"([A-Za-z_]+)\s*:\s*({_NUMBER})(?![\w/])", re.IGNORECASE)
_GPS = re.compile(
    rf"\bGPS\s*\(\s*({_NUMBER})\s*,\s*({_NUMBER})\s*(?:,\s*(?:{_NUMBER}|n/a)\s*(M)?\s*)?\)",
    re.IGNORECASE,
)
_BAROMETER = re.compile(rf"\b(?:BAROMETER|Hb)\s*:\s*({_NUMBER})", re.IGNORECASE)
_ULTRASONIC = re.compile(rf"\bHs\s*:\s*({_NUMBER})")
_HEIGHT = re.compile(rf"(?:^|[\s,])H\s+({_NUMBER})\s*m\b")
_SPEED = re.compile(rf"\bH\.S\s+({_NUMBER})\s*m/s")
_PRY = r"\.PRY\s*\(\s*(NUM)\s*°?\s*,\s*(NUM)\s*°?\s*,\s*(NUM)\s*°?\s*\)".replace("NUM", _NUMBER)
_FLIGHT_PRY = re.compile(r"\bF" + _PRY)
_GIMBAL_PRY = re.compile(r"\bG" + _PRY)

_BARE = "GPS"  # dialects without keys have it in every block; half the time of reading is saved
_LATITUDE_KEYS = ("latitude", "lat")
_LONGITUDE_KEYS = ("longitude", "longtitude", "lon", "long")


@dataclass(frozen=True, slots=True)
class _Block:
    fix: RawFix
    bare_pair: (
        tuple[float, float, bool] | None
    )  # GPS(a, b, c): a, b and whether c was a height in M
    has_position: bool


def looks_like_srt(text: str) -> bool:
    """Whether the text has subtitle times, or the dated blocks of the first Mavic 2 files."""
    return bool(_ARROW.search(text)) or bool(
        _DATE.search(text) and re.search(r"\[\s*latitude|GPS\s*\(", text, re.IGNORECASE)
    )


def parse(path: Path, text: str, timezone: tzinfo) -> RawLog:
    """Every block of the file; its dates are taken as local time of the zone given.

    Raises TelemetryError where no block has a position at all (Mavic Air).
    """
    blocks = [_block(chunk, timezone) for chunk in _chunks(text)]
    if blocks and not any(block.has_position for block in blocks):
        raise TelemetryError(
            f"{path.name}: none of {len(blocks)} blocks has a position (latitude/longitude or "
            "GPS), only camera settings; give the flight log's track as telemetry"
        )
    fixes = _with_pairs_ordered(blocks)
    fixes = _with_all_dated(fixes)
    if all(fix.video_time_s is None for fix in fixes):
        fixes = _tied_by_clock(fixes)
    return RawLog(FORMAT, tuple(fixes), "latitude/longitude or GPS")


def _chunks(text: str) -> Iterator[str]:
    """One text per block: from a time line (a dated line where there are none) to the next."""
    starts = [match.start() for match in _ARROW.finditer(text)]
    if not starts:
        starts = [match.start() for match in _DATE.finditer(text)]
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        yield text[start:end]


def _block(chunk: str, timezone: tzinfo) -> _Block:
    keyed = _keyed(chunk)
    pair = _GPS.search(chunk) if _BARE in chunk else None
    lat = _first(keyed, _LATITUDE_KEYS)
    lon = _first(keyed, _LONGITUDE_KEYS)
    fix = RawFix(
        lat_deg=lat,
        lon_deg=lon,
        at=_date(chunk, timezone),
        video_time_s=_video_time(chunk),
        values=_values(chunk, keyed),
    )
    bare = None
    if pair and lat is None and lon is None:
        bare = (float(pair.group(1)), float(pair.group(2)), pair.group(3) is not None)
    return _Block(fix, bare, bare is not None or (lat is not None and lon is not None))


def _keyed(chunk: str) -> dict[str, float]:
    """The key: number pairs inside closed brackets; an open bracket is a cut file."""
    return {
        key.lower(): float(number)
        for inside in _BRACKET.findall(chunk)
        for key, number in _PAIR.findall(inside)
    }


def _first(keyed: dict[str, float], names: Sequence[str]) -> float | None:
    return next((keyed[name] for name in names if name in keyed), None)


def _values(chunk: str, keyed: dict[str, float]) -> dict[str, float | None]:
    """Everything but place and time, under the names of TelemetrySample.

    A bare `altitude` (Mavic 2, Air 2) is taken as above sea level: at Lahore (217 m) a file
    starts at 214. Whatever it is, it is not a height above the ground, and never used as one.
    """
    values: dict[str, float | None] = {
        "alt_takeoff_m": keyed.get("rel_alt"),
        "alt_msl_m": keyed.get("abs_alt", keyed.get("altitude")),
        "gimbal_heading_deg": keyed.get("gb_yaw"),
        "gimbal_pitch_deg": keyed.get("gb_pitch"),
        "gimbal_roll_deg": keyed.get("gb_roll"),
    }
    if _BARE not in chunk:
        return values
    if values["alt_takeoff_m"] is None:
        values["alt_takeoff_m"] = _number(_BAROMETER, chunk)
    if values["alt_takeoff_m"] is None:
        values["alt_takeoff_m"] = _number(_HEIGHT, chunk)
    values["height_m"] = _ultrasonic_height(chunk)
    values["speed_mps"] = _number(_SPEED, chunk)
    values.update(_angles(_FLIGHT_PRY, chunk, ("pitch_deg", "roll_deg", "heading_deg")))
    gimbal_names = ("gimbal_pitch_deg", "gimbal_roll_deg", "gimbal_heading_deg")
    values.update(_angles(_GIMBAL_PRY, chunk, gimbal_names))
    return values


def _ultrasonic_height(chunk: str) -> float | None:
    """Height above the ground by ultrasound, which hears the ground up to about 10 m only."""
    height = _number(_ULTRASONIC, chunk)
    return height if height is not None and 0.0 < height < 10.0 else None


def _number(pattern: re.Pattern[str], chunk: str) -> float | None:
    match = pattern.search(chunk)
    return float(match.group(1)) if match else None


def _angles(
    pattern: re.Pattern[str], chunk: str, names: tuple[str, str, str]
) -> dict[str, float | None]:
    match = pattern.search(chunk)
    if not match:
        return {}
    return {name: float(value) for name, value in zip(names, match.groups(), strict=True)}


def _video_time(chunk: str) -> float | None:
    match = _ARROW.match(chunk)
    if not match:
        return None
    hours, minutes, seconds, fraction = match.groups()
    whole = int(hours) * 3600 + int(minutes) * 60 + int(seconds)
    return whole + float(f"0.{fraction.rjust(3, '0')}")


def _date(chunk: str, timezone: tzinfo) -> datetime | None:
    match = _DATE.search(chunk)
    if not match:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    milli, micro = match.group(7) or "0", match.group(8) or "0"
    microsecond = int(milli.ljust(3, "0")) * 1000 + int(micro.ljust(3, "0"))
    try:
        return datetime(year, month, day, hour, minute, second, microsecond, tzinfo=timezone)
    except ValueError:
        return None


def _with_pairs_ordered(blocks: Sequence[_Block]) -> list[RawFix]:
    """GPS(a, b, …) read in the order that fits: (lat, lon) with a height in M, else (lon, lat).

    If that order makes any latitude impossible and the other makes none so, the other is taken, for
    the whole file: one file has one order.
    """
    pairs = [block.bare_pair for block in blocks if block.bare_pair is not None]
    lat_first = any(pair[2] for pair in pairs)
    wrong = sum(abs(pair[0] if lat_first else pair[1]) > 90.0 for pair in pairs)
    wrong_if_swapped = sum(abs(pair[1] if lat_first else pair[0]) > 90.0 for pair in pairs)
    if wrong and not wrong_if_swapped:
        lat_first = not lat_first
    fixes = []
    for block in blocks:
        fix = block.fix
        if block.bare_pair is not None:
            a, b, _ = block.bare_pair
            lat, lon = (a, b) if lat_first else (b, a)
            fix = replace(fix, lat_deg=lat, lon_deg=lon)
        fixes.append(fix)
    return fixes


def _with_all_dated(fixes: Sequence[RawFix]) -> list[RawFix]:
    """Undated blocks of a partly dated file get their instant from the nearest dated block."""
    dated = sorted(
        ((f.at, f.video_time_s) for f in fixes if f.at and f.video_time_s is not None),
        key=lambda known: known[1],
    )
    if not dated:
        return list(fixes)
    result = []
    for fix in fixes:
        if fix.at is None and fix.video_time_s is not None:
            time_s = fix.video_time_s
            start, start_s = _nearest(dated, time_s)
            fix = replace(fix, at=start + timedelta(seconds=time_s - start_s))
        result.append(fix)
    return result


def _nearest(dated: Sequence[tuple[datetime, float]], time_s: float) -> tuple[datetime, float]:
    after = bisect_left(dated, time_s, key=lambda known: known[1])
    around = dated[max(0, after - 1) : after + 1]
    return min(around, key=lambda known: abs(known[1] - time_s))


def _tied_by_clock(fixes: Sequence[RawFix]) -> list[RawFix]:
    """Without `-->` lines the first block is the video's first frame; the clock does the rest."""
    first = next((fix.at for fix in fixes if fix.at is not None), None)
    if first is None:
        return list(fixes)
    return [
        fix if fix.at is None else replace(fix, video_time_s=(fix.at - first).total_seconds())
        for fix in fixes
    ]
