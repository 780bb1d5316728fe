"""What the store holds, as a table, JSON lines, GeoJSON or CSV."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from typing import Any

from patrolvision import records, wiring
from patrolvision.errors import EXIT_OK

COLUMNS = {
    "observations": (
        "id", "mission_id", "class", "first_seen", "lat_deg", "lon_deg", "frames", "confidence",
    ),
    "incidents": (
        "incident_id", "category", "kind", "status", "first_seen", "last_seen", "lat_deg",
        "lon_deg", "zone_id", "score",
    ),
    "tickets": (
        "ticket_id", "category", "state", "priority", "lat_deg", "lon_deg", "sigma_m",
        "unit_grid", "responsible_grid", "segment",
    ),
}  # fmt: skip


def listed(what: str, url: str) -> list[dict[str, Any]]:
    """The records of one kind; incidents that are only being watched are not shown."""
    store = wiring.store(url, create=False)
    try:
        if what == "observations":
            return [records.observation_to_record(o) for o in store.observations()]
        if what == "incidents":
            return [records.incident_to_record(i) for i in store.incidents() if i.kind != "watch"]
        return [records.ticket_to_record(t) for t in store.tickets()]
    finally:
        store.close()


def _shown(value: Any, column: str) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.6f}" if column.endswith("_deg") else f"{value:.2f}"
    return str(value)


def counted(count: int, things: str) -> str:
    """1 ticket, 2 tickets: a count with its noun, which is given in the plural."""
    return f"{count} {things.removesuffix('s') if count == 1 else things}"


def print_table(rows: Sequence[dict[str, Any]], columns: tuple[str, ...], title: str) -> None:
    """A table on standard output, as wide as the terminal, or unwrapped when it is not one.

    Without rows there is only the title.
    """
    if not rows:
        sys.stdout.write(f"{title}\n")
        return
    from rich.console import Console
    from rich.table import Table

    wide = None if sys.stdout.isatty() else 240
    table = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column.removesuffix("_deg"), overflow="fold")
    for row in rows:
        table.add_row(*(_shown(row.get(column), column) for column in columns))
    Console(file=sys.stdout, width=wide).print(table)


def main(args: argparse.Namespace) -> int:
    """`patrolvision observations|incidents|tickets`."""
    rows = listed(args.what, args.db)
    if args.format == "json":
        sys.stdout.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    elif args.format == "geojson":
        json.dump(records.features(rows), sys.stdout, ensure_ascii=False)
        sys.stdout.write("\n")
    elif args.format == "csv":
        csv.writer(sys.stdout).writerows(records.csv_rows(rows))
    else:
        print_table(rows, COLUMNS[args.what], counted(len(rows), args.what))
    return EXIT_OK
