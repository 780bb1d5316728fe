"""Where two pictures show the same ground: a homography from the pixels of one to the other's.

SIFT features (D. Lowe, IJCV 2004) with the square root of their descriptors (R. Arandjelović and
A. Zisserman, CVPR 2012) are matched both ways and fitted by MAGSAC (D. Barath et al., CVPR 2020).
A homography is exact where the ground is a plane or the camera only turns; what stands up from the
ground, and what moves, are its outliers.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from patrolvision.types import FloatArray, Image

WORKING_PX = 960  # longer side of what is looked at
FEATURES = 2000
RATIO = 0.8  # of the best match's distance to the second best's
FIT_PX = 3.0  # of the shrunk picture
LEAST_INLIERS = 24
LEAST_SHARE = 0.2  # of the matches
LEAST_SPREAD = 0.05  # of the picture's area that the inliers' bounding box covers
SCALES = (0.25, 4.0)  # of lengths: what two pictures of one survey may differ by
SEED = 7


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """points (N, 2) in pixels of the full picture, descriptors (N, 128), the picture's size."""

    points: NDArray[np.float32]
    descriptors: NDArray[np.float32]
    size_wh: tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Overlap:
    """matrix (3, 3) takes pixels of the first picture to the second's; inliers agree with it."""

    matrix: FloatArray
    inliers: int

    def carried(self, points: FloatArray) -> FloatArray:
        """Pixels (N, 2) of the first picture as the second's (N, 2); NaN beyond its horizon."""
        spread = np.column_stack([points, np.ones(len(points))]) @ self.matrix.T
        depth = np.where(spread[:, 2:] > 1e-9, spread[:, 2:], np.nan)
        return np.asarray(spread[:, :2] / depth)

    def inverse(self) -> Overlap:
        """The same, from the second picture to the first."""
        inverse = np.linalg.inv(self.matrix)
        return Overlap(inverse / inverse[2, 2], self.inliers)


def describe(image: Image, full_wh: tuple[int, int] | None = None) -> Features:
    """The features of a picture (H, W, 3) BGR; full_wh: what it was shrunk from, if it was."""
    height, width = image.shape[:2]
    size_wh = full_wh or (width, height)
    scale = min(1.0, WORKING_PX / max(width, height))
    small_wh = max(1, round(width * scale)), max(1, round(height * scale))
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, small_wh, interpolation=cv2.INTER_AREA) if scale < 1 else grey
    keys, found = cv2.SIFT_create(nfeatures=FEATURES).detectAndCompute(small, None)  # type: ignore[call-overload, attr-defined, unused-ignore]
    if found is None or not len(keys):
        return Features(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32), size_wh)
    found = np.sqrt(found / np.maximum(found.sum(axis=1, keepdims=True), 1e-9))
    stretch = size_wh[0] / small_wh[0], size_wh[1] / small_wh[1]
    points = np.array([key.pt for key in keys], np.float32) * np.array(stretch, np.float32)
    return Features(points.astype(np.float32), found.astype(np.float32), size_wh)


def matches(first: Features, second: Features) -> NDArray[np.int64]:
    """Index pairs (M, 2) of features that are each other's best and clearly better than the next.

    The picture moved little where the matched points did.
    """
    if len(first.points) < 2 or len(second.points) < 2:
        return np.zeros((0, 2), np.int64)
    likeness = first.descriptors @ second.descriptors.T  # of unit vectors
    best = likeness.argmax(axis=1)
    rows = np.arange(len(best))
    top = likeness[rows, best]
    likeness[rows, best] = -1.0
    next_best = likeness.max(axis=1)
    likeness[rows, best] = top
    apart, next_apart = np.sqrt(np.clip(2 - 2 * np.stack([top, next_best]), 0, None))
    is_clear = (apart < RATIO * next_apart) & (likeness.argmax(axis=0)[best] == rows)
    return np.asarray(np.column_stack([rows, best])[is_clear], np.int64)


def register(first: Features, second: Features) -> Overlap | None:
    """How the first picture's ground lies in the second; None where they show no common ground."""
    pairs = matches(first, second)
    if len(pairs) < LEAST_INLIERS:
        return None
    start, end = first.points[pairs[:, 0]], second.points[pairs[:, 1]]
    tolerance_px = FIT_PX * max(max(second.size_wh) / WORKING_PX, 1.0)
    cv2.setRNGSeed(SEED)
    matrix, mask = cv2.findHomography(start, end, cv2.USAC_MAGSAC, tolerance_px, maxIters=5000)
    if matrix is None or mask is None:
        return None
    is_inlier = mask.ravel() == 1
    count = int(is_inlier.sum())
    if count < LEAST_INLIERS or count < LEAST_SHARE * len(pairs):
        return None
    overlap = Overlap(np.asarray(matrix, np.float64), count)
    return overlap if _is_plausible(overlap, start[is_inlier], first.size_wh) else None


def _is_plausible(overlap: Overlap, inliers: NDArray[np.float32], size_wh: tuple[int, int]) -> bool:
    """Whether the common ground is no speck, keeps its handedness, and is of a similar scale."""
    spread = np.ptp(inliers, axis=0)
    if spread.prod() < LEAST_SPREAD * size_wh[0] * size_wh[1]:
        return False
    x1, y1 = inliers.min(axis=0)
    x2, y2 = inliers.max(axis=0)
    corners = np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], np.float64)
    carried = overlap.carried(corners)
    if not np.isfinite(carried).all():
        return False
    length = np.sqrt(abs(_signed_area(carried) / _signed_area(corners)))
    is_turned_over = _signed_area(carried) * _signed_area(corners) <= 0
    return not is_turned_over and SCALES[0] <= float(length) <= SCALES[1]


def _signed_area(corners: FloatArray) -> float:
    x, y = corners.T
    return float(0.5 * (x @ np.roll(y, -1) - y @ np.roll(x, -1)))
