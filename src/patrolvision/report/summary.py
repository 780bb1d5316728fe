"""A period's whole report as one JSON object: figures, false alarms, hot spots, ledger.

It holds nothing of the moment at which it was made, so that the same report is the same bytes.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from patrolvision.report.figures import CrewInfo, Figures, Key, false_alarms, figures
from patrolvision.report.period import Period
from patrolvision.report.places import Place, hot_spots, ledger, places
from patrolvision.report.series import series
from patrolvision.report.tally import Tally
from patrolvision.report.xlsx import Cell, workbook
from patrolvision.types import GridCodes
from patrolvision.types.columns import FoundTickets
from patrolvision.types.instants import instant_of

Record = dict[str, Any]
FORMAT = "patrolvision-report-1"
LONGEST_LEDGER = 500
PLACE_DIGITS = 5  # of a degree: a metre
NESTED = frozenset({dict, list})
FORMULA = tuple("=+-@\t\r")


@dataclass(frozen=True, slots=True)
class Materials:
    """What a report is made from; score gives the points of a row by its kind and measures.

    sightings reach back a year before the period's end; codes_of tells where some of them lie, by
    id; reach_m and names are by category.
    """

    tally: Tally
    sightings: FoundTickets
    codes_of: Callable[[Sequence[str]], Mapping[str, GridCodes]]
    km: Mapping[Key, float]
    crews: Mapping[str, CrewInfo]
    reach_m: Mapping[str, float]
    names: Mapping[str, tuple[str, str]]  # category -> English and Chinese
    causes: Mapping[str, tuple[str, str]]  # code -> English and Chinese
    rules: str  # says which tables were used
    score: Callable[[str, Mapping[str, float | None]], float | None]


def summary(period: Period, made_of: Materials) -> Record:
    """The report as a JSON object."""
    rows = []
    for row in figures(made_of.tally, made_of.crews, made_of.km):
        record = {name: getattr(row, name) for name in Figures.__dataclass_fields__}
        rows.append({**record, "score": made_of.score(row.kind, record)})
    found = places(made_of.sightings, made_of.reach_m)
    hot = hot_spots(found, made_of.sightings, period)
    returned = ledger(found, made_of.sightings)
    return {
        "format": FORMAT,
        "period": period.kind,
        "first": period.first.isoformat(),
        "last": period.last.isoformat(),
        "timezone": period.timezone,
        "start": period.start.isoformat(),
        "end": period.end.isoformat(),
        "as_of": period.as_of.isoformat(),
        "rules": made_of.rules,
        "categories": {c: {"en": en, "zh": zh} for c, (en, zh) in sorted(made_of.names.items())},
        "causes": {c: {"en": en, "zh": zh} for c, (en, zh) in sorted(made_of.causes.items())},
        "rows": rows,
        "series": [asdict(bucket) for bucket in series(made_of.tally, period)],
        "false_alarms": [
            {"category": category, "cause": cause, "count": count}
            for category, cause, count in false_alarms(made_of.tally)
        ],
        "hot_spots": _place_records(hot, made_of),
        "ledger": _place_records(returned[:LONGEST_LEDGER], made_of),
        "ledger_places": len(returned),
    }


def _place_records(found: Sequence[Place], made_of: Materials) -> list[Record]:
    seen = made_of.sightings
    codes = made_of.codes_of([seen.ids[place.members[0]] for place in found])
    return [_place_record(place, seen, codes[seen.ids[place.members[0]]]) for place in found]


def _place_record(place: Place, seen: FoundTickets, where: GridCodes) -> Record:
    first, last = place.members[0], place.members[-1]
    return {
        "category": seen.category[first],
        "times": len(place.members),
        "lat_deg": round(float(seen.lat_deg[first]), PLACE_DIGITS),
        "lon_deg": round(float(seen.lon_deg[first]), PLACE_DIGITS),
        "unit_grid": where.unit_grid,
        "responsible_grid": where.responsible_grid,
        "segment": where.segment,
        "first_found": instant_of(int(seen.found_us[first])).isoformat(),
        "last_found": instant_of(int(seen.found_us[last])).isoformat(),
        "ticket_ids": [seen.ids[k] for k in place.members],
    }


def as_json(report: Record) -> str:
    """The report as JSON text, one member a line at most two deep."""
    return json.dumps(report, ensure_ascii=False, indent=1) + "\n"


def as_csv(report: Record) -> str:
    """The rows of figures with a header; dates of the period before each."""
    sheet = _figure_sheet(report["rows"])
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    for k, row in enumerate(sheet):
        head = ("period", "first", "last") if k == 0 else _period_cells(report)
        writer.writerow([*head, *(plain(c) if isinstance(c, str) else c for c in row)])
    return buffer.getvalue()


def as_xlsx(report: Record) -> bytes:
    """A workbook: figures, false alarms, hot spots, ledger."""
    return workbook(
        {
            "Figures": _figure_sheet(report["rows"]),
            "False alarms": sheet_of(report["false_alarms"], ("category", "cause", "count")),
            "Hot spots": sheet_of(report["hot_spots"], PLACE_COLUMNS),
            "Ledger": sheet_of(report["ledger"], PLACE_COLUMNS),
        }
    )


PLACE_COLUMNS = (
    "category", "times", "lat_deg", "lon_deg", "unit_grid", "responsible_grid", "segment",
    "first_found", "last_found", "ticket_ids",
)  # fmt: skip


def _period_cells(report: Record) -> tuple[str, str, str]:
    return report["period"], report["first"], report["last"]


def _figure_sheet(rows: Sequence[Record]) -> list[list[Cell]]:
    return sheet_of(rows, [*Figures.__dataclass_fields__])


def sheet_of(records: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> list[list[Cell]]:
    """A header and one row for each record; lists and objects are joined or JSON text."""
    rows = ([record.get(name) for name in columns] for record in records)
    return [list(columns), *(_cells(row) for row in rows)]


def _cells(row: list[Any]) -> list[Cell]:
    return row if NESTED.isdisjoint(map(type, row)) else [_cell(value) for value in row]


def _cell(value: Any) -> Cell:
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return " ".join(value)
    if isinstance(value, (list, dict)):
        return json.dumps(value, ensure_ascii=False)
    return value  # type: ignore[no-any-return]  # the rest of JSON


def plain(cell: Cell) -> str:
    """A CSV cell that no spreadsheet takes for a formula (OWASP, CSV Injection)."""
    text = "" if cell is None else str(cell)
    return "'" + text if isinstance(cell, str) and text[:1] in FORMULA else text
