"""The algebra in plain floats and the arrays say the same of any handful of sights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from incident_sights import finding

from patrolvision.incidents import association, few, places
from patrolvision.incidents.settings import AlignmentSettings
from patrolvision.types import FloatArray, Matrix, Observation

SETTINGS = AlignmentSettings()


def covariance(rng: np.random.Generator, least_m: float = 0.3) -> FloatArray:
    """A covariance with axes from least_m to ten times as long, turned anyhow."""
    turn = rng.uniform(0, np.pi)
    axes = least_m * rng.uniform(1, 10, 2)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return np.asarray(rotation @ np.diag(axes**2) @ rotation.T)


@pytest.mark.parametrize("seed", range(50))
def test_matrices_are_inverted_applied_and_measured_alike(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cov, vector = covariance(rng), rng.normal(0, 5, 2)
    plain = few.matrix_of(cov)
    x, y = vector.tolist()
    assert few.array_of(few.inverse(plain)) == pytest.approx(association.inverse(cov))
    assert few.times(plain, x, y) == pytest.approx(association.times(cov, vector))
    assert few.chi2(x, y, plain) == pytest.approx(float(association.chi2(vector, cov)))
    assert few.smallest(plain) == pytest.approx(np.linalg.eigvalsh(cov)[0])


@pytest.mark.parametrize(
    "matrix",
    [
        (1.0, 0.2, 2.0),  # nothing to mend
        (-1.0, 0.3, 2.0),  # a bias beyond the total along one axis
        (-1.0, 0.3, -2.0),  # along both
        (0.0, 0.0, 0.0),  # the total is the bias
        (0.005, 0.0, 0.005),
    ],
)
def test_no_axis_is_left_below_a_decimetre(matrix: Matrix) -> None:
    found = few.positive(matrix)
    assert np.linalg.eigvalsh(few.array_of(found))[0] >= 0.01 - 1e-12
    value, vector = np.linalg.eigh(few.array_of(matrix))
    expected = (vector * np.maximum(value, 0.01)) @ vector.T
    assert few.array_of(found) == pytest.approx(expected)
    both = places._positive(np.stack([few.array_of(matrix), np.eye(2)]))
    assert both[0] == pytest.approx(expected)
    assert both[1] == pytest.approx(np.eye(2))


def sights_of_one_thing(rng: np.random.Generator) -> list[Observation]:
    """One to six sights by one to three missions; some told their bias, some nearly all of it."""
    seen = []
    for k in range(int(rng.integers(1, 7))):
        east, north = rng.normal(0, 3, 2).tolist()
        plain = finding(f"o{k}", f"m{rng.integers(3)}", east, north, after_s=60.0 * k).observation
        total = covariance(rng)
        bias = total * rng.uniform(0.5, 1.2) if rng.integers(2) else None
        place = replace(plain.place, cov_en_m2=total)
        seen.append(replace(plain, place=place, bias_cov_en_m2=bias))
    return seen


@pytest.mark.parametrize("seed", range(100))
def test_a_thing_has_the_same_place_either_way(seed: int) -> None:
    seen = sights_of_one_thing(np.random.default_rng(seed))
    (expected,) = places.places_of([seen], SETTINGS)
    found = few.place_of(seen, SETTINGS)
    assert (found.lat_deg, found.lon_deg) == pytest.approx(
        (expected.lat_deg, expected.lon_deg), abs=1e-12
    )
    assert found.cov_en_m2 == pytest.approx(expected.cov_en_m2, rel=1e-9)


def test_many_sights_of_one_thing_are_reckoned_as_arrays_with_the_same_result() -> None:
    rng = np.random.default_rng(7)
    seen = [replace(one, id=f"{k}-{one.id}") for k in range(8) for one in sights_of_one_thing(rng)]
    assert len(seen) > few.MOST
    found, expected = places.place_of(seen, SETTINGS), few.place_of(seen, SETTINGS)
    assert (found.lat_deg, found.lon_deg) == pytest.approx(
        (expected.lat_deg, expected.lon_deg), abs=1e-12
    )
