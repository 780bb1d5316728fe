"""A drone's film that looks back along its way: flown backwards, or a compass turned round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import av
import numpy as np
import pytest

from helpers.flights import HOME, LENS, SIZE_WH, Shot, make_ground, picture
from patrolvision.geo.geodesy import offset
from patrolvision.sources.angles import turn_between
from patrolvision.sources.opening import open_recording
from patrolvision.types import Camera, Image, Mission, Pose, Sigma
from sources.making import START

FPS = 2
SECONDS = 24
SPEED_MPS = 4.0
CAMERA = Camera("below", "drone", LENS, sigma=Sigma(position_m=1.0, heading_deg=2.0))


@pytest.fixture(scope="module")
def ground() -> Image:
    return make_ground(21)


def fly(
    folder: Path, ground: Image, true: Callable[[bool], float], told: Callable[[bool], float]
) -> tuple[list[Pose | None], list[float], list[str]]:
    """(poses, true headings, notes) of a flight east and back; is_back -> heading."""
    rng = np.random.default_rng(6)
    rows = ["time,lat,lon,height_m,gimbal_yaw,gimbal_pitch"]
    headings = []
    with av.open(str(folder / "flight.mp4"), "w") as film:
        film.metadata["creation_time"] = START.isoformat()
        stream = film.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "g": "10"})
        stream.width, stream.height, stream.pix_fmt = *SIZE_WH, "yuv420p"
        for k in range(SECONDS * FPS):
            at_s = k / FPS
            is_back = at_s >= SECONDS / 2
            turned_s = SECONDS / 2
            way_s = at_s if not is_back else 2 * turned_s - at_s
            shot = Shot(SPEED_MPS * way_s - 24.0, 15.0 if is_back else 0.0, true(is_back))
            image = picture(ground, shot, rng)
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")):
                film.mux(packet)
            lat, lon = offset(*HOME, shot.east_m, shot.north_m)
            at = (START + timedelta(seconds=at_s)).isoformat()
            rows.append(f"{at},{lat:.8f},{lon:.8f},40.0,{told(is_back):.1f},-90.0")
            headings.append(shot.heading_deg)
        for packet in stream.encode():
            film.mux(packet)
    (folder / "flight.csv").write_text("\n".join(rows) + "\n")
    mission = Mission("m", str(folder / "flight.mp4"), "drone", started_at=START)
    source = open_recording(mission, CAMERA, analysis_fps=None)
    poses = [frame.pose for frame in source.frames()]
    notes = list(getattr(source, "problems", ()))
    source.close()
    return poses, headings, notes


def test_a_compass_that_is_turned_round_on_the_way_back_is_put_right(
    tmp_path: Path, ground: Image
) -> None:
    poses, headings, notes = fly(
        tmp_path, ground, lambda back: 270.0 if back else 90.0, lambda back: 90.0
    )
    middle = [k for k in range(len(poses)) if 1.0 < k / FPS % (SECONDS / 2) < SECONDS / 2 - 1.0]
    for k in middle:
        pose = poses[k]
        assert pose is not None
        assert abs(turn_between(headings[k], pose.heading_deg)) < 3 * pose.sigma_heading_deg
        assert pose.sigma_heading_deg < 10.0
    assert any("wrong on 1 straight stretches" in note for note in notes)


def test_a_drone_that_really_flies_backwards_keeps_its_heading(
    tmp_path: Path, ground: Image
) -> None:
    poses, headings, notes = fly(tmp_path, ground, lambda back: 90.0, lambda back: 90.0)
    back = [pose for pose in poses[int((SECONDS / 2 + 1) * FPS) : -FPS] if pose]
    assert back
    assert all(abs(turn_between(90.0, pose.heading_deg)) < 0.5 for pose in back)
    assert max(pose.sigma_heading_deg for pose in back) < 10.0
    assert headings[-1] == 90.0
    assert not any("compass" in note for note in notes)


def test_over_ground_that_shows_nothing_the_heading_stays_doubtful(tmp_path: Path) -> None:
    blank = np.full((2400, 2400, 3), 120, np.uint8)
    poses, _, notes = fly(tmp_path, blank, lambda back: 270.0 if back else 90.0, lambda back: 90.0)
    back = [pose for pose in poses[int((SECONDS / 2 + 1) * FPS) : -FPS] if pose]
    assert back
    assert min(pose.sigma_heading_deg for pose in back) >= 60.0
    assert any("compass" in note for note in notes)
    assert replace(back[0], sigma_heading_deg=2.0).heading_deg == pytest.approx(90.0)
