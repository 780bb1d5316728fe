"""One finding at once, in milliseconds: into the incident to which it most likely belongs.

`fusion.absorb` solves whole connected parts anew, and those grow with the city. Here only the
surroundings of one finding are read. What its pass saw around it tells the pass's shift against the
map of the incidents, the finding joins what then lies nearest or founds an incident, and no other
changes. It is an answer for the moment: `absorb`, given the same findings when the pass is over,
settles for good what was doubtful.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from patrolvision.geo.geodesy import local_en
from patrolvision.incidents.association import chi2, inverse, times
from patrolvision.incidents.identity import with_lasting_ids
from patrolvision.incidents.neighbourhood import Neighbourhood, looks_over, ordered
from patrolvision.incidents.places import group_of, own_and_bias, place_of
from patrolvision.incidents.settings import FusionSettings
from patrolvision.incidents.stays import Rejudge, Thing, chains_of
from patrolvision.types import Finding, FloatArray, GeoPoint, Incident, Observation

CONTEXT_M = 60.0  # how far around the pass's other sights are asked for its shift


def associate(
    finding: Finding,
    near: Neighbourhood,
    settings: FusionSettings | None = None,
    rejudge: Rejudge | None = None,
) -> list[Incident]:
    """The incidents that this finding makes or changes now; it may be stored already or not.

    Less is promised than by absorb: an incident may be one too many, or hold a neighbour's sight,
    until absorb has seen the findings of the pass together.
    """
    settings = settings or FusionSettings()
    seen = finding.observation
    held = [i for i in near.incidents_with([seen.id]) if i.category == finding.category]
    if not held:
        held = _matching(finding, near, settings)
    others = [o for incident in held for o in incident.observation_ids if o != seen.id]
    about = near.findings_of(others) if others else []
    findings = ordered([finding, *(f for f in about if f.category == finding.category)])
    observations = {f.observation.id: f.observation for f in findings}
    place = place_of(list(observations.values()), settings.alignment)
    looks = looks_over([(place.lat_deg, place.lon_deg)], (), near)
    thing = Thing(tuple(findings), place, place)
    chains = chains_of(finding.category, [thing], looks, settings, rejudge, near.hand_decisions())
    return with_lasting_ids(chains, held)


def _matching(finding: Finding, near: Neighbourhood, settings: FusionSettings) -> list[Incident]:
    """The one incident that explains the finding best; none if it is a thing of its own."""
    seen, gates = finding.observation, settings.alignment
    here = [(seen.place.lat_deg, seen.place.lon_deg)]
    close = near.incidents_around(here, gates.max_link_m)
    candidates = [i for i in close if _may_be(finding, i, settings)]
    if not candidates:
        return []
    is_fellow = np.array([seen.mission_id in i.mission_ids for i in candidates])
    own, bias = own_and_bias([seen], gates)
    shift, doubt = np.zeros(2), bias[0]
    if not is_fellow.all():
        missions = [seen.mission_id]
        fellows = near.findings_around(here, CONTEXT_M, known={finding.id}, missions=missions)
        known = near.incidents_with([f.observation.id for f in fellows]) if fellows else []
        shift, doubt = _shift([f.observation for f in fellows], known, seen, bias[0], settings)
    at, cov = _map(candidates, seen.place)
    apart = np.where(is_fellow[:, None], -at, -at - shift)
    spread = own[0] + cov + np.where(is_fellow[:, None, None], 0.0, doubt)
    cost = chi2(apart, inverse(spread))
    limit = np.where(is_fellow, gates.fragment_chi2 / 2, gates.gate_chi2)
    best = int(np.argmin(cost / limit))
    return [candidates[best]] if cost[best] <= limit[best] else []


def _may_be(finding: Finding, incident: Incident, settings: FusionSettings) -> bool:
    """Whether kind and time allow that the finding belongs to the incident."""
    seen, lives_as = finding.observation, settings.of(finding.category)
    if incident.category != finding.category or not incident.observation_ids:
        return False
    if group_of(incident.class_name, lives_as) != group_of(seen.class_name, lives_as):
        return False
    wait_s = max(
        (seen.first_seen - incident.last_seen).total_seconds(),
        (incident.first_seen - seen.last_seen).total_seconds(),
    )
    overlaps = seen.mission_id in incident.mission_ids and wait_s < 0
    return wait_s <= lives_as.max_gap_s and not overlaps


def _shift(
    fellows: Sequence[Observation],
    known: Sequence[Incident],
    seen: Observation,
    bias: FloatArray,
    settings: FusionSettings,
) -> tuple[FloatArray, FloatArray]:
    """How far (2,) the pass lies from the map, and the covariance of that: least squares."""
    holder = {o: i for i in known if len(i.mission_ids) > 1 for o in i.observation_ids}
    pairs = [(o, holder[o.id]) for o in fellows if o.id in holder]
    info, pull = inverse(bias), np.zeros(2)
    if pairs:
        own, _ = own_and_bias([o for o, _ in pairs], settings.alignment)
        at, cov = _map([i for _, i in pairs], seen.place)
        lat, lon = (
            np.array([getattr(o.place, n) for o, _ in pairs]) for n in ("lat_deg", "lon_deg")
        )
        xy = np.stack(local_en(seen.place.lat_deg, seen.place.lon_deg, lat, lon), axis=-1)
        weight = inverse(own + cov)
        info, pull = info + weight.sum(axis=0), times(weight, xy - at).sum(axis=0)
    left = inverse(info)
    return times(left, pull), left


def _map(incidents: Sequence[Incident], origin: GeoPoint) -> tuple[FloatArray, FloatArray]:
    """Places (N, 2) of incidents around an origin, and their covariances (N, 2, 2)."""
    lat, lon = (np.array([getattr(i.place, n) for i in incidents]) for n in ("lat_deg", "lon_deg"))
    xy = np.stack(local_en(origin.lat_deg, origin.lon_deg, lat, lon), axis=-1)
    return xy, np.array([incident.place.cov_en_m2 for incident in incidents])
