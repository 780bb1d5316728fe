"""Findings with their observations, many at once: what fusion reads around places.

Rows come as the database keeps them, and only those that the caller does not know yet are turned
into values: fusion asks for overlapping neighbourhoods, and most of what it reads it has written.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from sqlalchemy import BigInteger, Connection, Select, Text, bindparam, select, type_coerce

from patrolvision.geo.geodesy import ecef_from_geodetic
from patrolvision.store import near, rows, schema
from patrolvision.store.sql import RANGES, in_ranges, range_bounds
from patrolvision.types import Finding

FINDING = tuple(c.name for c in schema.findings.c if c.name != "observation_id")
SEEN = tuple(c.name for c in schema.observations.c)
MEAN_RADIUS_M = 6371008.8
Place = tuple[float, float]


def findings_around(
    connection: Connection,
    places: Sequence[Place],
    radius_m: float,
    known: Collection[str],
    missions: Sequence[str],
) -> list[Finding]:
    """Findings within radius_m of any of the places (lat_deg, lon_deg), by first_seen and id.

    Without those known by id; if missions are given, only what these saw.
    """
    found: dict[str, Any] = {}
    ranges = near.joined_ranges(places, radius_m)
    parameters: dict[str, Any] = {"missions": list(missions)} if missions else {}
    for start in range(0, len(ranges), RANGES):
        some = ranges[start : start + RANGES]
        statement = _around(len(some), bool(missions))
        result = connection.execute(statement, parameters | range_bounds(some))
        found |= {row[0]: row for row in result if row[0] not in known}
    if not found:
        return []
    chosen = list(found.values())
    at = len(FINDING) + SEEN.index("lat_deg"), len(FINDING) + SEEN.index("lon_deg")
    lat, lon = ([row[k] for row in chosen] for k in at)
    close = within_any(lat, lon, places, radius_m)
    findings = [_finding(row) for row, is_close in zip(chosen, close, strict=True) if is_close]
    return sorted(findings, key=lambda f: (f.observation.first_seen, f.id))


def within_any(
    lat_deg: Sequence[float], lon_deg: Sequence[float], places: Sequence[Place], radius_m: float
) -> NDArray[np.bool_]:
    """Which (N,) of the points lie within the radius of any place: as geodesy.distance_m."""
    points = ecef_from_geodetic(lat_deg, lon_deg)
    centres = ecef_from_geodetic(*np.array(places).T)
    limit = 2 * MEAN_RADIUS_M * np.sin(min(radius_m / (2 * MEAN_RADIUS_M), np.pi / 2))
    is_close = np.zeros(len(points), bool)
    for centre in centres:
        rest = np.flatnonzero(~is_close)
        is_close[rest] = ((points[rest] - centre) ** 2).sum(axis=1) <= limit**2
    return is_close


@lru_cache(maxsize=256)
def _around(ranges: int, of_missions: bool) -> Select[Any]:
    seen = schema.observations
    joined = seen.join(schema.findings, schema.findings.c.observation_id == seen.c.id)
    columns = [*(schema.findings.c[n] for n in FINDING), *seen.c]
    statement = select(*map(_raw, columns)).select_from(joined)
    statement = statement.where(in_ranges(seen.c.cell, ranges))
    if of_missions:
        statement = statement.where(seen.c.mission_id.in_(bindparam("missions", expanding=True)))
    return statement


def _raw(column: Any) -> Any:
    """The column as the database keeps it: integers for instants, text for JSON."""
    kinds = {schema.Instant: BigInteger, schema.CanonicalJson: Text}
    kind = kinds.get(type(column.type))
    return column if kind is None else type_coerce(column, kind)


def _finding(row: Any) -> Finding:
    own = dict(zip(FINDING, row, strict=False))
    seen = dict(zip(SEEN, row[len(FINDING) :], strict=True))
    own["evidence"] = orjson.loads(own["evidence"])
    seen["sights"] = () if seen["sights"] == "[]" else orjson.loads(seen["sights"])
    for name in ("first_seen", "last_seen"):
        seen[name] = schema.instant_of(seen[name])
    return rows.finding(own, rows.observation(seen))
