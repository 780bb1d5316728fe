"""Pictures of several sources -> one YOLO data set, a frozen validation list, a teacher's boxes.

    python build_dataset.py --manifest dataset.toml --sources DATA --out OUT
                            [--teacher yolo26m.pt] [--val-list val_list.txt]

OUT gets images/, labels/ (drawn and the teacher's boxes: to learn from), drawn/ (drawn boxes
alone: to be judged by), train.txt and train_2.txt (with repeats, one list per stage), val.txt and
counts.json. A picture's name begins with its source's name and two underscores.
"""

import argparse
import csv
import json
import random
import shutil
import sys
import tomllib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Boxes = NDArray[np.float64]  # (N, 5): class, x1, y1, x2, y2 in pixels


@dataclass(frozen=True)
class Picture:
    """One picture of a source with its drawn boxes."""

    source: str
    path: Path
    boxes: Boxes
    size_wh: tuple[int, int]


def read_labels(path: Path, size_wh: tuple[int, int], class_of: dict[int, int]) -> Boxes:
    """The boxes of a YOLO label file in pixels, of the classes in `class_of` only."""
    width, height = size_wh
    rows = []
    for line in path.read_text().splitlines():
        kind, x, y, w, h = (float(value) for value in line.split()[:5])
        if int(kind) in class_of:
            x1, y1, x2, y2 = x - w / 2, y - h / 2, x + w / 2, y + h / 2
            corners = np.clip([x1, y1, x2, y2], 0, 1) * [width, height, width, height]
            rows.append([class_of[int(kind)], *corners])
    return np.array(rows, dtype=np.float64).reshape(-1, 5)


def write_labels(path: Path, boxes: Boxes, size_wh: tuple[int, int]) -> None:
    """Write boxes in pixels as a YOLO label file."""
    scale = np.array([*size_wh, *size_wh], dtype=np.float64)
    lines = []
    for kind, *corners in boxes:
        x1, y1, x2, y2 = np.array(corners) / scale
        lines.append(
            f"{int(kind)} {(x1 + x2) / 2:.6f} {(y1 + y2) / 2:.6f} {x2 - x1:.6f} {y2 - y1:.6f}\n"
        )
    path.write_text("".join(lines))


def overlaps(one: Boxes, other: Boxes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """IoU (N, M), and the share of each of `one` that lies inside each of `other` (N, M)."""
    low = np.maximum(one[:, None, 1:3], other[None, :, 1:3])
    high = np.minimum(one[:, None, 3:5], other[None, :, 3:5])
    inter = np.clip(high - low, 0, None).prod(axis=2)
    area_one = (one[:, 3:5] - one[:, 1:3]).prod(axis=1)
    area_other = (other[:, 3:5] - other[:, 1:3]).prod(axis=1)
    union = area_one[:, None] + area_other[None, :] - inter
    return inter / np.maximum(union, 1e-9), inter / np.maximum(area_one[:, None], 1e-9)


def undrawn(seen: Boxes, drawn: Boxes, max_iou: float) -> Boxes:
    """The boxes of `seen` that nobody drew."""
    if not len(drawn) or not len(seen):
        return seen
    iou, inside = overlaps(seen, drawn)
    kept: Boxes = seen[(iou.max(axis=1) < max_iou) & (inside.max(axis=1) < 0.7)]
    return kept


def merge_same(boxes: Boxes, max_iou: float = 0.55, max_inside: float = 0.9) -> Boxes:
    """Boxes without those a larger one of their class holds; much overlap becomes one hull."""
    order = np.argsort(-(boxes[:, 3:5] - boxes[:, 1:3]).prod(axis=1))
    kept: list[NDArray[np.float64]] = []
    for box in boxes[order]:
        for index, larger in enumerate(kept):
            iou, inside = overlaps(box[None], larger[None])
            if larger[0] == box[0] and (iou[0, 0] > max_iou or inside[0, 0] > max_inside):
                low, high = np.minimum(larger[1:3], box[1:3]), np.maximum(larger[3:5], box[3:5])
                kept[index] = np.array([box[0], *low, *high])
                break
        else:
            kept.append(box)
    return np.array(kept).reshape(-1, 5)


def dropped_names(folder: Path, rule: dict[str, str] | None) -> set[str]:
    """The pictures that a source's own table marks as unfit."""
    if rule is None:
        return set()
    with (folder / rule["file"]).open(newline="") as table:
        return {
            row["image"] for row in csv.DictReader(table) if row[rule["column"]] == rule["value"]
        }


def read_source(root: Path, source: dict[str, Any], classes: list[str]) -> list[Picture]:
    """All usable pictures of one source, boxes mapped to the project's classes."""
    folder = root / source["name"]
    theirs = (folder / "classes.txt").read_text().split("\n")
    class_of = {theirs.index(a): classes.index(b) for a, b in source["classes"].items()}
    unfit = dropped_names(folder, source.get("drop_where"))
    pictures = []
    for path in sorted((folder / "images").iterdir()):
        if path.name in unfit:
            continue
        with Image.open(path) as image:
            size_wh = image.size
        boxes = read_labels(folder / "labels" / f"{path.stem}.txt", size_wh, class_of)
        boxes = merge_same(boxes) if source.get("merge") else boxes
        pictures.append(Picture(source["name"], path, boxes, size_wh))
    return pictures


def group_look_alikes(paths: list[Path], distance: int) -> list[int]:
    """A group number per picture, shared by those with near hashes, directly or through others."""
    bits = np.array(
        [imagehash.phash(Image.open(path).convert("RGB")).hash.ravel() for path in paths]
    )
    signs = bits.astype(np.float32) * 2 - 1
    near = (64 - signs @ signs.T) / 2 < distance
    group = np.arange(len(paths))
    for index in range(len(paths)):
        members = np.unique(group[near[index]])
        group[np.isin(group, members)] = members.min()
    return [int(number) for number in group]


def choose_val(pictures: list[Picture], manifest: dict[str, Any], seed: int) -> set[str]:
    """Names of the pictures to validate on: whole groups, about `val_share` of each source."""
    groups = group_look_alikes([p.path for p in pictures], manifest["hash_distance"])
    chosen: set[str] = set()
    for source in manifest["source"]:
        mine = [(p, g) for p, g in zip(pictures, groups, strict=True) if p.source == source["name"]]
        if prefixes := source.get("val_prefixes"):
            chosen |= {name_of(p) for p, _ in mine if p.path.name.startswith(tuple(prefixes))}
            continue
        want = source.get("val_share", manifest["val_share"]) * len(mine)
        numbers = sorted({g for _, g in mine})
        random.Random(seed).shuffle(numbers)
        taken: list[str] = []
        for number in numbers:
            if len(taken) < want:
                taken += [name_of(p) for p, g in mine if g == number]
        chosen |= set(taken)
    by_group = {g for p, g in zip(pictures, groups, strict=True) if name_of(p) in chosen}
    return {name_of(p) for p, g in zip(pictures, groups, strict=True) if g in by_group}


def name_of(picture: Picture) -> str:
    """The picture's name in the data set, without suffix."""
    return f"{picture.source}__{picture.path.stem}"


def windows(size_wh: tuple[int, int], tile_px: int | None) -> list[tuple[int, int, int, int]]:
    """The whole picture, and overlapping tiles (x1, y1, x2, y2) where tiling is asked for."""
    width, height = size_wh
    whole = [(0, 0, width, height)]
    if tile_px is None or max(size_wh) <= tile_px:
        return whole
    starts = [
        np.linspace(0, side - tile_px, -(-side // tile_px)).astype(int) if side > tile_px else [0]
        for side in size_wh
    ]
    return whole + [
        (int(x), int(y), min(int(x) + tile_px, width), min(int(y) + tile_px, height))
        for x in starts[0]
        for y in starts[1]
    ]


def crop_boxes(boxes: Boxes, window: tuple[int, int, int, int], min_visible: float = 0.4) -> Boxes:
    """Boxes of which at least `min_visible` lies in the window, in the window's pixels."""
    x1, y1, x2, y2 = window
    view = np.array([[0, x1, y1, x2, y2]], dtype=np.float64)
    _, inside = overlaps(boxes, view)
    seen = boxes[inside[:, 0] >= min_visible].copy()
    seen[:, 1::2] = np.clip(seen[:, 1::2], x1, x2) - x1
    seen[:, 2::2] = np.clip(seen[:, 2::2], y1, y2) - y1
    return seen


def write_picture(out: Path, picture: Picture, tile_px: int | None, min_box_px: float) -> list[str]:
    """Write the picture (and its tiles) with drawn boxes; returns the names written."""
    names = []
    whole = windows(picture.size_wh, tile_px)
    image = cv2.imread(str(picture.path)) if len(whole) > 1 else None
    for index, window in enumerate(whole):
        name = name_of(picture) + (f"__t{index}" if index else "")
        target = out / "images" / f"{name}.jpg"
        if image is None or index == 0:
            shutil.copyfile(picture.path, target)
        else:
            x1, y1, x2, y2 = window
            cv2.imwrite(str(target), image[y1:y2, x1:x2], [cv2.IMWRITE_JPEG_QUALITY, 92])
        boxes = crop_boxes(picture.boxes, window)
        boxes = boxes[(boxes[:, 3:5] - boxes[:, 1:3]).min(axis=1, initial=1e9) >= min_box_px]
        size_wh = (window[2] - window[0], window[3] - window[1])
        write_labels(out / "drawn" / f"{name}.txt", boxes, size_wh)
        names.append(name)
    return names


def add_teacher(
    weights: Path, names: list[str], out: Path, manifest: dict[str, Any]
) -> Counter[str]:
    """Write labels/: the drawn boxes, and what the teacher sees where its classes are not drawn."""
    import quiet_ultralytics  # noqa: F401  must come before ultralytics
    from ultralytics import YOLO

    teacher, classes = manifest["teacher"], manifest["classes"]
    model = YOLO(weights, task="detect")
    sources = {source["name"]: source for source in manifest["source"]}
    added: Counter[str] = Counter()
    for name in names:
        source = sources[name.split("__")[0]]
        image = out / "images" / f"{name}.jpg"
        result = model.predict(
            image, imgsz=teacher["imgsz"], conf=teacher["min_confidence"], verbose=False
        )[0]
        height, width = result.orig_shape
        drawn = read_labels(
            out / "drawn" / f"{name}.txt", (width, height), {i: i for i in range(len(classes))}
        )
        rows = [
            [classes.index(teacher["classes"][model.names[int(kind)]]), *box]
            for box, kind in zip(result.boxes.xyxy.tolist(), result.boxes.cls.tolist(), strict=True)
            if model.names[int(kind)] in teacher["classes"]
        ]
        seen = np.array(rows, dtype=np.float64).reshape(-1, 5)
        same = drawn[drawn[:, 0] >= classes.index("person")]  # a burning car is fire and car
        seen = undrawn(seen, same, teacher["max_iou_with_drawn"])
        added.update(f"{source['name']}:{classes[int(kind)]}" for kind in seen[:, 0])
        write_labels(out / "labels" / f"{name}.txt", np.vstack([drawn, seen]), (width, height))
    return added


def count(
    out: Path, names: list[str], classes: list[str], folder: str
) -> dict[str, dict[str, int]]:
    """Pictures and boxes per source."""
    table: dict[str, Counter[str]] = {}
    for name in names:
        row = table.setdefault(name.split("__")[0], Counter())
        row["pictures"] += 1
        for line in (out / folder / f"{name}.txt").read_text().splitlines():
            row[classes[int(line.split()[0])]] += 1
    return {source: dict(row) for source, row in table.items()}


def repeated(names: list[str], sources: dict[str, Any], stage: int) -> list[str]:
    """The names with those of each source repeated as its `repeat` says; 0.5 takes every second."""

    def rate_of(name: str) -> tuple[str, float]:
        source = name.split("__")[0]
        repeats = sources[source].get("repeat", [1])
        return source, repeats[min(stage, len(repeats) - 1)]

    return repeated_by(names, rate_of)


def repeated_by(names: list[str], rate_of: Callable[[str], tuple[str, float]]) -> list[str]:
    """The names as often as rate_of says: the kind of a picture, and how often those come."""
    seen: Counter[str] = Counter()
    chosen = []
    for name in names:
        kind, rate = rate_of(name)
        index = seen[kind]
        seen[kind] += 1
        chosen += [name] * (int((index + 1) * rate) - int(index * rate))
    return chosen


def write_listing(path: Path, names: list[str]) -> None:
    """A list of pictures as ultralytics reads it."""
    path.write_text("".join(f"./images/{name}.jpg\n" for name in names))


def main(argv: list[str] | None = None) -> int:
    """Build the data set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--sources", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--teacher", type=Path)
    parser.add_argument("--val-list", type=Path, help="a frozen list; chosen anew without it")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    manifest = tomllib.loads(args.manifest.read_text())
    for folder in ("images", "labels", "drawn"):
        (args.out / folder).mkdir(parents=True, exist_ok=True)
    pictures = [
        p for s in manifest["source"] for p in read_source(args.sources, s, manifest["classes"])
    ]
    if args.val_list is not None:
        val = set(args.val_list.read_text().split())
    else:
        val = choose_val(pictures, manifest, args.seed)
    (args.out / "val_list.txt").write_text("\n".join(sorted(val)) + "\n")
    sources = {s["name"]: s for s in manifest["source"]}
    split: dict[str, list[str]] = {"train": [], "val": []}
    for picture in pictures:
        tile_px = sources[picture.source].get("tile_px")
        names = write_picture(args.out, picture, tile_px, manifest["min_box_px"])
        split["val" if name_of(picture) in val else "train"] += names
    every = split["train"] + split["val"]
    for name in every:
        shutil.copyfile(args.out / "drawn" / f"{name}.txt", args.out / "labels" / f"{name}.txt")
    added: Counter[str] = Counter()
    if args.teacher is not None:
        taught = [n for n in every if sources[n.split("__")[0]].get("teach", True)]
        added = add_teacher(args.teacher, taught, args.out, manifest)
    write_listing(args.out / "val.txt", split["val"])
    stages = max(len(source.get("repeat", [1])) for source in manifest["source"])
    for stage in range(stages):
        names = repeated(split["train"], sources, stage)
        write_listing(args.out / ("train.txt" if stage == 0 else f"train_{stage + 1}.txt"), names)
    report = {
        "drawn": {
            part: count(args.out, n, manifest["classes"], "drawn") for part, n in split.items()
        },
        "teacher_boxes": dict(sorted(added.items())),
    }
    (args.out / "counts.json").write_text(json.dumps(report, indent=1) + "\n")
    sys.stderr.write(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
