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
from sqlalchemy import Connection, text

from patrolvision.geo.districts import districts_within

REACH_M = 250.0
ALL_PLACES = 0x7061_7472  # the lock over everything; it is no district's number
# PostgreSQL's lock table has room for a few thousand; who wants more takes the one over everything.
MAX_DISTRICTS = 512
SHARED = text("SELECT pg_advisory_xact_lock_shared(:key)")
ONE = text("SELECT pg_advisory_xact_lock(:key)")


def districts_of(places: Sequence[tuple[float, float]]) -> list[int] | None:
    """The districts to lock, in order, around these (lat_deg, lon_deg); None: everything."""
    if not places:
        return []
    lat, lon = np.array(places, np.float64).T
    found = np.unique(districts_within(lat, lon, REACH_M))
    return None if len(found) > MAX_DISTRICTS else [int(number) for number in found]


def take(connection: Connection, districts: Sequence[int] | None) -> None:
    """Wait for the locks of these districts, or of everything, until the transaction ends."""
    if districts is None:
        connection.execute(ONE, {"key": ALL_PLACES})
        return
    connection.execute(SHARED, {"key": ALL_PLACES})
    for district in districts:
        connection.execute(ONE, {"key": district})
