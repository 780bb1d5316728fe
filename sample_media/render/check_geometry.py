"""Draw the truth into frames by the stated poses alone: python check_geometry.py FRAMES OUT

Independent of Blender: pinhole camera, angles as patrolvision states them, WGS-84 in between. Each
cross must lie on the middle of the ground that its thing touches.
"""

import argparse
import csv
import json
from pathlib import Path

import numpy as np
from passes import IMAGE_HEIGHT_PX, IMAGE_WIDTH_PX, PASSES
from PIL import Image, ImageDraw

HERE = Path(__file__).parent


def enu_from_camera(heading_deg: float, pitch_deg: float, roll_deg: float) -> np.ndarray:
    """(3, 3) whose columns are the camera's right, down and forward in east, north, up."""
    h, p, r = np.radians([heading_deg, pitch_deg, roll_deg])
    forward = np.array([np.sin(h) * np.cos(p), np.cos(h) * np.cos(p), np.sin(p)])
    level_right = np.array([np.cos(h), -np.sin(h), 0.0])
    level_down = np.cross(forward, level_right)
    right = np.cos(r) * level_right + np.sin(r) * level_down
    down = np.cos(r) * level_down - np.sin(r) * level_right
    return np.stack([right, down, forward], -1)


def enu_between(lat0: float, lon0: float, lat: float, lon: float) -> np.ndarray:
    """East and north metres of a second point, on a sphere of the local radii."""
    s = np.sin(np.radians(lat0))
    w2 = 1 - 6.69437999014e-3 * s * s
    north = np.radians(lat - lat0) * 6378137.0 * (1 - 6.69437999014e-3) / w2**1.5
    east = np.radians(lon - lon0) * 6378137.0 / np.sqrt(w2) * np.cos(np.radians(lat0))
    return np.array([east, north])


def pixel_of(pose: dict[str, str], lat: float, lon: float, focal_px: float) -> np.ndarray | None:
    """Pixel of a point on the ground, None behind the camera."""
    here = [float(pose[key]) for key in ("lat_deg", "lon_deg", "height_m")]
    ray_enu = np.append(enu_between(here[0], here[1], lat, lon), -here[2])
    angles = [float(pose[key]) for key in ("heading_deg", "pitch_deg", "roll_deg")]
    right, down, forward = enu_from_camera(*angles).T @ ray_enu
    if forward < 0.5:
        return None
    centre = np.array([IMAGE_WIDTH_PX, IMAGE_HEIGHT_PX]) / 2
    return centre + focal_px * np.array([right, down]) / forward


def draw(frame: Path, pose: dict[str, str], features: list[dict], focal_px: float) -> Image.Image:
    picture = Image.open(frame).convert("RGB")
    pen = ImageDraw.Draw(picture)
    for feature in features:
        lon, lat = feature["geometry"]["coordinates"]
        pixel = pixel_of(pose, lat, lon, focal_px)
        if pixel is None or not (0 <= pixel[0] < picture.width and 0 <= pixel[1] < picture.height):
            continue
        u, v = pixel
        pen.line([(u - 9, v), (u + 9, v)], fill=(255, 0, 255), width=2)
        pen.line([(u, v - 9), (u, v + 9)], fill=(255, 0, 255), width=2)
        pen.text((u + 11, v - 6), feature["properties"]["id"], fill=(255, 0, 255))
    return picture


def main() -> None:
    """Draw some of the frames that exist."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("frames", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--every", type=int, default=6)
    call = parser.parse_args()
    call.out.mkdir(parents=True, exist_ok=True)
    features = [
        feature
        for name in ("truth", "distractors")
        for feature in json.loads((HERE.parent / f"{name}.geojson").read_text())["features"]
    ]
    for one in PASSES.values():
        with (HERE / f"poses_{one.name}.csv").open() as file:
            poses = list(csv.DictReader(file))
        half_steps = 2 * one.frames // len(poses)
        for k in range(0, len(poses), call.every):
            frame = call.frames / one.name / f"{k * half_steps:04d}.png"
            if frame.exists():
                drawn = draw(frame, poses[k], features, one.focal_px)
                drawn.save(call.out / f"{one.name}_{k:02d}.png")


if __name__ == "__main__":
    main()
