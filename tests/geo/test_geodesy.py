"""Geodesy against PROJ, which is written by others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod, Transformer

from patrolvision.geo.geodesy import (
    distance_m,
    ecef_from_geodetic,
    geodetic_from_ecef,
    local_en,
    offset,
)

latitudes = st.floats(-89.0, 89.0)
longitudes = st.floats(-180.0, 180.0)
metres = st.floats(-5000.0, 5000.0)


@pytest.mark.parametrize("lat0", [-60.0, 0.0, 22.84, 53.9, 85.0])
def test_east_and_north_agree_with_proj_to_a_micrometre(lat0: float) -> None:
    rng = np.random.default_rng(1)
    lat = lat0 + rng.uniform(-0.05, 0.05, 200)
    lon = 113.23 + rng.uniform(-0.05, 0.05, 200)
    topocentric = Transformer.from_pipeline(
        "+proj=pipeline +step +proj=unitconvert +xy_in=deg +xy_out=rad "
        "+step +proj=cart +ellps=WGS84 "
        f"+step +proj=topocentric +ellps=WGS84 +lon_0=113.23 +lat_0={lat0}"
    )
    east, north, _ = topocentric.transform(lon, lat, np.zeros(200))
    got_east, got_north = local_en(lat0, 113.23, lat, lon)
    np.testing.assert_allclose(got_east, east, atol=1e-6)
    np.testing.assert_allclose(got_north, north, atol=1e-6)


def test_ecef_agrees_with_proj_both_ways() -> None:
    rng = np.random.default_rng(2)
    lat, lon, h = rng.uniform(-89, 89, 200), rng.uniform(-180, 180, 200), rng.uniform(-50, 9e3, 200)
    proj = Transformer.from_crs("EPSG:4979", "EPSG:4978", always_xy=True)
    xyz = np.stack(proj.transform(lon, lat, h), axis=-1)
    np.testing.assert_allclose(ecef_from_geodetic(lat, lon, h), xyz, atol=1e-6)
    back_lat, back_lon, back_h = geodetic_from_ecef(xyz)
    np.testing.assert_allclose(back_lat, lat, atol=1e-11)  # 1e-11 degrees are 1.1 µm
    np.testing.assert_allclose(back_lon, lon, atol=1e-11)
    np.testing.assert_allclose(back_h, h, atol=1e-6)


@given(latitudes, longitudes, metres, metres)
def test_an_offset_is_undone_by_local_en(lat: float, lon: float, e: float, n: float) -> None:
    there = offset(lat, lon, e, n)
    np.testing.assert_allclose(local_en(lat, lon, *there), (e, n), atol=2e-6)


@given(latitudes, longitudes, st.floats(0.1, 20000.0), st.floats(0.0, 360.0))
def test_a_distance_agrees_with_the_geodesic(lat: float, lon: float, d: float, az: float) -> None:
    lon2, lat2, _ = Geod(ellps="WGS84").fwd(lon, lat, az, d)
    assert float(distance_m(lat, lon, lat2, lon2)) == pytest.approx(d, abs=1e-3)


def test_a_step_across_the_date_line_is_short() -> None:
    assert float(distance_m(10.0, 179.9999, 10.0, -179.9999)) == pytest.approx(21.93, abs=0.01)


def test_arrays_broadcast_against_one_origin() -> None:
    lat, lon = offset(22.84, 113.23, np.array([0.0, 10.0, 20.0]), 5.0)
    east, north = local_en(22.84, 113.23, lat, lon)
    assert east.shape == (3,)
    np.testing.assert_allclose(north, 5.0, atol=1e-6)
