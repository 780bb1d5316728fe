"""`patrolvision reports`: the figures of a day, week, month or year, and the files that carry them.

The API gives the same reports; both come from `report_of`.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from patrolvision import wiring
from patrolvision.config import OfficeSettings, checked, load_office
from patrolvision.errors import EXIT_OK, CallError, OutputError
from patrolvision.looked import ground_of, km_of_period, no_ground
from patrolvision.report.facts import facts_of
from patrolvision.report.figures import CrewInfo, Key
from patrolvision.report.period import Period, PeriodKind, period_of
from patrolvision.report.period_page import render_period
from patrolvision.report.places import HOT_SPAN, LEDGER_SPAN
from patrolvision.report.summary import Materials, as_csv, as_json, as_xlsx, summary
from patrolvision.report.tally import Covers, Tally
from patrolvision.report.words import Language
from patrolvision.tickets.scoring import score
from patrolvision.types import GridCodes
from patrolvision.types.columns import joined
from patrolvision.types.instants import micros_of

if TYPE_CHECKING:
    from patrolvision.store.sql_store import SqlStore
    from patrolvision.tickets.categories import Catalogue
    from patrolvision.tickets.causes import Cause

Record = dict[str, Any]
FORMATS: Mapping[str, Callable[[Record, Language], bytes]] = {
    "json": lambda report, language: as_json(report).encode("utf-8"),
    "csv": lambda report, language: as_csv(report).encode("utf-8"),
    "xlsx": lambda report, language: as_xlsx(report),
    "html": lambda report, language: render_period(report, language).encode("utf-8"),
}


def report_of(
    store: SqlStore,
    catalogue: Catalogue,
    kind: PeriodKind,
    day: date,
    now: datetime,
    *,
    causes: Sequence[Cause] = (),
    covers: Callable[[GridCodes], bool] | None = None,
    live: bool = False,
) -> Record:
    """The report of the period that a day lies in, on the catalogue's clock.

    One that was kept is given as it was then, unless live. covers narrows it to some grids; None:
    the whole city. CallError for a period that has not begun.
    """
    period = period_of(kind, day, catalogue.timezone, now)
    if covers is None and not live and (kept := _kept(store, catalogue, period)) is not None:
        return kept
    with _without_collector():
        return summary(period, _materials(store, catalogue, period, causes, covers))


def keep(
    store: SqlStore,
    catalogue: Catalogue,
    kind: PeriodKind,
    day: date,
    now: datetime,
    actor: str,
    *,
    causes: Sequence[Cause] = (),
    anew: bool = False,
) -> tuple[Record, bool]:
    """The report of a past period, kept from now on as it is, and whether it says all there is.

    History is dated by the footage, so that footage which is analysed later, or an incident that
    later looks tell apart, adds to the past; what was kept stays as it was, until it is made anew
    as a further revision. CallError for a period that is not over.
    """
    from patrolvision.store.periods import keep_report

    period = period_of(kind, day, catalogue.timezone, now)
    if not period.is_over:
        raise CallError(f"date {day}: the {kind} is not over, its report cannot be kept yet")
    with _without_collector():
        found = summary(period, _materials(store, catalogue, period, causes))
    kept = _kept(store, catalogue, period)
    if kept is not None and not anew:
        return kept, {**found, "revision": kept["revision"]} == kept
    revision = keep_report(
        store.engine,
        name_of(period, catalogue),
        lambda number: as_json({**found, "revision": number}),
        actor,
        now,
    )
    return {**found, "revision": revision}, True


@contextmanager
def _without_collector() -> Iterator[None]:
    """Let Python not look for cycles: a report makes values by the million, and never one."""
    was_at_work = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_at_work:
            gc.enable()


def _kept(store: SqlStore, catalogue: Catalogue, period: Period) -> Record | None:
    from patrolvision.store.periods import kept_report

    text = kept_report(store.engine, name_of(period, catalogue))
    return None if text is None else dict(json.loads(text))


def name_of(period: Period, catalogue: Catalogue) -> str:
    """The name that a report is kept under, its revision left out."""
    return f"{period.kind} {period.first} {period.timezone} {catalogue.city}"


def rules_digest(catalogue: Catalogue, causes: Sequence[Cause] = ()) -> str:
    """Which tables the figures rest on: the city, a digest of categories, causes and scoring."""
    used = {
        "categories": {name: asdict(rule) for name, rule in sorted(catalogue.categories.items())},
        "causes": [asdict(cause) for cause in causes],
        "scoring": [asdict(rule) for rule in catalogue.scoring],
    }
    text = json.dumps(used, sort_keys=True, ensure_ascii=False)
    return f"rules {catalogue.city} {hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _materials(
    store: SqlStore,
    catalogue: Catalogue,
    period: Period,
    causes: Sequence[Cause],
    covers: Covers | None = None,
) -> Materials:
    from patrolvision.store import crews, periods

    engine, start, end = store.engine, period.start, period.as_of
    since = min(end - LEDGER_SPAN, start - HOT_SPAN)
    km = km_of_period(store, ground_of(store, end) or no_ground(), start, end)
    known = {
        name: CrewInfo(str(crew.get("name") or name), crew.get("contractor"))
        for name, crew in crews.stored_crews(engine, end).items()
    }
    tally = Tally(period, {name: crew.contractor for name, crew in known.items()}, covers)
    declined = {(cause.category, cause.code) for cause in causes if not cause.false_alarm}
    for histories in periods.histories_of_period(engine, start, end):
        tally.add(facts_of(histories, micros_of(end), declined))
    return Materials(
        tally=tally,
        sightings=joined(periods.sightings(engine, since, end, covers)),
        codes_of=partial(periods.codes_of, engine),
        km=km if covers is None else _within(km, covers),
        crews=known,
        reach_m={name: rule.hot_spot_m for name, rule in catalogue.categories.items()},
        names={name: (r.name_en, r.name_zh) for name, r in catalogue.categories.items()},
        causes={cause.code: (cause.name_en, cause.name_zh) for cause in causes},
        rules=rules_digest(catalogue, causes),
        score=lambda kind, measures: score(catalogue.scoring, kind, measures),
    )


def _within(km: Mapping[Key, float], covers: Covers) -> dict[Key, float]:
    """The way observed in some grids, which is known by cell only."""

    def is_in(kind: str, code: str) -> bool:
        unit, responsible = kind == "unit_grid", kind == "responsible_grid"
        return covers(GridCodes(code if unit else None, code if responsible else None))

    return {key: way for key, way in km.items() if is_in(*key)}


def office_settings(office: Path | None, timezone: str | None) -> OfficeSettings:
    """The settings of an office file, or the defaults; a time zone that is given wins."""
    settings = load_office(office) if office is not None else OfficeSettings()
    if timezone is None:
        return settings
    values = {**settings.model_dump(), "timezone": timezone}
    return checked(OfficeSettings, values, where="--timezone")


def _write(folder: Path, name: str, content: bytes) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name
        path.write_bytes(content)
    except OSError as error:
        raise OutputError(f"{folder / name}: cannot be written: {error.strerror}") from error
    return path


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise CallError(f"DATE must be a date such as 2026-05-04, found {text!r}") from error


def _asked(
    args: argparse.Namespace,
    store: SqlStore,
    catalogue: Catalogue,
    causes: Sequence[Cause],
    day: date,
    now: datetime,
) -> tuple[Record, str]:
    """The report, kept if its period is over, and what the user should know about it."""
    is_over = period_of(args.period, day, catalogue.timezone, now).is_over
    if args.preview or not is_over:
        return report_of(store, catalogue, args.period, day, now, causes=causes, live=True), ""
    report, is_all = keep(
        store, catalogue, args.period, day, now, "command line", causes=causes, anew=args.anew
    )
    if is_all:
        return report, ""
    return report, (
        "this report is given as it was kept; the store or the tables say something else of that "
        "time by now, --anew makes it anew as a further revision"
    )


def main(args: argparse.Namespace) -> int:
    """`patrolvision reports day|week|month|year DATE --db URL --out DIR`."""
    day, now = _day(args.date), datetime.now(UTC)
    settings = office_settings(args.office, args.timezone)
    catalogue, causes = wiring.catalogue(settings), wiring.causes(settings)
    store = wiring.store(args.db, create=False)
    try:
        report, note = _asked(args, store, catalogue, causes, day, now)
    finally:
        store.close()
    if note:
        sys.stderr.write(f"patrolvision: {note}\n")
    formats = args.format or list(FORMATS)
    stem = f"report-{args.period}-{report['first']}"
    with _without_collector():
        written = [
            _write(args.out, f"{stem}.{form}", FORMATS[form](report, args.lang)) for form in formats
        ]
    if args.json:
        whole = report["rows"][0]
        said = {"period": args.period, "first": report["first"], "last": report["last"]}
        counts = {name: whole[name] for name in ("found", "solved", "open_at_end")}
        sys.stdout.write(json.dumps({**said, **counts, "files": [str(p) for p in written]}) + "\n")
    else:
        sys.stdout.writelines(f"{path}\n" for path in written)
    return EXIT_OK
