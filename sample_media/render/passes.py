"""The three passes: when they were made, with which lens, and where the camera was at any instant.

Street frame: x metres along the street, y metres to the left of its centre line, z up. Poses are
exact; the errors of the receivers are added by `sidecars.py` and never by the renderer.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

IMAGE_WIDTH_PX = 960
IMAGE_HEIGHT_PX = 540
SENSOR_WIDTH_MM = 36.0


@dataclass(frozen=True)
class Pass:
    """One clip; the sun's azimuth is counted from straight ahead towards the left."""

    name: str
    platform: str
    frames: int
    fps: int
    lens_mm: float
    sun_azimuth_deg: float
    sun_elevation_deg: float
    started_at: datetime
    flame_clock_s: float

    @property
    def focal_px(self) -> float:
        return self.lens_mm / SENSOR_WIDTH_MM * IMAGE_WIDTH_PX

    @property
    def duration_s(self) -> float:
        return self.frames / self.fps


_EIGHT = datetime.fromisoformat("2026-05-04T08:00:00+08:00")
PASSES = {
    one.name: one
    for one in (
        Pass("car_a", "car", 40, 4, 24.0, 168.0, 28.0, _EIGHT, 0.0),
        Pass("drone_c", "drone", 24, 2, 40.0, 167.0, 32.0, _EIGHT + timedelta(seconds=1210), 10.0),
        Pass("car_b", "car", 40, 4, 24.0, 166.0, 35.0, _EIGHT + timedelta(seconds=1920), 20.0),
    )
}


def _sway(rng: np.random.Generator, t_s: np.ndarray, sigma: float, period_s: float) -> np.ndarray:
    """A smooth wobble with the standard deviation `sigma`: four sines of unrelated periods."""
    phases = rng.uniform(0, 2 * np.pi, 4)
    rates_hz = np.array([0.6, 1.0, 1.5, 2.3]) / period_s
    waves = [np.sin(2 * np.pi * f * t_s + p) for f, p in zip(rates_hz, phases, strict=True)]
    return sigma * sum(waves) / np.sqrt(2)


def _car_a(t_s: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(101)
    x = -1 + 6.0 * t_s + 0.25 * np.sin(0.5 * t_s)
    y = -1.75 + 0.06 * np.sin(0.45 * t_s + 0.4)
    yaw = np.degrees(np.arctan2(0.027 * np.cos(0.45 * t_s + 0.4), 6 + 0.125 * np.cos(0.5 * t_s)))
    pitch = -6 + _sway(rng, t_s, 0.15, 1.1)
    return np.stack([x, y, 1.8 + 0 * t_s, yaw, pitch, _sway(rng, t_s, 0.15, 1.3)], -1)


def _car_b(t_s: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(102)
    x = -2 + 5.8 * t_s - 0.2 * np.sin(0.6 * t_s)
    y = -1.45 + 0.08 * np.sin(0.38 * t_s + 2.0)
    yaw = np.degrees(np.arctan2(0.0304 * np.cos(0.38 * t_s + 2), 5.8 - 0.12 * np.cos(0.6 * t_s)))
    pitch = -6 + _sway(rng, t_s, 0.15, 1.2)
    return np.stack([x, y, 1.8 + 0 * t_s, yaw, pitch, _sway(rng, t_s, 0.15, 1.4)], -1)


def _drone_c(t_s: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(103)
    x = -18 + 4.0 * t_s
    y = 0.3 + 0.15 * np.sin(0.3 * t_s)
    height = 25 + 0.1 * np.sin(0.5 * t_s)
    yaw = _sway(rng, t_s, 0.6, 6.0)
    return np.stack([x, y, height, yaw, -45 + _sway(rng, t_s, 0.05, 3.0), 0 * t_s], -1)


def camera_poses(name: str, t_s: np.ndarray) -> np.ndarray:
    """(N, 6) of x, y, height (m), yaw to the left of the street, pitch, roll (degrees).

    `t_s` (N,) counts from the pass's first frame and may lie before or after the clip.
    """
    return {"car_a": _car_a, "car_b": _car_b, "drone_c": _drone_c}[name](np.asarray(t_s, float))


def frame_times_s(one: Pass, doubled: bool = False) -> np.ndarray:
    """Instants of the frames; `doubled` is with a frame rendered between each two."""
    rate = one.fps * (2 if doubled else 1)
    return np.arange(one.frames * (2 if doubled else 1)) / rate
