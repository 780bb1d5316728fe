"""What the tickets of a period add up to, read once, as many at a time as one likes.

Of each ticket with which anything happened a row of small numbers is kept, some eighty bytes; sums
and medians of every cell, crew and category are made from them at the end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from patrolvision.report.facts import (
    CLOSED,
    FEEDBACK,
    REJECTED,
    VERIFIED,
    BoolArray,
    Facts,
    code_of,
    is_over,
    state_before,
)
from patrolvision.report.period import Period
from patrolvision.types import FloatArray, GridCodes
from patrolvision.types.columns import MARKED, UNKNOWN, IntArray
from patrolvision.types.instants import micros_of

COUNTS = (
    "found", "filed", "dispatched", "solved", "solved_with_deadline", "solved_in_time",
    "false_alarms", "duplicates", "declined", "reopened", "sent_back", "urged", "escalated",
    "open_at_start", "open_at_end", "overdue_at_end",
)  # fmt: skip
TOOK = ("file", "dispatch", "solve")
TICKET_KINDS = ("category", "unit_grid", "responsible_grid", "segment", "crew", "contractor")
HOUR_US = 3600 * 1_000_000
QUARTER_US = 900 * 1_000_000  # the clocks of no zone change within a quarter of an hour
WITH_CREW = tuple(code_of(state) for state in ("filed", "dispatched", "handling"))
Covers = Callable[[GridCodes], bool]
Columns = dict[str, tuple[IntArray, Any]]  # rows, and what is known of each


@dataclass(frozen=True, slots=True)
class Sums:
    """Of the codes of one kind, in their order: COUNTS, and medians of what TOOK how many hours."""

    codes: Sequence[str]
    counts: Mapping[str, IntArray]
    medians_h: Mapping[str, Sequence[float | None]]


class _Numbers(dict[str | None, int]):
    """The codes of a kind, numbered as they come; what is nowhere has -1."""

    def __init__(self) -> None:
        super().__init__({None: -1, "": -1})
        self.names: list[str] = []

    def __missing__(self, code: str | None) -> int:
        self[code] = len(self.names)
        self.names.append(str(code))
        return self[code]


class Tally:
    """Counts tickets as they come, in any order; covers narrows it to some grids."""

    def __init__(
        self, period: Period, contractors: Mapping[str, str | None], covers: Covers | None = None
    ) -> None:
        self._period, self._contractors, self._covers = period, contractors, covers
        self._start, self._as_of = micros_of(period.start), micros_of(period.as_of)
        self._numbers = {kind: _Numbers() for kind in TICKET_KINDS}
        self._codes: dict[str, list[IntArray]] = {kind: [] for kind in TICKET_KINDS}
        self._counts: dict[str, list[IntArray]] = {name: [] for name in COUNTS}
        self._took_us: dict[str, list[IntArray]] = {name: [] for name in TOOK}
        self._tickets = 0
        self._columns: tuple[Columns, Columns] | None = None
        self.false_alarms: Counter[tuple[str, str]] = Counter()  # by category and cause
        self.found: Counter[int] = Counter()  # by quarter of an hour since 1970
        self.solved: Counter[int] = Counter()

    def add(self, facts: Facts) -> None:
        """Tickets as they stood at the period's end, or now while it runs."""
        counts = self._happened(facts)
        rows = np.flatnonzero(np.any([count > 0 for count in counts.values()], axis=0))
        if self._covers is not None:
            rows = rows[self._covered(facts, rows)]
        self._tickets, self._columns = self._tickets + len(rows), None
        counts = {name: count[rows] for name, count in counts.items()}
        for name, count in counts.items():
            self._counts[name].append(count.astype(np.int32))
        for name, took in self._took(facts, counts, rows).items():
            self._took_us[name].append(took)
        for kind, codes in self._keys(facts, rows).items():
            numbers = map(self._numbers[kind].__getitem__, codes)
            self._codes[kind].append(np.fromiter(numbers, np.int32, len(rows)))
        self._note(facts, counts, rows)

    def sums(self, kind: str) -> Sums:
        """The counts and medians of every code of a kind; of `all` under the code ""."""
        counted, took = self._together()
        if kind == "all":
            codes, names = np.zeros(self._tickets, np.int64), [""]
        else:
            codes, names = _joined(self._codes[kind]), self._numbers[kind].names
        return Sums(
            names,
            {name: _summed(codes[rows], n, len(names)) for name, (rows, n) in counted.items()},
            {name: _medians(codes[rows], h, len(names)) for name, (rows, h) in took.items()},
        )

    def _together(self) -> tuple[Columns, Columns]:
        """By count the tickets that have it, and how often; by what took time those by how long."""
        if self._columns is None:
            counted, took = {}, {}
            for name, parts in self._counts.items():
                count = _joined(parts)
                rows = np.flatnonzero(count)
                counted[name] = rows, count[rows]
            for name, parts in self._took_us.items():
                us = _joined(parts)
                rows = np.flatnonzero(us != UNKNOWN)
                rows = rows[np.argsort(us[rows])]
                took[name] = rows, us[rows] / HOUR_US
            self._columns = counted, took
        return self._columns

    def _happened(self, facts: Facts) -> dict[str, IntArray]:
        """What each ticket adds to each count of the period."""
        told, state = facts.histories, facts.state
        over_now = self._holds(facts.over_us)
        solved, rejected = over_now & (state == CLOSED), over_now & (state == REJECTED)
        due = facts.due_us
        is_due = due != UNKNOWN
        in_time = is_due & (facts.handled_us != UNKNOWN) & (facts.handled_us <= due)
        is_false, is_double = facts.is_false_alarm, facts.is_duplicate
        holds, before, after = self._holds(told.at_us), facts.before, told.state
        turns = holds & (before != after)
        was_shown = (before == FEEDBACK) | (before == VERIFIED)
        is_late = np.isin(state, WITH_CREW) & is_due & (due < self._as_of)

        def events(wanted: BoolArray) -> IntArray:
            return np.bincount(told.of[wanted], minlength=len(facts))

        return {
            "found": self._holds(facts.found_us),
            "filed": self._holds(facts.filed_us),
            "dispatched": self._holds(facts.dispatched_us),
            "solved": solved,
            "solved_with_deadline": solved & is_due,
            "solved_in_time": solved & in_time,
            "false_alarms": rejected & is_false,
            "duplicates": rejected & is_double,
            "declined": rejected & ~is_false & ~is_double,
            "reopened": events(turns & is_over(before)),
            "sent_back": events(turns & was_shown & (after == code_of("handling"))),
            "urged": events(holds & (told.mark == MARKED.index("urge"))),
            "escalated": events(holds & (told.mark == MARKED.index("escalate"))),
            "open_at_start": is_open(state_before(told, self._start)),
            "open_at_end": is_open(state),
            "overdue_at_end": is_late,
        }

    def _holds(self, at_us: IntArray) -> BoolArray:
        return (at_us >= self._start) & (at_us < self._as_of)

    def _took(
        self, facts: Facts, counts: Mapping[str, IntArray], rows: IntArray
    ) -> dict[str, IntArray]:
        """Microseconds from being found to being filed, from there to dispatch and to the end."""
        found, filed = facts.found_us[rows], facts.filed_us[rows]
        begun = np.where(filed == UNKNOWN, found, filed)
        took = {
            "file": ("filed", filed - found),
            "dispatch": ("dispatched", facts.dispatched_us[rows] - begun),
            "solve": ("solved", facts.over_us[rows] - begun),
        }
        return {
            name: np.where(counts[event] > 0, us, UNKNOWN) for name, (event, us) in took.items()
        }

    def _keys(self, facts: Facts, rows: IntArray) -> dict[str, Sequence[str | None]]:
        told = facts.histories
        columns: dict[str, Sequence[str | None]] = {
            "category": told.category,
            "unit_grid": told.unit_grid,
            "responsible_grid": told.responsible_grid,
            "segment": told.segment,
            "crew": facts.assignee,
        }
        if len(rows) < len(facts):
            chosen = rows.tolist()
            columns = {kind: [column[k] for k in chosen] for kind, column in columns.items()}
        contractor: dict[str | None, str | None] = dict(self._contractors.items())
        return {**columns, "contractor": [contractor.get(crew) for crew in columns["crew"]]}

    def _covered(self, facts: Facts, rows: IntArray) -> BoolArray:
        assert self._covers is not None
        told = facts.histories
        codes = (
            GridCodes(told.unit_grid[k], told.responsible_grid[k], told.segment[k])
            for k in rows.tolist()
        )
        return np.array([self._covers(where) for where in codes], np.bool_)

    def _note(self, facts: Facts, counts: Mapping[str, IntArray], rows: IntArray) -> None:
        for k in rows[counts["false_alarms"] > 0].tolist():
            self.false_alarms[facts.histories.category[k], facts.cause[k] or ""] += 1
        for name, at_us, seen in (
            ("found", facts.found_us, self.found),
            ("solved", facts.over_us, self.solved),
        ):
            quarters = at_us[rows[counts[name] > 0]] // QUARTER_US
            for quarter, n in zip(*np.unique(quarters, return_counts=True), strict=True):
                seen[int(quarter)] += int(n)


def is_open(state: IntArray) -> BoolArray:
    """Whether there is a ticket, and something left to do."""
    return (state >= 0) & ~is_over(state)


def _joined(parts: Sequence[IntArray]) -> IntArray:
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def _summed(codes: IntArray, count: IntArray, length: int) -> IntArray:
    there = codes >= 0
    return np.bincount(codes[there], count[there], minlength=length).astype(np.int64)


def _medians(codes: IntArray, hours: FloatArray, length: int) -> list[float | None]:
    """By code, of hours in order: of an even number the mean of the two in the middle."""
    there = codes >= 0
    codes, hours = codes[there].astype(np.int64), hours[there]
    # By code, and among those of one code as they stand: by how long it took.
    hours = hours[np.sort((codes << 32) | np.arange(len(codes))) & 0xFFFFFFFF]
    size = np.bincount(codes, minlength=length)
    begin = np.cumsum(size) - size
    held = np.flatnonzero(size)
    low, high = (begin[held] + half[held] for half in ((size - 1) // 2, size // 2))
    medians: list[float | None] = [None] * length
    for k, value in zip(held.tolist(), ((hours[low] + hours[high]) / 2).tolist(), strict=True):
        medians[k] = value
    return medians
