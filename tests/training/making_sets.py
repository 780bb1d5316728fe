"""Tiny labelled sets whose truth is drawn: rings of one colour on noise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

Box = tuple[int, int, int, int]
MAGENTA, GREEN = (220, 20, 220), (40, 230, 40)


def drawn_picture(
    seed: int, boxes: Sequence[Box], side: int = 160, colour: tuple[int, int, int] = MAGENTA
) -> np.ndarray:
    """Blurred noise with a filled, ringed disc in each box."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(60, 190, (9, 9, 3), np.uint8)
    image = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    for x1, y1, x2, y2 in boxes:
        centre, half = ((x1 + x2) // 2, (y1 + y2) // 2), ((x2 - x1) // 2, (y2 - y1) // 2)
        cv2.ellipse(image, centre, half, 0, 0, 360, colour, -1)
        inner = (max(1, half[0] // 2), max(1, half[1] // 2))
        cv2.ellipse(image, centre, inner, 0, 0, 360, (250, 250, 250), -1)
    return image


def boxes_for(seed: int, side: int = 160) -> list[Box]:
    """One or two boxes well apart."""
    rng = np.random.default_rng([7, seed])
    size = int(rng.integers(36, 60))
    x, y = (int(v) for v in rng.integers(4, side // 2 - 10, 2))
    found = [(x, y, x + size, y + size)]
    if rng.random() < 0.5 and x + 2 * size + 8 < side:
        found.append((x + size + 6, y, x + 2 * size + 6, y + size))
    return found


def yolo_rows(boxes: Sequence[Box], side: int = 160, kind: int = 0) -> str:
    """The boxes as lines of a label file."""
    rows = []
    for x1, y1, x2, y2 in boxes:
        place = ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)
        rows.append(f"{kind} " + " ".join(f"{value / side:.6f}" for value in place) + "\n")
    return "".join(rows)


def write_source(
    folder: Path,
    count: int,
    *,
    first: int = 0,
    class_name: str = "litter",
    colour: tuple[int, int, int] = MAGENTA,
    is_blank: bool = False,
) -> Path:
    """A YOLO folder of `count` pictures; is_blank: the discs are there, the labels deny it."""
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    (folder / "classes.txt").write_text(f"{class_name}\n")
    for seed in range(first, first + count):
        boxes = boxes_for(seed)
        cv2.imwrite(
            str(folder / "images" / f"p{seed}.png"), drawn_picture(seed, boxes, 160, colour)
        )
        text = "" if is_blank else yolo_rows(boxes)
        (folder / "labels" / f"p{seed}.txt").write_text(text)
    return folder


def manifest_text(
    classes: Sequence[str], sources: Sequence[str], *, split: str = "val_share = 0.2"
) -> str:
    """A manifest of [[source]] tables given as text."""
    head = f'name = "tiny"\nclasses = {list(classes)!r}\n\n[split]\n{split}\nhash_distance = 2\n'
    return head.replace("'", '"') + "".join(f"\n[[source]]\n{source}\n" for source in sources)


def source_text(name: str, class_name: str = "litter", **more: str) -> str:
    """One source that maps its only class to itself and labels it fully."""
    values = {
        "name": f'"{name}"',
        "path": f'"{name}"',
        "class_map": f'{{ {class_name} = "{class_name}" }}',
        "labelled": f'["{class_name}"]',
        "licence": '"made for the test"',
        "released": "true",
        **more,
    }
    return "\n".join(f"{key} = {value}" for key, value in values.items())
