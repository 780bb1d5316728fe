"""The figures of a period: one row for everything, and one each for every category, grid cell, road
segment, crew and contractor that had anything to do with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import repeat

import numpy as np

from patrolvision.report.tally import COUNTS, TICKET_KINDS, Sums, Tally
from patrolvision.types.columns import IntArray

ROW_KINDS = ("all", *TICKET_KINDS)
COUNTED = tuple(name for name in COUNTS if name != "solved_with_deadline")
Key = tuple[str, str]  # kind, code


@dataclass(frozen=True, slots=True)
class Figures:
    """One row. Counts are of tickets or events in the period, medians in hours, rates in [0, 1].

    declined: rejected for a cause that does not call the detection wrong.
    completion_rate: solved of solved and still open; in_time_rate: of the solved that had a
    deadline, those that the crew had handled by then; false_rate: of what was decided (filed or
    rejected); reopened_rate: reopenings for each solved one. None: there was nothing to divide by.
    """

    kind: str
    key: str
    name: str
    found: int
    filed: int
    dispatched: int
    solved: int
    solved_in_time: int
    false_alarms: int
    duplicates: int
    declined: int
    reopened: int
    sent_back: int
    urged: int
    escalated: int
    open_at_start: int
    open_at_end: int
    overdue_at_end: int
    completion_rate: float | None
    in_time_rate: float | None
    false_rate: float | None
    reopened_rate: float | None
    median_file_h: float | None
    median_dispatch_h: float | None
    median_solve_h: float | None
    km_observed: float | None
    found_per_km: float | None
    score: float | None = None


MEASURED = tuple(f.name for f in fields(Figures) if f.name not in ("kind", "key", "name", "score"))


@dataclass(frozen=True, slots=True)
class CrewInfo:
    """What a report says of a crew, as it was at the period's end."""

    name: str
    contractor: str | None = None


def figures(
    tally: Tally, crews: Mapping[str, CrewInfo], km: Mapping[Key, float]
) -> Iterator[Figures]:
    """All rows, in the order of ROW_KINDS and by key; the first is that of everything.

    km is the way observed by kind and code; km["all", ""] is the whole.
    """
    for kind in ROW_KINDS:
        sums = tally.sums(kind)
        looked = {code: way for (of_kind, code), way in km.items() if of_kind == kind}
        known = {code: k for k, code in enumerate(sums.codes)}
        codes = sorted({*known, *looked})
        place = np.array([known.get(code, len(known)) for code in codes], np.int64)
        whole = km.get(("all", "")) if kind == "category" else None
        way = [looked.get(code, whole) for code in codes]
        names = [_name(kind, code, crews) for code in codes]
        yield from _rows(kind, codes, names, sums, place, way)


def false_alarms(tally: Tally) -> list[tuple[str, str, int]]:
    """(category, cause, how many) of what was rejected as false in the period."""
    return [(category, cause, n) for (category, cause), n in sorted(tally.false_alarms.items())]


def _name(kind: str, code: str, crews: Mapping[str, CrewInfo]) -> str:
    return crews[code].name if kind == "crew" and code in crews else code


def _rows(
    kind: str,
    codes: Sequence[str],
    names: Sequence[str],
    sums: Sums,
    place: IntArray,
    km: Sequence[float | None],
) -> Iterator[Figures]:
    """The rows of a kind; place is where the sums of each stand, beyond their end if nowhere."""
    n = {name: np.append(count, 0)[place].tolist() for name, count in sums.counts.items()}
    took = {name: _picked(hours, place) for name, hours in sums.medians_h.items()}
    way = [_rounded(of, 3) for of in km]
    columns: dict[str, Iterable[object]] = {
        "kind": repeat(kind),
        "key": codes,
        "name": names,
        **{name: n[name] for name in COUNTED},
        "completion_rate": _shares(n["solved"], n["solved"], n["open_at_end"]),
        "in_time_rate": _shares(n["solved_in_time"], n["solved_with_deadline"]),
        "false_rate": _shares(n["false_alarms"], n["false_alarms"], n["filed"]),
        "reopened_rate": _shares(n["reopened"], n["solved"]),
        "median_file_h": took["file"],
        "median_dispatch_h": took["dispatch"],
        "median_solve_h": took["solve"],
        "km_observed": way,
        "found_per_km": _shares(n["found"], [of or 0.0 for of in way]),
    }
    yield from map(Figures, *columns.values())


def _picked(hours: Sequence[float | None], place: IntArray) -> list[float | None]:
    known = [*hours, None]
    return [_rounded(known[k], 2) for k in place.tolist()]


def _shares(part: Sequence[float], *wholes: Sequence[float]) -> list[float | None]:
    whole = [sum(values) for values in zip(*wholes, strict=True)]
    return [round(a / b, 4) if b > 0 else None for a, b in zip(part, whole, strict=True)]


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
