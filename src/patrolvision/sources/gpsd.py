"""gpsd's JSON protocol: TPV objects give place, motion and their errors, ATT objects the attitude.

Fields: gpsd_json(5), which calls the certainty of epx and epy unknown (before 3.20: 95 %); they are
taken for one sigma, which is the careful reading. The client library of gpsd is not on the index.
"""

from __future__ import annotations

import json
import math
import time
from datetime import UTC, datetime
from typing import Any

from patrolvision.sources.fixes import RawFix

WATCH = b'?WATCH={"enable":true,"json":true}\n'
PORT = 2947
_HAS_FIX = 2  # mode: 2-D or better
_ATTITUDE_S = 1.5  # how long the last attitude holds


class PlayingReports:
    """The reports of gpsd while it tells them, a line each."""

    def __init__(self) -> None:
        self._heading_deg: float | None = None
        self._turned_s = -math.inf

    def fixes(self, line: str) -> list[RawFix]:
        """The fix of a TPV report; none of any other line."""
        try:
            report = json.loads(line)
        except ValueError:
            return []
        if not isinstance(report, dict):
            return []
        if report.get("class") == "ATT":
            self._heading_deg, self._turned_s = _number(report, "heading"), time.monotonic()
        return [self._fix(report)] if report.get("class") == "TPV" else []

    def _fix(self, report: dict[str, Any]) -> RawFix:
        mode = report.get("mode")
        has_fix = isinstance(mode, int) and mode >= _HAS_FIX
        is_turned = time.monotonic() - self._turned_s < _ATTITUDE_S
        values = {
            "speed_mps": _number(report, "speed"),
            "course_deg": _number(report, "track"),
            "heading_deg": self._heading_deg if is_turned else None,
            "alt_msl_m": _number(report, "altMSL"),
            "sigma_position_m": _sigma_m(report),
        }
        lat, lon = _number(report, "lat"), _number(report, "lon")
        return RawFix(lat, lon, _instant(report), None, values, None if has_fix else "no fix")


def _number(report: dict[str, Any], name: str) -> float | None:
    value = report.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if math.isfinite(value) else None


def _sigma_m(report: dict[str, Any]) -> float | None:
    east, north = _number(report, "epx"), _number(report, "epy")
    return None if east is None or north is None else max(east, north)


def _instant(report: dict[str, Any]) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(report.get("time")))
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
