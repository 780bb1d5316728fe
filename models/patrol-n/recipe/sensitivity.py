"""How much each part of a network in eight bits moves scores and boxes when it alone is in them.

    python sensitivity.py --model patrol-n.xml --eight-bits INT8.xml --data OUT [--parts 0 23.cv2.0]

Pictures are of the training part, so the validation part stays unseen. Everything but the part gets
its float weights back and activations so fine (65,536 levels over four times the range) that
nothing is lost. A line per part: mean and 95th percentile of the difference of scores, and the mean
difference of boxes in pixels.
"""

import argparse
from pathlib import Path

import eight_bits
import numpy as np
import openvino as ov
import openvino.opset13 as opset

PARTS = [str(layer) for layer in range(23) if layer not in (11, 12, 14, 15, 18, 21)] + [
    f"23.cv{branch}.{level}.{step}" for branch in (2, 3) for level in range(3) for step in range(3)
]


def only(part: str, path: Path, floats: dict[str, np.ndarray]) -> ov.Model:
    """The network with eight bits in one part."""
    model = ov.Core().read_model(path)
    for op in model.get_ops():
        name = op.get_friendly_name()
        if op.get_type_name() in eight_bits.CONVOLUTIONS:
            weights = eight_bits.constant_in(op.input_value(1).get_node()).astype(np.float32)
            if not eight_bits.part_of(name, part):
                weights = floats[name].reshape(weights.shape)
            op.input(1).replace_source_output(opset.constant(weights).output(0))
    for op in eight_bits.quantisers(model):
        if any(eight_bits.part_of(name, part) for name in eight_bits.readers(op)):
            continue
        ranges = [np.asarray(op.input_value(i).get_node().data) * 4 for i in range(1, 5)]
        fine = opset.fake_quantize(op.input_value(0), *map(opset.constant, ranges), 65536)
        for output in op.outputs():
            for reader in list(output.get_target_inputs()):
                reader.replace_source_output(fine.output(0))
    return model


def main(argv: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--eight-bits", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--listing", default="train.txt")
    parser.add_argument("--count", type=int, default=16)
    parser.add_argument("--parts", nargs="*", default=PARTS)
    args = parser.parse_args(argv)
    inputs = eight_bits.batches(args.data / args.listing, args.count, seed=7)
    core = ov.Core()
    floats = {
        op.get_friendly_name(): eight_bits.constant_in(op.input_value(1).get_node())
        for op in core.read_model(args.model).get_ops()
        if op.get_type_name() in eight_bits.CONVOLUTIONS
    }
    wanted = eight_bits.outputs(core.read_model(args.model), inputs)
    whole = eight_bits.outputs(core.read_model(args.eight_bits), inputs)
    print("all", *(f"{value:.4f}" for value in eight_bits.differences(wanted, whole)))
    for part in args.parts:
        found = eight_bits.outputs(only(part, args.eight_bits, floats), inputs)
        print(part, *(f"{value:.4f}" for value in eight_bits.differences(wanted, found)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
