"""Tracks: what averages away and what does not, what stands and what moves."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from patrolvision.geo.fit import FittedTrack, fit_track
from patrolvision.geo.geodesy import local_en, offset
from patrolvision.geo.project import GroundPoint, locate_pixels, pixel_of
from patrolvision.types import Lens, Pose

AT = datetime(2026, 5, 4, tzinfo=UTC)
LENS = Lens(1920, 1080, 1400.0, 1400.0, 960.0, 540.0)
LAT, LON = 22.84, 113.23


def drive(
    rng: np.random.Generator,
    n: int = 20,
    seconds: float = 2.0,
    thing_speed: float = 0.0,
    pitch_error: float = 0.0,
    heading_error: float = 0.0,
    outliers: int = 0,
) -> list[tuple[datetime, GroundPoint]]:
    """A car drives north at 8 m/s past a thing 25 m ahead and 3 m right that moves north."""
    lens_sigma, points = 2.0, []
    for k in range(n):
        t = seconds * k / max(n - 1, 1)
        lat, lon = (float(x) for x in offset(LAT, LON, 0.0, 8.0 * t))
        true = Pose(AT, lat, lon, 1.8, 0.0, -6.0, 0.0, 2.5, 1.0, 0.5, 0.5, 0.05)
        thing = [float(x) for x in offset(LAT, LON, 3.0, 25.0 + thing_speed * t)]
        pixel = pixel_of(LENS, true, *thing)
        assert pixel is not None
        u, v = np.array(pixel) + rng.normal(0, lens_sigma, 2)
        if k < outliers:
            v += 150.0
        shaken = -6.0 + pitch_error + rng.normal(0, 0.1)
        told = Pose(
            AT, lat, lon, 1.8, heading_error, shaken, 0.0, 2.5, 1.0, 0.5, 0.5, 0.05
        )  # what the telemetry says
        (found,) = locate_pixels(LENS, told, np.array([[u, v]]), lens_sigma, quick=True)
        assert isinstance(found, GroundPoint)
        points.append((AT + timedelta(seconds=t), found))
    return points


def miss(fit: FittedTrack, east: float, north: float) -> np.ndarray:
    return np.array(local_en(LAT, LON, fit.place.lat_deg, fit.place.lon_deg)) - (east, north)


def test_a_standing_thing_is_found_and_stands() -> None:
    fit = fit_track(drive(np.random.default_rng(1)))
    assert np.linalg.norm(miss(fit, 3.0, 25.0)) < 0.5
    assert not fit.is_moving
    assert fit.speed_mps is not None and fit.speed_sigma_mps is not None
    assert fit.speed_mps < 3 * fit.speed_sigma_mps


def test_a_track_is_never_surer_than_the_shared_bias() -> None:
    few, many = (fit_track(drive(np.random.default_rng(2), n)) for n in (5, 60))
    for fit in (few, many):
        # GNSS of 2.5 m and a heading of 1 degree are shared by every frame.
        assert np.linalg.eigvalsh(fit.place.cov_en_m2)[0] >= 2.5**2
        assert np.linalg.eigvalsh(fit.place.cov_en_m2 - fit.bias_cov_en_m2)[0] > 0
    own = [np.trace(f.place.cov_en_m2 - f.bias_cov_en_m2) for f in (few, many)]
    assert own[1] > own[0] / 2.5  # twelve times the frames in the same two seconds tell little more


def test_one_frame_has_its_own_place_and_no_speed() -> None:
    points = drive(np.random.default_rng(3), 1)
    fit = fit_track(points)
    assert (fit.speed_mps, fit.speed_sigma_mps, fit.course_deg) == (None, None, None)
    assert fit.place.lat_deg == pytest.approx(points[0][1].place.lat_deg, abs=1e-10)
    np.testing.assert_allclose(fit.place.cov_en_m2, points[0][1].place.cov_en_m2, rtol=0.05)


@pytest.mark.parametrize("speed", [-6.0, 5.0, 8.0])
def test_a_moving_thing_moves_as_fast_as_it_does(speed: float) -> None:
    fit = fit_track(drive(np.random.default_rng(4), thing_speed=speed, seconds=1.5))
    assert fit.is_moving
    assert fit.speed_mps is not None and fit.speed_sigma_mps is not None
    assert abs(fit.speed_mps - abs(speed)) < 3 * fit.speed_sigma_mps
    assert math.cos(math.radians(fit.course_deg)) * np.sign(speed) > 0.9
    assert fit.at == AT + timedelta(seconds=0.75)
    np.testing.assert_allclose(miss(fit, 3.0, 25.0 + 0.75 * speed), 0.0, atol=1.5)


@pytest.mark.parametrize("pitch_error", [-0.5, 0.5, 1.0])
def test_a_wrong_pitch_does_not_make_a_standing_thing_move(pitch_error: float) -> None:
    fit = fit_track(drive(np.random.default_rng(5), pitch_error=pitch_error))
    assert fit.speed_mps is not None and fit.speed_sigma_mps is not None
    assert fit.speed_mps < 3 * fit.speed_sigma_mps
    assert not fit.is_moving


def test_outliers_are_dropped_and_do_not_pull() -> None:
    fit = fit_track(drive(np.random.default_rng(6), n=20, outliers=3))
    assert (fit.frames, fit.inliers) == (20, 17)
    assert np.linalg.norm(miss(fit, 3.0, 25.0)) < 0.7


def test_the_stated_error_holds_over_many_drives() -> None:
    rng = np.random.default_rng(7)
    held = []
    for _ in range(60):
        points = drive(rng, n=5, pitch_error=rng.normal(0, 0.45), heading_error=rng.normal(0, 1.0))
        fit = fit_track(points)
        shift = rng.normal(0, 2.5, 2)  # the GNSS bias of this drive
        error = miss(fit, 3.0, 25.0) + shift
        held.append(error @ np.linalg.inv(fit.place.cov_en_m2) @ error <= 5.991)
    # 60 draws of 95 % scatter by 2.8 %; the floors make the ellipse a little too large.
    assert 0.89 <= np.mean(held) <= 1.0


def test_a_contact_error_that_turns_with_the_view_widens_the_place() -> None:
    points = drive(np.random.default_rng(8))
    ahead = np.tile([0.0, 1.0], (len(points), 1))
    plain, widened = fit_track(points), fit_track(points, ahead)
    gain = widened.place.cov_en_m2 - plain.place.cov_en_m2
    assert 0.5 < gain[1, 1] <= 1.01  # a metre along the view, of which range tells a little
    assert abs(gain[0, 0]) < 0.05


def test_a_track_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one place"):
        fit_track([])
