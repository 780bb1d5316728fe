"""Photos of one flight laid to each other by what their pictures say of the ways between them."""

from __future__ import annotations

import cmath
import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from patrolvision.geo.geodesy import local_en, offset
from patrolvision.sources.adjusted import adjusted
from patrolvision.sources.strips import Pair, Verdicts
from patrolvision.types import Pose

HOME = (53.9, 27.55)
STEP_M = 15.0
NOTHING = Verdicts({}, frozenset(), frozenset(), None, frozenset())


def flight(photos: int, per_strip: int = 20) -> np.ndarray:
    """Places (photos,) north + i east of a flight to and fro, 20 m from strip to strip."""
    there = []
    for k in range(photos):
        strip, step = divmod(k, per_strip)
        east = step if strip % 2 == 0 else per_strip - 1 - step
        there.append(complex(20.0 * strip, STEP_M * east))
    return np.array(there)


def poses_at(places: np.ndarray, headings_deg: np.ndarray) -> list[Pose | str]:
    made: list[Pose | str] = []
    start = datetime(2026, 5, 4, tzinfo=UTC)
    for k, (there, heading) in enumerate(zip(places, headings_deg, strict=True)):
        lat, lon = offset(*HOME, there.imag, there.real)
        made.append(
            Pose(
                start + timedelta(seconds=4 * k), float(lat), float(lon), 40.0,
                float(heading) % 360, -90.0, 0.0, 2.5, 3.0, 1.0, 1.0,
            )
        )  # fmt: skip
    return made


def pairs_of(
    truth: np.ndarray, poses: list[Pose | str], headings_deg: np.ndarray, scale: float = 1.0
) -> list[Pair]:
    """Each photo with the next two, and with that of the strip before beside it, as seen."""
    rng = np.random.default_rng(3)
    made = []
    for j in range(len(truth)):
        beside = [i for i in range(j - 2) if abs(truth[i] - truth[j]) < 21.0]
        for i in [*beside, *range(max(0, j - 2), j)]:
            first, second = poses[i], poses[j]
            assert isinstance(first, Pose)
            assert isinstance(second, Pose)
            east, north = local_en(first.lat_deg, first.lon_deg, second.lat_deg, second.lon_deg)
            base = complex(float(north), float(east))
            wrong = [math.radians(p.heading_deg - headings_deg[k])
                     for k, p in ((i, first), (j, second))]  # fmt: skip
            seen = (truth[j] - truth[i]) * cmath.exp(1j * wrong[0]) / scale
            seen += complex(*rng.normal(0, 0.1, 2))
            error = math.degrees(cmath.phase(base / seen))
            turn = math.degrees(wrong[0] - wrong[1]) + float(rng.normal(0, 0.3))
            made.append(Pair(i, j, error, error + turn, 5.0, seen, abs(base)))
    return made


def off_m(poses: tuple[Pose | str, ...], truth: np.ndarray) -> np.ndarray:
    found = []
    for pose in poses:
        assert isinstance(pose, Pose)
        east, north = local_en(*HOME, pose.lat_deg, pose.lon_deg)
        found.append(complex(float(north), float(east)))
    return np.array(found) - truth


@pytest.mark.parametrize(("photos", "step_m"), [(12, 0.6), (60, 0.35), (300, 0.35)])
@pytest.mark.parametrize("scale", [1.0, 0.95])
def test_scattering_fixes_and_headings_give_way_to_the_pictures(
    photos: int, step_m: float, scale: float
) -> None:
    rng = np.random.default_rng(photos)
    truth = flight(photos)
    headings = np.full(photos, 90.0)
    noise = rng.normal(0, 1.5, (2, photos))
    said = poses_at(truth + noise[0] + 1j * noise[1], headings + rng.normal(0, 2.5, photos))
    found, sigma_m = adjusted(said, pairs_of(truth, said, headings, scale), NOTHING)
    assert sigma_m is not None
    assert 0.7 < sigma_m < 2.2
    off = off_m(found, truth)
    off = off - off.mean()
    steps = abs(np.diff(off))
    assert np.median(steps) < step_m  # 2.5 m as they are said
    assert abs(off).mean() < 1.0  # nothing is stretched over the flight
    turned = [pose.heading_deg - 90.0 for pose in found if isinstance(pose, Pose)]
    assert np.std(turned) < 1.8


def test_one_picture_pair_that_is_quite_wrong_moves_nothing_far() -> None:
    rng = np.random.default_rng(5)
    truth = flight(40)
    headings = np.full(40, 90.0)
    noise = rng.normal(0, 1.0, (2, 40))
    said = poses_at(truth + noise[0] + 1j * noise[1], headings)
    pairs = pairs_of(truth, said, headings)
    wrong = pairs[30]
    pairs[30] = Pair(wrong.first, wrong.second, 40.0, 40.0, 5.0, wrong.way + 12j, wrong.base_m)
    found, _ = adjusted(said, pairs, NOTHING)
    off = off_m(found, truth)
    assert abs(off - off.mean()).max() < 1.5


def test_photos_without_a_pose_stay_without_one() -> None:
    truth = flight(12)
    headings = np.full(12, 90.0)
    noise = np.random.default_rng(6).normal(0, 1.5, (2, 12))
    said = poses_at(truth + noise[0] + 1j * noise[1], headings)
    pairs = pairs_of(truth, said, headings)
    said[4] = "stale fix"
    found, sigma_m = adjusted(said, pairs, NOTHING)
    assert found[4] == "stale fix"
    assert sigma_m is not None


def test_good_fixes_and_a_few_photos_are_left_as_they_are() -> None:
    truth = flight(30)
    headings = np.full(30, 90.0)
    said = poses_at(truth, headings + np.random.default_rng(7).normal(0, 2.5, 30))
    assert adjusted(said, pairs_of(truth, said, headings), NOTHING) == (tuple(said), None)
    two = poses_at(truth[:2] + np.array([3.0, 0.0]), headings[:2])
    assert adjusted(two, pairs_of(truth[:2], two, headings[:2]), NOTHING) == (tuple(two), None)
