"""Where a box touches the ground: the pixel that stands for a thing's place, by its shape and view.

In a shallow view a box's lower edge is the thing's near edge on the ground, and its middle stands
half its depth farther along the view. From straight above, the box is the footprint and its middle
the place. Between the two views the contact moves from the one to the other. How deep a vehicle is,
its box's width tells: broad from the side, then shallow; narrow from behind, then deep.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from patrolvision.geo.attitude import enu_from_camera
from patrolvision.geo.camera import pixels_from_rays, rays_from_pixels
from patrolvision.types import FloatArray, Lens, Pose

BOX_JITTER = 0.03  # sigma of a box's edge, of the box's height
STEEP_SINE = np.sin(np.radians(45.0))  # from here down a box shows a footprint's depth
_TURNED = 1.1  # width plus depth of a turned rectangle over its sides' sum: 1 to 1.41
_SHALLOW_DEG, _FROM_ABOVE_DEG = 50.0, 70.0


@dataclass(frozen=True, slots=True)
class Shape:
    """A class's usual size; sigma_m is of the contact along the view, in a shallow view."""

    length_m: float
    width_m: float
    sigma_m: float


SHAPES = {
    "litter": Shape(0.5, 0.5, 0.15),
    "fire": Shape(0.6, 0.6, 0.4),
    "smoke": Shape(1.0, 1.0, 2.0),
    "person": Shape(0.4, 0.4, 0.15),
    "bicycle": Shape(1.7, 0.5, 0.3),
    "motorcycle": Shape(1.9, 0.7, 0.3),
    "car": Shape(4.5, 1.8, 0.6),
    "truck": Shape(7.0, 2.3, 1.2),
    "bus": Shape(11.0, 2.5, 1.5),
}
_UNKNOWN = Shape(1.0, 1.0, 0.5)


@dataclass(frozen=True, slots=True, eq=False)
class Contacts:
    """Of N boxes: NaN where a box's lower edge is not on the ground."""

    pixels: FloatArray  # (N, 2)
    sigma_px: FloatArray  # (N,)
    shift_en_m: FloatArray  # (N, 2) where one sigma of the contact's error moves the place
    footprint_m2: FloatArray  # (N,) area on the ground
    is_steep: NDArray[np.bool_]  # (N,) seen at more than 45 degrees below the horizon


def contacts_of(
    lens: Lens, pose: Pose, xyxy: FloatArray, class_names: Sequence[str], sigma_pixel: float
) -> Contacts:
    """The ground contacts of boxes (N, 4) of one frame, each of the class of class_names."""
    x1, y1, x2, y2 = np.asarray(xyxy, np.float64).reshape(-1, 4).T
    middle_x, middle_y = (x1 + x2) / 2, (y1 + y2) / 2
    below, left, right, middle, top = _rays(
        lens, pose, [(middle_x, y2), (x1, y2), (x2, y2), (middle_x, middle_y), (middle_x, y1)]
    )
    slant_m = pose.height_m / np.where(below[:, 2] < 0, -below[:, 2], np.nan)
    width_m = np.linalg.norm(right - left, axis=1) * slant_m
    depth_m, sigma_m = _depths(class_names, width_m)
    sine = np.clip(-middle[:, 2], 0.0, 1.0)
    level = middle[:, :2] / np.maximum(np.linalg.norm(middle[:, :2], axis=1), 1e-9)[:, None]
    foot = below * slant_m[:, None]
    foot[:, :2] += level * (depth_m / 2)[:, None]
    above = _from_above(sine)[:, None]
    centre = np.stack([middle_x, middle_y], axis=1)
    is_steep = sine >= STEEP_SINE
    seen_depth = np.linalg.norm(top - below, axis=1) * slant_m / np.maximum(sine, 0.1)
    return Contacts(
        (1 - above) * _pixels(lens, pose, foot) + above * centre,
        np.hypot(sigma_pixel, BOX_JITTER * (y2 - y1)),
        level * (sigma_m * np.sqrt(1 - sine**2))[:, None],
        np.pi / 4 * width_m * np.where(is_steep, seen_depth, width_m),
        is_steep,
    )


def _depths(class_names: Sequence[str], seen_width_m: FloatArray) -> tuple[FloatArray, FloatArray]:
    """How deep along the view each thing is, by class and seen width; the contact's sigma."""
    shapes = [SHAPES.get(name, _UNKNOWN) for name in class_names]
    sizes = np.array([(s.length_m, s.width_m, s.sigma_m) for s in shapes], np.float64)
    length, width, sigma = sizes.reshape(-1, 3).T
    return np.clip(_TURNED * (length + width) - seen_width_m, width, length), sigma


def _from_above(sine: FloatArray) -> FloatArray:
    """0 in a shallow view to 1 in one from above, by the sine of the depression."""
    depression = np.degrees(np.arcsin(sine))
    return np.asarray(
        np.clip((depression - _SHALLOW_DEG) / (_FROM_ABOVE_DEG - _SHALLOW_DEG), 0.0, 1.0)
    )


def _rays(lens: Lens, pose: Pose, points: list[tuple[FloatArray, FloatArray]]) -> list[FloatArray]:
    """Rays (N, 3) in east, north, up through each of the lists of N pixels."""
    pixels = np.concatenate([np.stack(p, axis=1) for p in points])
    rotation = enu_from_camera(pose.heading_deg, pose.pitch_deg, pose.roll_deg)
    return np.split(rays_from_pixels(lens, pixels) @ rotation.T, len(points))


def _pixels(lens: Lens, pose: Pose, rays_enu: FloatArray) -> FloatArray:
    rotation = enu_from_camera(pose.heading_deg, pose.pitch_deg, pose.roll_deg)
    return pixels_from_rays(lens, rays_enu @ rotation)
