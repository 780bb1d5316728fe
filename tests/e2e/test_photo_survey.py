"""Real vehicles from above in a survey of overlapping photos with telemetry that lies."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from helpers.flights import HOME, METRES_PER_PIXEL, Shot, write_flight, write_zones
from patrolvision.cli import main
from patrolvision.geo.geodesy import local_en
from patrolvision.types import FloatArray

PICTURE = "DJI_0762-00001"  # straight down, 25 cars stand in it; a still picture, so none moves
NEAR_M = 3.0


def survey() -> list[Shot]:
    """Two strips, the second with its gimbal's yaw turned round, and a fix that is repeated."""
    rng = np.random.default_rng(4)
    shots = []
    for north_m, course, sign in ((-14.0, 90.0, 1), (14.0, 270.0, -1)):
        for k in range(5):
            east_m = sign * (k - 2) * 18.0
            heading = course + float(rng.normal(0, 3))
            shots.append(Shot(
                east_m, north_m, heading, height_m=45.0,
                said_east_m=east_m + 1.0 + float(rng.normal(0, 0.4)),
                said_north_m=north_m - 0.7 + float(rng.normal(0, 0.4)),
                said_heading_deg=heading + float(rng.normal(0, 2)) + (180.0 if sign < 0 else 0.0),
            ))  # fmt: skip
    held = shots[2]
    shots[3] = replace(shots[3], said_east_m=held.said_east_m, said_north_m=held.said_north_m)
    return shots


def vehicles(shared: Path) -> tuple[np.ndarray, FloatArray]:
    """(the picture, (N, 2) metres east and north of its middle of each labelled vehicle)"""
    folder = shared / "vehicles_drone_minsk"
    image = cv2.imread(str(folder / "images" / f"{PICTURE}.jpg"))
    if image is None:
        pytest.skip(f"needs {PICTURE}.jpg of the shared drone pictures")
    rows = np.loadtxt(folder / "labels" / f"{PICTURE}.txt", ndmin=2)
    height, width = image.shape[:2]
    east = (rows[:, 1] - 0.5) * width * METRES_PER_PIXEL
    north = (0.5 - rows[:, 2]) * height * METRES_PER_PIXEL
    return image, np.stack([east, north], axis=1)


def test_each_parked_vehicle_is_one_incident(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image, truth = vehicles(shared)
    photos = write_flight(tmp_path / "photos", image, survey())
    zones = write_zones(tmp_path / "zones.geojson")
    db = f"sqlite:///{tmp_path / 'patrol.db'}"
    out = str(tmp_path / "out")
    done = main(
        ["run", str(photos), "--zones", str(zones), "--db", db, "--out", out, "--no-clip", "--json"]
    )
    assert done == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    mission = summary["missions"][0]
    assert mission["frames"]["pose_problems"] == {"stale fix": 1}
    assert any("heading of 5 photos" in note for note in mission["notes"])
    assert main(["incidents", "--db", db, "--format", "json"]) == 0
    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line]
    cars = [i for i in listed if i["category"] == "illegal_parking" and i["status"] != "dismissed"]
    places = np.array([local_en(*HOME, i["lat_deg"], i["lon_deg"]) for i in cars])
    apart = np.linalg.norm(truth[:, None] - (places - [1.0, -0.7])[None], axis=2)
    found = apart.min(axis=1) < NEAR_M
    assert found.sum() >= 15  # of 25, some at the edge of all photos
    nearest = apart.argmin(axis=1)[found]
    assert len(set(nearest)) == len(nearest)  # no two vehicles share one incident
    twice = (apart < 1.5).sum(axis=1)
    assert twice.max() == 1  # and none has two
