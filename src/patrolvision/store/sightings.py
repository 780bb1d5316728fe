"""Findings with their observations, and incidents: what fusion reads around places.

Rows come as the database keeps them, and only those that the caller does not know yet are turned
into values: fusion asks for overlapping neighbourhoods, and most of what it reads it has written.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache, partial
from math import pi, sin
from operator import itemgetter
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    Table,
    Text,
    bindparam,
    literal_column,
    select,
    type_coerce,
)

from patrolvision.geo.boxes import Box
from patrolvision.geo.geodesy import ecef_from_geodetic, local_en
from patrolvision.geo.pairs import pairs_within
from patrolvision.geo.plane import Plane
from patrolvision.store import near, rows, schema, straight
from patrolvision.store.sql import all_keys, asked_keys, asked_ranges, in_ranges, one_of
from patrolvision.types import Anchor, Finding, Incident, Observation
from patrolvision.types.instants import instant_of

FINDING = tuple(c.name for c in schema.findings.c if c.name != "observation_id")
INCIDENT = tuple(c.name for c in schema.incidents.c)
SEEN = tuple(c.name for c in schema.observations.c)
MEAN_RADIUS_M = 6371008.8
FEW_PLACES = 8  # each compared with every point
FEW_PAIRS = 32  # measured in plain floats sooner than as arrays
# Canonical JSON of a list of texts that holds more than one. As a parameter SQLite would plan anew
# for it each time.
SEVERAL: ColumnElement[str] = literal_column("""'%","%'""")
SLACK_M = 0.01  # of the rounding of planes as wide as the Earth
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
    count, of = all_keys(connection, missions) if missions else (None, {})
    is_wide = len(places) > FEW_PLACES  # most of what lies in the cells is known or too far off
    statement = partial(_findings_in, missions=count, is_wide=is_wide)
    found = _rows_around(connection, statement, places, radius_m, of)
    chosen = [row for id, row in found.items() if id not in known]
    lat = 1 if is_wide else len(FINDING) + SEEN.index("lat_deg")
    close = _within(chosen, lat, places, radius_m)
    if is_wide:
        ids = [row[0] for row in close]
        close = [
            row
            for count, some in asked_keys(connection, ids)
            for row in straight.fetched(connection, _findings_named(count), some)
        ]
    return sorted(map(_finding, close), key=lambda f: (f.observation.first_seen, f.id))


def findings_about(connection: Connection, observation_ids: Sequence[str]) -> list[Finding]:
    """Findings about these observations, by id."""
    found: list[Any] = []
    for count, some in asked_keys(connection, observation_ids):
        found += straight.fetched(connection, _findings_about(count), some)
    return sorted(map(_finding, found), key=lambda finding: finding.id)


def incidents_holding(connection: Connection, observation_ids: Sequence[str]) -> list[Incident]:
    """Incidents that hold any of these observations, by first_seen and id."""
    found: dict[str, Any] = {}
    for count, some in asked_keys(connection, observation_ids):
        holding = straight.fetched(connection, _incidents_holding(count), some)
        found |= {row[0]: row for row in holding}
    return sorted(map(_incident, found.values()), key=lambda i: (i.first_seen, i.id))


def memberships(
    connection: Connection, observation_ids: Sequence[str]
) -> dict[tuple[str, str], frozenset[str]]:
    """(category, incident id) -> all observations of the incidents that hold any of these."""
    found: dict[tuple[str, str], set[str]] = {}
    for count, some in asked_keys(connection, observation_ids):
        rows_of_some = straight.fetched(connection, _members_beside(count), some)
        for category, incident_id, observation_id in rows_of_some:
            found.setdefault((category, incident_id), set()).add(observation_id)
    return {key: frozenset(ids) for key, ids in found.items()}


def incidents_around(
    connection: Connection, places: Sequence[Place], radius_m: float
) -> list[Incident]:
    """Incidents of every category within radius_m of any of the places, by first_seen and id."""
    found = _rows_around(connection, _incidents_in, places, radius_m, {})
    close = _within(list(found.values()), INCIDENT.index("lat_deg"), places, radius_m)
    return sorted(map(_incident, close), key=lambda i: (i.first_seen, i.id))


def observations_around(
    connection: Connection, places: Sequence[Place], radius_m: float, missions: Sequence[str]
) -> list[Observation]:
    """What these missions saw within radius_m of any of the places, by id."""
    count, of = all_keys(connection, missions)
    found = _rows_around(connection, partial(_seen_in, missions=count), places, radius_m, of)
    close = _within(list(found.values()), SEEN.index("lat_deg"), places, radius_m)
    return sorted(map(_observation, close), key=lambda seen: seen.id)


def anchors_around(
    connection: Connection, place: Place, radius_m: float, mission_id: str, but: str
) -> list[Anchor]:
    """What a mission saw within radius_m of a place that another mission saw too."""
    of = {"mission": mission_id, "but": but}
    found = _rows_around(connection, _anchors_in, [place], radius_m, of)
    close = _within(list(found.values()), 2, [place], radius_m)
    return [_anchor(row[2:]) for row in sorted(close, key=itemgetter(1, 0))]


def _anchor(row: Any) -> Anchor:
    lat, lon, *cov, bias_ee, bias_en, bias_nn, map_lat, map_lon, ee, en, nn = row
    bias = None if bias_ee is None else (bias_ee, bias_en, bias_nn)
    return Anchor(lat, lon, tuple(cov), bias, map_lat, map_lon, (ee, en, nn))


def _rows_around(
    connection: Connection,
    statement: Callable[[int], Select[Any]],
    places: Sequence[Place],
    radius_m: float,
    asked: Mapping[str, Any],
) -> dict[str, Any]:
    """id -> row, of what the statement finds in the cells and the box around the places."""
    found: dict[str, Any] = {}
    boxes = [near.box_around(lat, lon, radius_m) for lat, lon in places]
    parameters = {**asked, **_box(boxes)}
    for count, bounds in asked_ranges(connection, near.ranges_over(boxes)):
        result = straight.fetched(connection, statement(count), parameters | bounds)
        found |= {row[0]: row for row in result}
    return found


def _box(boxes: Sequence[Box]) -> dict[str, float]:
    """The bounds of in_box around all; without a limit in longitude where it would cross ±180."""
    souths, wests, norths, easts = zip(*boxes, strict=True)
    west, east = min(wests), max(easts)
    if west < -180.0 or east > 180.0:
        west, east = -360.0, 360.0
    return {"south": min(souths), "north": max(norths), "west": west, "east": east}


def _within(rows: Sequence[Any], lat: int, places: Sequence[Place], radius_m: float) -> list[Any]:
    """The rows, with latitude and longitude in columns lat and lat + 1, that are close enough."""
    if not rows:
        return []
    is_close = within_any([r[lat] for r in rows], [r[lat + 1] for r in rows], places, radius_m)
    return [row for row, close in zip(rows, is_close, strict=True) if close]


def within_any(
    lat_deg: Sequence[float], lon_deg: Sequence[float], places: Sequence[Place], radius_m: float
) -> Sequence[bool] | NDArray[np.bool_]:
    """Which (N,) of the points lie within the radius of any place: as geodesy.distance_m."""
    limit = 2 * MEAN_RADIUS_M * sin(min(radius_m / (2 * MEAN_RADIUS_M), pi / 2))
    if len(places) * len(lat_deg) <= FEW_PAIRS:
        planes = [Plane(*place) for place in places]
        at = zip(lat_deg, lon_deg, strict=True)
        return [any(p.chord_m2(*one) <= limit**2 for p in planes) for one in at]
    centre_lat, centre_lon = np.array(places).T
    points = ecef_from_geodetic(lat_deg, lon_deg)
    centres = ecef_from_geodetic(centre_lat, centre_lon)
    if len(places) <= FEW_PLACES:
        return np.asarray((((points[:, None] - centres) ** 2).sum(axis=-1) <= limit**2).any(axis=1))
    # Seen from above no two places are further apart than they are.
    a, b = (
        np.stack(local_en(centre_lat[0], centre_lon[0], lat, lon), axis=-1)
        for lat, lon in ((lat_deg, lon_deg), (centre_lat, centre_lon))
    )
    i, j = pairs_within(a, b, limit + SLACK_M)
    is_close = np.zeros(len(points), bool)
    is_close[i[((points[i] - centres[j]) ** 2).sum(axis=1) <= limit**2]] = True
    return is_close


@lru_cache(maxsize=256)
def _findings_in(ranges: int, missions: int | None, is_wide: bool) -> Select[Any]:
    """Findings in so many ranges of cells; if is_wide, only their ids and places."""
    seen, found = schema.observations, schema.findings
    statement = _findings().where(in_ranges(seen.c.cell, ranges), _in_box(seen))
    if is_wide:
        statement = statement.with_only_columns(found.c.id, seen.c.lat_deg, seen.c.lon_deg)
    if missions is not None:
        statement = statement.where(one_of(seen.c.mission_id, missions))
    return statement


def _findings() -> Select[Any]:
    seen, found = schema.observations, schema.findings
    columns = [*(found.c[name] for name in FINDING), *seen.c]
    joined = seen.join(found, found.c.observation_id == seen.c.id)
    return select(*map(_raw, columns)).select_from(joined)


@lru_cache(maxsize=16)
def _findings_named(count: int) -> Select[Any]:
    return _findings().where(one_of(schema.findings.c.id, count))


@lru_cache(maxsize=16)
def _findings_about(count: int) -> Select[Any]:
    return _findings().where(one_of(schema.observations.c.id, count))


@lru_cache(maxsize=16)
def _incidents_holding(count: int) -> Select[Any]:
    table, members = schema.incidents, schema.incident_observations
    ids = select(members.c.incident_id).where(one_of(members.c.observation_id, count))
    return select(*map(_raw, table.c)).where(table.c.id.in_(ids))


@lru_cache(maxsize=16)
def _members_beside(count: int) -> Select[Any]:
    table = schema.incident_observations
    ids = select(table.c.incident_id).where(one_of(table.c.observation_id, count))
    columns = (table.c.category, table.c.incident_id, table.c.observation_id)
    return select(*columns).where(table.c.incident_id.in_(ids))


@lru_cache(maxsize=256)
def _incidents_in(ranges: int) -> Select[Any]:
    table = schema.incidents
    where = in_ranges(table.c.cell, ranges), _in_box(table)
    return select(*map(_raw, table.c)).where(*where)


@lru_cache(maxsize=16)
def _anchors_in(ranges: int) -> Select[Any]:
    """An observation in two incidents comes twice: of these the later row counts."""
    seen, table = schema.observations, schema.incidents
    members = schema.incident_observations
    names = ("lat_deg", "lon_deg", "cov_ee_m2", "cov_en_m2", "cov_nn_m2")
    bias = (seen.c.bias_ee_m2, seen.c.bias_en_m2, seen.c.bias_nn_m2)
    columns = [
        *(seen.c.id, seen.c.first_seen),
        *(seen.c[name] for name in names),
        *bias,
        *(table.c[name] for name in names),
    ]
    held = seen.join(members, members.c.observation_id == seen.c.id)
    return (
        select(*map(_raw, columns))
        .select_from(held.join(table, table.c.id == members.c.incident_id))
        .where(in_ranges(seen.c.cell, ranges), _in_box(seen))
        .where(_mission() == bindparam("mission"), seen.c.id != bindparam("but"))
        .where(_raw(table.c.mission_ids).like(SEVERAL))
        .order_by(table.c.first_seen, table.c.id)
    )


@lru_cache(maxsize=64)
def _seen_in(ranges: int, missions: int) -> Select[Any]:
    seen = schema.observations
    where = in_ranges(seen.c.cell, ranges), _in_box(seen), one_of(_mission(), missions)
    return select(*map(_raw, seen.c)).where(*where)


def _mission() -> ColumnElement[str]:
    """An observation's mission where its index is not to be used: one may have seen a city."""
    return schema.observations.c.mission_id.concat("")


def _in_box(table: Table) -> ColumnElement[bool]:
    is_between = table.c.lat_deg.between(bindparam("south"), bindparam("north"))
    return is_between & table.c.lon_deg.between(bindparam("west"), bindparam("east"))


def _raw(column: Any) -> Any:
    """The column as the database keeps it: integers for instants, text for JSON."""
    kinds = {schema.Instant: BigInteger, schema.CanonicalJson: Text}
    kind = kinds.get(type(column.type))
    return column if kind is None else type_coerce(column, kind)


def _finding(row: Any) -> Finding:
    own = dict(zip(FINDING, row, strict=False))
    own["evidence"] = orjson.loads(own["evidence"])
    return rows.finding(own, _observation(row[len(FINDING) :]))


def _observation(row: Any) -> Observation:
    seen = dict(zip(SEEN, row, strict=True))
    seen["sights"] = () if seen["sights"] == "[]" else orjson.loads(seen["sights"])
    for name in ("first_seen", "last_seen"):
        seen[name] = instant_of(seen[name])
    return rows.observation(seen)


def _incident(row: Any) -> Incident:
    own = dict(zip(INCIDENT, row, strict=True))
    for name in ("observation_ids", "mission_ids", "evidence"):
        own[name] = orjson.loads(own[name])
    for name in ("first_seen", "last_seen"):
        own[name] = instant_of(own[name])
    removed_at = own["removed_at"]
    own["removed_at"] = None if removed_at is None else instant_of(removed_at)
    return rows.incident(own)
