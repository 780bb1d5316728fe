"""The ground's height from GeoTIFFs in several systems, and a drone's height above it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from patrolvision.errors import ConfigError
from patrolvision.geo.elevation import ElevationGrid
from patrolvision.sources.fixes import RawFix, RawLog, build_log
from patrolvision.sources.geotiff import read_elevation
from patrolvision.sources.sync import PoseTrack
from patrolvision.types import Pose
from sources.making import START, car

rasterio = pytest.importorskip("rasterio", reason="needs rasterio (extra `elevation`)")
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")


def write(path: Path, crs: str, west: float, north: float, step: float, n: int = 60) -> Path:
    """Heights that grow by a tenth of a metre per column."""
    from rasterio.transform import from_origin

    heights = np.tile(np.arange(n, dtype=np.float32) / 10, (n, 1))
    with rasterio.open(
        path, "w", driver="GTiff", width=n, height=n, count=1, dtype="float32", crs=crs,
        transform=from_origin(west, north, step, step), nodata=-9999.0,
    ) as file:  # fmt: skip
        file.write(heights, 1)
    return path


def test_a_grid_in_degrees_is_read_at_the_middles_of_its_pixels(tmp_path: Path) -> None:
    grid = read_elevation(write(tmp_path / "a.tif", "EPSG:4326", 113.0, 23.0, 0.001))
    assert float(grid.height_at(22.9905, 113.0305)) == pytest.approx(3.0, abs=1e-3)
    assert float(grid.height_at(22.9905, 113.0310)) == pytest.approx(3.05, abs=1e-3)
    assert np.isnan(grid.height_at(24.0, 113.03))


def test_a_grid_in_utm_metres_lies_where_it_should(tmp_path: Path) -> None:
    from rasterio.warp import transform

    path = write(tmp_path / "utm.tif", "EPSG:32649", 700_000.0, 2_530_000.0, 30.0)
    grid = read_elevation(path)
    lon, lat = transform("EPSG:32649", "EPSG:4326", [700_915.0], [2_529_115.0])
    assert float(grid.height_at(lat[0], lon[0])) == pytest.approx(3.0, abs=0.06)


@pytest.mark.parametrize("content", [b"", b"II*\0garbage", b"not a picture"])
def test_what_is_no_geotiff_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.tif"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="bad"):
        read_elevation(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such"):
        read_elevation(tmp_path / "none.tif")


def test_a_drones_height_above_take_off_becomes_one_above_the_ground_below() -> None:
    """The hill rises 5 m per 100 m east of the take-off; the drone flies level."""
    step = 0.001
    rise = np.tile(np.arange(50) * step * 111_320.0 * 0.05, (50, 1))
    grid = ElevationGrid(rise, 0.02, 9.99, step, step)
    values = {"alt_takeoff_m": 60.0, "gimbal_heading_deg": 90.0, "gimbal_pitch_deg": -90.0}
    fixes = tuple(
        RawFix(0.0, 10.0 + 0.0005 * k, START.replace(second=k), None, values) for k in range(8)
    )
    log = build_log(Path("f.srt"), RawLog("srt", fixes, "GPS"))
    track = PoseTrack(log, car(platform="drone"), elevation=grid)
    pose = track.pose_at(START.replace(second=6), None)
    assert isinstance(pose, Pose)
    assert pose.height_m == pytest.approx(60.0 - 0.003 * 111_320.0 * 0.05, abs=0.05)
    flat = PoseTrack(log, car(platform="drone")).pose_at(START.replace(second=6), None)
    assert isinstance(flat, Pose)
    assert flat.height_m == pytest.approx(60.0)
