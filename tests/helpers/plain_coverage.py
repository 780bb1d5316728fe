"""What was looked at when, reckoned plainly: every look of a year, one after the other."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from patrolvision.report.observed import km_observed
from patrolvision.report.sweeping import passes
from patrolvision.store import SqlStore
from patrolvision.tickets.grids import GridIndex
from patrolvision.types import Look

WEEK, MONTH, YEAR = timedelta(days=7), timedelta(days=30), timedelta(days=365)
KINDS = {"unit": "unit_grid", "responsible": "responsible_grid", "segment": "segment"}


def plain_coverage(store: SqlStore, grids: GridIndex, layer: str, at: datetime) -> list[Any]:
    """A row for each area of the layer, by code."""
    looks = [k for k in store.looks_since(at - YEAR) if at - YEAR <= k.start < at]
    met: dict[str, list[Look]] = {}
    of, codes = grids.met_by([look.polygon for look in looks])[layer]
    for position, code in zip(of.tolist(), codes, strict=True):
        met.setdefault(code, []).append(looks[position])
    km = {
        span: km_observed((k for k in looks if k.end >= at - span), grids.codes_at)
        for span in (WEEK, MONTH)
    }
    rows = []
    for code in sorted(grids.areas(layer)):
        seen = met.get(code, [])
        row: dict[str, Any] = {
            "code": code,
            "last_looked_at": max((k.end for k in seen), default=None),
        }
        for name, span in (("7d", WEEK), ("30d", MONTH)):
            row[f"passes_{name}"] = passes(k for k in seen if k.end >= at - span)
            row[f"km_{name}"] = round(km[span].get((KINDS[layer], code), 0.0), 3)
        rows.append(row)
    return rows
