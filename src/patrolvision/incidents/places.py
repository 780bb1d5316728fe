"""Where things are: from findings to sightings as arrays, and from sightings to places."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from patrolvision.geo.geodesy import local_en, offset
from patrolvision.incidents import few
from patrolvision.incidents.association import IntArray, inverse, times
from patrolvision.incidents.neighbourhood import arrays
from patrolvision.incidents.settings import AlignmentSettings, CategorySettings, FusionSettings
from patrolvision.incidents.sightings import Sightings, matrix_sums, sums
from patrolvision.types import Finding, FloatArray, GeoPoint, Observation

EYE = np.eye(2)
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
    room_m = np.array(
        [
            0.0 if o.class_name in s.narrow_classes else s.room_m
            for o, s in zip(seen, lives_as, strict=True)
        ]
    )
    streams = dict.fromkeys(o.stream_id for o in seen)
    number = {name: k for k, name in enumerate(streams)}
    stream = np.array([number[o.stream_id] for o in seen])
    return Sightings(xy, own, bias, mission, stream, group, start, end, max_gap_s, room_m, is_told)


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
    told: dict[int, list[FloatArray]] = {}
    for o, m in zip(seen, mission.tolist(), strict=True):
        if o.bias_cov_en_m2 is not None:
            told.setdefault(m, []).append(o.bias_cov_en_m2)
    bias = np.empty((count, 2, 2))
    if len(told) < count:
        smallest = np.full(count, np.inf)
        middle, _, radius = _axes(cov)
        np.minimum.at(smallest, mission, middle - radius)
        bias[:] = (settings.shared_fraction * smallest)[:, None, None] * EYE
    for m, matrices in told.items():
        bias[m] = np.mean(matrices, axis=0) + 1e-6 * EYE
    return bias


def _told(seen: Sequence[Observation], bias: FloatArray) -> FloatArray:
    """Each one's shared part (N, 2, 2): as it came, else that of its mission."""
    return np.array(
        [
            b if o.bias_cov_en_m2 is None else o.bias_cov_en_m2
            for o, b in zip(seen, bias, strict=True)
        ]
    )


def _positive(matrices: FloatArray) -> FloatArray:
    """Symmetric (..., 2, 2) matrices with no axis below 0.1 m: a total hardly exceeds its bias."""
    middle, half, radius = _axes(matrices)
    low, high = np.maximum(middle - radius, 0.01), np.maximum(middle + radius, 0.01)
    with np.errstate(invalid="ignore"):
        stretch = np.where(radius > 0, (high - low) / 2 / radius, 0.0)
    out = np.empty_like(matrices)
    out[..., 0, 0] = (low + high) / 2 + stretch * half
    out[..., 1, 1] = (low + high) / 2 - stretch * half
    out[..., 0, 1] = out[..., 1, 0] = stretch * matrices[..., 0, 1]
    return np.where((middle - radius >= 0.01)[..., None, None], matrices, out)


def _axes(matrices: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean of the eigenvalues of symmetric (..., 2, 2), half the diagonal's difference, radius.

    The eigenvalues are mean - radius and mean + radius.
    """
    a, b, d = matrices[..., 0, 0], matrices[..., 0, 1], matrices[..., 1, 1]
    half = (a - d) / 2
    return (a + d) / 2, half, np.sqrt(half * half + b * b)


def place_of(seen: Sequence[Observation], settings: AlignmentSettings) -> GeoPoint:
    """The best place of one thing from all observations of it, with its honest covariance."""
    return few.place_of(seen, settings) if len(seen) <= few.MOST else places_of([seen], settings)[0]


def places_of(
    things: Sequence[Sequence[Observation]], settings: AlignmentSettings
) -> list[GeoPoint]:
    """The best place of each thing from all observations of it, with its honest covariance.

    Within a pass the own noises average and the bias stays, once; passes are independent and are
    combined by their inverse covariances (the best linear unbiased estimate). A thing's place
    depends on its own observations only.
    """
    seen = [o for thing in things for o in thing]
    cov_en_m2 = np.array([o.place.cov_en_m2 for o in seen])
    passes: dict[tuple[int, str], int] = {}  # what one mission saw of one thing
    of = np.array(
        [
            passes.setdefault((k, o.mission_id), len(passes))
            for k, thing in enumerate(things)
            for o in thing
        ]
    )
    bias = _biases(seen, of, cov_en_m2, settings)
    told = _told(seen, bias[of])
    own = _positive(cov_en_m2 - told)
    count = np.array([len(thing) for thing in things])
    first = np.cumsum(count) - count
    places: dict[int, GeoPoint] = {}
    for k, total in zip(first[count == 1].tolist(), (own + told)[first[count == 1]], strict=True):
        places[k] = GeoPoint(seen[k].place.lat_deg, seen[k].place.lon_deg, total)
    if (count > 1).any():
        thing_of = np.array([thing for thing, _ in passes])
        lat, lon, total = _combined(seen, own, bias, of, thing_of, first)
        for k in np.flatnonzero(count > 1).tolist():
            places[int(first[k])] = GeoPoint(float(lat[k]), float(lon[k]), total[k])
    return [places[k] for k in first.tolist()]


def _combined(
    seen: Sequence[Observation],
    own: FloatArray,
    bias: FloatArray,
    of: IntArray,
    thing_of: IntArray,
    first: IntArray,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """lat_deg, lon_deg (T,) and covariance (T, 2, 2) of T things.

    own (N, 2, 2) and of (N,), its pass by number, belong to the observations; bias (P, 2, 2) and
    thing_of (P,) to the passes; first (T,) is the first observation of each thing.
    """
    count = len(first)
    lat = np.array([o.place.lat_deg for o in seen])
    lon = np.array([o.place.lon_deg for o in seen])
    origin = first[thing_of[of]]
    xy = np.stack(local_en(lat[origin], lon[origin], lat, lon), axis=-1)
    weight = inverse(own)
    cov = inverse(matrix_sums(of, len(bias), weight))
    at = times(cov, sums(of, len(bias), times(weight, xy)))
    of_pass = inverse(cov + bias)
    total = inverse(matrix_sums(thing_of, count, of_pass))
    east, north = times(total, sums(thing_of, count, times(of_pass, at))).T
    return *offset(lat[first], lon[first], east, north), total


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
