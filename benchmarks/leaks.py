"""How many faces and number plates stay readable in stored pictures, by an independent detector.

    python benchmarks/leaks.py --faces YUNET.onnx [--plates PLATES.pt] PICTURES_OR_FILMS…

Neither model is used by the program itself. A face of at least 20 px or a plate of at least 40 px
(widths) that the independent detector finds in the original counts; it leaks if the detector finds
it again after blurring, or if less than half of it was changed. Intervals are Wilson's, 95 %.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from patrolvision import wiring
from patrolvision.config import Settings
from patrolvision.types import Image

LEAST_FACE_PX, LEAST_PLATE_PX = 20, 40
SURE_FACE, SURE_PLATE = 0.8, 0.5
CHANGED = 8.0  # grey levels: more than JPEG or rounding would do
FILM_STEP_S = 1.0
Row = tuple[float, float, float, float]


def pictures(paths: list[Path]) -> Iterator[tuple[str, Image]]:
    """Every picture below the paths; of films one a second."""
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.suffix.lower() in (".jpg", ".jpeg", ".png"):
                image = cv2.imread(str(file))
                if image is not None:
                    yield file.name, np.asarray(image, np.uint8)
            elif file.suffix.lower() in (".mp4", ".mov"):
                film, at_s = cv2.VideoCapture(str(file)), 0.0
                while film.set(cv2.CAP_PROP_POS_MSEC, 1000 * at_s) and (got := film.read())[0]:
                    yield f"{file.name}@{at_s:.0f}s", np.asarray(got[1], np.uint8)
                    at_s += FILM_STEP_S


class Faces:
    """OpenCV's YuNet."""

    least_px = LEAST_FACE_PX

    def __init__(self, model: Path) -> None:
        self._net = cv2.FaceDetectorYN.create(str(model), "", (320, 320), SURE_FACE)

    def find(self, image: Image) -> list[Row]:
        """xyxy of each face; small ones need the picture enlarged."""
        scale = 2.0 if max(image.shape[:2]) < 900 else 1.0
        large = cv2.resize(image, None, fx=scale, fy=scale) if scale > 1 else image
        self._net.setInputSize((large.shape[1], large.shape[0]))
        _, found = self._net.detect(large)
        rows = [] if found is None else found
        return [tuple(v / scale for v in (x, y, x + w, y + h)) for x, y, w, h, *_ in rows]  # type: ignore[misc]


class Plates:
    """A YOLO checkpoint that finds number plates, by Ultralytics."""

    least_px = LEAST_PLATE_PX

    def __init__(self, model: Path) -> None:
        from ultralytics import YOLO

        self._net: Any = YOLO(str(model))

    def find(self, image: Image) -> list[Row]:
        """xyxy of each plate."""
        result = self._net.predict(image, conf=SURE_PLATE, imgsz=1280, verbose=False)[0]
        return [tuple(float(v) for v in row) for row in result.boxes.xyxy]  # type: ignore[misc]


def iou(a: Row, b: Row) -> float:
    """Intersection over union."""
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    common = max(wide, 0.0) * max(high, 0.0)
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)


def hidden_share(before: Image, after: Image, box: Row) -> float:
    """The share of the box's pixels that blurring changed."""
    x0, y0, x1, y1 = (max(round(v), 0) for v in box)
    part = cv2.absdiff(before[y0:y1, x0:x1], after[y0:y1, x0:x1]).max(axis=2)
    around = cv2.dilate((part > CHANGED).astype(np.uint8), np.ones((7, 7), np.uint8))
    return float(around.mean()) if around.size else 1.0


def wilson(leaks: int, of: int) -> tuple[float, float]:
    """95 % interval of a share (E. Wilson, JASA 1927)."""
    if of == 0:
        return 0.0, 1.0
    z, p = 1.96, leaks / of
    middle = (p + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    return max(middle - half, 0.0), min(middle + half, 1.0)


def main() -> None:
    """Print one line for each kind, and name the leaks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=Path)
    parser.add_argument("--plates", type=Path)
    parser.add_argument(
        "--own-face-model", type=Path, help="the settings' face_model: then measure with another"
    )
    parser.add_argument("--save", type=Path, help="a folder for pictures of the leaks")
    parser.add_argument("pictures", nargs="+", type=Path)
    args = parser.parse_args()
    kinds: dict[str, Any] = {}
    if args.faces:
        kinds["faces"] = Faces(args.faces)
    if args.plates:
        kinds["plates"] = Plates(args.plates)
    settings = Settings(face_model=args.own_face_model)
    detector = wiring.detector(settings, unsure_share=wiring.UNSURE_SHARE)
    keeper = wiring.keeper(settings, detector.release)
    found, leaked = dict.fromkeys(kinds, 0), dict.fromkeys(kinds, 0)
    for name, image in pictures(args.pictures):
        seen = {
            kind: [b for b in net.find(image) if b[2] - b[0] >= net.least_px]
            for kind, net in kinds.items()
        }
        if not any(seen.values()):
            continue
        after = keeper.private(image, detector.detect([image])[0])
        for kind, boxes in seen.items():
            again = kinds[kind].find(after)
            for box in boxes:
                found[kind] += 1
                share = hidden_share(image, after, box)
                is_leak = share < 0.5 or any(iou(box, other) > 0.3 for other in again)
                if is_leak:
                    leaked[kind] += 1
                    print(f"leak: {kind} {name} {[round(v) for v in box]} hidden {share:.2f}")
                    if args.save:
                        args.save.mkdir(parents=True, exist_ok=True)
                        shown = after.copy()
                        cv2.rectangle(shown, (int(box[0]), int(box[1])), (int(box[2]), int(box[3])),
                                      (0, 0, 255), 2)  # fmt: skip
                        cv2.imwrite(
                            str(args.save / f"{leaked[kind]:03d}-{kind}-{Path(name).stem}.jpg"),
                            shown,
                        )
    for kind in kinds:
        low, high = wilson(leaked[kind], found[kind])
        share = leaked[kind] / max(found[kind], 1)
        print(
            f"{kind}: {leaked[kind]} of {found[kind]} readable after blurring, "
            f"{100 * share:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
        )


if __name__ == "__main__":
    main()
