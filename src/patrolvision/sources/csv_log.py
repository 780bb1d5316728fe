"""Telemetry as a table with a header; the header says which column is what.

Times are ISO 8601 (without an offset: the caller's zone), Unix time in s, ms or µs, or, when the
numbers are too small for that, seconds since the video's first frame.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

from patrolvision.errors import TelemetryError
from patrolvision.sources.fixes import EPOCH, RawFix, RawLog

FORMAT = "csv"
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "time": ("time", "timestamp", "t", "at", "datetime", "time_utc", "utc", "date_time"),
    "video_time_s": ("video_time_s", "time_s", "t_s", "pts_s", "seconds"),
    "lat_deg": ("lat_deg", "lat", "latitude", "latitude_deg"),
    "lon_deg": ("lon_deg", "lon", "long", "lng", "longitude", "longtitude", "longitude_deg"),
    "alt_msl_m": ("alt_msl_m", "alt_msl", "elevation", "ele", "abs_alt"),
    "alt_takeoff_m": ("alt_takeoff_m", "rel_alt", "alt_takeoff", "height_above_takeoff"),
    "height_m": ("height_m", "height", "height_above_ground_m", "agl_m"),
    "speed_mps": ("speed_mps", "speed", "speed_ms"),
    "course_deg": ("course_deg", "course", "track_deg"),
    "heading_deg": ("heading_deg", "heading", "yaw_deg", "yaw", "compass_deg", "compass_heading"),
    "pitch_deg": ("pitch_deg", "pitch"),
    "roll_deg": ("roll_deg", "roll"),
    "gimbal_heading_deg": (
        "gimbal_heading_deg", "gimbal_yaw_deg", "gimbal_yaw", "gb_yaw", "gimbal_heading",
    ),
    "gimbal_pitch_deg": ("gimbal_pitch_deg", "gimbal_pitch", "gb_pitch"),
    "gimbal_roll_deg": ("gimbal_roll_deg", "gimbal_roll", "gb_roll"),
    "hfov_deg": ("hfov_deg", "hfov"),
    "sigma_position_m": ("sigma_position_m", "position_sigma_m", "accuracy_m"),
    "sigma_heading_deg": ("sigma_heading_deg", "heading_sigma_deg"),
}  # fmt: skip
_NAMES = frozenset(name for names in _COLUMNS.values() for name in names)
# Only units that are ours: a speed in mph under the name of speed would be believed.
_UNIT = re.compile(r"\s*[\[(](?:m|meters?|metres?|m/s|deg|degrees?|°|utc)[\])]$")
_DECIMAL_COMMA = re.compile(r"^[-+]?\d+,\d+$")
_VALUES = tuple(name for name in _COLUMNS if name not in ("time", "lat_deg", "lon_deg"))


def looks_like_csv(text: str) -> bool:
    """Whether the first line with text names a latitude column, or two others of ours."""
    header = set(_split_header(text)[1])
    return len(header) >= 2 and bool(header & set(_COLUMNS["lat_deg"]) or len(header & _NAMES) >= 2)


def parse(path: Path, text: str, timezone: tzinfo) -> RawLog:
    """Every line below the header; raises TelemetryError where a needed column is absent."""
    delimiter, header = _split_header(text)
    columns = _find_columns(path, header)
    problems: Counter[str] = Counter()
    fixes: list[RawFix] = []
    first_bad: dict[str, int] = {}
    reader = csv.reader(_lines(text), delimiter=delimiter)
    next(reader)
    for row in _rows(path, reader):
        if not any(cell.strip() for cell in row):
            continue
        if delimiter != ",":
            row = [_with_point(cell) for cell in row]
        try:
            fixes.append(_fix(row, columns, timezone))
        except ValueError as error:
            column = str(error)
            first_bad.setdefault(column, reader.line_num)
            problems[column] += 1
    named = {
        f"unreadable {column} (first in line {first_bad[column]})": count
        for column, count in problems.items()
    }
    return RawLog(FORMAT, tuple(fixes), "lat_deg and lon_deg", named)


def _lines(text: str) -> io.StringIO:
    """The text from its first character on, any kind of line end made one."""
    return io.StringIO(text.lstrip("\ufeff \r\n"), newline=None)


def _rows(path: Path, reader: Any) -> Iterator[list[str]]:
    try:
        yield from reader
    except csv.Error as error:
        raise TelemetryError(f"{path.name}: line {reader.line_num}: not CSV ({error})") from error


def _split_header(text: str) -> tuple[str, list[str]]:
    line = _lines(text).readline().rstrip("\n")
    delimiter = max(",;\t", key=line.count)
    cells = next(csv.reader([line], delimiter=delimiter), [])
    return delimiter, [_UNIT.sub("", cell.strip().lower()).replace(" ", "_") for cell in cells]


def _find_columns(path: Path, header: Sequence[str]) -> dict[str, int]:
    columns = {
        field: header.index(name)
        for field, names in _COLUMNS.items()
        for name in names[::-1]
        if name in header
    }
    for field in ("lat_deg", "lon_deg"):
        if field not in columns:
            raise TelemetryError(
                f"{path.name}: line 1: no column {field} (found: {', '.join(header)})"
            )
    if "time" not in columns and "video_time_s" not in columns:
        raise TelemetryError(
            f"{path.name}: line 1: no column time or video_time_s (found: {', '.join(header)})"
        )
    return columns


def _fix(row: Sequence[str], columns: Mapping[str, int], timezone: tzinfo) -> RawFix:
    """One line; ValueError carries the name of the column that cannot be read."""
    cells = {name: row[i].strip() if i < len(row) else "" for name, i in columns.items()}
    values = {name: _number(name, cells.get(name, "")) for name in _VALUES}
    video_time_s = values.pop("video_time_s")
    at, relative_s = _time(cells.get("time", ""), timezone)
    return RawFix(
        lat_deg=_number("lat_deg", cells["lat_deg"]),
        lon_deg=_number("lon_deg", cells["lon_deg"]),
        at=at,
        video_time_s=video_time_s if video_time_s is not None else relative_s,
        values=values,
    )


def _with_point(cell: str) -> str:
    """The cell, with a point where a spreadsheet of half of Europe writes a comma."""
    return cell.replace(",", ".") if _DECIMAL_COMMA.match(cell.strip()) else cell


def _number(column: str, cell: str) -> float | None:
    if not cell or cell.lower() in ("none", "null", "n/a", "na", "-"):
        return None
    try:
        return float(cell)
    except ValueError as error:
        raise ValueError(column) from error


def _time(cell: str, timezone: tzinfo) -> tuple[datetime | None, float | None]:
    """(instant, None), or (None, seconds of video) where the number is too small for Unix time."""
    if not cell:
        return None, None
    try:
        number = float(cell)
    except ValueError:
        return _iso(cell, timezone), None
    if not math.isfinite(number):
        return None, None
    for scale in (1.0, 1e3, 1e6, 1e9):
        if 3e8 <= number / scale < 1e10:
            return EPOCH + timedelta(seconds=number / scale), None
    if number < 3e8:
        return None, number
    raise ValueError("time")


def _iso(cell: str, timezone: tzinfo) -> datetime:
    try:
        at = datetime.fromisoformat(cell.replace("/", "-"))
    except ValueError as error:
        raise ValueError("time") from error
    return (at if at.tzinfo else at.replace(tzinfo=timezone)).astimezone(UTC)
