"""Crews: what they can do, when they are on duty, which area they serve, and where they are.

Who goes is decided here as a pure function of crews, their last positions, the place and the time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from patrolvision.geo.geodesy import distance_m
from patrolvision.tickets.calendar import ALWAYS, WorkCalendar, weekly_hours
from patrolvision.types import GridCodes


@dataclass(frozen=True, slots=True)
class Crew:
    """A team that solves problems.

    areas are prefixes of unit or responsible grid codes, none meaning everywhere; duty is weekly
    hours on the wall clock of timezone, holidays included (a roster, not an office's hours).
    """

    id: str
    name: str
    skills: tuple[str, ...]
    areas: tuple[str, ...] = ()
    duty: str = ALWAYS
    timezone: str = "UTC"
    contractor: str | None = None
    phone: str | None = None
    active: bool = True

    def __post_init__(self) -> None:
        weekly_hours(self.duty)  # ValueError says what is not understood

    def is_on_duty(self, at: datetime) -> bool:
        """Whether the roster has the crew at work at the instant."""
        return self.active and WorkCalendar(weekly_hours(self.duty), self.timezone).is_working(at)

    def serves(self, grid: GridCodes) -> bool:
        """Whether the place with these codes lies in one of the crew's areas."""
        codes = [code for code in (grid.unit_grid, grid.responsible_grid) if code]
        return not self.areas or any(c.startswith(area) for c in codes for area in self.areas)


@dataclass(frozen=True, slots=True)
class CrewPosition:
    """Where a crew said it was."""

    crew_id: str
    at: datetime
    lat_deg: float
    lon_deg: float


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done where: as much of a ticket as choosing a crew needs."""

    skill: str
    lat_deg: float
    lon_deg: float
    grid: GridCodes


@dataclass(frozen=True, slots=True)
class Candidate:
    """A crew that may be sent (why_not is None), or why it may not.

    distance_m is None when no position is fresh enough to be used; open_tickets are those it has.
    """

    crew: Crew
    distance_m: float | None
    position_at: datetime | None
    open_tickets: int = 0
    why_not: str | None = None


def candidates(
    job: Job,
    crews: Iterable[Crew],
    positions: Mapping[str, CrewPosition],
    at: datetime,
    *,
    position_age: timedelta,
    load: Mapping[str, int] | None = None,
) -> list[Candidate]:
    """All crews, the best first: those that may be sent by distance, then those of unknown place.

    A position older than position_age, or from the future by as much, is not used. At equal
    distance the crew with fewer open tickets comes first, then the smaller id.
    """
    load = load or {}
    judged = [
        _judged(crew, job, positions.get(crew.id), at, position_age, load.get(crew.id, 0))
        for crew in crews
    ]
    return sorted(judged, key=_rank)


def best(found: Sequence[Candidate]) -> Candidate | None:
    """The first that may be sent."""
    return next((candidate for candidate in found if candidate.why_not is None), None)


def _judged(
    crew: Crew,
    job: Job,
    position: CrewPosition | None,
    at: datetime,
    position_age: timedelta,
    open_tickets: int,
) -> Candidate:
    is_fresh = position is not None and abs(at - position.at) <= position_age
    if position is None or not is_fresh:
        return Candidate(crew, None, None, open_tickets, why_not(crew, job, at))
    apart_m = float(distance_m(job.lat_deg, job.lon_deg, position.lat_deg, position.lon_deg))
    return Candidate(crew, apart_m, position.at, open_tickets, why_not(crew, job, at))


def why_not(crew: Crew, job: Job, at: datetime) -> str | None:
    """Why a crew may not be sent, the most lasting reason first; None if it may."""
    if not crew.active:
        return "is no longer in service"
    if job.skill not in crew.skills:
        return f"lacks the skill {job.skill}"
    if not crew.serves(job.grid):
        return "does not serve this grid"
    if not crew.is_on_duty(at):
        return "is off duty"
    return None


def _rank(candidate: Candidate) -> tuple[bool, bool, float, int, str]:
    apart_m = candidate.distance_m
    return (
        candidate.why_not is not None,
        apart_m is None,
        0.0 if apart_m is None else round(apart_m, 1),
        candidate.open_tickets,
        candidate.crew.id,
    )
