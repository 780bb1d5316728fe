"""Surveys of overlapping drone photos whose telemetry lies: is each vehicle one incident?

    python benchmarks/photo_surveys.py SHARED [--seeds 0 14]

SHARED holds vehicles_drone_minsk. A photo of it that looks straight down is the ground; a drone
flies over it in strips and its photos are written with EXIF and XMP (tests/helpers/flights.py), as
noisy, late, thrown off or turned round as the seed draws it. A line per flight: vehicles labelled,
vehicles found, pairs of incidents closer to each other than a car is wide (one vehicle twice),
incidents with no labelled vehicle within 3 m (most are vehicles at the edge that the labels leave
out), and how far incidents are from their vehicles after what the flight's fixes have in common.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import math
import random
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from helpers import flights
from helpers.flights import HOME, Shot
from patrolvision.cli import main as patrolvision
from patrolvision.geo.geodesy import local_en
from patrolvision.types import FloatArray, Image

PICTURES = ("DJI-00760-00021", "DJI_0005-0099", "DJI_0762-00023", "DJI-00760-00022", "DJI_0022",
            "DJI_0762-00001")  # fmt: skip
CAR_LENGTH_M = 4.5
CAR_WIDTH_M = 1.8
NEAR_M = 3.0


@dataclass(frozen=True)
class Lies:
    """How a flight is flown, and what is wrong with what it says."""

    height_m: float
    overlap: float  # along the strip
    side: float  # from strip to strip
    tilt_deg: float
    noise_m: float  # of a fix, per axis
    height_ratio: float  # said to true
    turned: frozenset[int]  # strips whose yaw is 180 degrees off
    stale: frozenset[int]  # photos that repeat the fix before
    thrown: frozenset[int]  # photos whose fix is 60 m farther east


def drawn(seed: int, strips: int, per_strip: int, lies: Lies) -> Lies:
    """The lies with photos and strips chosen for this flight."""
    rng = random.Random(seed)
    photos = strips * per_strip
    stale = set(rng.sample(range(1, photos), min(photos // 6, rng.choice([0, 1, 2]))))
    if stale and rng.random() < 0.3:
        stale.add(min(max(stale) + 1, photos - 1))
    thrown = {rng.randrange(photos)} - stale if rng.random() < 0.4 else set()
    turned = set(rng.sample(range(strips), 1)) if strips > 1 and rng.random() < 0.75 else set()
    return replace(lies, turned=frozenset(turned), stale=frozenset(stale), thrown=frozenset(thrown))


def manner(seed: int) -> Lies:
    """How this flight is flown."""
    rng = random.Random(seed + 1_000_000)
    return Lies(
        height_m=rng.choice([30.0, 40.0, 50.0]),
        overlap=rng.choice([0.6, 0.7, 0.8]),
        side=rng.choice([0.3, 0.5, 0.6]),
        tilt_deg=rng.choice([0.0, 0.0, 0.0, 20.0]),
        noise_m=rng.choice([0.3, 0.8, 1.5]),
        height_ratio=rng.choice([1.0, 1.0, 1.0, 1.15]),
        turned=frozenset(),
        stale=frozenset(),
        thrown=frozenset(),
    )


def flown(seed: int, extent_m: tuple[float, float]) -> tuple[list[Shot], Lies, FloatArray]:
    """(the shots over a ground of this width and height, their lies, east and north they share)"""
    lies = manner(seed)
    across_m = flights.SIZE_WH[0] / flights.LENS.fx * lies.height_m
    along_m = flights.SIZE_WH[1] / flights.LENS.fy * lies.height_m
    step, gap = along_m * (1 - lies.overlap), across_m * (1 - lies.side)
    strips = max(1, math.ceil((extent_m[1] - 0.4 * across_m) / gap))
    per_strip = max(3, math.ceil((extent_m[0] - along_m) / step))
    lies = drawn(seed, strips, per_strip, lies)
    rng = np.random.default_rng(seed)
    shared = rng.normal(0, 1.0, 2)
    shots: list[Shot] = []
    for index in range(strips * per_strip):
        strip, k = divmod(index, per_strip)
        course, sign = (90.0, 1) if strip % 2 == 0 else (270.0, -1)
        east, north = sign * (k - (per_strip - 1) / 2) * step, (strip - (strips - 1) / 2) * gap
        heading = course + float(rng.normal(0, 3))
        said = np.array([east, north]) + shared + rng.normal(0, lies.noise_m, 2)
        said_heading = heading + float(rng.normal(0, 2)) + 180.0 * (strip in lies.turned)
        if index in lies.stale:
            said = np.array([shots[-1].said_east_m, shots[-1].said_north_m])
        shots.append(
            Shot(
                east, north, heading, -90.0 + lies.tilt_deg,
                height_m=lies.height_m + float(rng.normal(0, 0.5)),
                said_east_m=float(said[0]) + 60.0 * (index in lies.thrown),
                said_north_m=float(said[1]),
                said_heading_deg=said_heading,
                said_height_m=lies.height_m * lies.height_ratio,
            )
        )  # fmt: skip
    return shots, lies, shared


def ground_of(shared: Path, name: str) -> tuple[Image, FloatArray, tuple[float, float]]:
    """(the picture, metres east and north (N, 2) of its labelled vehicles, its size in metres)

    Sets the metres of a pixel by the median length of what is labelled.
    """
    folder = shared / "vehicles_drone_minsk"
    image = cv2.imread(str(folder / "images" / f"{name}.jpg"))
    if image is None:
        raise SystemExit(f"{folder}: no {name}.jpg")
    rows = np.loadtxt(folder / "labels" / f"{name}.txt", ndmin=2)
    height, width = image.shape[:2]
    metres = CAR_LENGTH_M / np.median(np.maximum(rows[:, 3] * width, rows[:, 4] * height))
    flights.METRES_PER_PIXEL = float(metres)
    east, north = (rows[:, 1] - 0.5) * width * metres, (0.5 - rows[:, 2]) * height * metres
    return image, np.stack([east, north], axis=1), (width * metres, height * metres)


def places_found(folder: Path, photos: Path) -> FloatArray:
    """Metres east and north (N, 2) of every parked vehicle that `patrolvision run` makes."""
    db = f"sqlite:///{folder / 'patrol.db'}"
    zones = flights.write_zones(folder / "zones.geojson")
    told = io.StringIO()
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(io.StringIO()):
        out = str(folder / "out")
        run = ["run", str(photos), "--zones", str(zones), "--db", db, "--out", out, "--no-clip"]
        if patrolvision(run) != 0:
            raise SystemExit("run failed")
        told.truncate(0)
        told.seek(0)
        patrolvision(["incidents", "--db", db, "--format", "json"])
    listed = [json.loads(line) for line in told.getvalue().splitlines() if line]
    cars = [i for i in listed if i["category"] == "illegal_parking" and i["status"] != "dismissed"]
    return np.array([local_en(*HOME, i["lat_deg"], i["lon_deg"]) for i in cars]).reshape(-1, 2)


def main(argv: list[str] | None = None) -> int:
    """Fly and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("shared", type=Path, help="the folder that holds vehicles_drone_minsk")
    parser.add_argument("--seeds", type=int, nargs=2, default=(0, 14), metavar=("FIRST", "END"))
    args = parser.parse_args(argv)
    total = np.zeros(4, int)
    for seed in range(*args.seeds):
        image, truth, extent_m = ground_of(args.shared, PICTURES[seed % len(PICTURES)])
        shots, lies, shared = flown(seed, extent_m)
        with tempfile.TemporaryDirectory() as folder:
            photos = flights.write_flight(Path(folder) / "photos", image, shots, seed)
            places = places_found(Path(folder), photos)
        apart = np.linalg.norm(truth[:, None] - (places - shared)[None], axis=2)
        nearest, away = apart.argmin(axis=0), apart.min(axis=0)
        times = np.bincount(nearest[away < NEAR_M], minlength=len(truth))
        between = np.linalg.norm(places[:, None] - places[None], axis=2)
        twice = int((np.triu(between < CAR_WIDTH_M, 1)).sum())
        row = [len(truth), int((times > 0).sum()), twice, int((away >= NEAR_M).sum())]
        total += row
        median_m = float(np.median(away[away < NEAR_M])) if (away < NEAR_M).any() else math.nan
        wrong = ", ".join(
            f"{name} {sorted(getattr(lies, name))}"
            for name in ("turned", "stale", "thrown")
            if getattr(lies, name)
        )
        print(f"{seed:3d}: {len(shots):2d} photos, {lies.height_m:.0f} m, noise {lies.noise_m} m: "
              f"{row[1]:2d} of {row[0]:2d} found, {row[2]} twice, {row[3]} elsewhere, "
              f"{median_m:.2f} m off; {wrong}", flush=True)  # fmt: skip
    print("all: {1} of {0} found, {2} twice, {3} elsewhere".format(*total))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
