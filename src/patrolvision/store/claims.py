"""Which advisory locks hold the neighbourhood of a place in PostgreSQL, and in which order.

A place locks its H3 cell (resolution 9, edges of about 200 m) and the six around it: two places
within 150 m of each other always share a lock, also across the edge of a cell. Everybody takes
locks in ascending order, so nobody waits in a circle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import h3

RESOLUTION = 9
ALL_PLACES = 0x7061_7472  # the lock over everything; no H3 cell has so small a number
# PostgreSQL's lock table has room for a few thousand; who wants more takes the one over everything.
MAX_CELLS = 1024


@dataclass(frozen=True, slots=True)
class AdvisoryLock:
    """One lock to take: its statement and its key."""

    sql: str
    key: int


def everything() -> list[AdvisoryLock]:
    """The lock that shuts out every other writer."""
    return [AdvisoryLock("SELECT pg_advisory_xact_lock(:key)", ALL_PLACES)]


def locks(places: Sequence[tuple[float, float]]) -> list[AdvisoryLock]:
    """The locks to take, in order, for the neighbourhoods of these (lat_deg, lon_deg)."""
    cells = {cell for lat, lon in places for cell in _around(lat, lon)}
    if len(cells) > MAX_CELLS:
        return everything()
    shared = AdvisoryLock("SELECT pg_advisory_xact_lock_shared(:key)", ALL_PLACES)
    own = [AdvisoryLock("SELECT pg_advisory_xact_lock(:key)", cell) for cell in sorted(cells)]
    return [shared, *own]


def _around(lat_deg: float, lon_deg: float) -> list[int]:
    cell = h3.latlng_to_cell(lat_deg, lon_deg, RESOLUTION)
    return [h3.str_to_int(neighbour) for neighbour in h3.grid_disk(cell, 1)]
