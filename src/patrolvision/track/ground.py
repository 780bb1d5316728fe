"""Where what stands on the ground will be in the next picture, from the two poses.

Near a moving camera the picture does not move as one: what is five metres away leaps while the
horizon stands still, and no single warp of the picture follows it. With poses known, the foot of a
box has a place on the ground, and that place has a pixel in the next picture. Far away the pose's
own error (a degree of heading is ten pixels) exceeds what the picture tells, so this is a second
opinion beside the picture's motion and not its successor.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from patrolvision.geo.attitude import enu_from_camera
from patrolvision.geo.camera import pixels_from_rays, rays_from_pixels
from patrolvision.geo.geodesy import local_en
from patrolvision.geo.ground import meet_flat
from patrolvision.track.kalman import BoxStates
from patrolvision.types import FloatArray, Lens, Pose

FARTHEST_M = 80.0
NEAREST_M = 0.5  # in front of the camera: nearer, a box has left the picture
MOST_GROWTH = 4.0  # between two pictures


def carried(
    states: BoxStates, lens: Lens, before: Pose, after: Pose
) -> tuple[BoxStates, NDArray[np.bool_]]:
    """The states as seen from the pose after, and which of them have a known foot on the ground.

    States that have none are returned as they were.
    """
    boxes = states.xyxy
    feet = np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]], axis=1)
    old_turn = enu_from_camera(before.heading_deg, before.pitch_deg, before.roll_deg)
    new_turn = enu_from_camera(after.heading_deg, after.pitch_deg, after.roll_deg)
    ground = meet_flat(rays_from_pixels(lens, feet) @ old_turn.T, before.height_m)
    east, north = local_en(before.lat_deg, before.lon_deg, after.lat_deg, after.lon_deg)
    old = _from_camera(ground, before.height_m, old_turn)
    new = _from_camera(ground - (float(east), float(north)), after.height_m, new_turn)
    pixels = pixels_from_rays(lens, new)
    with np.errstate(invalid="ignore", divide="ignore"):
        growth = old[:, 2] / new[:, 2]
        is_known = (
            np.isfinite(pixels).all(axis=1)
            & (np.hypot(*ground.T) <= FARTHEST_M)
            & (new[:, 2] >= NEAREST_M)
            & (growth <= MOST_GROWTH)
            & (growth >= 1 / MOST_GROWTH)
        )
    growth = np.where(is_known, growth, 1.0)
    mean, variance = states.mean.copy(), states.variance.copy()
    height = boxes[:, 3] - boxes[:, 1]
    moved = np.stack([pixels[:, 0], pixels[:, 1] - height * growth / 2], axis=1)
    mean[:, :2, 0] = np.where(is_known[:, None], moved, mean[:, :2, 0])
    mean[:, :2, 1] *= growth[:, None]
    mean[:, 2:, 0] += np.log(growth)[:, None]
    variance[:, :2] *= (growth**2)[:, None, None]
    return BoxStates(mean, variance), is_known


def _from_camera(ground: FloatArray, height_m: float, turn: FloatArray) -> FloatArray:
    """Places on the ground (N, 2) in the camera's axes (N, 3): right, down, forward."""
    down = np.full((len(ground), 1), -height_m)
    return np.hstack([ground, down]) @ turn
