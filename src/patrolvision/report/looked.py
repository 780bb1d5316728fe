"""What was looked at when: by cell or road segment, from looks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from patrolvision.report.observed import km_observed
from patrolvision.types import GridCodes, Look

WEEK, MONTH, YEAR = timedelta(days=7), timedelta(days=30), timedelta(days=365)
PASS_GAP = timedelta(minutes=10)  # looks of one mission further apart are two passes
CodesAt = Callable[[float, float], GridCodes]
KINDS: Mapping[str, str] = {
    "unit": "unit_grid",
    "responsible": "responsible_grid",
    "segment": "segment",
}


@dataclass(frozen=True, slots=True)
class AreaLooked:
    """One cell or segment: when it was last looked at (None: not within a year), and how often.

    A pass counts if any part of the area was in its sight; the way observed is that of
    `report.observed.km_observed`, as in the reports.
    """

    code: str
    last_looked_at: datetime | None
    passes_7d: int
    passes_30d: int
    km_7d: float
    km_30d: float


class LookedBook:
    """Counts looks as they come, in any order, up to an instant."""

    def __init__(self, layer: str, at: datetime) -> None:
        self._layer, self._at = layer, at
        self._last: dict[str, datetime] = {}
        self._recent: dict[str, list[Look]] = {}
        self._looks: list[Look] = []

    def add(self, looks: Sequence[Look], met: Iterable[tuple[int, str]]) -> None:
        """Looks, and which of them (by position) met which area (by code)."""
        since = self._at - MONTH
        self._looks += [look for look in looks if look.end >= since]
        for position, code in met:
            look = looks[position]
            last = self._last.get(code)
            self._last[code] = look.end if last is None else max(last, look.end)
            if look.end >= since:
                self._recent.setdefault(code, []).append(look)

    def areas(self, codes: Iterable[str], codes_at: CodesAt | None = None) -> list[AreaLooked]:
        """One for each code, in their order; those that nobody looked at included."""
        week = self._at - WEEK
        kind = KINDS[self._layer]
        km_30d = km_observed(self._looks, codes_at)
        km_7d = km_observed((k for k in self._looks if k.end >= week), codes_at)
        return [
            AreaLooked(
                code,
                self._last.get(code),
                passes(k for k in self._recent.get(code, ()) if k.end >= week),
                passes(self._recent.get(code, ())),
                round(km_7d.get((kind, code), 0.0), 3),
                round(km_30d.get((kind, code), 0.0), 3),
            )
            for code in codes
        ]


def passes(looks: Iterable[Look]) -> int:
    """How many passes these looks at one area belong to."""
    count = 0
    until: dict[str, datetime] = {}
    for look in sorted(looks, key=lambda k: (k.start, k.id)):
        last = until.get(look.mission_id)
        count += last is None or look.start - last > PASS_GAP
        until[look.mission_id] = look.end if last is None else max(last, look.end)
    return count
