"""Photos of a drone over ground that is known: every pixel is the ground that its ray meets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from patrolvision.geo.attitude import enu_from_camera
from patrolvision.geo.camera import rays_from_pixels
from patrolvision.geo.geodesy import offset
from patrolvision.geo.ground import meet_flat
from patrolvision.types import FloatArray, Image, Lens

HOME = (53.9, 27.55)
METRES_PER_PIXEL = 0.1
SIZE_WH = (640, 480)
FOCAL_35MM = 24
LENS = Lens(
    *SIZE_WH,
    fx=(f := FOCAL_35MM / 43.2666 * float(np.hypot(*SIZE_WH))),
    fy=f,
    cx=SIZE_WH[0] / 2,
    cy=SIZE_WH[1] / 2,
)


@dataclass(frozen=True, slots=True)
class Shot:
    """Where a photo was really taken (metres from HOME), and what it says of itself."""

    east_m: float
    north_m: float
    heading_deg: float
    pitch_deg: float = -90.0
    height_m: float = 40.0
    said_east_m: float | None = None
    said_north_m: float | None = None
    said_heading_deg: float | None = None
    said_height_m: float | None = None


def make_ground(seed: int, side_m: float = 240.0) -> Image:
    """Asphalt with spots of all sizes: something to recognise everywhere, nothing twice."""
    rng = np.random.default_rng(seed)
    side = round(side_m / METRES_PER_PIXEL)
    ground = np.zeros((side, side, 3), np.float32)
    for cell in (4, 12, 40, 120):
        coarse = rng.normal(0, 14, (side // cell + 2, side // cell + 2, 3)).astype(np.float32)
        ground += cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    for _ in range(900):
        x, y = (int(v) for v in rng.integers(0, side, 2))
        colour = tuple(float(c) for c in rng.normal(0, 60, 3))
        cv2.rectangle(ground, (x, y), (x + int(rng.integers(4, 40)), y + int(rng.integers(4, 40))),
                      colour, -1)  # fmt: skip
    return np.clip(ground + 110, 0, 255).astype(np.uint8)


@cache
def _rays() -> FloatArray:
    width, height = SIZE_WH
    grid = np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), axis=-1)
    return rays_from_pixels(LENS, grid.reshape(-1, 2))


@cache
def _grain() -> NDArray[np.float32]:
    return np.random.default_rng(9).normal(0, 3, (*SIZE_WH[::-1], 3)).astype(np.float32)


def picture(ground: Image, shot: Shot, rng: np.random.Generator) -> Image:
    """What the shot shows: the ground's middle is HOME, its top is north."""
    width, height = SIZE_WH
    turned = _rays() @ enu_from_camera(shot.heading_deg, shot.pitch_deg, 0.0).T
    east, north = meet_flat(turned, shot.height_m).T
    x = ((east + shot.east_m) / METRES_PER_PIXEL + ground.shape[1] / 2 - 0.5).astype(np.float32)
    y = (-(north + shot.north_m) / METRES_PER_PIXEL + ground.shape[0] / 2 - 0.5).astype(np.float32)
    shape = (height, width)
    seen = cv2.remap(ground, x.reshape(shape), y.reshape(shape), cv2.INTER_LINEAR)
    grain = np.roll(_grain(), int(rng.integers(0, width)), axis=1)
    noisy = seen * np.float32(rng.uniform(0.9, 1.1)) + grain
    return np.clip(noisy, 0, 255).astype(np.uint8)


def xmp_of(shot: Shot) -> str:
    """What DJI writes into a photo."""
    heading = shot.heading_deg if shot.said_heading_deg is None else shot.said_heading_deg
    height = shot.height_m if shot.said_height_m is None else shot.said_height_m
    yaw = (heading + 180.0) % 360.0 - 180.0
    return (
        f'<rdf:Description drone-dji:RelativeAltitude="{height:+.2f}" '
        f'drone-dji:GimbalRollDegree="+0.00" drone-dji:GimbalYawDegree="{yaw:+.2f}" '
        f'drone-dji:GimbalPitchDegree="{shot.pitch_deg:+.2f}"/>'
    )


def place_of(shot: Shot) -> tuple[float, float]:
    """(lat_deg, lon_deg) as the photo says it."""
    east = shot.east_m if shot.said_east_m is None else shot.said_east_m
    north = shot.north_m if shot.said_north_m is None else shot.said_north_m
    lat, lon = offset(*HOME, east, north)
    return float(lat), float(lon)


def write_zones(path: Path, half_side_m: float = 300.0) -> Path:
    """No stopping anywhere around HOME, so that every vehicle that stands is an incident."""
    ends = ((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1))
    corners = [offset(*HOME, east * half_side_m, north * half_side_m) for east, north in ends]
    feature = {
        "type": "Feature",
        "properties": {"zone_id": "all", "rule": "no_stopping", "timezone": "Europe/Minsk"},
        "geometry": {
            "type": "Polygon",
            "coordinates": [[[float(lon), float(lat)] for lat, lon in corners]],
        },
    }
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    return path


def write_flight(folder: Path, ground: Image, shots: Sequence[Shot], seed: int = 1) -> Path:
    """The shots as a folder of geotagged photos, four seconds apart."""
    from sources.making import make_exif, with_segments

    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    start = datetime(2026, 5, 4, 8, 0, 0)  # noqa: DTZ001 as EXIF has it, the offset beside it
    for k, shot in enumerate(shots):
        taken = (start + timedelta(seconds=4 * k)).strftime("%Y:%m:%d %H:%M:%S")
        exif = make_exif(
            taken=taken, offset="+03:00", lat_lon=place_of(shot), focal_35mm=FOCAL_35MM
        )
        _, encoded = cv2.imencode(".jpg", picture(ground, shot, rng))
        (folder / f"DJI_{k:04d}.jpg").write_bytes(
            with_segments(encoded.tobytes(), exif, xmp_of(shot))
        )
    return folder
