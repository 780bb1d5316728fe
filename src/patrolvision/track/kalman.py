"""Where boxes will be: one constant-velocity Kalman filter per box, for all boxes at once.

Followed are centre x, centre y, log width and log height, each with its rate a second; the four do
not influence each other, so each is a filter of two numbers (Y. Bar-Shalom et al., Estimation with
Applications to Tracking and Navigation, section 6.2.2, white-noise acceleration). Size in
logarithms, because a thing approached grows by a ratio. Time is in seconds, so that the same
figures hold at 2 and at 30 frames a second; lengths are relative to the box, so that near and far
are alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patrolvision.types import FloatArray

Boxes = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class MotionNoise:
    """Standard deviations. "Sizes" are sqrt(width * height) of the box itself.

    position: of a detected centre, sizes; log_size: of a detected log width or height. speed,
    growth: how fast a new box may move (sizes/s) or grow (1/s), after the camera's own motion.
    jolt, growth_jolt: how much that changes, sizes/s and 1/s for every square root of a second.
    """

    position: float = 0.05
    log_size: float = 0.08
    speed: float = 1.5
    growth: float = 0.7
    jolt: float = 1.5
    growth_jolt: float = 0.7


@dataclass(frozen=True, slots=True, eq=False)
class BoxStates:
    """N boxes in motion: value and rate (N, 4, 2) of centre x, centre y, log w, log h, pixels and
    s.

    variance (N, 4, 3): of the value, of value with rate, of the rate.
    """

    mean: FloatArray
    variance: FloatArray

    def select(self, index: NDArray[Any]) -> BoxStates:
        """The boxes that a mask or an index array picks."""
        return BoxStates(self.mean[index], self.variance[index])

    def joined(self, other: BoxStates) -> BoxStates:
        """These boxes, then the other's."""
        return BoxStates(
            np.concatenate([self.mean, other.mean]),
            np.concatenate([self.variance, other.variance]),
        )

    @property
    def xyxy(self) -> FloatArray:
        """The boxes (N, 4) in pixels."""
        centre, half = self.mean[:, :2, 0], np.exp(np.clip(self.mean[:, 2:, 0], -5, 12)) / 2
        return np.concatenate([centre - half, centre + half], axis=1)

    @property
    def size_px(self) -> FloatArray:
        """sqrt(width * height), (N,)."""
        result: FloatArray = np.exp(np.clip(self.mean[:, 2:, 0], -5, 12).mean(axis=1))
        return result

    @property
    def sigma_px(self) -> FloatArray:
        """Standard deviations (N, 2) of the centre."""
        return np.sqrt(self.variance[:, :2, 0])


def born(xyxy: Boxes, noise: MotionNoise) -> BoxStates:
    """States of boxes (N, 4) seen for the first time: at rest, as far as anyone knows."""
    values = _measured(xyxy)
    mean = np.stack([values, np.zeros_like(values)], axis=2)
    variance = np.zeros((len(values), 4, 3))
    scale = _scale(values)
    variance[:, :, 0] = (scale * _pair(noise.position, noise.log_size)) ** 2
    variance[:, :, 2] = (scale * _pair(noise.speed, noise.growth)) ** 2
    return BoxStates(mean, variance)


def predicted(states: BoxStates, dt_s: float, noise: MotionNoise) -> BoxStates:
    """The states dt_s seconds later."""
    mean, old = states.mean.copy(), states.variance
    mean[:, :, 0] += dt_s * mean[:, :, 1]
    q = (_scale(states.mean[:, :, 0]) * _pair(noise.jolt, noise.growth_jolt)) ** 2
    variance = np.empty_like(old)
    variance[:, :, 0] = (
        old[..., 0] + dt_s * (2 * old[..., 1] + dt_s * old[..., 2]) + q * dt_s**3 / 3
    )
    variance[:, :, 1] = old[..., 1] + dt_s * old[..., 2] + q * dt_s**2 / 2
    variance[:, :, 2] = old[..., 2] + q * dt_s
    return BoxStates(mean, variance)


def warped(states: BoxStates, warp: FloatArray) -> BoxStates:
    """The states as the camera sees them after its own motion, a similarity (2, 3) in pixels."""
    turn = warp[:, :2]
    ratio = float(np.sqrt(abs(np.linalg.det(turn))))
    mean, variance = states.mean.copy(), states.variance.copy()
    mean[:, :2, 0] = states.mean[:, :2, 0] @ turn.T + warp[:, 2]
    mean[:, :2, 1] = states.mean[:, :2, 1] @ turn.T
    mean[:, 2:, 0] += np.log(ratio)
    variance[:, :2] *= ratio**2
    return BoxStates(mean, variance)


def corrected(states: BoxStates, xyxy: Boxes, noise: MotionNoise) -> BoxStates:
    """The states after each has been seen as the box in its row of xyxy (N, 4)."""
    values = _measured(xyxy)
    error = (_scale(values) * _pair(noise.position, noise.log_size)) ** 2
    old = states.variance
    total = old[..., 0] + error
    gain = np.stack([old[..., 0] / total, old[..., 1] / total], axis=2)
    mean = states.mean + gain * (values - states.mean[:, :, 0])[..., None]
    variance = np.empty_like(old)
    variance[..., 0] = (1 - gain[..., 0]) * old[..., 0]
    variance[..., 1] = (1 - gain[..., 0]) * old[..., 1]
    variance[..., 2] = old[..., 2] - gain[..., 1] * old[..., 1]
    return BoxStates(mean, variance)


def _measured(xyxy: Boxes) -> FloatArray:
    """centre x, centre y, log width, log height (N, 4)."""
    boxes = np.asarray(xyxy, np.float64).reshape(-1, 4)
    size = np.maximum(boxes[:, 2:] - boxes[:, :2], 1.0)
    return np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, np.log(size)], axis=1)


def _scale(values: FloatArray) -> FloatArray:
    """What relative figures are multiplied by: the centre's by the size in pixels, logs by 1."""
    size = np.exp(np.clip(values[:, 2:], -5, 12).mean(axis=1))
    return np.stack([size, size, np.ones_like(size), np.ones_like(size)], axis=1)


def _pair(of_centre: float, of_log: float) -> FloatArray:
    return np.array([of_centre, of_centre, of_log, of_log])
