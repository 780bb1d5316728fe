"""A queue in a lane: a standing vehicle with one creeping just before or behind it in its line.

Places of one pass share its bias, so neighbours are compared far better than either is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import shapely

from patrolvision.geo.geodesy import local_en
from patrolvision.rules.kerb import strip_across
from patrolvision.rules.settings import RuleSettings
from patrolvision.types import Observation

CREEP_SIGMAS = 2.0
CREEP_MAX_MPS = 4.0


def creeping(
    vehicles: Sequence[Observation], settings: RuleSettings
) -> dict[str, list[Observation]]:
    """mission id -> the vehicles that surely creep: what queues are made of.

    Creeping: faster than creep_mps by two sigmas, but not at the pace of free traffic; passing
    traffic says nothing about a queue.
    """
    found: dict[str, list[Observation]] = {}
    for vehicle in vehicles:
        if _creeps(vehicle, settings):
            found.setdefault(vehicle.mission_id, []).append(vehicle)
    return found


def is_queueing(
    seen: Observation,
    creepers: Sequence[Observation],
    area: shapely.Geometry,
    settings: RuleSettings,
) -> bool:
    """Whether one of these creeping vehicles of its pass is near, in its line and at its time."""
    return any(
        other.id != seen.id
        and _at_the_same_time(seen, other, settings.queue_window_s)
        and _in_line(seen, other, area, settings)
        for other in creepers
    )


def _creeps(other: Observation, settings: RuleSettings) -> bool:
    if other.speed_mps is None:
        return False
    sigma = settings.speed_sigma_mps if other.speed_sigma_mps is None else other.speed_sigma_mps
    speed = abs(other.speed_mps)
    return speed - CREEP_SIGMAS * sigma > settings.creep_mps and speed < CREEP_MAX_MPS


def _at_the_same_time(a: Observation, b: Observation, window_s: float) -> bool:
    window = timedelta(seconds=window_s)
    return a.first_seen - window <= b.last_seen and b.first_seen - window <= a.last_seen


def _in_line(
    a: Observation, b: Observation, area: shapely.Geometry, settings: RuleSettings
) -> bool:
    here, there = a.place, b.place
    east, north = local_en(here.lat_deg, here.lon_deg, there.lat_deg, there.lon_deg)
    gap = np.array([float(east), float(north)])
    if float(np.hypot(*gap)) > settings.queue_gap_m:
        return False
    strip = strip_across(area, here)
    return strip is None or abs(float(gap @ strip[0])) <= settings.queue_offset_m
