"""Weights of a fine-tuned checkpoint, averaged with those of its parent.

    python mix.py --new RUN/last.pt --parent patrol-n.pt --share 0.7 --out mixed.pt

What the parent knew and the short training began to forget comes back; see Wortsman et al., Robust
fine-tuning of zero-shot models, CVPR 2022.
"""

import argparse
from pathlib import Path

import train


def main(argv: list[str] | None = None) -> int:
    """Mix and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--new", type=Path, required=True)
    parser.add_argument("--parent", type=Path, required=True)
    parser.add_argument("--share", type=float, required=True, help="of the new weights")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    model, parent = (train.YOLO(path).model.float() for path in (args.new, args.parent))
    old = parent.state_dict()
    mixed = {
        key: value.lerp(old[key], 1 - args.share) if value.dtype.is_floating_point else value
        for key, value in model.state_dict().items()
    }
    model.load_state_dict(mixed)
    train.save(args.out, model, {"share": args.share})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
