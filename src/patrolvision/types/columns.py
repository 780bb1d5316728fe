"""Many tickets at once, a column for each thing that a report asks of them.

A report of a year asks the same of a million tickets; an object for each would take it minutes.
Instants are microseconds since 1970 (UTC), as the store keeps them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from patrolvision.types.names import FloatArray, TicketState

IntArray = NDArray[np.int64]
UNKNOWN = int(np.iinfo(np.int64).min)  # an instant that there is not: before all others
STATES: tuple[TicketState, ...] = get_args(TicketState)
MARKED = ("", "merge", "urge", "escalate")  # the acts that are counted; "" is every other


@dataclass(frozen=True, slots=True)
class Said:
    """What some events said of one thing; event (K,) is increasing."""

    event: IntArray
    values: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Histories:
    """N tickets and their E events, these by ticket and in order; what is None was not there.

    of (E,) is the ticket of each event; state and mark (E,) are positions in STATES and MARKED.
    due_us and assignee are those of now; the events' own say what they were.
    """

    category: Sequence[str]
    unit_grid: Sequence[str | None]
    responsible_grid: Sequence[str | None]
    segment: Sequence[str | None]
    assignee: Sequence[str | None]
    due_us: IntArray
    of: IntArray
    at_us: IntArray
    state: IntArray
    mark: IntArray
    said_due_us: Said
    said_assignee: Said
    said_cause: Said

    def __len__(self) -> int:
        return len(self.category)


@dataclass(frozen=True, slots=True)
class FoundTickets:
    """Tickets by when they were found and id, with the places of their founding observations."""

    ids: Sequence[str]
    category: Sequence[str]
    found_us: IntArray
    lat_deg: FloatArray
    lon_deg: FloatArray

    def __len__(self) -> int:
        return len(self.ids)

    def without(self, ids: Collection[str]) -> FoundTickets:
        """The others."""
        keep = [k for k, one in enumerate(self.ids) if one not in ids]
        return FoundTickets(
            [self.ids[k] for k in keep],
            [self.category[k] for k in keep],
            self.found_us[keep],
            self.lat_deg[keep],
            self.lon_deg[keep],
        )


@dataclass(frozen=True, slots=True)
class LookColumns:
    """Looks by mission, start and id; polygons are rings of (lat_deg, lon_deg)."""

    mission_id: Sequence[str]
    start_us: IntArray
    end_us: IntArray
    polygon: Sequence[Sequence[tuple[float, float]]]

    def __len__(self) -> int:
        return len(self.mission_id)


def joined(parts: Iterable[FoundTickets]) -> FoundTickets:
    """All of them as one, in their order."""
    ids: list[str] = []
    category: list[str] = []
    found_us, lat_deg, lon_deg = [np.zeros(0, np.int64)], [np.zeros(0)], [np.zeros(0)]
    for part in parts:
        ids += part.ids
        category += part.category
        found_us.append(part.found_us)
        lat_deg.append(part.lat_deg)
        lon_deg.append(part.lon_deg)
    places = (np.concatenate(values) for values in (lat_deg, lon_deg))
    return FoundTickets(ids, category, np.concatenate(found_us), *places)
