"""Where things are: from findings to sightings as arrays, and from sightings to places."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from patrolvision.geo.geodesy import local_en, offset
from patrolvision.incidents.association import IntArray, inverse, times
from patrolvision.incidents.neighbourhood import arrays
from patrolvision.incidents.settings import AlignmentSettings, CategorySettings, FusionSettings
from patrolvision.incidents.sightings import Sightings
from patrolvision.types import Finding, FloatArray, GeoPoint, Observation

MAX_JOINT_MISSIONS = 1500  # above, one system of all shifts is too large


def sightings_of(part: Sequence[Finding], settings: FusionSettings) -> Sightings:
    """Findings (one for each observation, by time) as arrays, around the first one's place."""
    xy, cov, start, end = arrays(part)
    seen = [finding.observation for finding in part]
    lives_as = [settings.of(finding.category) for finding in part]
    missions: dict[str, int] = {}
    mission = np.array([missions.setdefault(o.mission_id, len(missions)) for o in seen])
    bias = _biases(seen, mission, cov, settings.alignment)
    kinds: dict[tuple[str, str], int] = {}
    names = [
        (f.category, group_of(f.observation.class_name, s))
        for f, s in zip(part, lives_as, strict=True)
    ]
    group = np.array([kinds.setdefault(name, len(kinds)) for name in names])
    extent = np.array([s.extent_sigma_m for s in lives_as])
    is_told = np.array([o.bias_cov_en_m2 is not None for o in seen])
    own = _positive(cov - _told(seen, bias[mission])) + (extent**2)[:, None, None] * np.eye(2)
    max_gap_s = np.array([s.max_gap_s for s in lives_as])
    streams = dict.fromkeys(o.stream_id for o in seen)
    number = {name: k for k, name in enumerate(streams)}
    stream = np.array([number[o.stream_id] for o in seen])
    return Sightings(xy, own, bias, mission, stream, group, start, end, max_gap_s, is_told)


def group_of(class_name: str, settings: CategorySettings) -> str:
    """One name for all the classes that a detector confuses with this one."""
    for group in settings.class_groups:
        if class_name in group:
            return min(group)
    return class_name


def _biases(
    seen: Sequence[Observation], mission: IntArray, cov: FloatArray, settings: AlignmentSettings
) -> FloatArray:
    """The covariance (M, 2, 2) of each mission's shared shift: told, or of its smallest total."""
    count = int(mission.max()) + 1
    smallest = np.full(count, np.inf)
    np.minimum.at(smallest, mission, np.linalg.eigvalsh(cov)[:, 0])
    bias = (settings.shared_fraction * smallest)[:, None, None] * np.eye(2)
    told: dict[int, list[FloatArray]] = {}
    for o, m in zip(seen, mission, strict=True):
        if o.bias_cov_en_m2 is not None:
            told.setdefault(int(m), []).append(o.bias_cov_en_m2)
    for m, matrices in told.items():
        bias[m] = np.mean(matrices, axis=0) + 1e-6 * np.eye(2)
    return bias


def _told(seen: Sequence[Observation], bias: FloatArray) -> FloatArray:
    """Each one's shared part (N, 2, 2): as it came, else that of its mission."""
    return np.array(
        [
            b if o.bias_cov_en_m2 is None else o.bias_cov_en_m2
            for o, b in zip(seen, bias, strict=True)
        ]
    )


def own_and_bias(
    seen: Sequence[Observation], settings: AlignmentSettings
) -> tuple[FloatArray, FloatArray]:
    """The own noise and the shared part, (N, 2, 2) each, of observations of one mission."""
    cov = np.array([o.place.cov_en_m2 for o in seen])
    of = np.zeros(len(seen), np.int64)
    bias = _told(seen, _biases(seen, of, cov, settings)[of])
    return _positive(cov - bias), bias


def _positive(matrices: FloatArray) -> FloatArray:
    """Symmetric (..., 2, 2) matrices with no axis below 0.1 m: a total hardly exceeds its bias."""
    value, vector = np.linalg.eigh(matrices)
    return np.asarray((vector * np.maximum(value, 0.01)[..., None, :]) @ vector.swapaxes(-1, -2))


def place_of(seen: Sequence[Observation], settings: AlignmentSettings) -> GeoPoint:
    """The best place of one thing from all observations of it, with its honest covariance.

    Within a pass the own noises average and the bias stays, once; passes are independent and are
    combined by their inverse covariances (the best linear unbiased estimate).
    """
    if len(seen) == 1:
        own, bias_of_it = own_and_bias(seen, settings)
        return GeoPoint(seen[0].place.lat_deg, seen[0].place.lon_deg, own[0] + bias_of_it[0])
    lat = np.array([o.place.lat_deg for o in seen])
    lon = np.array([o.place.lon_deg for o in seen])
    xy = np.stack(local_en(lat[0], lon[0], lat, lon), axis=-1)
    cov_en_m2 = np.array([o.place.cov_en_m2 for o in seen])
    numbers: dict[str, int] = {}
    of = np.array([numbers.setdefault(o.mission_id, len(numbers)) for o in seen])
    bias = _biases(seen, of, cov_en_m2, settings)
    weight = inverse(_positive(cov_en_m2 - _told(seen, bias[of])))
    info, pull = np.zeros((len(bias), 2, 2)), np.zeros((len(bias), 2))
    np.add.at(info, of, weight)
    np.add.at(pull, of, times(weight, xy))
    cov = inverse(info)
    of_pass = inverse(cov + bias)
    total = inverse(of_pass.sum(axis=0))
    east, north = times(total, times(of_pass, times(cov, pull)).sum(axis=0))
    lat_deg, lon_deg = offset(lat[0], lon[0], east, north)
    return GeoPoint(float(lat_deg), float(lon_deg), total)


def aligned_places(
    label: IntArray, sightings: Sightings, origin: GeoPoint
) -> list[GeoPoint] | None:
    """The place of each thing once the shifts of all passes are estimated from all things together.

    label (N,) numbers the C things from 0; origin is that of the sightings' xy. A pass that saw
    many things which others saw too has a well-known shift, so these places are better than those
    of place_of; but each depends on everything in its surroundings. Least squares with the shifts
    as nuisance (Schur complement on the shifts), each sighting weighted by its mean variance.
    Places are rounded to 1e-7 degrees and covariances to 0.01 m² so that a far-off sight does not
    change them. None if there are too many missions for one system.
    """
    if len(sightings.bias) > MAX_JOINT_MISSIONS:
        return None
    things, missions = int(label.max()) + 1, len(sightings.bias)
    weight = 2 / np.trace(sightings.own, axis1=1, axis2=2)
    share = np.zeros((things, missions))
    np.add.at(share, (label, sightings.mission), weight)
    known = share.sum(axis=1)
    centre = np.zeros((things, 2))
    np.add.at(centre, label, weight[:, None] * sightings.xy)
    centre /= known[:, None]
    normal = np.diag(share.sum(axis=0) + 2 / np.trace(sightings.bias, axis1=1, axis2=2))
    normal -= share.T @ (share / known[:, None])
    pull = np.zeros((missions, 2))
    np.add.at(pull, sightings.mission, weight[:, None] * (sightings.xy - centre[label]))
    cov = np.linalg.inv(normal)
    mix = share / known[:, None]
    place = centre - mix @ (cov @ pull)
    variance = 1 / known + np.einsum("cm,mn,cn->c", mix, cov, mix)
    lat, lon = offset(origin.lat_deg, origin.lon_deg, place[:, 0], place[:, 1])
    return [
        GeoPoint(round(float(a), 7), round(float(b), 7), max(round(float(v), 2), 0.01) * np.eye(2))
        for a, b, v in zip(lat, lon, variance, strict=True)
    ]
