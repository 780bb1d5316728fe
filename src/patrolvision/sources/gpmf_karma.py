"""The Karma drone's streams inside GPMF: GPRI (GPS), GLPI (position), ATTD (attitude), SYST.

They count seconds since the drone's boot, not since the video's start; SYST pairs boot time with
Unix time. GLPI follows MAVLink's GLOBAL_POSITION_INT: its fourth value is the height above
take-off. ATTR is the attitude the autopilot wants (with a thrust), not the gimbal's: no stream
tells the camera's pitch.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

from patrolvision.sources.fixes import EPOCH, RawFix, later

Row = tuple[float, ...]
_NEAR_S = 0.6  # the streams have four samples a second; half of one missing second is bridged


def fixes(
    payloads: Sequence[tuple[Any, Sequence[Any]]], rows: Callable[[Any, str], list[Row]]
) -> list[RawFix]:
    """One fix per GPRI sample, with height, heading and attitude of the samples nearest in time."""
    table: dict[str, list[Row]] = {"GPRI": [], "GLPI": [], "ATTD": [], "SYST": []}
    lags: list[float] = []
    for payload, streams in payloads:
        here = {key: [row for items in streams for row in rows(items, key)] for key in table}
        for key, found in here.items():
            table[key] += found
        if here["GPRI"] and payload.start_s is not None:
            middle_s = sum(row[0] for row in here["GPRI"]) / len(here["GPRI"])
            lags.append(middle_s - (payload.start_s + payload.duration_s / 2))
    boot_at_video_start_s = median(lags) if lags else None
    boot_unix_s = median(row[1] - row[0] for row in table["SYST"]) if table["SYST"] else None
    return [
        _fix(row, table, boot_at_video_start_s, boot_unix_s)
        for row in table["GPRI"]
        if len(row) >= 10
    ]


def _fix(
    row: Row,
    table: Mapping[str, Sequence[Row]],
    boot_at_video_start_s: float | None,
    boot_unix_s: float | None,
) -> RawFix:
    boot_s = row[0]
    values: dict[str, float | None] = {
        "alt_msl_m": row[3],
        "speed_mps": row[6],
        "course_deg": row[7],
    }
    position, attitude = _near(table["GLPI"], boot_s, 9), _near(table["ATTD"], boot_s, 4)
    if position:
        values["alt_takeoff_m"], values["heading_deg"] = position[4], position[8]
    if attitude:
        values["roll_deg"], values["pitch_deg"] = map(math.degrees, attitude[1:3])
    at = None if boot_unix_s is None else later(EPOCH, boot_unix_s + boot_s)
    video_s = None if boot_at_video_start_s is None else boot_s - boot_at_video_start_s
    return RawFix(row[1], row[2], at, video_s, values, "no fix" if row[8] < 2 else None)


def _near(rows: Sequence[Row], boot_s: float, width: int) -> Row | None:
    """The row nearest in boot time, if it is near enough."""
    at = bisect_left(rows, (boot_s,))
    around = [row for row in rows[max(0, at - 1) : at + 1] if len(row) >= width]
    near = min(around, key=lambda row: abs(row[0] - boot_s), default=None)
    return near if near is not None and abs(near[0] - boot_s) <= _NEAR_S else None
