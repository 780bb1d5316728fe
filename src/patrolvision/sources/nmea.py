"""NMEA 0183 logs: RMC gives date, place, speed and course; GGA height; HDT the heading."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pynmea2

from patrolvision.errors import TelemetryError
from patrolvision.sources.fixes import RawFix, RawLog

FORMAT = "nmea"
KNOT_MPS = 1852.0 / 3600.0
_UERE_M = 2.5  # one sigma per unit of HDOP, open sky, single frequency


@dataclass(slots=True)
class _Epoch:
    """What the sentences of one instant say together."""

    at_time: time
    day: date | None = None
    lat_deg: float | None = None
    lon_deg: float | None = None
    has_fix: bool = False
    values: dict[str, float | None] = field(default_factory=dict)


def looks_like_nmea(text: str) -> bool:
    """Whether one of the first lines is a sentence with an address of five letters."""
    for line in text.splitlines()[:50]:
        body = line[line.find("$") :] if "$" in line else ""
        if len(body) > 7 and body[1:6].isalpha() and body[6] == ",":
            return True
    return False


def parse(path: Path, text: str) -> RawLog:
    """One fix per instant; raises TelemetryError where no RMC or ZDA sentence gives the date."""
    problems: Counter[str] = Counter()
    epochs: list[_Epoch] = []
    for line in text.splitlines():
        start = line.find("$")
        if start < 0:
            continue
        try:
            sentence = pynmea2.parse(line[start:].strip())
            _take(sentence, epochs)
        except pynmea2.ChecksumError:
            problems["bad checksum"] += 1
        except (pynmea2.ParseError, ValueError, TypeError, AttributeError):
            problems["unreadable sentence"] += 1
    if epochs and not any(epoch.day for epoch in epochs):
        raise TelemetryError(f"{path.name}: no RMC or ZDA sentence gives the date of its fixes")
    return RawLog(FORMAT, _fixes(epochs), "RMC/GGA latitude and longitude", dict(problems))


def _take(sentence: Any, epochs: list[_Epoch]) -> None:
    kind = getattr(sentence, "sentence_type", "")
    if kind in ("RMC", "GGA", "ZDA") and isinstance(sentence.timestamp, time):
        epoch = _epoch_of(sentence.timestamp.replace(tzinfo=None), epochs)
        {"RMC": _take_rmc, "GGA": _take_gga, "ZDA": _take_zda}[kind](sentence, epoch)
    elif kind == "HDT" and epochs and sentence.heading not in (None, ""):
        epochs[-1].values["heading_deg"] = float(sentence.heading)


def _epoch_of(at_time: time, epochs: list[_Epoch]) -> _Epoch:
    if not epochs or epochs[-1].at_time != at_time:
        epochs.append(_Epoch(at_time))
    return epochs[-1]


def _take_rmc(sentence: Any, epoch: _Epoch) -> None:
    epoch.day = sentence.datestamp if isinstance(sentence.datestamp, date) else None
    epoch.has_fix = epoch.has_fix or sentence.status == "A"
    if sentence.status == "A" and sentence.lat:
        epoch.lat_deg, epoch.lon_deg = sentence.latitude, sentence.longitude
    if sentence.spd_over_grnd is not None:
        epoch.values["speed_mps"] = float(sentence.spd_over_grnd) * KNOT_MPS
    if sentence.true_course is not None:
        epoch.values["course_deg"] = float(sentence.true_course)


def _take_gga(sentence: Any, epoch: _Epoch) -> None:
    if not sentence.gps_qual or not sentence.lat:
        return
    epoch.has_fix = True
    epoch.lat_deg, epoch.lon_deg = sentence.latitude, sentence.longitude
    if sentence.altitude is not None:
        epoch.values["alt_msl_m"] = float(sentence.altitude)
    if sentence.horizontal_dil:
        epoch.values["sigma_position_m"] = _UERE_M * float(sentence.horizontal_dil)


def _take_zda(sentence: Any, epoch: _Epoch) -> None:
    epoch.day = date(int(sentence.year), int(sentence.month), int(sentence.day))


def _fixes(epochs: list[_Epoch]) -> tuple[RawFix, ...]:
    """Fixes with dates; an epoch without one takes the day of the last that had it."""
    known = next((epoch for epoch in epochs if epoch.day), None)
    last_day, last_time = (known.day, None) if known else (None, None)
    fixes = []
    for epoch in epochs:
        day = epoch.day or last_day
        if epoch.day is None and day and last_time and epoch.at_time < last_time:
            day += timedelta(days=1)  # past midnight, before the next RMC says so
        last_day, last_time = day, epoch.at_time
        at = datetime.combine(day, epoch.at_time, tzinfo=UTC) if day else None
        problem = None if epoch.has_fix else "no fix"
        fixes.append(RawFix(epoch.lat_deg, epoch.lon_deg, at, None, epoch.values, problem))
    return tuple(fixes)
