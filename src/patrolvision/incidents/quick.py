"""One finding at once, in milliseconds: into the incident to which it most likely belongs.

`fusion.absorb` solves whole connected parts anew, and those grow with the city. Here only the
surroundings of one finding are read. What its pass saw around it tells the pass's shift against the
map of the incidents, the finding joins what then lies nearest or founds an incident, and no other
changes. It is an answer for the moment: `absorb`, given the same findings when the pass is over,
settles for good what was doubtful.
"""

from __future__ import annotations

from collections.abc import Sequence

from patrolvision.geo.plane import Plane
from patrolvision.incidents import few
from patrolvision.incidents.identity import with_lasting_ids
from patrolvision.incidents.neighbourhood import Neighbourhood, looks_over, ordered
from patrolvision.incidents.places import group_of, place_of
from patrolvision.incidents.settings import AlignmentSettings, FusionSettings
from patrolvision.incidents.stays import Rejudge, Thing, chains_of
from patrolvision.types import Anchor, Finding, Incident, Matrix

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
    here = seen.place.lat_deg, seen.place.lon_deg
    close = near.incidents_around([here], gates.max_link_m)
    candidates = [i for i in close if _may_be(finding, i, settings)]
    if not candidates:
        return []
    plane, cov = Plane(*here), few.matrix_of(seen.place.cov_en_m2)
    told = None if seen.bias_cov_en_m2 is None else few.matrix_of(seen.bias_cov_en_m2)
    bias = told or few.bias_of([cov], [None], gates)
    own = few.positive(few.minus(cov, bias))
    is_fellow = [seen.mission_id in i.mission_ids for i in candidates]
    shift, doubt = (0.0, 0.0), bias
    if not all(is_fellow):
        anchors = near.anchors_around(here, CONTEXT_M, seen.mission_id, but=seen.id)
        shift, doubt = _shift(anchors, plane, bias, gates)
    fits: list[tuple[float, float]] = []  # cost over its limit, cost less its limit
    for incident, fellow in zip(candidates, is_fellow, strict=True):
        east, north = plane.en(incident.place.lat_deg, incident.place.lon_deg)
        spread = few.plus(own, few.matrix_of(incident.place.cov_en_m2))
        if fellow:
            limit = gates.fragment_chi2 / 2
        else:
            limit = gates.gate_chi2
            east, north, spread = east + shift[0], north + shift[1], few.plus(spread, doubt)
        cost = few.chi2(east, north, few.inverse(spread))
        fits.append((cost / limit, cost - limit))
    best = min(range(len(fits)), key=fits.__getitem__)
    return [candidates[best]] if fits[best][1] <= 0 else []


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
    anchors: Sequence[Anchor], plane: Plane, bias: Matrix, settings: AlignmentSettings
) -> tuple[tuple[float, float], Matrix]:
    """How far the pass lies from the map, and the covariance of that: least squares."""
    if not anchors:
        return (0.0, 0.0), bias
    prior = few.bias_of([a.cov_m2 for a in anchors], [a.bias_m2 for a in anchors], settings)
    info, east, north = few.NOTHING, 0.0, 0.0
    for anchor in anchors:
        own = few.positive(few.minus(anchor.cov_m2, anchor.bias_m2 or prior))
        weight = few.inverse(few.plus(own, anchor.map_cov_m2))
        x, y = plane.en(anchor.lat_deg, anchor.lon_deg)
        map_x, map_y = plane.en(anchor.map_lat_deg, anchor.map_lon_deg)
        pull = few.times(weight, x - map_x, y - map_y)
        info, east, north = few.plus(info, weight), east + pull[0], north + pull[1]
    left = few.inverse(few.plus(few.inverse(bias), info))
    return few.times(left, east, north), left
