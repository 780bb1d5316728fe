"""Where the street lies on the Earth: street frame to WGS-84."""

import numpy as np

ORIGIN_LAT_DEG = 22.8400
ORIGIN_LON_DEG = 113.2300
STREET_HEADING_DEG = 248.0
GROUND_ALT_MSL_M = 6.0

_A_M = 6378137.0
_E2 = 6.69437999014e-3


def enu_from_street(x_m: np.ndarray, y_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """East and north metres from the origin."""
    h = np.radians(STREET_HEADING_DEG)
    x_m, y_m = np.asarray(x_m, float), np.asarray(y_m, float)
    return x_m * np.sin(h) - y_m * np.cos(h), x_m * np.cos(h) + y_m * np.sin(h)


def wgs84_from_enu(east_m: np.ndarray, north_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Latitude and longitude by the radii of curvature at the origin (1 mm over 200 m)."""
    sin_lat = np.sin(np.radians(ORIGIN_LAT_DEG))
    w = np.sqrt(1 - _E2 * sin_lat**2)
    meridian_m = _A_M * (1 - _E2) / w**3 + GROUND_ALT_MSL_M
    parallel_m = (_A_M / w + GROUND_ALT_MSL_M) * np.cos(np.radians(ORIGIN_LAT_DEG))
    lat = ORIGIN_LAT_DEG + np.degrees(np.asarray(north_m) / meridian_m)
    return lat, ORIGIN_LON_DEG + np.degrees(np.asarray(east_m) / parallel_m)


def wgs84_from_street(x_m: np.ndarray, y_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Latitude and longitude of points of the street frame."""
    return wgs84_from_enu(*enu_from_street(x_m, y_m))
