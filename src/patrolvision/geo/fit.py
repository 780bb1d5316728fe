"""What a pass says of one thing: a robust fit of a place, and of a velocity, to its frames.

Unknown are the thing's place (and velocity) and what is the same in every frame of a track: the
errors of heading, pitch, roll, height and ground contact, each with its prior. So a pitch error
does not average away, and does not pass for motion either; what several viewpoints really tell of
it, the fit uses. Position, which shifts all frames alike, is added afterwards, never averaged.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from patrolvision.geo.geodesy import local_en, offset
from patrolvision.geo.project import GroundPoint
from patrolvision.geo.spread import PARTS
from patrolvision.types import FloatArray, GeoPoint

INDEPENDENT_S = 0.5  # frames closer than this repeat each other's errors of box and suspension
SHAKE = 0.35  # the part of pitch's and roll's sigma that changes from look to look
JITTER_OF_POSITION = 0.05  # of sigma_position_m, from look to look
DRIFT_PER_S = 0.04  # of sigma_position_m, per second: what GNSS wanders while a thing is in view
FLOOR_M = 0.1
FASTEST_MPS = 30.0  # prior sigma of a velocity
HUBER = 2.0
OUTLIER = 5.0
_ROUNDS = 10
_SHARED = [PARTS.index(name) for name in ("heading", "pitch", "roll", "height")]
_SHAKEN = [PARTS.index(name) for name in ("pitch", "roll")]
_PIXEL = [PARTS.index(name) for name in ("u", "v")]
_HEADING = 2  # first of the shared errors, after the place's two numbers


@dataclass(frozen=True, slots=True, eq=False)
class FittedTrack:
    """One thing's place and motion over the ground, as one pass saw it.

    place.cov_en_m2 is the total; bias_cov_en_m2 (2, 2) is what the pass shares (position, heading).
    place is that at `at`, the middle of the inliers' time. speed_mps and course_deg are None for a
    thing seen at one instant; speed_sigma_mps is one sigma along the course.
    """

    at: datetime
    place: GeoPoint
    bias_cov_en_m2: FloatArray
    speed_mps: float | None
    speed_sigma_mps: float | None
    course_deg: float | None
    is_moving: bool
    frames: int
    inliers: int


@dataclass(frozen=True, slots=True, eq=False)
class _Frames:
    """The track in metres about its first place, time in seconds about its middle."""

    at_s: FloatArray  # (N,)
    en: FloatArray  # (N, 2)
    shared: FloatArray  # (N, 2, 5) heading, pitch, roll, height, contact
    information: FloatArray  # (N, 2, 2) inverse of what changes from frame to frame
    looks: float  # (0, 1] how much of an independent look one frame is
    position_cov: FloatArray  # (2, 2)


@dataclass(frozen=True, slots=True, eq=False)
class _Solution:
    parameters: FloatArray
    normal: FloatArray  # the information matrix of the parameters
    weight: FloatArray  # (N,) 0: dropped


def fit_track(
    points: Sequence[tuple[datetime, GroundPoint]], contact_en_m: FloatArray | None = None
) -> FittedTrack:
    """Fit the places that one track's frames gave; there must be at least one.

    contact_en_m (N, 2) tells where one sigma of the error in what the box says of the ground
    contact moves each place; it is taken as the same error in every frame.
    """
    if not points:
        raise ValueError("a track needs at least one place")
    first_at, first = points[0][0], points[0][1].place
    frames, middle_s = _frames(points, contact_en_m)
    spans_time = float(np.ptp(frames.at_s)) > 0
    moving = _solve(frames, with_velocity=spans_time)
    speed, sigma, course = _speed(moving, frames) if spans_time else (None, None, None)
    is_moving = speed is not None and sigma is not None and speed > max(3 * sigma, 0.5)
    solution = moving if is_moving else _solve(frames, with_velocity=False)
    known, total = _place_cov(solution)
    bias = frames.position_cov + total - known
    lat, lon = offset(first.lat_deg, first.lon_deg, *solution.parameters[:2])
    own = known + FLOOR_M**2 * np.eye(2)
    return FittedTrack(
        at=first_at + timedelta(seconds=middle_s),
        place=GeoPoint(float(lat), float(lon), bias + own),
        bias_cov_en_m2=bias,
        speed_mps=speed,
        speed_sigma_mps=sigma,
        course_deg=course,
        is_moving=is_moving,
        frames=len(points),
        inliers=int((solution.weight > 0).sum()),
    )


def _frames(
    points: Sequence[tuple[datetime, GroundPoint]], contact_en_m: FloatArray | None
) -> tuple[_Frames, float]:
    """The frames, and the seconds from the first one to the middle of their time."""
    n, origin = len(points), points[0][1].place
    at_s = np.array([(at - points[0][0]).total_seconds() for at, _ in points])
    lat = np.array([p.place.lat_deg for _, p in points])
    lon = np.array([p.place.lon_deg for _, p in points])
    parts = np.stack([p.parts_en_m for _, p in points])
    contact = np.zeros((n, 2)) if contact_en_m is None else np.asarray(contact_en_m, np.float64)
    systematic = parts[:, :, _SHARED].copy()
    systematic[:, :, [1, 2]] *= math.sqrt(1 - SHAKE**2)
    shaken = np.concatenate([parts[:, :, _PIXEL], parts[:, :, _SHAKEN] * SHAKE], axis=2)
    position = np.einsum("nij,nkj->nik", parts[:, :, :2], parts[:, :, :2])
    noise = np.einsum("nij,nkj->nik", shaken, shaken) + JITTER_OF_POSITION**2 * position
    noise = noise + (FLOOR_M / 2) ** 2 * np.eye(2)
    looks = min(1.0, (float(np.ptp(at_s)) / INDEPENDENT_S + 1) / n)
    weight = 1 / np.trace(noise, axis1=1, axis2=2)
    middle_s = float((at_s.min() + at_s.max()) / 2)
    return _Frames(
        at_s - middle_s,
        np.stack(local_en(origin.lat_deg, origin.lon_deg, lat, lon), axis=1),
        np.concatenate([systematic, contact[:, :, None]], axis=2),
        np.linalg.inv(noise),
        looks,
        np.asarray(np.einsum("n,nij->ij", weight / weight.sum(), position)),
    ), middle_s


def _solve(frames: _Frames, with_velocity: bool) -> _Solution:
    """Iteratively reweighted least squares: Huber, Robust Statistics (1981), section 7.8."""
    n = len(frames.at_s)
    design = np.concatenate([np.broadcast_to(np.eye(2), (n, 2, 2)), frames.shared], axis=2)
    prior = [0.0, 0.0] + [1.0] * frames.shared.shape[2]
    if with_velocity:
        design = np.concatenate([design, frames.at_s[:, None, None] * np.eye(2)], axis=2)
        prior += [FASTEST_MPS**-2] * 2
    prior_information = np.diag(prior)
    weight = _start(frames, design, prior_information)
    for _ in range(_ROUNDS):
        parameters, normal, distance = _weighted(frames, design, prior_information, weight)
        scale = max(1.0, float(np.median(distance)) / 1.1774)  # of a two-dimensional normal
        new = np.minimum(1.0, HUBER * scale / np.maximum(distance, 1e-12))
        new[distance > OUTLIER * scale] = 0.0
        if np.allclose(new, weight, atol=1e-3):
            break
        weight = new
    # Frames that scatter more than they say make the fit less sure, never surer than they say.
    normal = prior_information + (normal - prior_information) / scale**2
    return _Solution(parameters, normal, weight)


def _start(frames: _Frames, design: FloatArray, prior: FloatArray) -> FloatArray:
    """Weights (N,) of all frames, or of two thirds of them if most frames then fit better.

    A few wrong but near, and so heavy, frames in a row would else draw the fit to themselves.
    """
    n = len(frames.at_s)
    starts = [np.ones(n)]
    if n >= 6:
        third = np.arange(n) * 3 // n
        starts += [(third != k).astype(np.float64) for k in range(3)]
    medians = [float(np.median(_weighted(frames, design, prior, w)[2])) for w in starts]
    best = int(np.argmin(medians))
    return starts[best if medians[best] < 0.5 * medians[0] else 0]


def _weighted(
    frames: _Frames, design: FloatArray, prior: FloatArray, weight: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Parameters, their information matrix, and each frame's distance (N,) in its own sigmas."""
    weighted = np.einsum("n,nip,nij->npj", weight * frames.looks, design, frames.information)
    normal = np.einsum("npj,njq->pq", weighted, design) + prior
    parameters = np.linalg.solve(normal, np.einsum("npj,nj->p", weighted, frames.en))
    residual = frames.en - design @ parameters
    distance2 = np.einsum("ni,nij,nj->n", residual, frames.information, residual)
    return parameters, normal, np.sqrt(distance2)


def _place_cov(solution: _Solution) -> tuple[FloatArray, FloatArray]:
    """Covariance (2, 2) of the place were the heading known, and with the heading's error."""
    total = np.linalg.inv(solution.normal)[:2, :2]
    rest = np.delete(np.delete(solution.normal, _HEADING, axis=0), _HEADING, axis=1)
    known = np.linalg.inv(rest)[:2, :2]
    return (known + known.T) / 2, (total + total.T) / 2


def _speed(solution: _Solution, frames: _Frames) -> tuple[float, float, float]:
    """Speed, its sigma along the course, and the course."""
    velocity = solution.parameters[-2:]
    cov = np.linalg.inv(solution.normal)[-2:, -2:] + DRIFT_PER_S**2 * frames.position_cov
    speed = float(np.linalg.norm(velocity))
    along = velocity / speed if speed > 0 else np.array([0.0, 1.0])
    course = math.degrees(math.atan2(velocity[0], velocity[1])) % 360.0
    return speed, float(math.sqrt(along @ cov @ along)), course
