"""How far the patrols looked: the way along the middles of one mission's successive looks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import pairwise

from patrolvision.geo.geodesy import distance_m
from patrolvision.types import GridCodes, Look

LONGEST_GAP_S = 60.0  # between looks: beyond, nobody knows the way that was taken
FASTEST_MPS = 60.0  # beyond, it was no drive but another stream or a fault of the position
NO_AREA_DEG2 = 1e-14  # about a square centimetre
Place = tuple[float, float]


def km_observed(
    looks: Iterable[Look], codes_at: Callable[[float, float], GridCodes] | None = None
) -> dict[tuple[str, str], float]:
    """Kilometres by (kind, code): ("all", "") the whole, and those of each cell and segment.

    A hop belongs to the cell and segment of its middle. Less than the way driven by half a look at
    each end of a mission, and by what lies between looks more than a minute apart.
    """
    km: defaultdict[tuple[str, str], float] = defaultdict(float)
    ordered = sorted(looks, key=lambda k: (k.mission_id, k.start, k.id))
    for a, b in pairwise((look, middle(look)) for look in ordered):
        way_m = _hop_m(a, b)
        if way_m is None:
            continue
        km["all", ""] += way_m / 1000.0
        if codes_at is not None:
            codes = codes_at((a[1][0] + b[1][0]) / 2, (a[1][1] + b[1][1]) / 2)
            for kind in ("unit_grid", "responsible_grid", "segment"):
                if code := getattr(codes, kind):
                    km[kind, code] += way_m / 1000.0
    return dict(km)


def middle(look: Look) -> Place:
    """(lat_deg, lon_deg) of the centroid of what was seen; of its corners, if it has no area.

    Reckoned in degrees: a centroid moves with any stretching of the plane.
    """
    ring = look.polygon
    lat0, lon0 = ring[0]
    flat = [(lat - lat0, lon - lon0) for lat, lon in ring]
    twice = north = east = 0.0
    for (a, b), (c, d) in zip(flat, [*flat[1:], flat[0]], strict=True):
        cross = a * d - c * b
        twice += cross
        north += (a + c) * cross
        east += (b + d) * cross
    if abs(twice) < NO_AREA_DEG2:
        return _mean(lat for lat, _ in ring), _mean(lon for _, lon in ring)
    return lat0 + north / (3.0 * twice), lon0 + east / (3.0 * twice)


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed)


def _hop_m(a: tuple[Look, Place], b: tuple[Look, Place]) -> float | None:
    (first, here), (then, there) = a, b
    if first.mission_id != then.mission_id:
        return None
    gap_s = (then.start - first.end).total_seconds()
    between_s = (then.start - first.start).total_seconds()
    way_m = float(distance_m(*here, *there))
    if gap_s > LONGEST_GAP_S or way_m > FASTEST_MPS * max(between_s, 1.0):
        return None
    return way_m
