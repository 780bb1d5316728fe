"""The data of 0.1.0 -> that of 0.2.0: one box per fire, cars from above turned and near, lamps.

    python second_data.py --data OUT --out OUT2 [--seed 0]

OUT is what build_dataset.py wrote. OUT2 gets the same pictures and, of the training part only:
turned and magnified cuts of the drone pictures (cars from straight above, in any direction, were
taken for litter), and darkened pictures with lamps drawn on them (light that is no fire). Flames
and clouds of smoke that nearly touch become one box, in training and validation alike: the source
cuts one fire into pieces in ways that no two people would repeat. train.txt holds the repeats.
"""

import argparse
import random
import shutil
from collections import Counter
from pathlib import Path

import build_dataset as first
import cv2
import numpy as np
from numpy.typing import NDArray

FIRE, SMOKE = 1, 2
GAP_SHARE = 0.15  # of a box's mean side: nearer than that, two boxes are of one fire
REPEATS = {
    "litter_taco": 4.0,
    "litter_street_garbage_bins": 0.6,
    "fire_hotfire": 3.0,
    "coco128_train": 4.0,
    "vehicles_drone_minsk": 1.0,
    "turned": 1.0,
    "lamps": 1.0,
}
BINS_ONLY_REPEAT = 2
CUT_PX = 320


def join_near(boxes: first.Boxes, gap_share: float) -> first.Boxes:
    """Boxes (N, 5) of one class; those nearer than their gap become their hull, until none are."""
    kept = [np.array(box, dtype=np.float64) for box in boxes]
    index = 0
    while index < len(kept):
        one = kept[index]
        for other_index in range(index + 1, len(kept)):
            other = kept[other_index]
            sides = [(b[3] - b[1] + b[4] - b[2]) / 2 for b in (one, other)]
            apart = np.maximum(one[1:3], other[1:3]) - np.minimum(one[3:5], other[3:5])
            if apart.max() <= gap_share * max(sides):
                low, high = np.minimum(one[1:3], other[1:3]), np.maximum(one[3:5], other[3:5])
                kept[index] = np.array([one[0], *low, *high])
                del kept[other_index]
                index = -1
                break
        index += 1
    return np.array(kept).reshape(-1, 5)


def one_box_per_fire(boxes: first.Boxes) -> first.Boxes:
    """The boxes with fires and clouds of smoke joined."""
    joined = [join_near(boxes[boxes[:, 0] == kind], GAP_SHARE) for kind in (FIRE, SMOKE)]
    rest = boxes[(boxes[:, 0] != FIRE) & (boxes[:, 0] != SMOKE)]
    return np.vstack([rest, *joined])


def turned(boxes: first.Boxes, size_wh: tuple[int, int]) -> first.Boxes:
    """The boxes after a quarter turn anticlockwise of a picture of `size_wh`."""
    width = size_wh[0]
    return np.column_stack(
        [boxes[:, 0], boxes[:, 2], width - boxes[:, 3], boxes[:, 4], width - boxes[:, 1]]
    )


def with_lamps(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """The picture as dusk or night, with a few warm, white or red lights and their halos."""
    dark = (image / 255.0) ** rng.uniform(1.5, 2.6) * rng.uniform(0.25, 0.6)
    height, width = image.shape[:2]
    ys, xs = np.mgrid[0:height, 0:width]
    for _ in range(int(rng.integers(2, 9))):
        colour = np.array([(0.35, 0.7, 1.0), (0.75, 0.92, 1.0), (0.1, 0.1, 1.0), (0.2, 0.6, 1.0)])[
            int(rng.integers(4))
        ]
        core = rng.uniform(0.004, 0.02) * width
        away = np.hypot(xs - rng.uniform(0, width), ys - rng.uniform(0, height * 0.8))
        glow = 0.6 * np.exp(-away / (core * rng.uniform(2, 5)))
        disc = np.clip(1.5 - away / core, 0, 1)
        dark = dark + glow[..., None] * colour + disc[..., None] * (0.5 + 0.5 * colour)
    return (np.clip(dark, 0, 1) * 255).astype(np.uint8)


class Writer:
    """Pictures and labels of the new set."""

    def __init__(self, out: Path) -> None:
        self.out = out
        for folder in ("images", "labels", "drawn"):
            (out / folder).mkdir(parents=True, exist_ok=True)

    def write(self, name: str, image: NDArray[np.uint8], boxes: first.Boxes) -> str:
        """One made picture; returns its name."""
        cv2.imwrite(str(self.out / "images" / f"{name}.jpg"), image)
        for folder in ("labels", "drawn"):
            size_wh = (image.shape[1], image.shape[0])
            first.write_labels(self.out / folder / f"{name}.txt", boxes, size_wh)
        return name


def labels_of(data: Path, name: str, image: NDArray[np.uint8], folder: str) -> first.Boxes:
    """All boxes of a picture in pixels."""
    size_wh = (image.shape[1], image.shape[0])
    return first.read_labels(data / folder / f"{name}.txt", size_wh, {i: i for i in range(9)})


def copy_all(data: Path, writer: Writer, names: list[str]) -> set[str]:
    """Copy the pictures; returns the names of those without any litter, fire or smoke drawn."""
    plain = set()
    for name in names:
        shutil.copyfile(data / "images" / f"{name}.jpg", writer.out / "images" / f"{name}.jpg")
        image = cv2.imread(str(data / "images" / f"{name}.jpg"))
        for folder in ("labels", "drawn"):
            boxes = one_box_per_fire(labels_of(data, name, image, folder))
            first.write_labels(
                writer.out / folder / f"{name}.txt", boxes, (image.shape[1], image.shape[0])
            )
        if not (boxes[:, 0] <= SMOKE).any():
            plain.add(name)
    return plain


def drone_cuts(data: Path, writer: Writer, names: list[str], count: int, seed: int) -> list[str]:
    """Quarter-turned and magnified cuts around vehicles seen from the air."""
    rng = random.Random(seed)
    made: list[str] = []
    for index in range(count):
        name = rng.choice(names)
        image = cv2.imread(str(data / "images" / f"{name}.jpg"))
        boxes = labels_of(data, name, image, "drawn")
        if len(boxes) == 0 or min(image.shape[:2]) < CUT_PX:
            continue
        _, x1, y1, x2, y2 = boxes[rng.randrange(len(boxes))]
        height, width = image.shape[:2]
        left = int(np.clip((x1 + x2) / 2 - CUT_PX * rng.uniform(0.2, 0.8), 0, width - CUT_PX))
        top = int(np.clip((y1 + y2) / 2 - CUT_PX * rng.uniform(0.2, 0.8), 0, height - CUT_PX))
        window = (left, top, left + CUT_PX, top + CUT_PX)
        cut, inside = (
            image[top : top + CUT_PX, left : left + CUT_PX],
            first.crop_boxes(boxes, window),
        )
        for _ in range(rng.randrange(4)):
            inside, cut = turned(inside, (CUT_PX, CUT_PX)), np.rot90(cut)
        large = cv2.resize(np.ascontiguousarray(cut), (2 * CUT_PX, 2 * CUT_PX))
        inside[:, 1:] *= 2
        made.append(writer.write(f"turned__{index}", large.astype(np.uint8), inside))
    return made


def lamp_pictures(data: Path, writer: Writer, names: list[str], count: int, seed: int) -> list[str]:
    """Darkened pictures with lamps, with the boxes that were there."""
    rng = np.random.default_rng(seed)
    made = []
    for index, name in enumerate(rng.choice(names, size=count, replace=False)):
        image = cv2.imread(str(data / "images" / f"{name}.jpg"))
        boxes = labels_of(data, str(name), image, "labels")
        lit = with_lamps(image.astype(np.uint8), rng)
        made.append(writer.write(f"lamps__{index}", lit, boxes))
    return made


def repeated(names: list[str], plain: set[str]) -> list[str]:
    """The names as often as REPEATS says; bins without litter BINS_ONLY_REPEAT times."""

    def rate_of(name: str) -> tuple[str, float]:
        source = name.split("__")[0]
        if source == "litter_street_garbage_bins" and name in plain:
            return "bins", BINS_ONLY_REPEAT
        return source, REPEATS[source]

    return first.repeated_by(names, rate_of)


def main(argv: list[str] | None = None) -> int:
    """Build the second set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    writer = Writer(args.out)
    part = {
        key: sorted({Path(line).stem for line in (args.data / f"{key}.txt").read_text().split()})
        for key in ("train", "val")
    }
    plain = copy_all(args.data, writer, part["train"] + part["val"])
    drone = [n for n in part["train"] if n.startswith("vehicles_drone_minsk")]
    street = [n for n in part["train"] if n.startswith(("coco128", "litter_street"))]
    made = drone_cuts(args.data, writer, drone, 260, args.seed)
    made += lamp_pictures(args.data, writer, street, 160, args.seed)
    names = repeated(part["train"] + made, plain)
    first.write_listing(args.out / "train.txt", names)
    first.write_listing(args.out / "val.txt", part["val"])
    print(Counter(name.split("__")[0] for name in names), len(plain))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
