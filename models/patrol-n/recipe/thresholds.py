"""Thresholds chosen on one half of the pictures and judged on the other, both ways round.

    python thresholds.py --model patrol-n@0.3.0 --data val.yaml footage.yaml … [--keep found.pkl]

Needs the program (`pip install -e .`). A clip goes into one half whole; a picture by the hash of
its name. The threshold of a class is the one with the best F1; for litter and fire it then rises
until fewer than 10 and 2 boxes per 1,000 street pictures without the class are found. Prints a row
per class: what each half chose, what that gave on the other half, and the higher of the two, which
is what a release is shipped with.
"""

import argparse
import json
import pickle
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np

from patrolvision import wiring
from patrolvision.config import Settings
from patrolvision.training import calibration, evaluation_figures
from patrolvision.training.evaluation import FLOOR, matches_of
from patrolvision.training.evaluation_data import look, read_data
from patrolvision.training.evaluation_matching import ClassMatches
from patrolvision.training.labels import LabelledPicture
from patrolvision.types import Detections

# Where a patrol car could be: no drone picture, no coco128 (rooms, food, animals).
STREET = ("litter_", "fire_", "udacity", "max-heromode", "karma", "night_", "car_fire", "street_",
          "city_", "sample_car")  # fmt: skip
SETS_OF_PHOTOGRAPHS = ("litter_", "fire_hotfire", "coco128", "vehicles_")
Found = tuple[list[LabelledPicture], list[Detections]]


def found_by(model: str, files: Sequence[Path]) -> Found:
    """Every picture with its labels, and what the release finds on it."""
    settings = Settings(model=model)
    detector = wiring.detector(settings, conf=FLOOR)
    pictures, found = [], []
    for file in files:
        data = read_data(file, "val", detector.release.classes)
        for path in data.files:
            image, picture, _ = look(data, path)
            pictures.append(picture)
            found += detector.detect([image])
    return pictures, found


def is_first_half(picture: LabelledPicture) -> bool:
    """By the name of the photograph, or of the clip that a frame is of."""
    is_photograph = picture.source.startswith(SETS_OF_PHOTOGRAPHS)
    name = picture.path.stem if is_photograph else picture.source
    return sha256(name.encode()).digest()[0] % 2 == 0


def false_boxes(matches: ClassMatches, street: np.ndarray, threshold: float) -> tuple[int, int]:
    """Boxes on street pictures without the class, and how many such pictures there are."""
    clean = ~matches.has_class & street[matches.pictures]
    return int((clean[matches.index] & (matches.confidence >= threshold)).sum()), int(clean.sum())


def chosen(matches: ClassMatches, street: np.ndarray, budget: float | None) -> float:
    """The best F1's threshold, raised until the budget is kept."""
    best = calibration.calibrate(matches).proposed or 0.35
    for threshold in (t for t in calibration.GRID if t >= best):
        boxes, pictures = false_boxes(matches, street, threshold)
        if budget is None or boxes * 1000 < budget * max(pictures, 1):
            return threshold
    return calibration.GRID[-1]


def row_of(
    name: str, matches: ClassMatches, street: np.ndarray, first: np.ndarray
) -> dict[str, object]:
    """One class: thresholds by half, and the figures of the other half at them, put together."""
    budget = calibration.FALSE_PER_1000.get(name)
    halves = [matches.only(first[matches.pictures]), matches.only(~first[matches.pictures])]
    picks = [chosen(half, street, budget) for half in halves]
    other = list(zip(halves, reversed(picks), strict=True))
    hits, said, drawn, false, clean = 0, 0, 0, 0, 0
    for half, threshold in other:
        over = half.confidence >= threshold
        hits += int((half.is_hit[0] & over).sum())
        said += int((over & ~half.is_ignored[0]).sum())
        drawn += int(half.drawn.sum())
        boxes, pictures = false_boxes(half, street, threshold)
        false, clean = false + boxes, clean + pictures
    shipped = max(picks)
    return {
        "class": name,
        "boxes": drawn,
        "chosen": picks,
        "held out": {
            "precision": round(hits / max(said, 1), 3),
            "recall": round(hits / max(drawn, 1), 3),
            "false on street": f"{false} in {clean}",
        },
        "shipped": shipped,
        "at shipped, all": {
            "precision": round(evaluation_figures.precision_at(matches, shipped), 3),
            "recall": round(evaluation_figures.recall_at(matches, shipped), 3),
            "false on street": "{} in {}".format(*false_boxes(matches, street, shipped)),
        },
    }


def main(argv: list[str] | None = None) -> int:
    """Choose, judge and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--keep", type=Path, help="detections are kept here, and taken from here")
    args = parser.parse_args(argv)
    if args.keep and args.keep.is_file():
        pictures, found = pickle.loads(args.keep.read_bytes())
    else:
        pictures, found = found_by(args.model, args.data)
        if args.keep:
            args.keep.write_bytes(pickle.dumps((pictures, found)))
    classes = tuple(wiring.release(Settings(model=args.model)).classes)
    street = np.array([picture.source.startswith(STREET) for picture in pictures])
    first = np.array([is_first_half(picture) for picture in pictures])
    for name, matches in matches_of(pictures, found, classes).items():
        if matches.drawn.sum():
            print(json.dumps(row_of(name, matches, street, first)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
