"""An exported IR -> the same with 8-bit weights and activations, by NNCF, and its calibration set.

    python quantise.py --model 0.2.0/patrol-n.xml --data OUT --listing train.txt --out INT8
                        [--count 256] [--keep ends]

The calibration pictures are drawn from the training part, as many of each source. The last
convolutions of the head and the arithmetic of the boxes stay as they are: there a coarse step moves
boxes. --keep head leaves the whole head. --keep careful leaves also what moved scores and boxes
most when it alone was in eight bits: the first layers, both attentions, and the necks of the finest
and of the coarsest level; of the rest the ranges are means of minima and maxima. --keep measured
leaves what sensitivity.py found to move scores and boxes most: layers 0, 1, 2 and 4, and what works
on the coarsest level, where floats cost little; narrow_ranges.py then sets its ranges anew.
"""

import argparse
import random
import sys
from collections import defaultdict
from pathlib import Path

import cv2
import evaluate
import nncf
import numpy as np
import openvino as ov
from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters
from nncf.quantization.range_estimator import RangeEstimatorParametersSet

DECODE = r".*model\.23/.*"  # boxes out of anchors, in pixels: eight bits would round them
ENDS = r".*model\.23\.cv[23]\.\d\.2/.*"  # the head's last convolutions
ATTENTION = r".*model\.(10|22)\..*(matmul|softmax).*"
KEPT = {
    "nothing": (DECODE,),
    "ends": (DECODE, ENDS, ATTENTION),
    "head": (DECODE, r".*model\.23\..*", ATTENTION),
    "careful": (DECODE, r".*model\.(0|1|2|3|4|10|13|16|22|23)\..*", r".*model\.1[12458]/.*",
                r".*model\.21/.*"),
    "measured": (DECODE, r".*model\.(0|1|2|4|9|10|22)[./].*", r".*model\.23\.cv[23]\.2\..*"),
}  # fmt: skip


def chosen(listing: Path, count: int, seed: int) -> list[Path]:
    """Pictures of the listing, as many of each source, without repeats."""
    of: dict[str, list[str]] = defaultdict(list)
    for line in sorted(set(listing.read_text().split())):
        of[Path(line).name.split("__")[0]].append(line)
    rng = random.Random(seed)
    share = -(-count // len(of))
    names = [n for lines in of.values() for n in rng.sample(lines, min(share, len(lines)))]
    return [listing.parent / name for name in names]


def square(path: Path, side: int) -> np.ndarray:
    """The picture letterboxed to a square (1, 3, side, side), RGB in 0..1."""
    small, _, _ = evaluate.letterbox(evaluate.read_image(path), side)
    height, width = small.shape[2:]
    full = np.full((1, 3, side, side), 114 / 255, np.float32)
    full[:, :, :height, :width] = small
    return full


def main(argv: list[str] | None = None) -> int:
    """Quantise and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--listing", default="train.txt")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=256)
    parser.add_argument("--imgsz", type=int, default=640)
    parser.add_argument("--keep", choices=sorted(KEPT), default="ends")
    args = parser.parse_args(argv)
    cv2.setNumThreads(1)
    model = ov.Core().read_model(args.model)
    pictures = chosen(args.data / args.listing, args.count, seed=0)
    sys.stderr.write(f"{len(pictures)} calibration pictures\n")
    made = nncf.quantize(
        model,
        nncf.Dataset(pictures, lambda path: square(path, args.imgsz)),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(pictures),
        ignored_scope=nncf.IgnoredScope(patterns=list(KEPT[args.keep]), validate=False),
        advanced_parameters=AdvancedQuantizationParameters(
            activations_range_estimator_params=RangeEstimatorParametersSet.MEAN_MINMAX
        )
        if args.keep in ("careful", "measured")
        else None,
    )
    args.out.mkdir(parents=True, exist_ok=True)
    ov.save_model(made, args.out / args.model.name)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
