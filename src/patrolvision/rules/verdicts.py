"""What the kerb's rules say of one vehicle: a pure judgement of place, sights, zones and hours.

It serves one pass's observation and a fused vehicle alike: with the place and the sights of all
passes a watch becomes a case. Why the numbers are what they are: docs/adr/0005-parking-proof.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from patrolvision.rules.kerb import along_the_kerb
from patrolvision.rules.settings import RuleSettings
from patrolvision.rules.spread import POINTS
from patrolvision.rules.zone_map import PROHIBITIONS, Zone, ZoneHit, ZoneMap
from patrolvision.types import GeoPoint, IncidentKind

Span = tuple[datetime, datetime]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class StandingVehicle:
    """A vehicle to be judged: one pass's observation, or one vehicle as several passes saw it.

    spans are its sights, first and last instant each; p_standing None: its speed is not known.
    """

    class_name: str
    place: GeoPoint
    spans: tuple[Span, ...]
    p_standing: float | None
    queueing: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the kerb's rules say of a vehicle; probability is what the kind was decided by."""

    kind: IncidentKind
    zone: Zone
    probability: float
    p_place: float
    p_standing: float
    dwell_s: float
    needs_dwell_s: float  # seen this long at one place it would be proved

    @property
    def is_unproved_warning(self) -> bool:
        """A watch only exists to become a case, and in a warning zone there never is one."""
        return self.kind == "watch" and self.zone.phase == "warning"


@dataclass(frozen=True, slots=True, eq=False)
class _Claim:
    """One prohibition near the vehicle that binds its class: where, since when, and if proved."""

    zone: Zone
    inside: Mask
    certain: bool  # its hours are known to be in force
    dwell_s: float
    needs_dwell_s: float
    p_standing: float

    @property
    def proved(self) -> bool:
        return self.certain and self.dwell_s >= self.needs_dwell_s


def judge(vehicle: StandingVehicle, zones: ZoneMap, settings: RuleSettings) -> Verdict | None:
    """What the kerb's rules say of the vehicle; None if nothing is to be said."""
    if vehicle.p_standing is not None and vehicle.p_standing < settings.p_moving:
        return None
    hits = zones.hits(vehicle.place)
    if not hits:
        return None
    free = _free(hits, vehicle, settings)
    if free is None:
        return None
    claims = [c for hit in hits if (c := _claim(hit, vehicle, free, settings)) is not None]
    if not claims:
        return None
    return _verdict(claims, vehicle, _kerb(hits, vehicle), settings)


def _verdict(
    claims: list[_Claim], vehicle: StandingVehicle, kerb: Mask, settings: RuleSettings
) -> Verdict | None:
    """The strictest kind that the claims carry."""
    enforced = [c for c in claims if c.zone.phase == "enforce"]
    proved = [c for c in enforced if c.proved]
    steps: tuple[tuple[IncidentKind, list[_Claim], float], ...] = (
        ("enforce", proved, settings.p_enforce),
        ("warning", [c for c in claims if c.proved], settings.p_enforce),
        ("review", [c for c in enforced if c.proved or not c.certain], settings.p_review),
        ("watch", _watched(claims, settings), settings.p_watch),
    )
    for kind, held, needed in steps:
        verdict = _weighed(kind, held, kerb, vehicle.queueing, settings)
        if verdict is None:
            continue
        reached = verdict.p_place if kind == "watch" else verdict.probability
        if reached >= needed:
            return verdict
    return None


def _watched(claims: list[_Claim], settings: RuleSettings) -> list[_Claim]:
    """What time may still decide; and, where fused places are judged, what a better place may."""
    if settings.p_watch < settings.p_review:
        return claims
    return [c for c in claims if not c.proved]


def _weighed(
    kind: IncidentKind,
    claims: list[_Claim],
    kerb: Mask,
    queueing: bool,
    settings: RuleSettings,
) -> Verdict | None:
    if not claims:
        return None
    inside = np.logical_or.reduce([c.inside for c in claims])
    chief = max(claims, key=lambda c: (float(c.inside.mean()), -c.zone.grace_s))
    parked = chief.dwell_s >= settings.parked_s and not queueing
    prior = settings.kerb_prior_parked if parked else settings.kerb_prior
    p_place = _posterior(inside, kerb | inside, prior)
    return Verdict(
        kind,
        chief.zone,
        p_place * chief.p_standing,
        p_place,
        chief.p_standing,
        chief.dwell_s,
        chief.needs_dwell_s,
    )


def _posterior(inside: Mask, kerb: Mask, prior: float) -> float:
    """P(in the zone), where standing vehicles are `prior` times denser at a kerb than elsewhere."""
    at_kerb, elsewhere = prior * float(kerb.mean()), 1.0 - float(kerb.mean())
    return prior * float(inside.mean()) / (at_kerb + elsewhere)


def _free(hits: list[ZoneHit], vehicle: StandingVehicle, settings: RuleSettings) -> Mask | None:
    """Where standing is allowed or not our concern; None if the vehicle is where nothing counts."""
    free = np.zeros(POINTS, dtype=bool)
    ignored = np.zeros(POINTS, dtype=bool)
    for hit in hits:
        if not _ever_in_force(hit.zone, vehicle.spans):
            continue
        if hit.zone.rule == "ignore":
            ignored |= hit.inside
        elif hit.zone.rule == "parking_allowed" and hit.zone.covers_class(vehicle.class_name):
            free |= hit.inside
    return None if ignored.mean() >= settings.p_zone else free | ignored


def _ever_in_force(zone: Zone, spans: Sequence[Span]) -> bool:
    return any(zone.force_during(*span) != "closed" for span in spans)


def _kerb(hits: list[ZoneHit], vehicle: StandingVehicle) -> Mask:
    """Where vehicles usually stand: kerb zones of any kind, and the kerb beyond their ends."""
    kerb = np.zeros(POINTS, dtype=bool)
    for hit in hits:
        if hit.zone.rule == "parking_allowed":
            kerb |= hit.inside
        elif hit.zone.rule in PROHIBITIONS:
            kerb |= hit.inside | along_the_kerb(hit.zone.area, vehicle.place)
    return kerb


def _claim(
    hit: ZoneHit, vehicle: StandingVehicle, free: Mask, settings: RuleSettings
) -> _Claim | None:
    zone = hit.zone
    if zone.rule not in PROHIBITIONS or not zone.covers_class(vehicle.class_name):
        return None
    forces = [(zone.force_during(*span), span) for span in vehicle.spans]
    bound = [span for force, span in forces if force != "closed"]
    if not bound:
        return None
    dwell_s = (max(b for _, b in bound) - min(a for a, _ in bound)).total_seconds()
    p_standing, needs_s = _standing(vehicle, zone, dwell_s, settings)
    certain = all(force == "open" for force, span in forces if span in bound)
    return _Claim(zone, hit.inside & ~free, certain, dwell_s, needs_s, p_standing)


def _standing(
    vehicle: StandingVehicle, zone: Zone, dwell_s: float, settings: RuleSettings
) -> tuple[float, float]:
    """Probability of standing and the dwell that proves it: seen again at its place, it stood."""
    again_s = settings.queue_proof_s if vehicle.queueing else settings.standing_proof_s
    proof_s = max(zone.grace_s, again_s)
    if dwell_s >= proof_s:
        return 1.0, zone.grace_s
    if vehicle.p_standing is None:
        return settings.p_standing_unknown, proof_s
    doubtful = vehicle.queueing or vehicle.p_standing < settings.p_enforce
    return vehicle.p_standing, proof_s if doubtful else zone.grace_s
