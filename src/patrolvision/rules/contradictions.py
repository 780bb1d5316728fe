"""Zones of which one says of a place what another, at the same hours, denies: a mistaken map."""

from __future__ import annotations

from collections.abc import Sequence

import shapely

from patrolvision.rules.zone_map import PROHIBITIONS, Zone

SAME_AREA = 0.99  # what covers this much of a zone leaves nothing of it


def contradictions(zones: Sequence[Zone]) -> list[tuple[str, str, str]]:
    """(zone, the other, with what) for each prohibition that another zone makes meaningless.

    A bay that covers the whole of it, for the same classes, hours and days; or the same prohibition
    once more, with another phase or another grace time. What is ignored is meant to be.
    """
    tree = shapely.STRtree([zone.area for zone in zones])
    found = []
    for k, zone in enumerate(zones):
        if zone.rule not in PROHIBITIONS:
            continue
        for n in sorted(tree.query(zone.area).tolist()):
            why = _why(zones[n], zone, is_later=n > k)
            if why is not None:
                found.append((zone.zone_id, zones[n].zone_id, why))
    return found


def _why(other: Zone, zone: Zone, *, is_later: bool) -> str | None:
    if (other.hours, other.timezone) != (zone.hours, zone.timezone):
        return None
    if other.rule == "parking_allowed":
        is_met = _classes(zone) <= _classes(other) and _lasts_as_long(other, zone)
        return "opposite rules" if is_met and _covers(other, zone) else None
    is_same = is_later and other.rule == zone.rule and _classes(other) == _classes(zone)
    differs = _difference(other, zone)
    if not (is_same and differs and _lasts_as_long(other, zone) and _lasts_as_long(zone, other)):
        return None
    return differs if _covers(other, zone) and _covers(zone, other) else None


def _difference(other: Zone, zone: Zone) -> str | None:
    if other.phase != zone.phase:
        return f"phase {zone.phase!r} here and {other.phase!r} there"
    if other.grace_s != zone.grace_s:
        return f"grace_s {zone.grace_s:g} here and {other.grace_s:g} there"
    return None


def _classes(zone: Zone) -> frozenset[str]:
    return zone.vehicle_classes - zone.exempt_classes


def _covers(other: Zone, zone: Zone) -> bool:
    return bool(zone.area.intersection(other.area).area >= SAME_AREA * zone.area.area)


def _lasts_as_long(other: Zone, zone: Zone) -> bool:
    begins = other.valid_from is None or (
        zone.valid_from is not None and other.valid_from <= zone.valid_from
    )
    ends = other.valid_to is None or (zone.valid_to is not None and other.valid_to >= zone.valid_to)
    return begins and ends
