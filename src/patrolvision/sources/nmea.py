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
        _take_line(line, epochs, problems)
    if epochs and not any(epoch.day for epoch in epochs):
        raise TelemetryError(f"{path.name}: no RMC or ZDA sentence gives the date of its fixes")
    return RawLog(FORMAT, _fixes(epochs), "RMC/GGA latitude and longitude", dict(problems))


class PlayingSentences:
    """The sentences of a receiver while it tells them.

    An instant is told of as soon as the kind of sentence has come that ended the one before; where
    a receiver changes its order, with the first sentence of the next instant.
    """

    def __init__(self) -> None:
        self._epochs: list[_Epoch] = []
        self._kind = self._closing = ""  # of the last sentence; of the one that ends an instant
        self._is_told = False

    def fixes(self, line: str) -> list[RawFix]:
        """The fixes that are complete with this line; a line that is no sentence completes none."""
        before = len(self._epochs)
        kind = _take_line(line, self._epochs, Counter())
        if not kind or not self._epochs:
            return []
        found: list[RawFix] = []
        if len(self._epochs) > before > 0:
            if not self._is_told:
                found.append(self._fix_of(before - 1))
            self._closing, self._is_told = self._kind, False
        self._kind = kind
        if kind == self._closing and not self._is_told:
            self._is_told = True
            found.append(self._fix_of(-1))
        del self._epochs[:-2]
        return found

    def _fix_of(self, index: int) -> RawFix:
        fix = _fixes(self._epochs)[index]
        self._epochs[index].day = None if fix.at is None else fix.at.date()  # for those that follow
        return fix


def _take_line(line: str, epochs: list[_Epoch], problems: Counter[str]) -> str:
    """The kind of the sentence in a line, once it is noted; empty for one that tells nothing."""
    start = line.find("$")
    if start < 0:
        return ""
    try:
        return _take(pynmea2.parse(line[start:].strip()), epochs)
    except pynmea2.ChecksumError:
        problems["bad checksum"] += 1
    except (pynmea2.ParseError, ValueError, TypeError, AttributeError):
        problems["unreadable sentence"] += 1
    return ""


def _take(sentence: Any, epochs: list[_Epoch]) -> str:
    kind: str = getattr(sentence, "sentence_type", "")
    if kind in ("RMC", "GGA", "ZDA") and isinstance(sentence.timestamp, time):
        epoch = _epoch_of(sentence.timestamp.replace(tzinfo=None), epochs)
        {"RMC": _take_rmc, "GGA": _take_gga, "ZDA": _take_zda}[kind](sentence, epoch)
        return kind
    if kind == "HDT" and epochs and sentence.heading not in (None, ""):
        epochs[-1].values["heading_deg"] = float(sentence.heading)
        return kind
    return ""


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
