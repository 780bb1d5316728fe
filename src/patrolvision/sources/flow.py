"""How the picture moved since the last one, as rays: a turn, and where the camera is heading.

Corners are followed by sparse optical flow, there and back (J. Bouguet, 2001). A camera that goes
straight on sees everything flow out of one point, the focus of expansion: the direction of travel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from patrolvision.geo.camera import rays_from_pixels, scaled_lens
from patrolvision.types import FloatArray, Image, Lens

WORKING_PX = 256
CORNERS = 48
LEAST_CORNERS = 12
RETURN_PX = 0.7
LEAST_FLOW_PX = 0.6  # of the shrunk picture: less shows no direction
FAR_DEG = 8.0  # from the horizon: what lies there is far, and moves by turning only
FARTHEST_FOE = 0.6  # tangent of its angle from the optical axis
_WINDOW: dict[str, Any] = {"winSize": (17, 17), "maxLevel": 3}


@dataclass(frozen=True, slots=True)
class PictureMotion:
    """From one picture to the next.

    turn_deg is clockwise positive. foe_deg is (to the right, up) of the optical axis, None where
    the flow shows no single point.
    """

    turn_deg: float
    foe_deg: tuple[float, float] | None
    corners: int


class FlowMeter:
    """Remembers the last picture of one stream."""

    def __init__(self, lens: Lens) -> None:
        self._lens = lens
        self._grey: Any = None

    def update(self, image: Image, pitch_deg: float) -> PictureMotion | None:
        """The motion since the last picture (H, W, 3) BGR; None for each first of two.

        pitch_deg tells where the horizon lies.
        """
        height, width = image.shape[:2]
        scale = min(1.0, WORKING_PX / width)
        size_wh = max(1, round(width * scale)), max(1, round(height * scale))
        full = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)  # before shrinking: half the work
        grey = cv2.resize(full, size_wh, interpolation=cv2.INTER_AREA) if scale < 1 else full
        before, self._grey = self._grey, grey
        if before is None or before.shape != grey.shape:
            return None
        self._grey = None  # every other step is measured: half the work, and as long a series
        followed = _followed(before, grey)
        if followed is None:
            return None
        lens = scaled_lens(self._lens, *size_wh)
        start = rays_from_pixels(lens, followed[0].astype(np.float64))
        end = rays_from_pixels(lens, followed[1].astype(np.float64))
        sound = np.isfinite(start).all(axis=1) & np.isfinite(end).all(axis=1)
        start, end = start[sound], end[sound]
        if len(start) < LEAST_CORNERS:
            return None
        foe = _focus(start, end, LEAST_FLOW_PX / lens.fx)
        return PictureMotion(_turn_deg(start, end, pitch_deg), foe, len(start))


def _followed(before: Any, after: Any) -> tuple[FloatArray, FloatArray] | None:
    corners = cv2.goodFeaturesToTrack(before, CORNERS, qualityLevel=0.01, minDistance=8)
    if corners is None or len(corners) < LEAST_CORNERS:
        return None
    end, there, _ = cv2.calcOpticalFlowPyrLK(before, after, corners, None, **_WINDOW)  # type: ignore[call-overload]
    back, again, _ = cv2.calcOpticalFlowPyrLK(after, before, end, None, **_WINDOW)  # type: ignore[call-overload]
    start, end, back = (np.asarray(p).reshape(-1, 2) for p in (corners, end, back))
    kept = (there.ravel() == 1) & (again.ravel() == 1)
    kept &= np.linalg.norm(start - back, axis=1) < RETURN_PX
    return (start[kept], end[kept]) if kept.sum() >= LEAST_CORNERS else None


def _turn_deg(start: FloatArray, end: FloatArray, pitch_deg: float) -> float:
    """The camera's turn to the right: the median of how far things moved to the left."""
    pitch = math.radians(pitch_deg)
    # up in the world, for a camera that is level across: y down turned by the pitch
    rise = np.degrees(np.arcsin(-start[:, 1] * math.cos(pitch) + start[:, 2] * math.sin(pitch)))
    is_far = abs(rise) < FAR_DEG
    chosen = is_far if is_far.sum() >= LEAST_CORNERS // 2 else np.ones(len(start), bool)
    ahead_start = start[:, 2] * math.cos(pitch) + start[:, 1] * math.sin(pitch)
    ahead_end = end[:, 2] * math.cos(pitch) + end[:, 1] * math.sin(pitch)
    moved = np.arctan2(end[:, 0], ahead_end) - np.arctan2(start[:, 0], ahead_start)
    return -math.degrees(float(np.median(moved[chosen])))


def _focus(start: FloatArray, end: FloatArray, least: float) -> tuple[float, float] | None:
    """The point that the flow lines meet in, by reweighted least squares of their distances."""
    a, b = start[:, :2] / start[:, 2:], end[:, :2] / end[:, 2:]
    flow = b - a
    length = np.linalg.norm(flow, axis=1)
    moved = length > least
    if moved.sum() < LEAST_CORNERS:
        return None
    a, flow, length = a[moved], flow[moved], length[moved]
    normal = np.stack([-flow[:, 1], flow[:, 0]], axis=1) / length[:, None]
    along = np.einsum("ni,ni->n", normal, a)
    weight = np.minimum(length, 10 * least)
    point = np.zeros(2)
    for _ in range(8):
        scaled = normal * weight[:, None]
        try:
            point = np.linalg.solve(scaled.T @ normal, scaled.T @ along)
        except np.linalg.LinAlgError:
            return None
        missed = abs(normal @ point - along)
        scale = max(float(np.median(missed)) * 1.4826, 1e-4)
        weight = np.minimum(length, 10 * least) / (1.0 + (missed / scale) ** 2)
    outward = np.einsum("ni,ni->n", flow, a - point) > 0
    if float(np.linalg.norm(point)) > FARTHEST_FOE or outward.mean() < 0.8:
        return None
    right, down = np.degrees(np.arctan(point))
    return float(right), -float(down)
