"""Angles of a camera to a rotation and back, and a mount's angles carried by a vehicle.

Camera axes are x right, y down, z forward along the optical axis; the ground's are east, north, up.
heading_deg is clockwise from true north, pitch_deg 0 at the horizon and -90 straight down, roll_deg
positive when the camera is turned clockwise as seen from behind. docs/frames.md draws them.
"""

from __future__ import annotations

import math

import numpy as np

from patrolvision.types import FloatArray

_GIMBAL_LOCK = 1e-9  # the optical axis is vertical: heading and roll are one angle


def enu_from_camera(heading_deg: float, pitch_deg: float, roll_deg: float) -> FloatArray:
    """Rotation (3, 3): its columns are the camera's right, down and forward, in east, north, up."""
    heading, pitch, roll = (math.radians(a) for a in (heading_deg, pitch_deg, roll_deg))
    sin_h, cos_h = math.sin(heading), math.cos(heading)
    sin_p, cos_p = math.sin(pitch), math.cos(pitch)
    sin_r, cos_r = math.sin(roll), math.cos(roll)
    forward = np.array([sin_h * cos_p, cos_h * cos_p, sin_p])
    level_right = np.array([cos_h, -sin_h, 0.0])
    level_down = np.array([sin_h * sin_p, cos_h * sin_p, -cos_p])
    right = cos_r * level_right + sin_r * level_down
    down = cos_r * level_down - sin_r * level_right
    return np.stack([right, down, forward], axis=1)


def angles_of(enu_from_camera_rotation: FloatArray) -> tuple[float, float, float]:
    """heading_deg in [0, 360), pitch_deg in [-90, 90], roll_deg in (-180, 180] of (3, 3).

    Straight up or down, heading and roll turn about one axis: roll is then given as 0.
    """
    right, down, forward = enu_from_camera_rotation.T
    level = math.hypot(forward[0], forward[1])
    pitch = math.atan2(forward[2], level)
    if level < _GIMBAL_LOCK:
        return math.degrees(math.atan2(-right[1], right[0])) % 360.0, math.degrees(pitch), 0.0
    heading = math.atan2(forward[0], forward[1])
    roll = math.atan2(-right[2], -down[2])
    return math.degrees(heading) % 360.0, math.degrees(pitch), math.degrees(roll)


def camera_angles(
    heading_deg: float,
    pitch_deg: float,
    roll_deg: float,
    mount_yaw_deg: float,
    mount_pitch_deg: float,
    mount_roll_deg: float,
) -> tuple[float, float, float]:
    """heading_deg, pitch_deg, roll_deg of a camera that is mounted on a vehicle.

    The vehicle's angles are heading clockwise from true north, pitch positive nose up, roll
    positive right side down; the mount's are the camera's own on a level vehicle that heads north.
    """
    body_from_camera = enu_from_camera(mount_yaw_deg, mount_pitch_deg, mount_roll_deg)
    return angles_of(enu_from_body(heading_deg, pitch_deg, roll_deg) @ body_from_camera)


def enu_from_body(heading_deg: float, pitch_deg: float, roll_deg: float) -> FloatArray:
    """Rotation (3, 3) of a vehicle: its columns are right, forward and up, in east, north, up.

    A lever arm in the vehicle's right, forward, up becomes east, north, up by it.
    """
    right, down, forward = enu_from_camera(heading_deg, pitch_deg, roll_deg).T
    return np.stack([right, forward, -down], axis=1)
