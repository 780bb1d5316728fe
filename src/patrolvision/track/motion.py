"""How the background moved between two analysed frames: the camera's own motion, in pixels.

Corners of a shrunk grey picture are followed by sparse optical flow (Lucas and Kanade, pyramidal;
J. Bouguet, 2001), back and forth, and a similarity (turn, scale, shift) is fitted to those that
came back to where they started, by RANSAC. A similarity, not a homography: with few corners a
homography fits noise, and what lies outside the corners is then thrown about.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from patrolvision.types import Image

WORKING_WIDTH_PX = 320
CORNERS = 120
LEAST_CORNERS = 12
LEAST_INLIER_RATIO = 0.3
RETURN_PX = 1.0  # of the shrunk picture: a corner that comes back farther off is lost
FIT_PX = 2.0
SEED = 7

Warp = NDArray[np.float64]  # (2, 3): x' = warp @ [x, y, 1], pixels of the full picture
STILL: Warp = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])

FlowArgs = dict[str, Any]
FLOW: FlowArgs = {
    "winSize": (21, 21),
    "maxLevel": 5,
    "flags": cv2.OPTFLOW_USE_INITIAL_FLOW,
    "criteria": (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 10, 0.03),
}


class CameraMotion:
    """Remembers the last picture of one stream and tells how the background moved since."""

    def __init__(self) -> None:
        self._grey: NDArray[np.uint8] | None = None
        self._boxes = np.zeros((0, 4))
        self._scale = 1.0

    def update(self, image: Image, boxes: NDArray[np.floating[Any]]) -> Warp:
        """The warp (2, 3) from the last picture to this one (H, W, 3) BGR; STILL if it is unknown.

        boxes (N, 4) xyxy: what stands in this picture and may move by itself; left out next time.
        """
        grey, scale = shrink(image)
        warp = STILL
        if self._grey is not None and self._grey.shape == grey.shape:
            warp = _rescaled(estimate_warp(self._grey, grey, self._boxes * self._scale), scale)
        self._grey, self._boxes, self._scale = grey, np.asarray(boxes, np.float64), scale
        return warp


def shrink(image: Image) -> tuple[NDArray[np.uint8], float]:
    """The picture in grey, at most WORKING_WIDTH_PX wide, and its scale."""
    height, width = image.shape[:2]
    scale = min(1.0, WORKING_WIDTH_PX / width)
    size_wh = max(1, round(width * scale)), max(1, round(height * scale))
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)  # before shrinking: half the work
    small = cv2.resize(grey, size_wh, interpolation=cv2.INTER_AREA) if scale < 1 else grey
    return np.asarray(small, np.uint8), scale


def estimate_warp(
    before: NDArray[np.uint8], after: NDArray[np.uint8], boxes: NDArray[np.floating[Any]]
) -> Warp:
    """The similarity (2, 3) that takes the background of one grey picture to the next.

    boxes (N, 4) xyxy in pixels of `before` are left out. STILL where too little can be followed.
    """
    corners = cv2.goodFeaturesToTrack(
        before, CORNERS, qualityLevel=0.01, minDistance=6, mask=_mask_without(before.shape, boxes)
    )
    if corners is None or len(corners) < LEAST_CORNERS:
        return STILL
    warp = _fitted(*_followed(before, after, corners, corners))
    if warp is None:  # a leap too long to be followed without knowing where to look
        guess = corners + np.asarray(_shift(before, after), np.float32)
        warp = _fitted(*_followed(before, after, corners, guess))
    return STILL if warp is None else warp


def _fitted(start: NDArray[np.float32], end: NDArray[np.float32]) -> Warp | None:
    """The similarity that most of the pairs of points (N, 2) agree on, None if they do not."""
    if len(start) < LEAST_CORNERS:
        return None
    cv2.setRNGSeed(SEED)
    warp, inliers = cv2.estimateAffinePartial2D(
        start, end, method=cv2.RANSAC, ransacReprojThreshold=FIT_PX
    )
    if warp is None or inliers.mean() < LEAST_INLIER_RATIO:
        return None
    return np.asarray(warp, np.float64)


def _shift(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> tuple[float, float]:
    """The shift (x, y) in pixels by which the whole picture agrees best, by phase correlation."""
    window = cv2.createHanningWindow((before.shape[1], before.shape[0]), cv2.CV_32F)
    found, _ = cv2.phaseCorrelate(before.astype(np.float32), after.astype(np.float32), window)
    return float(found[0]), float(found[1])


def _followed(
    before: NDArray[np.uint8], after: NDArray[np.uint8], corners: Any, guess: Any
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Corners (N, 2) that are found in the next picture and from there back at their place.

    guess: where in the next picture to begin looking, corner by corner.
    """
    end, there, _ = cv2.calcOpticalFlowPyrLK(before, after, corners, guess.copy(), **FLOW)
    back, again, _ = cv2.calcOpticalFlowPyrLK(after, before, end, end - (guess - corners), **FLOW)
    start, end, back = (np.asarray(p, np.float32).reshape(-1, 2) for p in (corners, end, back))
    is_kept = (there.ravel() == 1) & (again.ravel() == 1)
    is_kept &= np.linalg.norm(start - back, axis=1) < RETURN_PX
    return start[is_kept], end[is_kept]


def _mask_without(shape: tuple[int, ...], boxes: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    mask = np.full(shape[:2], 255, np.uint8)
    for x1, y1, x2, y2 in np.clip(np.round(boxes), 0, None).astype(int):
        mask[y1 : y2 + 1, x1 : x2 + 1] = 0
    return mask


def _rescaled(warp: Warp, scale: float) -> Warp:
    """A warp of the shrunk picture as one of the full picture."""
    result = warp.copy()
    result[:, 2] /= scale
    return result
