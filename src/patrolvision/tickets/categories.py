"""What the office knows of its categories, deadlines, hours, ladder and scores: one catalogue of
replaceable tables (see tickets/data for the project's own, each row with its source).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from patrolvision.errors import ConfigError
from patrolvision.tickets.calendar import WorkCalendar, weekly_hours
from patrolvision.tickets.tables import TABLES, Row, read_table
from patrolvision.types import HAZARDS

ANY = "*"
PRIORITIES = ("normal", "high", "urgent", ANY)
CATEGORIES = HAZARDS  # those the tables must have: patrols see them
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
NAMED = "a name in small letters such as street_lamp"
DISPATCH_SETTINGS = ("dispatches_per_run", "position_age_min", "waiting_doubles_h")


@dataclass(frozen=True, slots=True)
class CategoryRule:
    """How the office treats a category; value weighs it against others, without a unit.

    verify_first: a person confirms before it gets a ticket number. Places within hot_spot_m of each
    other count as the same when hot spots and repeats are looked for.
    """

    category: str
    code: str
    name_en: str
    name_zh: str
    skill: str
    verify_first: bool
    value: float
    hot_spot_m: float
    source: str


@dataclass(frozen=True, slots=True)
class DeadlineRule:
    """How many hours of which clock a ticket may take; `*` stands for every city or priority."""

    city: str
    category: str
    priority: str
    hours: float
    clock: str
    source: str


@dataclass(frozen=True, slots=True)
class Level:
    """A rung of the ladder, reached when a ticket is overdue by so many working hours."""

    level: str
    name_en: str
    name_zh: str
    overdue_hours: float
    source: str


@dataclass(frozen=True, slots=True)
class DispatchRule:
    """One number of dispatch, for a city and an area (a prefix of the responsible grid's code)."""

    city: str
    area: str
    setting: str
    value: float
    source: str


@dataclass(frozen=True, slots=True)
class ScoreRule:
    """Points that a measure earns, from none at worst to all at best, linear between.

    applies_to is a kind of row of the reports (grid, crew …) or `*`.
    """

    rule: str
    applies_to: str
    measure: str
    worst: float
    best: float
    points: float
    name_en: str
    name_zh: str
    source: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All tables of one city, checked against each other; levels run from the lowest up."""

    city: str
    categories: Mapping[str, CategoryRule]
    deadlines: tuple[DeadlineRule, ...]
    clocks: Mapping[str, WorkCalendar]
    levels: tuple[Level, ...]
    dispatch: tuple[DispatchRule, ...]
    scoring: tuple[ScoreRule, ...]
    timezone: str = "UTC"
    holidays: frozenset[date] = field(default_factory=frozenset)

    def verify_first(self, category: str) -> bool:
        """Whether a person confirms before a ticket of the category gets its number."""
        return self.categories[category].verify_first

    def dispatch_number(self, setting: str, area: str | None = None) -> float:
        """A number of dispatch for an area; the longest matching prefix and own city win."""
        fitting = [
            rule
            for rule in self.dispatch
            if rule.setting == setting and (rule.area == ANY or (area or "").startswith(rule.area))
        ]
        return max(fitting, key=lambda r: (len(r.area) * (r.area != ANY), r.city != ANY)).value


def load_catalogue(
    city: str = ANY,
    timezone: str = "UTC",
    files: Mapping[str, Path] | None = None,
    registered: Sequence[str] = (),
) -> Catalogue:
    """The catalogue of a city; files replace tables by name (see tables.TABLES).

    The table must have the categories that patrols see and may have any that citizens report.
    registered are those of further algorithms, which may go without a row of their own.

    ConfigError naming file, row and column for the first thing that is wrong.
    """
    files = files or {}
    for name in files:
        if name not in TABLES:
            raise ConfigError(f"{name} is no table of the office: there are {', '.join(TABLES)}")
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(f"timezone must be an IANA name, found {timezone!r}") from error
    holidays, extra_days = _holidays(files)
    clocks = _clocks(city, timezone, holidays, extra_days, files)
    categories = _categories(files)
    return Catalogue(
        city=city,
        categories=categories,
        deadlines=_deadlines(city, clocks, files, (*categories, *registered)),
        clocks=clocks,
        levels=_levels(files),
        dispatch=_dispatch(city, files),
        scoring=_scoring(files),
        timezone=timezone,
        holidays=holidays,
    )


class _Rules(dict[str, CategoryRule]):
    """The table's rows; a registered category that has none is treated like any small matter."""

    def __missing__(self, category: str) -> CategoryRule:
        name = category.replace("_", " ").capitalize()
        return CategoryRule(
            category, "9901", name, name, "general", True, 1.0, 25.0, "no row in the table"
        )


def category_name(text: str) -> str:
    """The text, if it can name a category; else ValueError."""
    if NAME.fullmatch(text) is None:
        raise ValueError
    return text


def category_names(files: Mapping[str, Path] | None = None) -> tuple[str, ...]:
    """The categories of the table, in its order; ConfigError naming file, row and column."""
    rows = read_table("categories", ("category",), files or {})
    return tuple(row.read("category", category_name, NAMED) for row in rows)


def rows_about(
    name: str, columns: Sequence[str], files: Mapping[str, Path], categories: Sequence[str]
) -> list[Row]:
    """The rows of a table; of the project's own table only those about these categories.

    A city that drops a category has not to write anew all that is said of the others.
    """
    rows = read_table(name, columns, files)
    return rows if name in files else [r for r in rows if r.cells["category"] in categories]


def _categories(files: Mapping[str, Path]) -> dict[str, CategoryRule]:
    columns = (
        "category", "code", "name_en", "name_zh", "skill", "verify_first", "value", "hot_spot_m",
        "source",
    )  # fmt: skip
    found = _Rules()
    rows = read_table("categories", columns, files)
    codes: set[str] = set()
    for row in rows:
        rule = CategoryRule(
            category=row.read("category", category_name, NAMED),
            code=row.text("code"),
            name_en=row.text("name_en"),
            name_zh=row.text("name_zh"),
            skill=row.text("skill"),
            verify_first=row.yes("verify_first"),
            value=row.number_from("value", 0.0),
            hot_spot_m=row.number_from("hot_spot_m", 1.0, 1000.0),
            source=row.text("source"),
        )
        if rule.category in found:
            raise row.wrong("category", "each category once")
        if rule.code in codes:
            raise row.wrong("code", "each code once")
        codes.add(rule.code)
        found[rule.category] = rule
    _all_there(rows[-1], "category", found)
    return found


def _all_there(last: Row, column: str, found: Mapping[str, object]) -> None:
    for category in CATEGORIES:
        if category not in found:
            raise ConfigError(
                f"{last.table}: row {last.number + 1}, column {column}: expected a row for "
                f"{category}, found none"
            )


def public_holidays() -> Mapping[str, frozenset[date]]:
    """The holidays of the project's own table, mainland China's, by the timezone they hold in."""
    days, _ = _holidays({})
    return {"Asia/Shanghai": days}


def _holidays(files: Mapping[str, Path]) -> tuple[frozenset[date], frozenset[date]]:
    days: dict[str, set[date]] = {"holiday": set(), "workday": set()}
    for row in read_table("holidays", ("date", "kind", "source"), files):
        kind = row.one_of("kind", tuple(days))
        day = row.read("date", date.fromisoformat, "a date such as 2026-10-01")
        if any(day in known for known in days.values()):
            raise row.wrong("date", "each date once")
        row.text("source")
        days[kind].add(day)
    return frozenset(days["holiday"]), frozenset(days["workday"])


def _clocks(
    city: str,
    timezone: str,
    holidays: frozenset[date],
    extra_days: frozenset[date],
    files: Mapping[str, Path],
) -> dict[str, WorkCalendar]:
    clocks: dict[str, WorkCalendar] = {}
    own: set[str] = set()
    rows = read_table("hours", ("city", "clock", "hours", "holidays", "source"), files)
    for row in rows:
        name, whose = row.text("clock"), row.text("city")
        week = row.read("hours", weekly_hours, "weekly hours such as Mo-Fr 08:30-17:30")
        rests = row.yes("holidays")
        row.text("source")
        if whose not in (ANY, city) or (whose == ANY and name in own):
            continue
        if whose != ANY:
            own.add(name)
        clocks[name] = WorkCalendar(
            week, timezone, holidays if rests else frozenset(), extra_days if rests else frozenset()
        )
    if "working" not in clocks:
        last = rows[-1].number + 1
        raise ConfigError(
            f"{rows[-1].table}: row {last}, column clock: expected the clock 'working' of "
            f"city {city!r}, found none"
        )
    return clocks


def _deadlines(
    city: str,
    clocks: Mapping[str, WorkCalendar],
    files: Mapping[str, Path],
    categories: Sequence[str],
) -> tuple[DeadlineRule, ...]:
    columns = ("city", "category", "priority", "hours", "clock", "source")
    found: list[DeadlineRule] = []
    for row in rows_about("deadlines", columns, files, (*categories, ANY)):
        rule = DeadlineRule(
            city=row.text("city"),
            category=row.one_of("category", (*categories, ANY)),
            priority=row.one_of("priority", PRIORITIES),
            hours=row.number_from("hours", 0.0, 10_000.0),
            clock=row.text("clock"),
            source=row.text("source"),
        )
        if rule.city not in (ANY, city):
            continue
        if rule.clock not in clocks:
            raise row.wrong("clock", f"one of {', '.join(sorted(clocks))}, as in the hours table")
        if any(_same_case(rule, other) for other in found):
            raise row.wrong("category", "each city, category and priority once")
        found.append(rule)
    return tuple(found)


def _same_case(a: DeadlineRule, b: DeadlineRule) -> bool:
    return (a.city, a.category, a.priority) == (b.city, b.category, b.priority)


def _levels(files: Mapping[str, Path]) -> tuple[Level, ...]:
    columns = ("level", "name_en", "name_zh", "overdue_hours", "source")
    found: list[Level] = []
    for row in read_table("levels", columns, files):
        lowest = found[-1].overdue_hours if found else 0.0
        level = Level(
            level=row.text("level"),
            name_en=row.text("name_en"),
            name_zh=row.text("name_zh"),
            overdue_hours=row.number_from("overdue_hours", lowest, 10_000.0),
            source=row.text("source"),
        )
        if any(level.level == other.level for other in found):
            raise row.wrong("level", "each level once")
        found.append(level)
    return tuple(found)


def _dispatch(city: str, files: Mapping[str, Path]) -> tuple[DispatchRule, ...]:
    found: list[DispatchRule] = []
    rows = read_table("dispatch", ("city", "area", "setting", "value", "source"), files)
    for row in rows:
        rule = DispatchRule(
            city=row.text("city"),
            area=row.text("area"),
            setting=row.one_of("setting", DISPATCH_SETTINGS),
            value=row.number_from("value", 0.0),
            source=row.text("source"),
        )
        if rule.city in (ANY, city):
            found.append(rule)
    for setting in DISPATCH_SETTINGS:
        if not any(rule.setting == setting and rule.area == ANY for rule in found):
            raise ConfigError(
                f"{rows[-1].table}: row {rows[-1].number + 1}, column setting: expected a row for "
                f"{setting} of every area (*), found none"
            )
    return tuple(found)


def _scoring(files: Mapping[str, Path]) -> tuple[ScoreRule, ...]:
    columns: Sequence[str] = (
        "rule", "applies_to", "measure", "worst", "best", "points", "name_en", "name_zh", "source",
    )  # fmt: skip
    found: list[ScoreRule] = []
    for row in read_table("scoring", columns, files):
        rule = ScoreRule(
            rule=row.text("rule"),
            applies_to=row.one_of("applies_to", SCORED),
            measure=row.one_of("measure", MEASURES),
            worst=row.number_from("worst", 0.0),
            best=row.number_from("best", 0.0),
            points=row.number_from("points", 0.0),
            name_en=row.text("name_en"),
            name_zh=row.text("name_zh"),
            source=row.text("source"),
        )
        if rule.worst == rule.best:
            raise row.wrong("best", "another value than worst")
        if any((rule.rule, rule.applies_to) == (r.rule, r.applies_to) for r in found):
            raise row.wrong("rule", "each rule once for what it applies to")
        found.append(rule)
    return tuple(found)


# What reports count (report/figures.py), as far as it can be scored; a test compares the two.
SCORED = (ANY, "all", "category", "unit_grid", "responsible_grid", "segment", "crew", "contractor")
MEASURES = (
    "completion_rate", "in_time_rate", "false_rate", "reopened_rate", "median_dispatch_h",
    "median_solve_h", "open_at_end", "overdue_at_end", "found_per_km",
)  # fmt: skip
