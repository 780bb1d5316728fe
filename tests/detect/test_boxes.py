from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patrolvision.detect.boxes import overlap_with, suppress

ONE = np.array([0.0, 0.0, 10.0, 10.0])


@pytest.mark.parametrize(
    ("other", "iou", "ios"),
    [
        ((0, 0, 10, 10), 1.0, 1.0),
        ((10, 0, 20, 10), 0.0, 0.0),
        ((5, 0, 15, 10), 50 / 150, 0.5),
        ((0, 0, 10, 5), 0.5, 1.0),
        ((2, 2, 2, 8), 0.0, 0.0),
    ],
)
def test_overlap_is_what_a_person_counts(other: tuple[int, ...], iou: float, ios: float) -> None:
    others = np.array([other], np.float64)
    assert overlap_with(ONE, others)[0] == pytest.approx(iou)
    assert overlap_with(ONE, others, "ios")[0] == pytest.approx(ios)


@given(st.integers(0, 2**32 - 1), st.integers(0, 40), st.floats(0.1, 0.9))
def test_what_stays_does_not_overlap_and_what_goes_overlaps_a_better_one(
    seed: int, n: int, limit: float
) -> None:
    random = np.random.default_rng(seed)
    corner = random.uniform(0, 100, (n, 2))
    xyxy = np.concatenate([corner, corner + random.uniform(1, 50, (n, 2))], axis=1)
    confidence, class_id = random.uniform(0, 1, n), random.integers(0, 2, n)
    kept = suppress(xyxy, confidence, class_id, limit)
    assert (np.diff(confidence[kept]) <= 0).all()
    for index in range(n):
        rivals = [k for k in kept if class_id[k] == class_id[index] and k != index]
        over = [k for k in rivals if overlap_with(xyxy[index], xyxy[[k]])[0] > limit]
        if index in kept:
            assert not over
        else:
            assert any(confidence[k] >= confidence[index] for k in over)
