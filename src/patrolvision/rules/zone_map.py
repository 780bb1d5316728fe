"""Zones as values, and the map that says with what probability a place lies in which."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
import shapely
from numpy.typing import NDArray

from patrolvision.rules.hours import ALWAYS, Force, state_at
from patrolvision.rules.spread import (
    POINTS,
    REACH_SIGMAS,
    cloud_en_m,
    lonlat,
    metres_per_degree,
)
from patrolvision.types import VEHICLE_CLASSES, GeoPoint

ZoneRule = Literal["no_stopping", "no_parking", "parking_allowed", "fire_ok", "ignore"]
Phase = Literal["enforce", "warning"]
PROHIBITIONS = frozenset({"no_stopping", "no_parking"})


@dataclass(frozen=True, slots=True)
class Zone:
    """One rule of the kerb: where (a shapely area in lon/lat), for whom, and when."""

    zone_id: str
    rule: ZoneRule
    area: shapely.Geometry
    hours: str = ALWAYS
    timezone: str = "UTC"
    names_timezone: bool = True  # False: it is judged on the clock of the settings
    vehicle_classes: frozenset[str] = VEHICLE_CLASSES
    exempt_classes: frozenset[str] = frozenset()
    grace_s: float = 0.0
    valid_from: date | None = None
    valid_to: date | None = None  # the last day on which it holds
    phase: Phase = "enforce"
    priority: str | None = None

    @property
    def is_timed(self) -> bool:
        """Whether it matters whose clock it is judged on."""
        return self.hours != ALWAYS or self.valid_from is not None or self.valid_to is not None

    def covers_class(self, class_name: str) -> bool:
        """Whether the rule is about this class of vehicle."""
        return class_name in self.vehicle_classes and class_name not in self.exempt_classes

    def force_at(self, at: datetime) -> Force:
        """open (in force), closed, or unknown where the hours themselves say so."""
        day = at.astimezone(ZoneInfo(self.timezone)).date()
        if self.valid_from is not None and day < self.valid_from:
            return "closed"
        if self.valid_to is not None and day > self.valid_to:
            return "closed"
        west, south, east, north = self.area.bounds
        return state_at(self.hours, self.timezone, (south + north) / 2, (west + east) / 2, at)

    def force_during(self, first: datetime, last: datetime) -> Force:
        """In force only if it is at both ends; the lesser of the two otherwise."""
        ends = {self.force_at(first), self.force_at(last)}
        if "closed" in ends:
            return "closed"
        return "unknown" if "unknown" in ends else "open"


@dataclass(frozen=True, slots=True)
class ZoneHit:
    """A zone near a place, and which of the place's cloud of points lie in it."""

    zone: Zone
    inside: NDArray[np.bool_]  # (POINTS,)

    @property
    def probability(self) -> float:
        """Of the place lying in the zone, by area alone."""
        return float(self.inside.mean())


class ZoneMap:
    """All zones of a city behind a spatial index; version names the file's content."""

    def __init__(self, zones: Iterable[Zone] = (), version: str = "none") -> None:
        self.zones: Sequence[Zone] = tuple(zones)
        self.version = version
        self._tree = shapely.STRtree([zone.area for zone in self.zones])

    def __len__(self) -> int:
        return len(self.zones)

    def hits(self, place: GeoPoint) -> list[ZoneHit]:
        """Every zone that any of the place's cloud lies in, by zone_id; hours are not asked.

        Error of a hit's probability: below 0.01 for areas bounded by straight lines.
        """
        near = self._near(place)
        if not near:
            return []
        xy = lonlat(place, cloud_en_m(place, POINTS))
        found = []
        for zone in near:
            inside = shapely.contains_xy(zone.area, xy[:, 0], xy[:, 1])
            if inside.any():
                found.append(ZoneHit(zone, inside))
        return sorted(found, key=lambda hit: hit.zone.zone_id)

    def treats_alike(self, one: str, other: str, place: GeoPoint) -> bool:
        """Whether every zone near the place says the same of two classes of vehicle."""
        if one == other:
            return True
        near = self._near(place)
        return all(zone.covers_class(one) == zone.covers_class(other) for zone in near)

    def probability_of(self, rule: ZoneRule, place: GeoPoint, at: datetime) -> float:
        """Of the place lying in any zone of this rule that is in force at the instant."""
        inside = [
            hit.inside
            for hit in self.hits(place)
            if hit.zone.rule == rule and hit.zone.force_at(at) == "open"
        ]
        return float(np.logical_or.reduce(inside).mean()) if inside else 0.0

    def _near(self, place: GeoPoint) -> list[Zone]:
        if not self.zones:
            return []
        reach_m = REACH_SIGMAS * place.sigma_m
        north, east = metres_per_degree(place.lat_deg)
        dlat, dlon = reach_m / north, reach_m / max(east, 1.0)
        south, north_deg = place.lat_deg - dlat, place.lat_deg + dlat
        found: set[int] = set()
        for turn_deg in (0.0, -360.0, 360.0):  # beyond 180 degrees the map goes on
            lon_deg = place.lon_deg + turn_deg
            if abs(lon_deg) - dlon <= 180.0:
                box = shapely.box(lon_deg - dlon, south, lon_deg + dlon, north_deg)
                found.update(self._tree.query(box).tolist())
        return [self.zones[i] for i in sorted(found)]
