"""Working time: every case can be counted on a wall calendar, and the laws hold for any of them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patrolvision.errors import ConfigError
from patrolvision.tickets.calendar import DAYS, WorkCalendar, weekly_hours
from patrolvision.tickets.categories import load_catalogue

OFFICE = "Mo-Fr 08:30-12:00,14:00-17:30"
HOUR = timedelta(hours=1)
MADE_UP = date(2026, 5, 9)  # a Saturday


def chinese() -> WorkCalendar:
    return load_catalogue(timezone="Asia/Shanghai").clocks["working"]


@pytest.mark.parametrize(
    ("start", "hours", "due", "why"),
    [
        ("2026-04-27 09:00", 2, "2026-04-27 11:00", "within a morning"),
        ("2026-04-27 11:00", 2, "2026-04-27 15:00", "over the midday pause"),
        ("2026-04-27 10:30", 5, "2026-04-27 17:30", "used up at closing time, so due then"),
        ("2026-04-27 07:00", 1, "2026-04-27 09:30", "the count begins when the office opens"),
        ("2026-04-24 17:00", 1, "2026-04-27 09:00", "over a weekend"),
        ("2026-04-30 17:30", 1, "2026-05-06 09:30", "over the Labour Day holidays"),
        ("2026-05-08 17:30", 1, "2026-05-09 09:30", "the Saturday that makes up for them"),
        ("2026-02-13 17:30", 1, "2026-02-14 09:30", "a made-up Saturday before Spring Festival"),
        ("2026-02-14 17:30", 1, "2026-02-24 09:30", "nine days of Spring Festival"),
    ],
)
def test_working_hours_are_counted_as_on_a_wall_calendar(
    start: str, hours: int, due: str, why: str
) -> None:
    zone = ZoneInfo("Asia/Shanghai")
    begun, ended = (datetime.fromisoformat(text).replace(tzinfo=zone) for text in (start, due))
    assert chinese().add(begun, hours * HOUR) == ended, why


def test_an_hour_is_an_hour_when_the_clocks_change() -> None:
    always = WorkCalendar(weekly_hours("24/7"), "Europe/Berlin")
    before = datetime(2026, 3, 28, 22, tzinfo=UTC)
    assert always.add(before, 5 * HOUR) == before + 5 * HOUR
    night = WorkCalendar(weekly_hours("01:00-04:00"), "Europe/Berlin")
    spring, autumn = (datetime(2026, m, d, 0, tzinfo=ZoneInfo("Europe/Berlin"))
                      for m, d in ((3, 29), (10, 25)))  # fmt: skip
    assert night.between(spring, spring + 24 * HOUR) == 2 * HOUR  # the wall clock skips one
    assert night.between(autumn, autumn + 24 * HOUR) == 4 * HOUR  # and shows one twice


def test_hours_over_midnight_belong_to_two_days() -> None:
    night = WorkCalendar(weekly_hours("Fr 22:00-06:00"))
    friday = datetime(2026, 5, 8, 21, tzinfo=UTC)
    assert night.add(friday, 8 * HOUR) == datetime(2026, 5, 9, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "Mo", "Xx 08:00-09:00", "Mo 8-9", "Mo 08:00-25:00", "Mo 08:00-24:30", "Mo  a b"]
)
def test_hours_that_cannot_be_understood_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        weekly_hours(text)


def test_a_calendar_that_never_works_again_says_so() -> None:
    days = frozenset(date(2026, 1, 1) + timedelta(days=k) for k in range(800))
    with pytest.raises(ConfigError, match="no working time"):
        WorkCalendar(weekly_hours(OFFICE), holidays=days).add(
            datetime(2026, 1, 1, tzinfo=UTC), HOUR
        )


SPANS = st.tuples(st.integers(0, 23 * 60), st.integers(15, 300)).map(
    lambda p: (
        f"{p[0] // 60:02}:{p[0] % 60:02}-{min(sum(p), 1440) // 60:02}:{min(sum(p), 1440) % 60:02}"
    )
)
PARTS = st.builds(
    lambda days, spans: f"{','.join(sorted(days))} {','.join(spans)}",
    st.sets(st.sampled_from(DAYS), min_size=1),
    st.lists(SPANS, min_size=1, max_size=3),
)
CALENDARS = st.builds(
    lambda parts, zone, off, extra: WorkCalendar(
        weekly_hours("; ".join(parts)), zone, frozenset(off), frozenset(extra)
    ),
    st.lists(PARTS, min_size=1, max_size=3),
    # A half hour of summer time, clocks that change at midnight, and a day that was left out.
    st.sampled_from(
        [
            "Asia/Shanghai",
            "Europe/Berlin",
            "America/Sao_Paulo",
            "Australia/Lord_Howe",
            "Pacific/Apia",
        ]
    ),
    st.sets(st.dates(date(2011, 1, 1), date(2011, 12, 31)), max_size=20),
    st.sets(st.dates(date(2011, 1, 1), date(2011, 12, 31)), max_size=5),
)
INSTANTS = st.datetimes(datetime(2011, 1, 1), datetime(2011, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
MINUTES = st.integers(0, 60 * 60).map(lambda minutes: timedelta(minutes=minutes))


@given(CALENDARS, INSTANTS, MINUTES)
def test_a_deadline_never_lies_outside_working_time(
    calendar: WorkCalendar, at: datetime, amount: timedelta
) -> None:
    due = calendar.add(at, amount)
    assert calendar.is_working(due)
    assert due >= at
    assert calendar.between(at, due) == amount


@given(CALENDARS, INSTANTS, MINUTES, MINUTES)
def test_adding_hours_is_additive(
    calendar: WorkCalendar, at: datetime, first: timedelta, second: timedelta
) -> None:
    assert calendar.add(calendar.add(at, first), second) == calendar.add(at, first + second)
