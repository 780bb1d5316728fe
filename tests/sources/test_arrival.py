"""Pictures dated by when they came: the least delayed date all, and time only rises."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patrolvision.errors import MediaError
from patrolvision.sources.arrival import LEAP_S, WINDOW_S, ArrivalClock

from .making import START


class Played:
    """Pictures of a stream that come late, on a clock of their own."""

    def __init__(self) -> None:
        self.now = START
        self.dated = ArrivalClock(lambda: self.now, "cam")

    def at(self, time_s: float, late_s: float, drift: float = 0.0) -> float:
        """What is said of a picture, as seconds after the first one was taken."""
        self.now = START + timedelta(seconds=time_s * (1.0 + drift) + late_s)
        return (self.dated.at(time_s) - START).total_seconds()


@given(st.lists(st.floats(0.0, 4.0), min_size=2, max_size=80))
def test_time_rises_and_no_picture_is_dated_before_it_was_taken(late_s: list[float]) -> None:
    played = Played()
    said = [played.at(0.25 * k, late) for k, late in enumerate(late_s)]
    assert all(b > a for a, b in pairwise(said))
    for k, at_s in enumerate(said):
        least = min(late_s[: k + 1])
        assert at_s >= 0.25 * k - 1e-6
        assert at_s <= 0.25 * k + max(late_s) + 1e-6
        if k and min(late_s[:k]) == least:  # nothing better has come: dated by the best before
            assert at_s == pytest.approx(max(0.25 * k + least, said[k - 1] + 0.001), abs=1e-4)


def test_a_burst_of_old_pictures_at_the_connection_is_put_right_by_those_that_follow() -> None:
    played = Played()
    burst = [(0.0, 2.0), (0.5, 1.5), (1.0, 1.0), (1.5, 0.5)]
    for time_s, late_s in [*burst, *((2.0 + 0.5 * k, 0.1) for k in range(10))]:
        said = played.at(time_s, late_s)
    assert said == pytest.approx(6.5 + 0.1, abs=0.01)


@pytest.mark.parametrize("drift", [50e-6, -50e-6, 2e-4])
def test_a_camera_whose_clock_drifts_stays_in_time_for_a_day(drift: float) -> None:
    played = Played()
    for second in range(0, 86_400, 5):
        said = played.at(float(second), 0.1, drift)
        true = second * (1.0 + drift) + 0.1
        assert abs(said - true) <= 2 * WINDOW_S * abs(drift) + 0.002


@pytest.mark.parametrize("leap_s", [-3600.0, 3600.0])
def test_a_clock_that_is_set_ends_the_session(leap_s: float) -> None:
    played = Played()
    played.at(0.0, 0.1)
    played.at(1.0, LEAP_S - 1.0)  # late as a stall is
    with pytest.raises(MediaError, match=rf"cam: the clock leapt by {leap_s:.0f} s"):
        played.at(2.0, 0.1 + leap_s)
