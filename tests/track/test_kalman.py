from __future__ import annotations

import numpy as np
import pytest

from patrolvision.track.kalman import MotionNoise, born, corrected, predicted, warped

NOISE = MotionNoise()


def _box_at(t_s: float) -> np.ndarray:
    """A box that moves 120 px/s to the right and grows by half a second."""
    w, h = 40 * np.exp(0.5 * t_s), 30 * np.exp(0.5 * t_s)
    x, y = 100 + 120 * t_s, 200
    return np.array([[x - w / 2, y - h / 2, x + w / 2, y + h / 2]])


@pytest.mark.parametrize("fps", [5, 10, 30])
def test_a_steady_motion_is_learnt_at_any_rate(fps: int) -> None:
    states = born(_box_at(0), NOISE)
    for index in range(1, 2 * fps + 1):
        states = corrected(predicted(states, 1 / fps, NOISE), _box_at(index / fps), NOISE)
    ahead = predicted(states, 0.2, NOISE)
    # Unlearnt, the box would be 24 px behind and a tenth too small.
    np.testing.assert_allclose(ahead.xyxy, _box_at(2.2), atol=4)
    assert states.mean[0, 0, 1] == pytest.approx(120, abs=12)


def test_one_long_step_is_as_uncertain_as_many_short_ones() -> None:
    start = born(_box_at(0), NOISE)
    long, short = predicted(start, 0.5, NOISE), start
    for _ in range(50):
        short = predicted(short, 0.01, NOISE)
    np.testing.assert_allclose(short.variance, long.variance, rtol=1e-9)
    np.testing.assert_allclose(short.mean, long.mean, rtol=1e-9)


def test_uncertainty_grows_unseen_and_shrinks_when_seen() -> None:
    start = born(_box_at(0), NOISE)
    later = predicted(start, 0.5, NOISE)
    seen = corrected(later, _box_at(0), NOISE)
    assert (later.sigma_px > start.sigma_px).all()
    assert (seen.sigma_px < start.sigma_px * 1.0001).all()


def test_variances_stay_positive_definite() -> None:
    random = np.random.default_rng(2)
    states = born(_box_at(0), NOISE)
    for _ in range(200):
        states = predicted(states, float(random.uniform(0, 0.5)), NOISE)
        states = corrected(states, _box_at(0) + random.normal(0, 3, 4), NOISE)
        pp, pv, vv = np.moveaxis(states.variance, 2, 0)
        assert (pp > 0).all()
        assert (pp * vv - pv**2 > 0).all()


def test_the_cameras_motion_moves_turns_and_scales_the_state() -> None:
    states = predicted(born(np.array([[90.0, 190, 110, 210]]), NOISE), 0.0, NOISE)
    quarter_turn_and_double = np.array([[0.0, -2, 500], [2, 0, 0]])
    moved = warped(states, quarter_turn_and_double)
    np.testing.assert_allclose(moved.xyxy, [[80, 180, 120, 220]], atol=1e-9)
    np.testing.assert_allclose(moved.sigma_px, 2 * states.sigma_px)
