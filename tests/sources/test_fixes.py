"""What cannot be true is dropped, counted, and never fatal while something is left."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patrolvision.errors import TelemetryError
from patrolvision.sources.fixes import RawFix, RawLog, TelemetryLog, build_log, longest_rising

from .making import START


def fix(
    time_s: float | None, lat: float | None = 1.0, lon: float | None = 2.0, **values: float
) -> RawFix:
    at = None if time_s is None else START + timedelta(seconds=time_s)
    return RawFix(lat, lon, at, None, values)


def built(*fixes: RawFix) -> TelemetryLog:
    return build_log(Path("track.x"), RawLog("x", fixes, "lat and lon"))


def test_each_impossible_record_is_counted_under_its_reason() -> None:
    log = built(
        fix(0),
        fix(1, 0.0, 0.0),
        fix(2, 91.0),
        fix(3, float("nan")),
        fix(4, None),
        fix(None),
        fix(5),
    )
    assert len(log.samples) == 2
    assert log.problems == {
        "(0, 0)": 1,
        "not a number": 1,
        "out of range": 1,
        "without position": 1,
        "without time": 1,
    }


def test_one_clock_that_jumps_ahead_costs_one_record_and_not_the_rest() -> None:
    log = built(*(fix(t) for t in (0, 1, 999, 2, 3, 4)))
    assert [(s.at - START).total_seconds() for s in log.samples] == [0, 1, 2, 3, 4]
    assert log.problems == {"time backwards": 1}


def test_a_repeated_instant_is_kept_once() -> None:
    assert built(fix(0), fix(1), fix(1), fix(2)).problems == {"time repeated": 1}


def test_a_place_that_stands_still_at_speed_is_stale() -> None:
    log = built(*(fix(t, speed_mps=15.0) for t in range(10)))
    assert log.problems == {"stale": 6}  # 15 m/s · 3 s is 45 m: later than 3 s is not believed
    assert built(*(fix(t, speed_mps=0.1) for t in range(10))).problems == {}


def test_when_nothing_is_left_the_error_names_file_field_and_counts() -> None:
    with pytest.raises(
        TelemetryError, match=r"^track\.x: none of 2 records .*lat and lon .*\(0, 0\): 2"
    ):
        built(fix(0, 0.0, 0.0), fix(1, 0.0, 0.0))


def test_angles_are_brought_into_one_turn_and_other_nonsense_becomes_unknown() -> None:
    sample = built(fix(0, heading_deg=-10.0, height_m=float("inf"))).samples[0]
    assert sample.heading_deg == 350.0
    assert sample.height_m is None


@given(st.lists(st.integers(0, 30), max_size=40))
def test_the_longest_rising_run_rises_and_no_greedy_run_is_longer(values: list[int]) -> None:
    kept = [values[i] for i in longest_rising(values)]
    assert all(a < b for a, b in pairwise(kept))
    greedy: list[int] = []
    for value in values:
        if not greedy or value > greedy[-1]:
            greedy.append(value)
    assert len(kept) >= len(greedy)
