"""Angles <-> rotation matrices, so that a camera's mount is composed and never merely added.

Axes of every body (vehicle or camera): right, forward, up. Axes of the map: east, north, up.
Heading is clockwise from north, pitch up positive, roll positive clockwise as seen from behind. R
= Rz(-heading) Rx(pitch) Ry(roll): roll first, then pitch, then heading.
"""

from __future__ import annotations

import numpy as np

from patrolvision.types import FloatArray

_STEEP = 1.0 - 1e-9


def enu_from_body(heading_deg: float, pitch_deg: float, roll_deg: float) -> FloatArray:
    """(3, 3) rotation; its columns are the body's right, forward and up in east, north, up."""
    h, p, r = np.radians((heading_deg, pitch_deg, roll_deg))
    yaw = np.array([[np.cos(h), np.sin(h), 0], [-np.sin(h), np.cos(h), 0], [0, 0, 1]])
    pitch = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    roll = np.array([[np.cos(r), 0, np.sin(r)], [0, 1, 0], [-np.sin(r), 0, np.cos(r)]])
    return np.asarray(yaw @ pitch @ roll, dtype=np.float64)


def angles_of(enu_from_any_body: FloatArray) -> tuple[float, float, float]:
    """(heading_deg in [0, 360), pitch_deg, roll_deg); straight up or down has roll 0."""
    rotation = enu_from_any_body
    sin_pitch = float(np.clip(rotation[2, 1], -1.0, 1.0))
    pitch = float(np.degrees(np.arcsin(sin_pitch)))
    if abs(sin_pitch) > _STEEP:
        heading = float(np.degrees(np.arctan2(-rotation[1, 0], rotation[0, 0])))
        return heading % 360.0, pitch, 0.0
    heading = float(np.degrees(np.arctan2(rotation[0, 1], rotation[1, 1])))
    roll = float(np.degrees(np.arctan2(-rotation[2, 0], rotation[2, 2])))
    return heading % 360.0, pitch, roll


def compose(
    body: tuple[float, float, float], mount: tuple[float, float, float]
) -> tuple[float, float, float]:
    """The absolute (heading, pitch, roll) of what is mounted at these angles on such a body."""
    return angles_of(enu_from_body(*body) @ enu_from_body(*mount))


def circular_between(first_deg: float, second_deg: float, share: float) -> float:
    """The angle at a share in [0, 1] of the shorter way from first to second, in [0, 360)."""
    return (first_deg + share * turn_between(first_deg, second_deg)) % 360.0


def turn_between(first_deg: float, second_deg: float) -> float:
    """The signed shorter turn from first to second, in [-180, 180)."""
    return (second_deg - first_deg + 180.0) % 360.0 - 180.0
