"""Districts: what is near is solved, whatever the order; what is far is not even read."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from incident_sights import LAT_DEG, LON_DEG, finding
from test_fusion import fuse, fuse_in_steps, state

from patrolvision.geo.districts import districts_at, districts_within
from patrolvision.geo.geodesy import offset
from patrolvision.incidents.fusion import absorb
from patrolvision.incidents.memory import MemoryNeighbourhood
from patrolvision.types import Finding

latitudes, longitudes = st.floats(-80, 80), st.floats(-180, 180)


class Counted(MemoryNeighbourhood):
    """Counts the findings that it was asked for, and remembers the districts held."""

    def __init__(self) -> None:
        super().__init__()
        self.read = 0
        self.held: set[int] = set()

    def findings_around(
        self,
        places: Sequence[tuple[float, float]],
        radius_m: float,
        *,
        known: Collection[str] = (),
        missions: Sequence[str] = (),
    ) -> list[Finding]:
        found = super().findings_around(places, radius_m, known=known, missions=missions)
        self.read += len(found)
        return found

    def hold(self, districts: Collection[int]) -> None:
        self.held |= set(districts)


def street(length_m: float, passes: int = 3, spacing_m: float = 20.0) -> list[Finding]:
    """A straight street that several shifted passes drive from end to end."""
    found = []
    for m in range(passes):
        rng = np.random.default_rng([8, m])  # a longer street begins as the shorter one does
        shift = rng.normal(0, 2, 2)
        for k in range(int(length_m / spacing_m)):
            if rng.random() < 0.9:
                east, north = np.array([spacing_m * k, 0.0]) + shift + rng.normal(0, 0.9, 2)
                found.append(finding(f"{m}-{k}", f"m{m}", east, north, after_s=3600.0 * m + k))
    return found


@settings(max_examples=3)
@given(st.randoms(use_true_random=False), st.integers(12, 60))
def test_a_street_through_several_districts_ends_the_same_in_any_order(
    random: object, step: int
) -> None:
    findings = street(1600.0, passes=2)
    shuffled = list(findings)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    steps = [shuffled[at : at + step] for at in range(0, len(shuffled), step)]
    near = fuse_in_steps(steps)
    assert state(list(near.incidents.values())) == state(fuse(findings))


def test_what_one_sight_costs_does_not_grow_with_the_street() -> None:
    read = []
    for length_m in (3000.0, 5000.0):
        near = Counted()
        near.save(street(length_m), incidents=absorb(street(length_m), MemoryNeighbourhood()))
        absorb([finding("new", "n", 1510.0, after_s=20_000.0)], near)
        read.append(near.read)
    assert read[0] == read[1] > 0


def test_what_is_solved_is_held_around_every_sight_of_its_cluster() -> None:
    near = Counted()
    one = finding("a", "m1")
    absorb([one], near)
    place = one.observation.place
    assert near.held == set(districts_within(place.lat_deg, place.lon_deg, 150.0)[0].tolist())


@given(latitudes, longitudes, st.floats(0, 400), st.floats(0, 360))
def test_the_district_of_every_place_within_reach_is_among_those_within_reach(
    lat_deg: float, lon_deg: float, apart_m: float, bearing_deg: float
) -> None:
    east = apart_m * np.sin(np.radians(bearing_deg))
    north = apart_m * np.cos(np.radians(bearing_deg))
    other = offset(lat_deg, lon_deg, east, north)
    assert int(districts_at(*other)) in districts_within(lat_deg, lon_deg, 400.0)[0]


def test_a_district_is_about_a_kilometre_wide_and_high() -> None:
    lat, lon = offset(LAT_DEG, LON_DEG, np.arange(0, 20_000.0, 10.0), 0.0)
    along = len(np.unique(districts_at(lat, lon)))
    lat, lon = offset(LAT_DEG, LON_DEG, 0.0, np.arange(0, 20_000.0, 10.0))
    assert 19 <= along <= 22
    assert 19 <= len(np.unique(districts_at(lat, lon))) <= 22
