"""What a sweeper's round did: litter for each kilometre observed on its segments, before and after.

Litter density is counted from sights, not from new tickets: a heap that stood there on each of five
passes counts five times over five passes' kilometres. So it is the mean number of things standing
on a kilometre, whoever looked and however often.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from patrolvision.geo.geodesy import distance_m
from patrolvision.report.looked import PASS_GAP
from patrolvision.report.observed import km_observed, middle
from patrolvision.types import GridCodes, Look, TelemetrySample

LEAST_M = 20.0  # along a segment: less is a crossing, not a sweep
LONGEST_GAP = timedelta(minutes=30)  # away from a segment: beyond, it is another sweep of it
LONGEST_STEP_M = 200.0  # between fixes: beyond, nobody knows the way that was taken
CodesAt = Callable[[float, float], GridCodes]


@dataclass(frozen=True, slots=True)
class Sweep:
    """One sweep of a segment: from when to when, and how far along it in metres."""

    segment: str
    start: datetime
    end: datetime
    swept_m: float


@dataclass(frozen=True, slots=True)
class LitterSeen:
    """One thing as one pass saw it; thing_id is its incident's."""

    thing_id: str
    mission_id: str
    at: datetime
    lat_deg: float
    lon_deg: float


@dataclass(frozen=True, slots=True)
class Density:
    """What was seen of a segment within a time: sights for each kilometre observed.

    things: different ones. per_km: None where nobody looked.
    """

    passes: int
    km: float
    sights: int
    things: int

    @property
    def per_km(self) -> float | None:
        """The mean number of things standing on a kilometre."""
        return self.sights / self.km if self.km > 0 else None


@dataclass(frozen=True, slots=True)
class Effect:
    """A sweep and the litter on its segment before and after it."""

    sweep: Sweep
    before: Density
    after: Density


def change(before: Density, after: Density) -> float | None:
    """After over before, less one: −1 is all gone; None where after is not known or before is 0."""
    if not before.per_km or after.per_km is None:
        return None
    return after.per_km / before.per_km - 1.0


def sweeps(route: Sequence[TelemetrySample], codes_at: CodesAt) -> list[Sweep]:
    """The sweeps of a route, whose samples are in order of time."""
    found: list[Sweep] = []
    last: dict[str, Sweep] = {}
    for a, b in pairwise(route):
        way_m = float(distance_m(a.lat_deg, a.lon_deg, b.lat_deg, b.lon_deg))
        code = codes_at((a.lat_deg + b.lat_deg) / 2, (a.lon_deg + b.lon_deg) / 2).segment
        if code is None or way_m > LONGEST_STEP_M:
            continue
        open_one = last.get(code)
        if open_one is not None and a.at - open_one.end <= LONGEST_GAP:
            last[code] = Sweep(code, open_one.start, b.at, open_one.swept_m + way_m)
            continue
        if open_one is not None:
            found.append(open_one)
        last[code] = Sweep(code, a.at, b.at, way_m)
    found += last.values()
    enough = [sweep for sweep in found if sweep.swept_m >= LEAST_M]
    return sorted(enough, key=lambda sweep: (sweep.start, sweep.segment))


def effects(
    swept: Sequence[Sweep],
    looks: Iterable[Look],
    litter: Iterable[LitterSeen],
    codes_at: CodesAt,
    within: timedelta,
) -> list[Effect]:
    """What each sweep did, by what was seen of its segment within a time before and after it.

    Another sweep of the same segment ends that time: its effect is its own.
    """
    wanted = {sweep.segment for sweep in swept}
    seen: dict[str, list[LitterSeen]] = {code: [] for code in wanted}
    for one in litter:
        code = codes_at(one.lat_deg, one.lon_deg).segment
        if code in seen:
            seen[code].append(one)
    ways = _looks_by_segment(looks, wanted, codes_at)
    found = []
    for sweep in swept:
        others = [s for s in swept if s.segment == sweep.segment and s is not sweep]
        since = max([sweep.start - within, *(s.end for s in others if s.end <= sweep.start)])
        until = min([sweep.end + within, *(s.start for s in others if s.start >= sweep.end)])
        about = sweep.segment, ways[sweep.segment], seen[sweep.segment], codes_at
        before = _density(*about, since, sweep.start)
        found.append(Effect(sweep, before, _density(*about, sweep.end, until)))
    return found


def together(parts: Iterable[Density]) -> Density:
    """Several segments as one; the things of different segments are different things."""
    listed = list(parts)
    return Density(
        sum(part.passes for part in listed),
        sum(part.km for part in listed),
        sum(part.sights for part in listed),
        sum(part.things for part in listed),
    )


def _looks_by_segment(
    looks: Iterable[Look], wanted: set[str], codes_at: CodesAt
) -> dict[str, list[Look]]:
    found: dict[str, list[Look]] = {code: [] for code in wanted}
    for look in looks:
        code = codes_at(*middle(look)).segment
        if code in found and "litter" in look.classes:
            found[code].append(look)
    return found


def _density(
    code: str,
    looks: Sequence[Look],
    litter: Sequence[LitterSeen],
    codes_at: CodesAt,
    since: datetime,
    until: datetime,
) -> Density:
    """What was seen of a segment by looks that lie wholly within the time."""
    looked = [look for look in looks if look.start >= since and look.end <= until]
    missions = {look.mission_id for look in looked}
    sights = {
        (one.thing_id, one.mission_id)
        for one in litter
        if since <= one.at <= until and one.mission_id in missions
    }
    km = km_observed(looked, codes_at).get(("segment", code), 0.0)
    return Density(passes(looked), km, len(sights), len({thing for thing, _ in sights}))


def passes(looks: Iterable[Look]) -> int:
    """How many passes these looks at one segment belong to: of one mission, without a long gap."""
    count = 0
    until: dict[str, datetime] = {}
    for look in sorted(looks, key=lambda k: (k.start, k.id)):
        last = until.get(look.mission_id)
        count += last is None or look.start - last > PASS_GAP
        until[look.mission_id] = look.end if last is None else max(last, look.end)
    return count
