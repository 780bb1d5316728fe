"""The data of 0.2.0 -> that of 0.3.0: fires and single pieces more often, and more of the pieces.

    python third_data.py --data OUT2 --taco litter_taco --model patrol-n.xml --out OUT3

OUT2 is what second_data.py wrote; its pictures and labels are linked, not copied. Added to the
training part: pictures of TACO whose labels may be incomplete, where the last release finds nothing
at LOW beside what was drawn, and which look like no validation picture. train.txt holds the repeats
of the third round.
"""

import argparse
import csv
from collections import Counter
from pathlib import Path

import build_dataset as first
import evaluate

LOW = 0.15  # a box from here on beside the drawn ones: the picture is left out
TAUGHT = 0.35  # people and vehicles from here on become labels
REPEATS = {
    "litter_taco": 5.0,
    "litter_street_garbage_bins": 0.6,
    "fire_hotfire": 4.0,
    "coco128_train": 5.0,
    "vehicles_drone_minsk": 0.5,
    "turned": 0.6,
    "lamps": 0.5,
}
BINS_ONLY_REPEAT = 2
ADDED = "litter_taco__partial_"


def complete_enough(found: evaluate.Array, drawn: evaluate.Array) -> bool:
    """Whether every box of litter at LOW or more lies on one that was drawn."""
    said = found[(found[:, 5] == 0) & (found[:, 4] >= LOW)]
    if not len(said):
        return True
    return bool((evaluate.iou_of(said[:, :4], drawn[:, 1:]).max(axis=1) >= 0.3).all())


def add_partial(args: argparse.Namespace, val: list[Path]) -> list[str]:
    """Link the pictures that pass and write their labels; returns their names."""
    with (args.taco / "label_origin.csv").open() as rows:
        partial = [r["image"] for r in csv.DictReader(rows) if "partial" in r["label_origin"]]
    paths = [args.taco / "images" / name for name in sorted(partial)]
    groups = first.group_look_alikes(paths + val, distance=8)
    seen_in_val = set(groups[len(paths) :])
    net, _ = evaluate.load(args.model)
    added = []
    for path, group in zip(paths, groups, strict=False):
        image = evaluate.read_image(path)
        size_wh = (image.shape[1], image.shape[0])
        drawn = evaluate.read_drawn(args.taco / "labels" / f"{path.stem}.txt", size_wh)
        found = evaluate.detect(net, image, 640, 0.6)
        if group in seen_in_val or not len(drawn) or not complete_enough(found, drawn):
            continue
        taught = found[(found[:, 5] >= 3) & (found[:, 4] >= TAUGHT)]
        boxes = [*drawn.tolist(), *taught[:, [5, 0, 1, 2, 3]].tolist()]
        name = ADDED + path.stem
        (args.out / "images" / f"{name}.jpg").symlink_to(path.resolve())
        first.write_labels(
            args.out / "labels" / f"{name}.txt", first.np.array(boxes).reshape(-1, 5), size_wh
        )
        added.append(name)
    return added


def repeated(out: Path, names: list[str]) -> list[str]:
    """The names as often as REPEATS says; pictures of bins without litter by their own rate."""

    def rate_of(name: str) -> tuple[str, float]:
        source = name.split("__")[0]
        if source == "litter_street_garbage_bins":
            kinds = {line.split()[0] for line in (out / "labels" / f"{name}.txt").open()}
            if "0" not in kinds:
                return "bins", BINS_ONLY_REPEAT
        return source, REPEATS[source]

    return first.repeated_by(names, rate_of)


def main(argv: list[str] | None = None) -> int:
    """Build the third set."""
    parser = argparse.ArgumentParser(description=__doc__)
    for key in ("data", "taco", "model", "out"):
        parser.add_argument(f"--{key}", type=Path, required=True)
    args = parser.parse_args(argv)
    part = {
        key: sorted({Path(line).stem for line in (args.data / f"{key}.txt").read_text().split()})
        for key in ("train", "val")
    }
    for folder, end in (("images", "jpg"), ("labels", "txt")):
        (args.out / folder).mkdir(parents=True, exist_ok=True)
        for name in part["train"]:
            target = (args.data / folder / f"{name}.{end}").resolve()
            (args.out / folder / f"{name}.{end}").symlink_to(target)
    val = [args.data / "images" / f"{n}.jpg" for n in part["val"] if n.startswith("litter_taco")]
    added = add_partial(args, val)
    names = repeated(args.out, part["train"] + added)
    first.write_listing(args.out / "train.txt", names)
    print(len(added), "added", len(names), Counter(name.split("__")[0] for name in names))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
