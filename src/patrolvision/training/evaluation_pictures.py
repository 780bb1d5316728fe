"""The worst mistakes as pictures: a cut around the box, drawn boxes and the found one on it."""

from __future__ import annotations

from base64 import b64encode

import cv2
import numpy as np

from patrolvision.training.evaluation_mistakes import Mistake
from patrolvision.training.labels import LabelledPicture
from patrolvision.training.pictures import decoded
from patrolvision.types import Image

SIDE_PX = 224
LEAST_CUT_PX = 96
MARGIN = 0.6  # of the box's longer side, around it
QUALITY = 80
TRUTH_BGR, MISTAKE_BGR = (110, 200, 60), (40, 40, 235)


def cut(image: Image, picture: LabelledPicture, mistake: Mistake) -> Image:
    """A square of SIDE_PX around the mistake: what is drawn in green, the mistake in red."""
    x1, y1, x2, y2 = mistake.xyxy
    half = max(max(x2 - x1, y2 - y1) * (0.5 + MARGIN), LEAST_CUT_PX / 2)
    left, top = (x1 + x2) / 2 - half, (y1 + y2) / 2 - half
    scale = SIDE_PX / (2 * half)
    to_cut = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]])
    square = cv2.warpAffine(
        image, to_cut, (SIDE_PX, SIDE_PX), flags=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    )
    boxes = [(box, TRUTH_BGR) for box in picture.xyxy.tolist()]
    for box, colour in [*boxes, (mistake.xyxy, MISTAKE_BGR)]:
        corners = [round((value - (left, top)[k % 2]) * scale) for k, value in enumerate(box)]
        cv2.rectangle(square, corners[:2], corners[2:], colour, 2)
    return np.asarray(square, np.uint8)


def data_uri(picture: LabelledPicture, mistake: Mistake) -> str | None:
    """The cut as a JPEG inside the page; None if the picture is gone."""
    try:
        image = decoded(picture.path.read_bytes())
    except OSError:
        return None
    if image is None:
        return None
    _, jpeg = cv2.imencode(
        ".jpg", cut(image, picture, mistake), [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    )
    return "data:image/jpeg;base64," + b64encode(jpeg.tobytes()).decode("ascii")
