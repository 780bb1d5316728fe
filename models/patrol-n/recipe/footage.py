"""Clips that no training saw -> pictures, labels and data.yaml for `patrolvision evaluate`.

    python footage.py --footage DATA/footage --out OUT

footage_boxes.csv holds the boxes, drawn by hand against a grid, in hundredths of width and height
(so, to about one of them): one box per heap or fire, numbered within its clip; `unsure` is what is
too far or too small to say. Dash cams, a walk along a street and a flight over a cliff have neither
litter nor fire: of them a frame is taken every fifth of a second, to count false alarms.
"""

import argparse
import csv
from collections import defaultdict
from pathlib import Path

import cv2

CLASSES = ["litter", "fire", "smoke", "unsure"]
BARE = (
    "dashcam/udacity_solidWhiteRight.mp4",
    "dashcam/udacity_test_video.mp4",
    "gopro_gpmf/max-heromode.mp4",
    "gopro_gpmf/karma.mp4",
)
EVERY_S = 0.2
DATA_YAML = """val: images
names: [litter, fire, smoke, unsure]
class_map: {unsure: ignore}
labelled:
  street_bags_amsterdam: [litter, fire, smoke]
  car_fire_kungur: [fire]
  night_bonfire: [fire, litter]
group: '^(street_bags_amsterdam|car_fire_kungur|night_bonfire)'
"""


def write(out: Path, name: str, image, boxes: list[dict[str, str]]) -> None:
    """One picture and its labels, the thing's number last."""
    cv2.imwrite(str(out / "images" / f"{name}.png"), image)
    lines = []
    for box in boxes:
        x1, y1, x2, y2 = (float(box[key]) / 100 for key in ("x1", "y1", "x2", "y2"))
        place = f"{(x1 + x2) / 2:.4f} {(y1 + y2) / 2:.4f} {x2 - x1:.4f} {y2 - y1:.4f}"
        lines.append(f"{CLASSES.index(box['class'])} {place} {box['thing']}\n")
    (out / "labels" / f"{name}.txt").write_text("".join(lines))


def frames(path: Path, wanted: set[int] | None):
    """The numbered frames of a clip; None: one every EVERY_S."""
    clip = cv2.VideoCapture(str(path))
    step = max(1, round(EVERY_S * clip.get(cv2.CAP_PROP_FPS)))
    number = 0
    while True:
        is_there, image = clip.read()
        if not is_there:
            return
        if number % step == 0 if wanted is None else number in wanted:
            yield number, image
        number += 1


def main(argv: list[str] | None = None) -> int:
    """Write the set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--footage", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    for folder in ("images", "labels"):
        (args.out / folder).mkdir(parents=True, exist_ok=True)
    clips: dict[str, dict[int, list[dict[str, str]]]] = defaultdict(lambda: defaultdict(list))
    photos: dict[str, list[dict[str, str]]] = defaultdict(list)
    with (Path(__file__).parent / "footage_boxes.csv").open(newline="") as table:
        for row in csv.DictReader(table):
            file, _, number = row["frame"].partition("#")
            of = clips[file][int(number)] if number else photos[file]
            of += [row] if row["class"] else []
    for file, boxes in photos.items():
        name = f"{Path(file).parent.name}__{Path(file).stem}"
        write(args.out, name, cv2.imread(str(args.footage / file)), boxes)
    for file in [*clips, *BARE]:
        numbered = clips.get(file)
        for number, image in frames(args.footage / file, set(numbered) if numbered else None):
            boxes = numbered[number] if numbered else []
            write(args.out, f"{Path(file).stem}__{number:04d}", image, boxes)
    (args.out / "data.yaml").write_text(DATA_YAML)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
