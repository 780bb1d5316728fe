"""The listings of the eighth stage: the data of 0.4.0, apart as it is seen, buses and trucks often.

    python fifth_data.py --data OUT4

A picture with a bus or a truck comes four times as often as it did: of 2,038 pictures of the ground
those of street vehicles other than cars are the fewest.
"""

import argparse
from pathlib import Path

BUS, TRUCK = "7", "8"
GROUND = ("litter_taco", "litter_street_garbage_bins", "fire_hotfire", "coco128_train")
MORE = 4


def main(argv: list[str] | None = None) -> int:
    """Write ground.txt and air.txt."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    args = parser.parse_args(argv)
    ground, air = [], []
    for line in (args.data / "train.txt").read_text().split():
        name = Path(line).stem
        if not name.startswith(GROUND):
            air.append(line)
            continue
        labels = (args.data / "labels" / f"{name}.txt").read_text().splitlines()
        is_rare = any(label.split()[0] in (BUS, TRUCK) for label in labels)
        ground += [line] * (MORE if is_rare else 1)
    for listing, lines in (("ground.txt", ground), ("air.txt", air)):
        (args.data / listing).write_text("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
