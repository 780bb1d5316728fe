"""One line of `patrolvision locate`: camera, pose and pixel in; a place, or why there is none, out.

The camera is given by fx (fy, cx, cy default to fx and the middle) or by hfov_deg; sigmas that a
case leaves out are those of a camera file that leaves them out.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from patrolvision.errors import ObservationError
from patrolvision.geo.camera import focal_from_hfov
from patrolvision.geo.project import NoGround, locate_pixel
from patrolvision.types import Lens, Pose, Sigma

_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)  # a case has no instant, a pose needs one
_DEFAULT = Sigma()
_LARGEST = 1e7  # beyond any metre, degree or pixel of a camera over a street


def answer_case(case: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to one case, as docs of `patrolvision locate` give it: status ok or no_ground.

    Raises ObservationError, naming the case and the field, for a case that cannot be true.
    """
    name = str(case.get("id", "?")) if isinstance(case, Mapping) else "?"
    if not isinstance(case, Mapping):
        raise ObservationError(f"case {name}: expected a JSON object, got {type(case).__name__}")
    fields = _Fields(name)
    lens = _lens(fields, fields.part(case, "camera"))
    pose = _pose(fields, fields.part(case, "pose"))
    pixel = case.get("pixel")
    if not isinstance(pixel, (list, tuple)) or len(pixel) != 2:
        raise ObservationError(f"case {name}: pixel must be [u, v], got {pixel!r}")
    uv = [fields.checked(value, "pixel") for value in pixel]
    sigma_pixel = fields.sigma(case, "sigma_pixel", _DEFAULT.pixel)
    try:
        with np.errstate(all="ignore"):
            found = locate_pixel(lens, pose, uv, sigma_pixel)
    except (ValueError, np.linalg.LinAlgError) as error:
        raise fields.wrong("its numbers are too extreme to compute with") from error
    if isinstance(found, NoGround):
        return {"id": case.get("id"), "status": "no_ground", "reason": found.reason}
    return {
        "id": case.get("id"),
        "status": "ok",
        "lat_deg": found.place.lat_deg,
        "lon_deg": found.place.lon_deg,
        "cov_en_m2": found.place.cov_en_m2.tolist(),
        "range_m": found.range_m,
    }


class _Fields:
    """Reads numbers out of a case, and names the case and the field when one is wrong."""

    def __init__(self, case: str) -> None:
        self.case = case

    def wrong(self, message: str) -> ObservationError:
        return ObservationError(f"case {self.case}: {message}")

    def part(self, case: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        part = case.get(name)
        if not isinstance(part, Mapping):
            raise self.wrong(f"{name} must be an object, got {part!r}")
        return part

    def checked(self, value: Any, name: str) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.wrong(f"{name} must be a number, got {value!r}")
        if not abs(value) <= _LARGEST:  # NaN is not either
            raise self.wrong(f"{name} must be a finite number up to {_LARGEST:g}")
        return float(value)

    def number(self, part: Mapping[str, Any], name: str, default: float | None = None) -> float:
        value = part.get(name, default)
        if value is None:
            raise self.wrong(f"{name} is missing")
        return self.checked(value, name)

    def within(self, part: Mapping[str, Any], name: str, low: float, high: float) -> float:
        value = self.number(part, name)
        if not low <= value <= high:
            raise self.wrong(f"{name} must lie in [{low:g}, {high:g}], got {value:g}")
        return value

    def positive(self, part: Mapping[str, Any], name: str, default: float | None = None) -> float:
        value = self.number(part, name, default)
        if value <= 0:
            raise self.wrong(f"{name} must be > 0, got {value:g}")
        return value

    def sigma(self, part: Mapping[str, Any], name: str, default: float) -> float:
        value = self.number(part, name, default)
        if value < 0:
            raise self.wrong(f"{name} must be >= 0, got {value:g}")
        return value


def _lens(fields: _Fields, camera: Mapping[str, Any]) -> Lens:
    width, height = fields.positive(camera, "width"), fields.positive(camera, "height")
    model = camera.get("model", "brown")
    if model not in ("brown", "fisheye"):
        raise fields.wrong(f"model must be brown or fisheye, got {model!r}")
    distortion = camera.get("distortion") or []
    if not isinstance(distortion, (list, tuple)):
        raise fields.wrong(f"distortion must be a list of numbers, got {distortion!r}")
    fx = _focal(fields, camera, width)
    try:
        return Lens(
            int(width),
            int(height),
            fx,
            fields.positive(camera, "fy", fx),
            fields.number(camera, "cx", width / 2),
            fields.number(camera, "cy", height / 2),
            model,
            tuple(fields.checked(k, "distortion") for k in distortion),
        )
    except ValueError as error:
        raise fields.wrong(f"camera: {error}") from error


def _focal(fields: _Fields, camera: Mapping[str, Any], width: float) -> float:
    if "fx" in camera or "hfov_deg" not in camera:
        return fields.positive(camera, "fx")
    return focal_from_hfov(int(width), fields.within(camera, "hfov_deg", 1.0, 170.0))


def _pose(fields: _Fields, pose: Mapping[str, Any]) -> Pose:
    return Pose(
        at=_ANY_TIME,
        lat_deg=fields.within(pose, "lat_deg", -90.0, 90.0),
        lon_deg=fields.within(pose, "lon_deg", -180.0, 180.0),
        height_m=fields.positive(pose, "height_m"),
        heading_deg=fields.number(pose, "heading_deg"),
        pitch_deg=fields.within(pose, "pitch_deg", -180.0, 180.0),
        roll_deg=fields.number(pose, "roll_deg", 0.0),
        sigma_position_m=fields.sigma(pose, "sigma_position_m", _DEFAULT.position_m),
        sigma_heading_deg=fields.sigma(pose, "sigma_heading_deg", _DEFAULT.heading_deg),
        sigma_pitch_deg=fields.sigma(pose, "sigma_pitch_deg", _DEFAULT.pitch_deg),
        sigma_roll_deg=fields.sigma(pose, "sigma_roll_deg", _DEFAULT.roll_deg),
        sigma_height_m=fields.sigma(pose, "sigma_height_m", 0.0),
    )
