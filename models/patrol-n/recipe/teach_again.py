"""People and vehicles anew on pictures of litter and fire: labels that nobody drew, in a folder.

    python teach_again.py --data OUT2 --listing OUT3/train.txt --model patrol-n.xml
                          --teacher yolo26m.xml --out TAUGHT

A picture where the last release suspects a vehicle (0.15) is looked at by the teacher at 448 px;
where it does not, the release's own people are kept (0.35).
"""

import argparse
from pathlib import Path

import build_dataset as first
import evaluate
import numpy as np

SUSPECTED, TAUGHT = 0.15, 0.35
MAX_IOU = 0.45  # with what was drawn
PERSON = 3
OF_COCO = {0: 3, 1: 4, 2: 5, 3: 6, 5: 7, 7: 8}  # COCO's index -> ours


def main(argv: list[str] | None = None) -> int:
    """Write a label file for each picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    for key in ("data", "listing", "model", "teacher", "out"):
        parser.add_argument(f"--{key}", type=Path, required=True)
    args = parser.parse_args(argv)
    small, big = (evaluate.load(path, "f32")[0] for path in (args.model, args.teacher))
    names = sorted({Path(line).stem for line in args.listing.read_text().split()})
    args.out.mkdir(parents=True, exist_ok=True)
    for name in names:
        if not name.startswith(("fire_", "litter_")) or "__partial_" in name:
            continue
        image = evaluate.read_image(args.data / "images" / f"{name}.jpg")
        size_wh = (image.shape[1], image.shape[0])
        found = evaluate.detect(small, image, 512, 0.6)
        taught = found[(found[:, 5] >= PERSON) & (found[:, 4] >= TAUGHT)]
        if ((found[:, 5] > PERSON) & (found[:, 4] >= SUSPECTED)).any():
            seen = evaluate.detect(big, image, 448, 0.6)
            taught = seen[np.isin(seen[:, 5], list(OF_COCO)) & (seen[:, 4] >= TAUGHT)]
            taught[:, 5] = [OF_COCO[int(kind)] for kind in taught[:, 5]]
        drawn = evaluate.read_drawn(args.data / "drawn" / f"{name}.txt", size_wh)
        drawn = drawn.astype(float).reshape(-1, 5)
        rows = taught[:, [5, 0, 1, 2, 3]].astype(float).reshape(-1, 5)
        rows = first.undrawn(rows, drawn[drawn[:, 0] >= PERSON], MAX_IOU)
        first.write_labels(args.out / f"{name}.txt", np.vstack([drawn, rows]), size_wh)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
