"""A camera's file: every key is checked and the message names it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from patrolvision.errors import ConfigError
from patrolvision.sources.camera_file import load_camera, scaled_lens

FULL = """
name = "front"
platform = "car"
[image]
width = 1920
height = 1080
[lens]
model = "brown"
fx = 1400.0
fy = 1410.0
cx = 950.0
cy = 540.0
distortion = [0.1, 0.0, 0.0, 0.0, 0.0]
[mount]
height_m = 1.8
yaw_deg = 1.0
pitch_deg = -5.0
roll_deg = 0.5
lever_arm_m = [0.0, 1.2, 0.0]
[sigma]
position_m = 2.5
heading_deg = 1.0
pitch_deg = 0.5
roll_deg = 0.5
pixel = 2.0
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "front.toml"
    path.write_text(text)
    return path


def test_the_contracts_example_is_read_as_it_stands(tmp_path: Path) -> None:
    camera = load_camera(written(tmp_path, FULL))
    assert (camera.lens.fx, camera.lens.fy, camera.lens.cx) == (1400.0, 1410.0, 950.0)
    assert camera.mount.lever_arm_m == (0.0, 1.2, 0.0)
    assert (camera.mount.pitch_deg, camera.sigma.position_m) == (-5.0, 2.5)


def test_a_field_of_view_stands_for_a_focal_length(tmp_path: Path) -> None:
    text = 'platform = "drone"\n[image]\nwidth = 200\nheight = 100\n[lens]\nhfov_deg = 90\n'
    lens = load_camera(written(tmp_path, text)).lens
    assert (lens.fx, lens.fy, lens.cx, lens.cy) == pytest.approx((100.0, 100.0, 100.0, 50.0))
    fisheye = load_camera(written(tmp_path, text + 'model = "fisheye"\n')).lens
    assert fisheye.fx == pytest.approx(100.0 / (math.pi / 4))


def test_a_lens_that_tells_nothing_takes_the_medias_view_or_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, 'platform = "car"\n[image]\nwidth = 200\nheight = 100\n')
    assert load_camera(path, hfov_deg_of_media=90.0).lens.fx == pytest.approx(100.0)
    with pytest.raises(ConfigError, match=r"front\.toml: lens\.fx: neither fx nor hfov_deg"):
        load_camera(path)


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("width = 1920\n", "", "image.width"),
        ("width = 1920", "width = 0", "image.width"),
        ("width = 1920", "width = 1920.5", "image.width"),
        ("height = 1080", 'height = "1080"', "image.height"),
        ('platform = "car"', 'platform = "boat"', "platform"),
        ('platform = "car"\n', "", "platform"),
        ('model = "brown"', 'model = "pinhole"', "lens.model"),
        ("fx = 1400.0", "fx = -3", "lens.fx"),
        ("fx = 1400.0", "fx = nan", "lens.fx"),
        ("fx = 1400.0", "fx = true", "lens.fx"),
        ("fx = 1400.0", "fx = 1400.0\nhfov_deg = 60", "lens.hfov_deg"),
        ("[0.1, 0.0, 0.0, 0.0, 0.0]", "[0.1, 0.0]", "lens.distortion"),
        ("[0.1, 0.0, 0.0, 0.0, 0.0]", '["a"]', "lens.distortion"),
        ("[0.0, 1.2, 0.0]", "[0.0, 1.2]", "mount.lever_arm_m"),
        ("pitch_deg = -5.0", "pitch = -5.0", "mount.pitch"),
        ("pitch_deg = -5.0", "pitch_deg = -95.0", "mount.pitch_deg"),
        ("position_m = 2.5", "position_m = -1", "sigma.position_m"),
        ('name = "front"', 'name = "front"\ncolour = "red"', "colour"),
        ("[sigma]", "[sigmas]", "sigmas"),
        ("[image]\nwidth = 1920\nheight = 1080", "image = 3", "image"),
    ],
)
def test_a_wrong_key_is_named_with_its_file(tmp_path: Path, old: str, new: str, key: str) -> None:
    assert old in FULL
    with pytest.raises(ConfigError, match=rf"front\.toml: {key.replace('.', '[.]')}: "):
        load_camera(written(tmp_path, FULL.replace(old, new, 1)))


def test_a_file_that_is_missing_or_not_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read"):
        load_camera(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match=r"front\.toml: is not TOML"):
        load_camera(written(tmp_path, "[image"))


def test_a_lens_scales_with_its_picture_but_not_into_another_shape(tmp_path: Path) -> None:
    lens = load_camera(written(tmp_path, FULL)).lens
    half = scaled_lens(lens, (960, 540))
    assert half is not None
    assert (half.fx, half.cy, half.width) == (700.0, 270.0, 960)
    assert scaled_lens(lens, (1440, 1080)) is None
