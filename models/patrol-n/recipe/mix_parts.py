"""The mean of some checkpoints, mixed with their parent by another share in each part.

    python mix_parts.py --new A.pt B.pt --parent patrol-n.pt --shares 0.5 0.3 1.0 0.2 --out mixed.pt

Shares of the new weights: layers 0 to 10, layers 11 to 22, the head's box branch, its class branch.
0.3.0 was made so from the ends of its fifth and sixth stage. The parent may be the stock detector:
what it knows no class for stays as it is in the new (Wortsman et al., Robust fine-tuning of
zero-shot models, 2022).
"""

import argparse
from pathlib import Path

import torch
import train

BACKBONE_END, HEAD = 10, 23


def share_of(name: str, shares: list[float]) -> float:
    """The share of the new weights for the tensor `name` (model.<layer>.…)."""
    layer = int(name.split(".")[1])
    if layer <= BACKBONE_END:
        return shares[0]
    if layer < HEAD:
        return shares[1]
    return shares[2] if ".cv2." in name else shares[3]


def main(argv: list[str] | None = None) -> int:
    """Mix and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--new", type=Path, nargs="+", required=True)
    parser.add_argument("--parent", type=Path, required=True)
    parser.add_argument("--shares", type=float, nargs=4, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    models = [train.YOLO(path).model.float() for path in args.new]
    states = [model.state_dict() for model in models]
    names = list(models[0].names.values())
    parent = train.YOLO(args.parent).model.float()
    known = [name in parent.names.values() for name in names]
    if not all(known):
        parent = train.with_classes(parent, names)
    old = parent.state_dict()
    mixed = {}
    for key, value in states[0].items():
        if value.dtype.is_floating_point:
            mean = sum(state[key] for state in states) / len(states)
            value = old[key].lerp(mean, share_of(key, args.shares))
            if ".cv3." in key and len(value) == len(names):  # a row for each class
                value[~torch.tensor(known)] = mean[~torch.tensor(known)]
        mixed[key] = value
    models[0].load_state_dict(mixed)
    train.save(args.out, models[0], {"shares": args.shares})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
