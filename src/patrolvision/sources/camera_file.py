"""A camera's TOML file -> Camera; every key is checked, an unknown one is refused by name."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from patrolvision.errors import ConfigError
from patrolvision.geo.camera import focal_from_hfov
from patrolvision.types import Camera, Lens, LensModel, Mount, Platform, Sigma

_KEYS: Mapping[str, tuple[str, ...]] = {
    "": ("name", "platform", "image", "lens", "mount", "sigma"),
    "image": ("width", "height"),
    "lens": ("model", "fx", "fy", "cx", "cy", "hfov_deg", "distortion"),
    "mount": ("height_m", "yaw_deg", "pitch_deg", "roll_deg", "lever_arm_m"),
    "sigma": ("position_m", "heading_deg", "pitch_deg", "roll_deg", "pixel", "height_m"),
}
_COEFFICIENTS: Mapping[str, tuple[int, ...]] = {"brown": (0, 4, 5, 8), "fisheye": (0, 4)}


def load_camera(path: Path, *, hfov_deg_of_media: float | None = None) -> Camera:
    """The camera a TOML file describes (docs: contracts, "A camera").

    A lens without fx and hfov_deg takes hfov_deg_of_media, the horizontal field of view in degrees
    that the footage itself tells, or is refused. Raises ConfigError naming file and key.
    """
    table = _Table(path, "", _read(path))
    image, lens = table.section("image"), table.section("lens")
    mount, sigma = table.section("mount"), table.section("sigma")
    return Camera(
        name=table.text("name", path.stem),
        platform=cast(Platform, table.choice("platform", ("car", "drone"))),
        lens=_lens(lens, image.size("width"), image.size("height"), hfov_deg_of_media),
        mount=_mount(mount),
        sigma=_sigma(sigma),
    )


def scaled_lens(lens: Lens, size_wh: tuple[int, int]) -> Lens | None:
    """The same lens for pictures of another size; None where the shape differs by over 1 %.

    A picture of another shape is a crop, and a crop's focal length cannot be known from its size.
    """
    width, height = size_wh
    x, y = width / lens.width, height / lens.height
    if abs(x / y - 1.0) > 0.01:
        return None
    return replace(
        lens,
        width=width,
        height=height,
        fx=lens.fx * x,
        fy=lens.fy * y,
        cx=lens.cx * x,
        cy=lens.cy * y,
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: is not TOML ({error})") from error


class _Table:
    """One table of the file, which knows its name for messages."""

    def __init__(self, path: Path, name: str, values: Mapping[str, Any]) -> None:
        self._path, self._name, self._values = path, name, values
        for key in values:
            if key not in _KEYS[name]:
                known = ", ".join(_KEYS[name])
                raise self.wrong(key, f"unknown key, expected one of {known}")

    def wrong(self, key: str, what: str) -> ConfigError:
        """The error about one key."""
        place = f"{self._name}.{key}" if self._name else key
        return ConfigError(f"{self._path}: {place}: {what}")

    def has(self, key: str) -> bool:
        return key in self._values

    def section(self, name: str) -> _Table:
        values = self._values.get(name, {})
        if not isinstance(values, dict):
            raise self.wrong(name, f"expected a table [{name}], found {values!r}")
        return _Table(self._path, name, values)

    def text(self, key: str, default: str) -> str:
        value = self._values.get(key, default)
        if not isinstance(value, str) or not value:
            raise self.wrong(key, f"expected a text, found {value!r}")
        return value

    def choice(self, key: str, allowed: tuple[str, ...], default: str | None = None) -> str:
        value = self._values.get(key, default)
        if value not in allowed:
            found = "nothing" if value is None else repr(value)
            raise self.wrong(key, f"expected one of {', '.join(allowed)}, found {found}")
        return str(value)

    def size(self, key: str) -> int:
        value = self._values.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
            found = "nothing" if value is None else repr(value)
            raise self.wrong(key, f"expected a whole number of pixels above 0, found {found}")
        return value

    def number(
        self, key: str, default: float, low: float = -math.inf, high: float = math.inf
    ) -> float:
        """A finite number in [low, high]."""
        return self._checked(key, self._values.get(key, default), low, high)

    def numbers(self, key: str) -> tuple[float, ...]:
        value = self._values.get(key, [])
        if not isinstance(value, list):
            raise self.wrong(key, f"expected a list of numbers, found {value!r}")
        return tuple(self._checked(key, one, -math.inf, math.inf) for one in value)

    def _checked(self, key: str, value: Any, low: float, high: float) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self.wrong(key, f"expected a number, found {value!r}")
        if not (math.isfinite(value) and low <= value <= high):
            raise self.wrong(key, f"expected a number in [{low:g}, {high:g}], found {value!r}")
        return float(value)


def _lens(table: _Table, width: int, height: int, hfov_deg_of_media: float | None) -> Lens:
    model = table.choice("model", ("brown", "fisheye"), "brown")
    distortion = table.numbers("distortion")
    if len(distortion) not in _COEFFICIENTS[model]:
        allowed = ", ".join(str(n) for n in _COEFFICIENTS[model])
        raise table.wrong(
            "distortion", f"a {model} lens takes {allowed} coefficients, found {len(distortion)}"
        )
    fx = _focal(table, model, width, hfov_deg_of_media)
    return Lens(
        width=width,
        height=height,
        fx=fx,
        fy=table.number("fy", fx, 1.0, 1e6),
        cx=table.number("cx", width / 2, 0.0, width),
        cy=table.number("cy", height / 2, 0.0, height),
        model=cast(LensModel, model),
        distortion=distortion,
    )


def _focal(table: _Table, model: str, width: int, hfov_deg_of_media: float | None) -> float:
    """fx in pixels, given or from the horizontal field of view."""
    if table.has("fx") and table.has("hfov_deg"):
        raise table.wrong("hfov_deg", "give either fx or hfov_deg, not both")
    if table.has("fx"):
        return table.number("fx", 0.0, 1.0, 1e6)
    if not table.has("hfov_deg") and hfov_deg_of_media is None:
        raise table.wrong("fx", "neither fx nor hfov_deg is given, and the media tells none")
    highest = 179.0 if model == "brown" else 360.0
    hfov_deg = table.number("hfov_deg", hfov_deg_of_media or 0.0, 1.0, highest)
    if model == "fisheye":
        return width / 2 / math.radians(hfov_deg / 2)  # equidistant: radius = f · angle
    return focal_from_hfov(width, hfov_deg)


def _mount(table: _Table) -> Mount:
    default = Mount()
    arm = table.numbers("lever_arm_m")
    if len(arm) not in (0, 3):
        raise table.wrong("lever_arm_m", f"expected right, forward, up, found {len(arm)} numbers")
    return Mount(
        height_m=table.number("height_m", default.height_m, 0.0, 1000.0),
        yaw_deg=table.number("yaw_deg", default.yaw_deg, -360.0, 360.0),
        pitch_deg=table.number("pitch_deg", default.pitch_deg, -90.0, 90.0),
        roll_deg=table.number("roll_deg", default.roll_deg, -180.0, 180.0),
        lever_arm_m=(arm[0], arm[1], arm[2]) if arm else default.lever_arm_m,
    )


def _sigma(table: _Table) -> Sigma:
    default = Sigma()
    return Sigma(
        position_m=table.number("position_m", default.position_m, 0.0, 1e4),
        heading_deg=table.number("heading_deg", default.heading_deg, 0.0, 180.0),
        pitch_deg=table.number("pitch_deg", default.pitch_deg, 0.0, 90.0),
        roll_deg=table.number("roll_deg", default.roll_deg, 0.0, 180.0),
        pixel=table.number("pixel", default.pixel, 0.0, 1e4),
        height_m=table.number("height_m", default.height_m, 0.0, 1e4),
    )
