"""Which advisory locks hold the neighbourhood of a place in PostgreSQL, and in which order.

A place locks every district (geo/districts.py) within REACH_M. What fusion solves in a district it
reads from CONTEXT_M = 150 m around it, and a finding is solved in every district within 150 m of
it: so of two transactions of which one writes what the other reads, both hold that district. The
rest of REACH_M is room for clusters that reach further than their newest finding; fusion names the
districts that it did solve (SqlTransaction.hold), and one that is not held is refused. Everybody
takes locks in ascending order, so nobody waits in a circle.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sqlalchemy import Connection

from patrolvision.geo.districts import districts_within
from patrolvision.store import driver

REACH_M = 250.0
ALL_PLACES = 0x7061_7472  # the lock over everything; it is no district's number
# PostgreSQL's lock table has room for a few thousand; who wants more takes the one over everything.
MAX_DISTRICTS = 512
EVERYTHING = "SELECT pg_advisory_xact_lock(%s)"
# One after the other, as they stand in the array.
WAITING = """SELECT CASE key WHEN %s THEN pg_advisory_xact_lock_shared(key)
    ELSE pg_advisory_xact_lock(key) END FROM unnest(%s::bigint[]) AS key"""
TRYING = "SELECT key FROM unnest(%s::bigint[]) AS key WHERE pg_try_advisory_xact_lock(key)"
Places = Sequence[tuple[float, float]]


def districts_of(places: Places) -> list[int] | None:
    """The districts to lock, in order, around these (lat_deg, lon_deg); None: everything."""
    (found,) = _districts_of_each([places])
    return None if len(found) > MAX_DISTRICTS else sorted(found)


def _districts_of_each(parts: Sequence[Places]) -> list[set[int]]:
    places = [place for part in parts for place in part]
    if not places:
        return [set() for _ in parts]
    lat, lon = np.array(places, np.float64).T
    found = districts_within(lat, lon, REACH_M).tolist()
    result, start = [], 0
    for part in parts:
        result.append({number for row in found[start : start + len(part)] for number in row})
        start += len(part)
    return result


def take(connection: Connection, districts: Sequence[int] | None) -> None:
    """Wait for the locks of these districts, or of everything, until the transaction ends."""
    if districts is None:
        driver.executed(connection, EVERYTHING, (ALL_PLACES,))
    else:
        driver.executed(connection, WAITING, (ALL_PLACES, [ALL_PLACES, *districts]))


def take_free(
    connection: Connection, parts: Sequence[Places]
) -> tuple[list[int], frozenset[int] | None]:
    """Wait for the locks of the first part, and take those of the others that nobody holds.

    The numbers of the parts whose districts are all held now, and what is held (None: everything).
    Who only tries waits for nobody, so nobody waits in a circle still.
    """
    first, *others = _districts_of_each(parts)
    if len(first) > MAX_DISTRICTS:
        take(connection, None)
        return list(range(len(parts))), None
    wanted, tried = set(first), 0
    for districts in others:
        if len(wanted | districts) > MAX_DISTRICTS:
            break
        wanted |= districts
        tried += 1
    take(connection, sorted(first))
    rest = sorted(wanted - first)
    got = driver.fetched(connection, TRYING, (rest,)) if rest else []
    held = frozenset(first.union(number for (number,) in got))
    is_held = [True, *(districts <= held for districts in others[:tried])]
    return [k for k, is_whole in enumerate(is_held) if is_whole], held
