"""Lenses against OpenCV, and at the edge of their valid field."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patrolvision.geo.camera import focal_from_hfov, pixels_from_rays, rays_from_pixels
from patrolvision.types import Lens

BROWNS = {
    "none": (),
    "four": (-0.12, 0.03, 0.001, -0.0008),
    "barrel": (-0.28, 0.09, 0.0005, 0.0003, -0.012),
    "pincushion": (0.08, -0.01, 0.0, 0.0, 0.002),
    "rational": (0.4, 0.05, 0.0004, -0.0003, 0.001, 0.72, 0.12, 0.004),
}
FISHEYES = {
    "none": (),
    "gopro": (0.05, -0.01, 0.004, -0.001),
    "barrel": (-0.03, 0.008, -0.004, 0.0006),
}


def brown(name: str, focal: float = 1100.0) -> Lens:
    return Lens(1920, 1080, focal, focal * 1.01, 955.0, 545.0, "brown", BROWNS[name])


def fisheye(name: str) -> Lens:
    return Lens(1920, 1440, 700.0, 702.0, 955.0, 715.0, "fisheye", FISHEYES[name])


def grid(lens: Lens, steps: int = 25) -> np.ndarray:
    u, v = np.meshgrid(np.linspace(0, lens.width, steps), np.linspace(0, lens.height, steps))
    return np.stack([u.ravel(), v.ravel()], axis=1)


def matrix(lens: Lens) -> np.ndarray:
    return np.array([[lens.fx, 0, lens.cx], [0, lens.fy, lens.cy], [0, 0, 1.0]])


@pytest.mark.parametrize("name", BROWNS)
def test_a_brown_pixel_becomes_the_ray_that_opencv_finds(name: str) -> None:
    lens = brown(name)
    coefficients = np.array(lens.distortion or (0.0, 0.0, 0.0, 0.0))
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 500, 1e-13)
    expected = cv2.undistortPoints(
        grid(lens)[:, None], matrix(lens), coefficients, criteria=criteria
    )[:, 0]
    rays = rays_from_pixels(lens, grid(lens))
    np.testing.assert_allclose(rays[:, :2] / rays[:, 2:], expected, atol=1e-8)


@pytest.mark.parametrize("name", BROWNS)
def test_a_brown_ray_falls_on_the_pixel_that_opencv_projects(name: str) -> None:
    lens = brown(name)
    rays = rays_from_pixels(lens, grid(lens)) * 17.0
    expected, _ = cv2.projectPoints(
        rays, np.zeros(3), np.zeros(3), matrix(lens), np.array(lens.distortion or (0.0,) * 4)
    )
    np.testing.assert_allclose(pixels_from_rays(lens, rays), expected[:, 0], atol=1e-6)


@pytest.mark.parametrize("name", FISHEYES)
def test_a_fisheye_agrees_with_opencv_both_ways(name: str) -> None:
    lens = fisheye(name)
    inside = grid(lens)[np.linalg.norm(grid(lens) - (lens.cx, lens.cy), axis=1) < 0.9 * 1000]
    rays = rays_from_pixels(lens, inside)
    coefficients = np.array(lens.distortion or (0.0,) * 4)
    ahead = rays[:, 2] > 0.3  # OpenCV's undistortion ends at 90 degrees and loses digits before
    expected = cv2.fisheye.undistortPoints(
        inside[ahead][:, None],
        matrix(lens),
        coefficients,
        criteria=(cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-14),
    )[:, 0]
    np.testing.assert_allclose(rays[ahead, :2] / rays[ahead, 2:], expected, atol=1e-7)
    projected, _ = cv2.fisheye.projectPoints(
        rays[ahead][:, None], np.zeros(3), np.zeros(3), matrix(lens), coefficients
    )
    np.testing.assert_allclose(pixels_from_rays(lens, rays[ahead]), projected[:, 0], atol=1e-6)


@given(st.sampled_from(sorted(BROWNS)), st.floats(0, 1920), st.floats(0, 1080))
def test_a_brown_pixel_comes_back(name: str, u: float, v: float) -> None:
    lens = brown(name)
    np.testing.assert_allclose(
        pixels_from_rays(lens, rays_from_pixels(lens, np.array([[u, v]]))), [[u, v]], atol=1e-5
    )


@given(st.sampled_from(sorted(FISHEYES)), st.floats(0, 1920), st.floats(0, 1440))
def test_a_fisheye_pixel_comes_back(name: str, u: float, v: float) -> None:
    lens = fisheye(name)
    np.testing.assert_allclose(
        pixels_from_rays(lens, rays_from_pixels(lens, np.array([[u, v]]))), [[u, v]], atol=1e-5
    )


def test_a_fisheye_sees_behind_ninety_degrees() -> None:
    lens = Lens(2000, 2000, 500.0, 500.0, 1000.0, 1000.0, "fisheye")
    ray = rays_from_pixels(lens, np.array([[1000.0 + 500.0 * np.radians(100), 1000.0]]))[0]
    np.testing.assert_allclose(ray, [np.sin(np.radians(100)), 0, np.cos(np.radians(100))])


def test_a_pixel_beyond_the_valid_field_has_no_ray() -> None:
    # r (1 - 0.3 r²) is largest, 0.703, at r = 1.054: nothing falls farther out.
    lens = Lens(3000, 1000, 1000.0, 1000.0, 1500.0, 500.0, "brown", (-0.3, 0, 0, 0, 0))
    rays = rays_from_pixels(lens, np.array([[1500 + 700.0, 500.0], [1500 + 706.0, 500.0]]))
    assert np.isfinite(rays[0]).all()
    assert np.isnan(rays[1]).all()


def test_a_ray_beyond_the_valid_field_or_behind_has_no_pixel() -> None:
    lens = Lens(3000, 1000, 1000.0, 1000.0, 1500.0, 500.0, "brown", (-0.3, 0, 0, 0, 0))
    pixels = pixels_from_rays(lens, np.array([[1.2, 0, 1], [0, 0, -1], [0.1, 0, 0], [0, 0, 2.0]]))
    assert np.isnan(pixels[:3]).all()
    np.testing.assert_allclose(pixels[3], [1500, 500])


def test_the_focal_length_follows_from_the_field_of_view() -> None:
    assert focal_from_hfov(2000, 90.0) == pytest.approx(1000.0)
