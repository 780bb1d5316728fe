"""Boxes around rings, on either side of the date line and across it."""

from __future__ import annotations

import pytest

from patrolvision.geo.boxes import Box, box_of, lon_in

Ring = list[tuple[float, float]]


@pytest.mark.parametrize(
    ("ring", "box"),
    [
        ([(1.0, 2.0), (1.0, 4.0), (3.0, 4.0), (3.0, 2.0)], (1.0, 2.0, 3.0, 4.0)),
        ([(1.0, -3.0), (1.0, 3.0), (2.0, 0.0)], (1.0, -3.0, 2.0, 3.0)),  # across the first meridian
        ([(1.0, 179.5), (1.0, -179.5), (2.0, -179.5), (2.0, 179.5)], (1.0, 179.5, 2.0, 180.5)),
        ([(1.0, -179.5), (2.0, -179.5), (2.0, 179.5), (1.0, 179.5)], (1.0, 179.5, 2.0, 180.5)),
        ([(1.0, -180.0), (1.0, -179.0), (2.0, -179.5)], (1.0, -180.0, 2.0, -179.0)),
        ([(1.0, 179.0), (1.0, 180.0), (2.0, 179.5)], (1.0, 179.0, 2.0, 180.0)),
    ],
)
def test_a_box_is_as_narrow_as_its_ring(ring: Ring, box: Box) -> None:
    assert box_of(ring) == pytest.approx(box)


@pytest.mark.parametrize(
    ("lon", "west", "same"),
    [(-179.9, 179.5, 180.1), (179.9, 179.5, 179.9), (180.1, -180.0, -179.9), (5.0, -180.0, 5.0)],
)
def test_a_longitude_is_counted_from_the_west_of_a_box(
    lon: float, west: float, same: float
) -> None:
    assert lon_in(lon, west) == pytest.approx(same)
