"""Reading one JSON object from outside, field by field; every complaint names its field."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import numpy as np

from patrolvision.errors import ObservationError
from patrolvision.types import DETECTOR_CLASSES, FloatArray, GeoPoint, Sight

T = TypeVar("T")
NULL_ISLAND_DEG = 1e-6  # closer than this to (0, 0) means: no fix
MAX_COUNT = 1_000_000_000
MAX_LOOK_KM = 50.0
MAX_LOOK_DEG = MAX_LOOK_KM / 111.32
MAX_VARIANCE_M2 = 1e15  # one sigma of most of the Earth's circumference


class Fields:
    """One record under inspection: every complaint names what it is, its id and the field."""

    def __init__(self, noun: str, record: Mapping[str, Any]) -> None:
        if not isinstance(record, Mapping):
            raise ObservationError(f"{noun}: expected a JSON object, found {_shown(record)}")
        self._noun, self._record = noun, record
        self.identity = self.take("id", name)

    def wrong(self, field: str, expected: str) -> ObservationError:
        """The complaint that a field is not what it should be."""
        who = f"{self._noun} {_shown(self._record.get('id'))}"
        if field not in self._record:
            return ObservationError(f"{who}: field {field} is missing, expected {expected}")
        found = _shown(self._record[field])
        return ObservationError(f"{who}: field {field} must be {expected}, found {found}")

    def take(self, field: str, read: Callable[[Any], T]) -> T:
        """The field's value, as the reader understands it."""
        try:
            return read(self._record.get(field))
        except UnfitError as unfit:
            raise self.wrong(field, str(unfit)) from None

    def maybe(self, field: str, read: Callable[[Any], T]) -> T | None:
        """The same for a field that may be absent or null."""
        return None if self._record.get(field) is None else self.take(field, read)

    def span(self, first: str, last: str) -> tuple[datetime, datetime]:
        """Two instants in order."""
        start, end = self.take(first, _instant), self.take(last, _instant)
        if end < start:
            raise self.wrong(last, f"no earlier than {first}")
        return start, end

    def place(self) -> GeoPoint:
        """lat_deg, lon_deg and cov_en_m2."""
        lat_deg, lon_deg = self.take("lat_deg", _latitude), self.take("lon_deg", _longitude)
        if abs(lat_deg) < NULL_ISLAND_DEG and abs(lon_deg) < NULL_ISLAND_DEG:
            raise self.wrong("lat_deg", "a place (lat and lon are both 0, which means: no fix)")
        return GeoPoint(lat_deg, lon_deg, self.take("cov_en_m2", _covariance))


class UnfitError(Exception):
    """What a reader expected instead of what it was given."""


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _number(value: Any, expected: str = "a finite number") -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise UnfitError(expected)
    try:
        number = float(value)
    except OverflowError:
        raise UnfitError(expected) from None
    if not math.isfinite(number):
        raise UnfitError(expected)
    return number


def _between(value: Any, low: float, high: float) -> float:
    expected = f"a number in [{low:g}, {high:g}]"
    number = _number(value, expected)
    if not low <= number <= high:
        raise UnfitError(expected)
    return number


def _latitude(value: Any) -> float:
    return _between(value, -90.0, 90.0)


def _longitude(value: Any) -> float:
    return _between(value, -180.0, 180.0)


def share(value: Any) -> float:
    """A number from 0 to 1."""
    return _between(value, 0.0, 1.0)


def not_negative(value: Any) -> float:
    """A finite number from 0."""
    return _between(value, 0.0, math.inf)


def _count(value: Any, low: int) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # 3.0 is a whole number to JSON, and tables write it so
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= MAX_COUNT:
        raise UnfitError(f"a whole number in [{low}, {MAX_COUNT}]")
    return value


def positive_count(value: Any) -> int:
    """A whole number from 1."""
    return _count(value, 1)


def name(value: Any) -> str:
    """A text that every database and log takes."""
    if not isinstance(value, str) or not value or not all(map(_is_text, value)):
        raise UnfitError("a text of one character or more without control characters")
    return value


def _is_text(character: str) -> bool:
    # Control characters and lone surrogates: no database and no log takes them.
    return ord(character) >= 0x20 and not 0xD800 <= ord(character) <= 0xDFFF


def class_name(value: Any, registered: Collection[str] = ()) -> str:
    """One of the detector's classes, or of those that a registry adds."""
    is_known = isinstance(value, str) and (value in DETECTOR_CLASSES or value in registered)
    if not is_known:
        known = dict.fromkeys((*DETECTOR_CLASSES, *sorted(registered)))
        raise UnfitError(f"one of {', '.join(known)}")
    return str(value)


def class_names(value: Any, registered: Collection[str] = ()) -> frozenset[str]:
    """Some of the detector's classes, or of those that a registry adds."""
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        known = tuple(dict.fromkeys((*DETECTOR_CLASSES, *sorted(registered))))
        raise UnfitError(f"a list of some of {', '.join(known)}")
    return frozenset(class_name(one, registered) for one in value)


def _instant(value: Any) -> datetime:
    expected = "an ISO 8601 time with an offset from UTC"
    if not isinstance(value, str):
        raise UnfitError(expected)
    try:
        at = datetime.fromisoformat(value)
        if at.tzinfo is None:
            raise UnfitError(expected)
        return at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise UnfitError(expected) from None


def _matrix(value: Any, expected: str) -> FloatArray:
    try:
        (ee, en), (ne, nn) = value
    except (TypeError, ValueError):
        raise UnfitError(expected) from None
    matrix = np.array([_number(part, expected) for part in (ee, en, ne, nn)]).reshape(2, 2)
    largest = float(abs(matrix).max())
    asymmetry = abs(float(matrix[0, 1]) - float(matrix[1, 0]))
    if largest > MAX_VARIANCE_M2 or asymmetry > 1e-6 * max(1.0, largest):
        raise UnfitError(expected)
    return matrix


def _covariance(value: Any) -> FloatArray:
    expected = "a symmetric positive definite [[ee, en], [en, nn]] in m²"
    matrix = _matrix(value, expected)
    if not (matrix[0, 0] > 0 and _determinant(matrix) > 0):
        raise UnfitError(expected)
    return matrix


def bias_covariance(value: Any) -> FloatArray:
    """A (2, 2) covariance that may be singular, in m²."""
    expected = "a symmetric [[ee, en], [en, nn]] in m² without negative variance"
    matrix = _matrix(value, expected)
    tolerance = 1e-9 * float(matrix[0, 0] * matrix[1, 1])
    if min(matrix[0, 0], matrix[1, 1]) < 0 or _determinant(matrix) < -abs(tolerance):
        raise UnfitError(expected)
    return matrix


def _determinant(matrix: FloatArray) -> float:
    (ee, en), (ne, nn) = matrix.tolist()
    return float(ee * nn - en * ne)


def ring(value: Any) -> tuple[tuple[float, float], ...]:
    """A ring of [lon, lat], turned to (lat_deg, lon_deg)."""
    expected = "a ring of at least three [lon, lat]"
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) < 3:
        raise UnfitError(expected)
    try:
        found = tuple((_latitude(lat), _longitude(lon)) for lon, lat in value)
    except (TypeError, ValueError, UnfitError):
        raise UnfitError(expected) from None
    lat_deg, lon_deg = zip(*found, strict=True)
    east = math.cos(math.radians(sum(lat_deg) / len(lat_deg)))
    wide_deg = max(max(lat_deg) - min(lat_deg), (max(lon_deg) - min(lon_deg)) * east)
    if wide_deg > MAX_LOOK_DEG:
        raise UnfitError(f"{expected} within {MAX_LOOK_KM:g} km: no pass sees further")
    return found


def sights(value: Any) -> tuple[Sight, ...]:
    """Where in the footage a thing was seen."""
    expected = "a list of {media, frame_index, captured_at, xyxy, confidence}"
    try:
        return tuple(_sight(sight) for sight in value)
    except (KeyError, TypeError, ValueError, UnfitError):
        raise UnfitError(expected) from None


def _sight(value: Mapping[str, Any]) -> Sight:
    x0, y0, x1, y1 = map(_number, value["xyxy"])
    return Sight(
        media=name(value["media"]),
        frame_index=_count(value["frame_index"], 0),
        captured_at=_instant(value["captured_at"]),
        xyxy=(x0, y0, x1, y1),
        confidence=share(value["confidence"]),
    )
