"""Real clips with telemetry: every frame accounted for, everything found within the camera's reach.

The GoPro clips carry their own telemetry; their cameras are made here from the maker's field of
view (848 or 854 pixels wide, about 94 degrees), as the clips themselves do not tell the mount. The
dash-camera clip has no telemetry at all: it gets a synthetic straight track at 20 m/s, in GPX and
in DJI's SRT, so that only the accounting and the reach are tested on it, not true places.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from helpers.command_line import Done, patrolvision
from patrolvision.geo.geodesy import distance_m
from patrolvision.observe import ObserveSettings

DRIVE_START = datetime(2016, 8, 28, 21, 16, 8, tzinfo=UTC)


def camera_file(path: Path, width: int, height: int, platform: str, mount: str) -> Path:
    path.write_text(
        f'name = "test"\nplatform = "{platform}"\n[image]\nwidth = {width}\nheight = {height}\n'
        f"[lens]\nhfov_deg = 94.0\n[mount]\n{mount}\n"
    )
    return path


def frames_in(clip: Path) -> int:
    """How many pictures the decoder itself finds."""
    with av.open(str(clip)) as container:
        return sum(1 for _ in container.decode(video=0))


def run(clip: Path, out: Path, *options: object) -> Done:
    done = patrolvision("run", clip, "--analysis-fps", "2", "--no-pictures", "--no-clip",
                        "--out", out, "--json", *options)  # fmt: skip
    assert done.rc == 0, done.err
    return done


def track_of(telemetry: Path) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(N, 2) latitude and longitude, as `patrolvision telemetry` prints them."""
    done = patrolvision("telemetry", telemetry)
    assert done.rc == 0, done.err
    samples = [json.loads(text) for text in done.out.splitlines()]
    return np.array([(s["lat_deg"], s["lon_deg"]) for s in samples])


def check_accounts(done: Done, clip: Path) -> dict[str, Any]:
    (mission,) = done.summary["missions"]
    frames: dict[str, Any] = mission["frames"]
    assert frames["read"] == frames_in(clip)
    assert frames["read"] == frames["analysed"] + sum(frames["skipped"].values())
    assert frames["without_pose"] == sum(frames["pose_problems"].values())
    return frames


def check_reach(
    out: Path, track: np.ndarray[Any, np.dtype[np.float64]], platform: str = "car"
) -> int:
    """Each observation lies within the camera's reach of the track; how many there are.

    The camera may be half a step away from the nearest fix.
    """
    settings = ObserveSettings()
    longest = {"car": settings.max_range_car_m, "drone": settings.max_range_drone_m}[platform]
    reach_m = longest + max(float(distance_m(*a, *b)) for a, b in pairwise(track)) / 2
    listed = patrolvision("observations", "--db", f"sqlite:///{out / 'patrol.db'}",
                          "--format", "json")  # fmt: skip
    records = [json.loads(text) for text in listed.out.splitlines()]
    for record in records:
        lat, lon = record["lat_deg"], record["lon_deg"]
        nearest = min(float(distance_m(lat, lon, a, b)) for a, b in track)
        sigma = float(np.sqrt(np.linalg.eigvalsh(record["cov_en_m2"])[-1]))
        assert nearest <= reach_m, record
        assert sigma < longest, record
    return len(records)


GOPRO = {
    "max-heromode.mp4": (848, 480, "car", "height_m = 1.5\npitch_deg = -2.0"),
    "karma.mp4": (854, 480, "drone", "pitch_deg = -20.0"),
}


@pytest.mark.parametrize("name", GOPRO)
def test_a_gopro_clip_with_its_own_telemetry_is_accounted_for_and_placed_in_reach(
    name: str, shared: Path, tmp_path: Path
) -> None:
    clip = shared / "footage" / "gopro_gpmf" / name
    width, height, platform, mount = GOPRO[name]
    camera = camera_file(tmp_path / "camera.toml", width, height, platform, mount)
    done = run(clip, tmp_path / "out", "--camera", camera, "--tiling", "off")
    frames = check_accounts(done, clip)
    assert frames["without_pose"] < frames["analysed"]
    track = track_of(clip)
    assert max(float(distance_m(*a, *b)) for a, b in pairwise(track)) < 20.0
    check_reach(tmp_path / "out", track, platform)


def straight(seconds: int) -> list[tuple[datetime, float, float]]:
    """A made-up drive north at 20 m/s, a fix each second, from a second before the clip."""
    step = 20.0 / 110_800.0
    start = DRIVE_START - timedelta(seconds=1)
    return [(start + timedelta(seconds=k), 37.4 + k * step, -122.1) for k in range(seconds)]


def write_gpx(path: Path) -> Path:
    fixes = "".join(
        f'<trkpt lat="{lat:.7f}" lon="{lon}"><time>{at:%Y-%m-%dT%H:%M:%SZ}</time></trkpt>'
        for at, lat, lon in straight(13)
    )
    path.write_text(f'<gpx version="1.1" creator="t"><trk><trkseg>{fixes}</trkseg></trk></gpx>')
    return path


def write_srt(path: Path) -> Path:
    blocks = [
        f"{k + 1}\n00:00:{k:02d},000 --> 00:00:{k + 1:02d},000\n"
        f"{at + timedelta(seconds=1):%Y-%m-%d %H:%M:%S}.000\n"
        f"[latitude: {lat:.6f}] [longitude: {lon:.6f}] [rel_alt: 1.500 abs_alt: 10.0]\n"
        for k, (at, lat, lon) in enumerate(straight(13))
    ]
    path.write_text("\n".join(blocks))
    return path


@pytest.mark.parametrize("write", [write_gpx, write_srt], ids=["gpx", "srt"])
def test_a_dash_camera_clip_on_a_made_up_track_is_accounted_for_and_placed_in_reach(
    write: Any, shared: Path, tmp_path: Path
) -> None:
    clip = shared / "footage" / "dashcam" / "udacity_solidWhiteRight.mp4"
    telemetry = write(tmp_path / f"made_up.{write.__name__[-3:]}")
    camera = camera_file(tmp_path / "c.toml", 960, 540, "car", "height_m = 1.4\npitch_deg = -1.0")
    done = run(clip, tmp_path / "out", "--camera", camera, "--telemetry", telemetry,
               "--started-at", DRIVE_START.isoformat())  # fmt: skip
    frames = check_accounts(done, clip)
    assert frames["without_pose"] == 0, frames["pose_problems"]
    assert check_reach(tmp_path / "out", track_of(telemetry)) > 0, "cars are in plain sight"


def test_a_clip_without_telemetry_says_so_with_the_remedy_and_is_accounted_for(
    shared: Path, tmp_path: Path
) -> None:
    clip = shared / "footage" / "dashcam" / "udacity_test_video.mp4"
    done = run(clip, tmp_path / "out")
    frames = check_accounts(done, clip)
    assert frames["pose_problems"] == {"no telemetry": frames["analysed"]}
    (note,) = [text for text in done.err.splitlines() if "no frame has a pose" in text]
    assert clip.name in note
    assert "--telemetry" in note
    assert "--camera" in note


def test_a_clip_without_a_camera_says_so_with_the_remedy(shared: Path, tmp_path: Path) -> None:
    clip = shared / "footage" / "gopro_gpmf" / "max-heromode.mp4"
    done = run(clip, tmp_path / "out")
    assert check_accounts(done, clip)["pose_problems"].keys() == {"no camera"}
    (note,) = [text for text in done.err.splitlines() if "no frame has a pose" in text]
    assert "--camera" in note
    assert "--telemetry" not in note
