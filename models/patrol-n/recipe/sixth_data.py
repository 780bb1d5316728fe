"""The data of 0.4.0 -> that of the ninth stage: what stands on roads, from the air, and no litter.

    python sixth_data.py --data OUT4 [--count 300] [--seed 0]

A look at what 0.4.0 and the eighth stage take for litter on drone pictures of a flight that no
training saw showed a traffic drum (in eight pictures in a row), a cone, planters, a manhole cover,
people from above, and two cars. But for people and cars none of these stood in a training picture
from the air. Here drums, cones, covers and planters are drawn, seen from above with the lean of a
perspective, and laid on training pictures of drones, with litter beside them in half the pictures.
They get no box. Made pictures teach, they never judge. ground.txt and air.txt are those of
fifth_data.py, with the new pictures in air.txt.
"""

import argparse
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import build_dataset as first
import cv2
import fifth_data
import fourth_data as fourth
import numpy as np

SOFT = 4  # drawn this many times larger, then made small
WARM = ((20, 80, 235), (30, 60, 200), (60, 90, 225), (40, 120, 240), (90, 110, 215))  # BGR
PALE = ((225, 225, 225), (200, 205, 210), (235, 240, 240))
DARK = ((35, 35, 35), (55, 50, 50), (25, 30, 40))
GREY = ((95, 95, 95), (75, 78, 80), (120, 118, 115), (60, 62, 65))
GREEN = ((50, 95, 60), (40, 80, 45), (70, 110, 90), (45, 60, 80))
Colour = tuple[int, int, int]


class Board:
    """A picture and its opacity, drawn with discs; lengths in metres, the origin in its middle."""

    def __init__(self, side_m: float, px_m: float) -> None:
        self._px_m = px_m * SOFT
        side = int(side_m * self._px_m) + 2 * SOFT
        self._image = np.zeros((side, side, 3), np.uint8)
        self._alpha = np.zeros((side, side), np.uint8)
        self._middle = side / 2

    def disc(self, at_m: tuple[float, float], radius_m: float, colour: Colour) -> None:
        """A filled disc."""
        centre = tuple(int(self._middle + value * self._px_m) for value in at_m)
        radius = max(1, int(radius_m * self._px_m))
        cv2.circle(self._image, centre, radius, colour, -1)
        cv2.circle(self._alpha, centre, radius, 255, -1)

    def square(self, half_m: float, degrees: float, colour: Colour) -> None:
        """A filled square, turned."""
        side = 2 * half_m * self._px_m
        corners = cv2.boxPoints(((self._middle, self._middle), (side, side), degrees))
        cv2.fillPoly(self._image, [corners.astype(np.int32)], colour)
        cv2.fillPoly(self._alpha, [corners.astype(np.int32)], 255)

    def cut_out(self, rng: random.Random) -> fourth.CutOut | None:
        """What was drawn, at its size, a little grainy."""
        size = (self._image.shape[1] // SOFT, self._image.shape[0] // SOFT)
        image = cv2.resize(self._image, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        alpha = cv2.resize(self._alpha, size, interpolation=cv2.INTER_AREA) / np.float32(255)
        hull = fourth.hull_of(alpha)
        if hull is None:
            return None
        whole = image / np.maximum(alpha, 0.05)[..., None]  # without the black around it
        whole = cv2.GaussianBlur(whole, (0, 0), rng.uniform(0.4, 1.1))  # as sharp as a drone's lens
        grain = np.random.default_rng(rng.randrange(2**32)).normal(0, 6, whole.shape)
        inside = np.s_[hull[1] : hull[3], hull[0] : hull[2]]
        return fourth.CutOut(np.clip(whole + grain, 0, 255).astype(np.uint8)[inside], alpha[inside])


def near(colour: Colour, rng: random.Random) -> Colour:
    """The colour in another light."""
    light, faded, grey = rng.uniform(0.75, 1.2), rng.uniform(0, 0.5), sum(colour) / 3
    blue, green, red = (
        int(np.clip((value + (grey - value) * faded) * light + rng.uniform(-12, 12), 0, 255))
        for value in colour
    )
    return blue, green, red


def standing(px_m: float, rng: random.Random) -> fourth.CutOut | None:
    """A traffic drum, cone or bollard: discs from its foot to its top, which leans away."""
    kind = rng.choice(("drum", "drum", "cone", "cone", "bollard"))
    height_m, foot_m, top_m = {
        "drum": (rng.uniform(0.8, 1.1), rng.uniform(0.22, 0.32), rng.uniform(0.17, 0.24)),
        "cone": (rng.uniform(0.45, 0.9), rng.uniform(0.13, 0.2), rng.uniform(0.02, 0.05)),
        "bollard": (rng.uniform(0.7, 1.1), rng.uniform(0.06, 0.11), rng.uniform(0.05, 0.1)),
    }[kind]
    lean_m = height_m * rng.choice((rng.uniform(0, 0.3), rng.uniform(0.3, 1.2)))
    way = rng.uniform(0, 2 * np.pi)
    towards = np.array([np.cos(way), np.sin(way)])
    colours = near(rng.choice(WARM), rng), near(rng.choice(PALE), rng)
    if kind == "bollard" and rng.random() < 0.5:
        colours = near(rng.choice(DARK), rng), colours[1]
    bands = rng.choice((3, 4, 5))
    board = Board(2 * (lean_m + 0.6), px_m)
    base = near(rng.choice(DARK), rng)
    if kind == "cone":
        board.square(foot_m * rng.uniform(1.0, 1.4), rng.uniform(0, 90), base)
    elif kind == "drum" and rng.random() < 0.8:
        board.disc((0.0, 0.0), foot_m * rng.uniform(1.15, 1.5), base)
    steps = 40
    for step in range(steps + 1):
        part = step / steps
        x_m, y_m = towards * lean_m * part
        colour = colours[int(part * bands) % 2 if part < 1 else 0]
        board.disc((float(x_m), float(y_m)), foot_m + (top_m - foot_m) * part, colour)
    x_m, y_m = towards * lean_m
    board.disc((float(x_m), float(y_m)), top_m * 0.85, near(colours[0], rng))
    return board.cut_out(rng)


def cover(px_m: float, rng: random.Random) -> fourth.CutOut | None:
    """A manhole cover: a disc or square in a rim, in the road."""
    radius_m = rng.uniform(0.27, 0.42)
    board = Board(2.4 * radius_m, px_m)
    rim, plate = near(rng.choice(GREY), rng), near(rng.choice(GREY), rng)
    if rng.random() < 0.75:
        board.disc((0.0, 0.0), radius_m, rim)
        board.disc((0.0, 0.0), radius_m * rng.uniform(0.8, 0.92), plate)
        if rng.random() < 0.6:
            board.disc((0.0, 0.0), radius_m * rng.uniform(0.3, 0.6), near(plate, rng))
    else:
        board.square(radius_m, rng.uniform(0, 90), rim)
        board.square(radius_m * 0.85, 0.0, plate)
    return board.cut_out(rng)


def planter(px_m: float, rng: random.Random) -> fourth.CutOut | None:
    """A round planter or an open bin: a rim with something in it."""
    radius_m = rng.uniform(0.25, 0.6)
    board = Board(2.4 * radius_m, px_m)
    board.disc((0.0, 0.0), radius_m, near(rng.choice(DARK + GREY + WARM), rng))
    inside = near(rng.choice(GREEN + WARM + DARK), rng)
    board.disc((0.0, 0.0), radius_m * rng.uniform(0.6, 0.85), inside)
    for _ in range(rng.randrange(6)):
        spot = rng.uniform(-0.4, 0.4) * radius_m, rng.uniform(-0.4, 0.4) * radius_m
        board.disc(spot, radius_m * rng.uniform(0.1, 0.3), near(rng.choice(GREEN + WARM), rng))
    return board.cut_out(rng)


DRAWN: tuple[Callable[[float, random.Random], fourth.CutOut | None], ...] = (
    standing, standing, standing, cover, planter,
)  # fmt: skip


def no_litter(
    data: Path, drone: list[str], things: list[fourth.CutOut], rng: random.Random
) -> Iterator[tuple[fourth.Image, first.Boxes]]:
    """Drone pictures with drawn things that are no litter, half of them with litter too."""
    for image, boxes, px_m in fourth.seen_from_air(data, drone, rng):
        held = boxes  # nothing is laid upon what was laid
        if rng.random() < 0.5:
            size_px = rng.uniform(0.4, 2.5) * px_m
            cut = fourth.turned_to(rng.choice(things), rng.uniform(0, 360), max(size_px, 10), False)
            place = cut and fourth.free_place(held, (fourth.SIDE, fourth.SIDE), cut, rng)
            if cut and place:
                fourth.laid_on(image, cut, *place, rng)
                boxes = held = fourth.with_box(boxes, fourth.LITTER, cut, *place)
        laid = 0
        for _ in range(rng.randrange(2, 7)):
            drawn = rng.choice(DRAWN)(px_m, rng)
            place = drawn and fourth.free_place(held, (fourth.SIDE, fourth.SIDE), drawn, rng)
            if drawn and place and min(drawn.alpha.shape) >= 6:
                fourth.laid_on(image, drawn, *place, rng)
                held = fourth.with_box(held, fourth.LITTER, drawn, *place)
                laid += 1
        if laid:
            yield image, boxes


def main(argv: list[str] | None = None) -> int:
    """Draw the pictures and write the listings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    names = sorted({Path(line).stem for line in (args.data / "train.txt").read_text().split()})

    def of(*starts: str) -> list[str]:
        return [name for name in names if name.startswith(starts)]

    rng = random.Random(args.seed)
    cut_out = fourth.cut_out
    things = fourth.cut_outs(args.data, of("litter_taco"), fourth.LITTER, (36, 300), cut_out, rng)
    heaps = fourth.cut_outs(args.data, of("litter_street"), fourth.LITTER, (60, 280), cut_out, rng)
    things += [cut for cut in heaps if not fourth.of_one_colour(cut)]
    made = no_litter(args.data, of("vehicles_drone_minsk"), things, rng)
    fifth_data.main(["--data", str(args.data)])
    with (args.data / "air.txt").open("a") as listing:
        for index in range(args.count):
            image, boxes = next(made)
            name = f"roads__{index}"
            cv2.imwrite(str(args.data / "images" / f"{name}.jpg"), image)
            size_wh = (image.shape[1], image.shape[0])
            first.write_labels(args.data / "labels" / f"{name}.txt", boxes, size_wh)
            listing.write(f"./images/{name}.jpg\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
