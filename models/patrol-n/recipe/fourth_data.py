"""The data of 0.3.0 -> that of 0.4.0: litter seen from the air and small fires, pasted together.

    python fourth_data.py --second OUT2 --data OUT3 --taught TAUGHT --out OUT4 [--seed 0]

OUT2 and OUT3 are what second_data.py and third_data.py wrote, TAUGHT what teach_again.py did; their
pictures are linked, not copied. Two kinds of pictures are made of the training pictures alone, said
to be made in the card, and never used to judge: heaps and single pieces, cut out along their edge
(GrabCut), laid at the right size beside the vehicles of drone pictures; and flames, keyed by their
own light, screened over pictures of streets and of drones at a size that the photographs of fires
hardly have. train.txt holds the repeats of the fourth round.
"""

import argparse
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import build_dataset as first
import cv2
import numpy as np
import second_data as second
from numpy.typing import NDArray

LITTER, FIRE, CAR = 0, 1, 5
CAR_LENGTH_M = 4.5
REPEATS = {
    "litter_taco": 4.0,
    "litter_street_garbage_bins": 1.0,
    "fire_hotfire": 4.0,
    "coco128_train": 4.0,
    "vehicles_drone_minsk": 0.5,
    "turned": 0.6,
    "lamps": 0.5,
    "air": 1.0,
    "flames": 1.0,
}
SIDE = 640
MOST = 300  # cut-outs of a kind

Image = NDArray[np.uint8]
Mask = NDArray[np.float32]


@dataclass(frozen=True)
class CutOut:
    """A thing without its background: colours (h, w, 3) and opacity (h, w) in 0..1."""

    image: Image
    alpha: Mask


Cutter = Callable[[Image, NDArray[np.float64]], CutOut | None]  # picture, x1 y1 x2 y2


def hull_of(alpha: Mask, least: float = 0.4) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom of what is more opaque than `least`; None where nothing is."""
    ys, xs = np.nonzero(alpha > least)
    if len(xs) == 0:
        return None
    return int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1


def cut_out(image: Image, box: NDArray[np.float64]) -> CutOut | None:
    """The thing in a box, by GrabCut; None where the cut does not fill its box plausibly."""
    x1, y1, x2, y2 = (int(value) for value in box)
    pad = max(8, (x2 - x1 + y2 - y1) // 6)
    left, top = max(0, x1 - pad), max(0, y1 - pad)
    around = image[top : y2 + pad, left : x2 + pad].copy()
    kinds = np.zeros(around.shape[:2], np.uint8)
    room = (x1 - left, y1 - top, x2 - x1, y2 - y1)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    try:
        cv2.grabCut(around, kinds, room, models[0], models[1], 4, cv2.GC_INIT_WITH_RECT)
    except cv2.error:
        return None
    mask = np.isin(kinds, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, parts, sizes, _ = cv2.connectedComponentsWithStats(mask)
    if len(sizes) < 2:
        return None
    alpha = (parts == 1 + int(sizes[1:, cv2.CC_STAT_AREA].argmax())).astype(np.float32)
    hull = hull_of(alpha)
    if hull is None:
        return None
    width, height = hull[2] - hull[0], hull[3] - hull[1]
    filled = alpha.sum() / (width * height)
    if width < 0.7 * room[2] or height < 0.7 * room[3] or not 0.35 < filled < 0.97:
        return None
    inside = np.s_[hull[1] : hull[3], hull[0] : hull[2]]
    return CutOut(around[inside], alpha[inside])


def flame(image: Image, box: NDArray[np.float64]) -> CutOut | None:
    """The flame in a box, keyed by bright warm light; None where that light does not fill it."""
    x1, y1, x2, y2 = (int(value) for value in box)
    cut = image[y1:y2, x1:x2]
    blue, green, red = (cut[..., c].astype(np.float32) / 255 for c in range(3))
    warm = np.clip((red - 0.45) / 0.35, 0, 1) * np.clip((red - blue) / 0.25, 0, 1)
    white = np.clip((np.minimum(red, green) - 0.8) / 0.15, 0, 1)
    alpha = cv2.GaussianBlur(np.maximum(warm, white), (0, 0), 1.0)
    hull = hull_of(alpha, 0.5)
    if hull is None:
        return None
    width, height = hull[2] - hull[0], hull[3] - hull[1]
    rim = np.concatenate([alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]])
    filled = (alpha > 0.5).sum() / (width * height)
    if width < 0.75 * (x2 - x1) or height < 0.75 * (y2 - y1) or rim.mean() > 0.3:
        return None
    if not 0.25 < filled < 0.9:
        return None
    return CutOut(cut.copy(), alpha)


def of_one_colour(cut: CutOut) -> bool:
    """Whether most of it is one strong colour: then a bin was cut out, not what lies in it."""
    hue, saturation, _ = (
        part[cut.alpha > 0.5] for part in cv2.split(cv2.cvtColor(cut.image, cv2.COLOR_BGR2HSV))
    )
    strong = np.bincount(hue[saturation > 80] // 10, minlength=18)
    return bool((strong + np.roll(strong, 1)).max() > 0.4 * len(hue))


def cut_outs(
    data: Path,
    names: list[str],
    kind: int,
    sides: tuple[int, int],
    how: Cutter,
    rng: random.Random,
) -> list[CutOut]:
    """Up to MOST cut-outs of `kind` whose longer side lies between `sides` px."""
    made: list[CutOut] = []
    for name in rng.sample(names, len(names)):
        if len(made) >= MOST:
            break
        image = cv2.imread(str(data / "images" / f"{name}.jpg"))
        for box in second.labels_of(data, name, image, "labels"):
            longer = max(box[3] - box[1], box[4] - box[2])
            if int(box[0]) == kind and sides[0] <= longer <= sides[1]:
                cut = how(image, box[1:])
                made += [cut] if cut is not None else []
    return made


def turned_to(cut: CutOut, degrees: float, longer_px: float, flip: bool) -> CutOut | None:
    """The cut-out turned, its longer side `longer_px`."""
    height, width = cut.alpha.shape
    scale = longer_px / max(width, height)
    room = int(np.hypot(width, height) * scale) + 4
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, scale)
    turn[:, 2] += room / 2 - np.array([width, height]) / 2
    image = cut.image[:, ::-1] if flip else cut.image
    alpha = cut.alpha[:, ::-1] if flip else cut.alpha
    if scale < 0.5:  # a plain warp would alias
        soft = 0.4 / scale
        image, alpha = (cv2.GaussianBlur(part, (0, 0), soft) for part in (image, alpha))
    image = cv2.warpAffine(np.ascontiguousarray(image), turn, (room, room))
    alpha = cv2.warpAffine(np.ascontiguousarray(alpha), turn, (room, room))
    hull = hull_of(alpha)
    if hull is None:
        return None
    inside = np.s_[hull[1] : hull[3], hull[0] : hull[2]]
    return CutOut(image[inside], alpha[inside])


def free_place(
    boxes: first.Boxes, size_wh: tuple[int, int], cut: CutOut, rng: random.Random
) -> tuple[int, int] | None:
    """Left and top of a place for the cut-out that touches no box."""
    height, width = cut.alpha.shape
    if width >= size_wh[0] - 4 or height >= size_wh[1] - 4:
        return None
    for _ in range(20):
        left = rng.randrange(2, size_wh[0] - width - 1)
        top = rng.randrange(2, size_wh[1] - height - 1)
        apart = np.maximum(boxes[:, 1:3], (left, top)) - np.minimum(
            boxes[:, 3:5], (left + width, top + height)
        )
        if not len(boxes) or (apart.max(axis=1) > 2).all():
            return left, top
    return None


def laid_on(image: Image, cut: CutOut, left: int, top: int, rng: random.Random) -> None:
    """Blend the cut-out into the picture: its light drawn to the ground's, a shadow beside it."""
    height, width = cut.alpha.shape
    shift = max(1, round(0.08 * max(height, width)))
    y, x = min(top + shift, image.shape[0] - height), min(left + shift, image.shape[1] - width)
    shade = cv2.GaussianBlur(cut.alpha, (0, 0), 1 + shift / 2)[..., None] * rng.uniform(0.2, 0.5)
    below = image[y : y + height, x : x + width].astype(np.float32)
    image[y : y + height, x : x + width] = (below * (1 - shade)).astype(np.uint8)
    ground = image[top : top + height, left : left + width].astype(np.float32)
    thing = cut.image.astype(np.float32)
    opaque = cut.alpha > 0.5
    gain = (ground.mean() + 20) / (thing[opaque].mean() + 20) if opaque.any() else 1.0
    thing = np.clip(thing * float(np.clip(gain, 0.6, 1.6)) ** rng.uniform(0.2, 0.7), 0, 255)
    alpha = cv2.GaussianBlur(cut.alpha, (0, 0), 0.7)[..., None]
    image[top : top + height, left : left + width] = (ground * (1 - alpha) + thing * alpha).astype(
        np.uint8
    )


def screened(image: Image, cut: CutOut, left: int, top: int) -> None:
    """Lay a flame's light over the picture, and a faint warm glow around it."""
    height, width = cut.alpha.shape
    ys, xs = np.mgrid[0 : image.shape[0], 0 : image.shape[1]]
    away = np.hypot(xs - left - width / 2, ys - top - height / 2) / max(height, width)
    glow = (0.18 * np.exp(-((away / 0.9) ** 2)))[..., None] * np.array([0.1, 0.45, 1.0])
    lit = 1 - (1 - image / 255.0) * (1 - glow)
    ground = lit[top : top + height, left : left + width]
    alpha = cut.alpha[..., None]
    light = cut.image / 255.0
    over = 1 - (1 - ground) * (1 - light * alpha)
    # a flame hides what is behind it where it is dense
    lit[top : top + height, left : left + width] = over * (1 - 0.6 * alpha) + light * 0.6 * alpha
    image[:] = (np.clip(lit, 0, 1) * 255).astype(np.uint8)


def seen_from_air(
    data: Path, names: list[str], rng: random.Random
) -> Iterator[tuple[Image, first.Boxes, float]]:
    """Drone pictures, whole or magnified, turned by quarters: picture, boxes, px per metre."""
    while True:
        name = rng.choice(names)
        image = cv2.imread(str(data / "images" / f"{name}.jpg"))
        boxes = second.labels_of(data, name, image, "labels")
        lengths = [max(b[3] - b[1], b[4] - b[2]) for b in boxes if b[0] == CAR]
        if not lengths or min(image.shape[:2]) < SIDE // 2:
            continue
        zoom = rng.choice([1, 2, 2, 3])
        side = min(SIDE // zoom, *image.shape[:2])
        left = rng.randrange(image.shape[1] - side + 1)
        top = rng.randrange(image.shape[0] - side + 1)
        boxes = first.crop_boxes(boxes, (left, top, left + side, top + side))
        cut = image[top : top + side, left : left + side]
        for _ in range(rng.randrange(4)):
            boxes, cut = second.turned(boxes, (side, side)), np.rot90(cut)
        scale = SIDE / side
        boxes[:, 1:] *= scale
        large = cv2.resize(np.ascontiguousarray(cut), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        yield large, boxes, float(np.median(lengths)) * scale / CAR_LENGTH_M


def with_box(boxes: first.Boxes, kind: int, cut: CutOut, left: int, top: int) -> first.Boxes:
    """The boxes and one more."""
    height, width = cut.alpha.shape
    return np.vstack([boxes, [kind, left, top, left + width, top + height]])


def litter_from_air(
    data: Path, drone: list[str], heaps: list[CutOut], pieces: list[CutOut], rng: random.Random
) -> Iterator[tuple[Image, first.Boxes]]:
    """Drone pictures with heaps (1 to 3.5 m) and single pieces (0.25 to 0.8 m) laid on them."""
    for image, boxes, px_m in seen_from_air(data, drone, rng):
        laid = 0
        for _ in range(rng.randrange(1, 6)):
            heap = rng.random() < 0.5
            size_px = (rng.uniform(1.0, 3.5) if heap else rng.uniform(0.25, 0.8)) * px_m
            if size_px < 9:
                continue
            cut = turned_to(
                rng.choice(heaps if heap else pieces),
                rng.uniform(0, 360),
                size_px,
                rng.random() < 0.5,
            )
            place = cut and free_place(boxes, (SIDE, SIDE), cut, rng)
            if cut and place:
                laid_on(image, cut, *place, rng)
                boxes = with_box(boxes, LITTER, cut, *place)
                laid += 1
        if laid:
            yield image, boxes


def small_fires(
    data: Path, street: list[str], drone: list[str], flames: list[CutOut], rng: random.Random
) -> Iterator[tuple[Image, first.Boxes]]:
    """Pictures of streets, by day and darkened, and of drones, with one to three small flames."""
    air = seen_from_air(data, drone, rng)
    while True:
        if rng.random() < 0.25:
            image, boxes, _ = next(air)
        else:
            name = rng.choice(street)
            image = cv2.imread(str(data / "images" / f"{name}.jpg"))
            boxes = second.labels_of(data, name, image, "labels")
            if rng.random() < 0.3:
                dark = (image / 255.0) ** rng.uniform(1.2, 2.2) * rng.uniform(0.35, 0.8)
                image = (dark * 255).astype(np.uint8)
        size_wh = (image.shape[1], image.shape[0])
        lit = 0
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            size_px = max(size_wh) * np.exp(rng.uniform(np.log(0.03), np.log(0.28)))
            cut = turned_to(rng.choice(flames), rng.uniform(-8, 8), size_px, rng.random() < 0.5)
            place = cut and free_place(boxes, size_wh, cut, rng)
            if cut and place:
                screened(image, cut, *place)
                boxes = with_box(boxes, FIRE, cut, *place)
                lit += 1
        if lit:
            yield image, boxes


def rate_of(name: str) -> tuple[str, float]:
    """The kind of a picture, and how often those come."""
    kind = name.split("__")[0]
    return kind, REPEATS[kind]


def main(argv: list[str] | None = None) -> int:
    """Build the fourth set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    for key in ("second", "taught", "out"):
        parser.add_argument(f"--{key}", type=Path, required=True)
    parser.add_argument("--air", type=int, default=350)
    parser.add_argument("--flames", type=int, default=350)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    listed = (args.data / "train.txt").read_text() + (args.second / "train.txt").read_text()
    names = sorted({Path(line).stem for line in listed.split()})
    for folder, end in (("images", "jpg"), ("labels", "txt")):
        (args.out / folder).mkdir(parents=True, exist_ok=True)
        for name in names:
            there = args.data / folder / f"{name}.{end}"
            places = (args.taught / there.name, there, args.second / folder / there.name)
            target = next(place for place in places if place.exists()).resolve()
            (args.out / folder / f"{name}.{end}").symlink_to(target)

    def of(*starts: str) -> list[str]:
        return [name for name in names if name.startswith(starts)]

    rng = random.Random(args.seed)
    pieces = cut_outs(args.out, of("litter_taco"), LITTER, (36, 300), cut_out, rng)
    heaps = cut_outs(args.out, of("litter_street"), LITTER, (60, 280), cut_out, rng)
    heaps = [cut for cut in heaps if not of_one_colour(cut)]
    flames = cut_outs(args.out, of("fire_hotfire"), FIRE, (40, 400), flame, rng)
    drone = of("vehicles_drone_minsk")
    street = of("litter_street", "coco128")
    print(len(pieces), "pieces", len(heaps), "heaps", len(flames), "flames cut out")
    kinds = {
        "air": (litter_from_air(args.out, drone, heaps, pieces, rng), args.air),
        "flames": (small_fires(args.out, street, drone, flames, rng), args.flames),
    }
    for kind, (pictures, count) in kinds.items():
        for index in range(count):
            image, boxes = next(pictures)
            name = f"{kind}__{index}"
            cv2.imwrite(str(args.out / "images" / f"{name}.jpg"), image)
            size_wh = (image.shape[1], image.shape[0])
            first.write_labels(args.out / "labels" / f"{name}.txt", boxes, size_wh)
            names.append(name)
    chosen = first.repeated_by(names, rate_of)
    first.write_listing(args.out / "train.txt", chosen)
    print(len(chosen), Counter(name.split("__")[0] for name in chosen))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
