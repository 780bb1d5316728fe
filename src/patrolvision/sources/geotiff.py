"""A GeoTIFF of the ground's height -> ElevationGrid, by rasterio (the extra `elevation`)."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from patrolvision.errors import ConfigError
from patrolvision.geo.elevation import ElevationGrid

MOST_CELLS = 100_000_000


def read_elevation(path: Path, sigma_m: float = 1.0) -> ElevationGrid:
    """The first band in WGS-84, whatever system the file is in; ConfigError names the file.

    sigma_m is one sigma of its heights against their neighbours.
    """
    try:
        import rasterio
        from rasterio.errors import RasterioError
        from rasterio.vrt import WarpedVRT
    except ImportError as error:
        raise ConfigError(
            f"{path}: reading elevation needs rasterio: run `pip install 'patrolvision[elevation]'`"
        ) from error
    if not path.is_file():
        raise ConfigError(f"{path}: no such elevation file")
    try:
        with rasterio.open(path) as file:
            if file.crs is None:
                raise ConfigError(f"{path}: the elevation file says no coordinate system")
            with WarpedVRT(file, crs="EPSG:4326", resampling=rasterio.enums.Resampling.bilinear,
                           nodata=math.nan, dtype="float32") as warped:  # fmt: skip
                if warped.width * warped.height > MOST_CELLS:
                    raise ConfigError(
                        f"{path}: {warped.width} x {warped.height} cells are too many: cut it to "
                        "the area of the patrols"
                    )
                heights = warped.read(1).astype(np.float64)
                transform = warped.transform
    except RasterioError as error:
        raise ConfigError(f"{path}: is no elevation GeoTIFF that can be read ({error})") from error
    if min(heights.shape) < 2 or not np.isfinite(heights).any():
        raise ConfigError(f"{path}: the elevation file holds no heights")
    # a pixel's value is that of its middle
    return ElevationGrid(
        heights,
        north_deg=transform.f + transform.e / 2,
        west_deg=transform.c + transform.a / 2,
        step_lat_deg=-transform.e,
        step_lon_deg=transform.a,
        sigma_m=sigma_m,
    )
