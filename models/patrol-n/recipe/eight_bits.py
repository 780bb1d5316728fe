"""What the tools for networks in eight bits share: pictures to look at, quantisers, differences."""

import random
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import evaluate
import numpy as np
import openvino as ov

SURE = 0.1  # a score from here on, of either network, is compared
CONVOLUTIONS = ("Convolution", "GroupConvolution")
ONE_THREAD = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}


def batches(listing: Path, count: int, seed: int) -> list[evaluate.Array]:
    """Pictures of the listing, as many of each source, letterboxed as for inference."""
    of: dict[str, list[str]] = defaultdict(list)
    for line in sorted(set(listing.read_text().split())):
        of[Path(line).name.split("__")[0]].append(line)
    rng, share = random.Random(seed), -(-count // len(of))
    names = [n for lines in of.values() for n in rng.sample(lines, min(share, len(lines)))]
    read = evaluate.read_image
    return [evaluate.letterbox(read(listing.parent / name), 640)[0] for name in names[:count]]


def outputs(model: ov.Model, inputs: list[evaluate.Array]) -> list[evaluate.Array]:
    """The raw output (4 + classes, anchors) for each input."""
    compiled = ov.Core().compile_model(model, "CPU", ONE_THREAD)
    return [np.array(compiled(batch)[0][0]) for batch in inputs]


def differences(
    one: list[evaluate.Array], other: list[evaluate.Array]
) -> tuple[float, float, float]:
    """Of sure anchors: mean and 95th percentile of the greatest score's difference; box, pixels."""
    scores, boxes = [], []
    for a, b in zip(one, other, strict=True):
        sure = np.maximum(a[4:].max(0), b[4:].max(0)) > SURE
        scores.append(np.abs(a[4:] - b[4:])[:, sure].max(0))
        boxes.append(np.abs(a[:4] - b[:4])[:, sure].max(0))
    score, box = np.concatenate(scores), np.concatenate(boxes)
    return float(score.mean()), float(np.percentile(score, 95)), float(box.mean())


def constant_in(node: Any) -> evaluate.Array:
    """The value of a constant, or of one that is kept small and scaled up."""
    kind = node.get_type_name()
    if kind == "Constant":
        return np.asarray(node.data)
    parts = [constant_in(node.input_value(i).get_node()) for i in range(node.get_input_size())]
    if kind == "Convert":
        return parts[0].astype(np.float32)
    if kind == "Multiply":
        return parts[0] * parts[1]
    if kind == "Subtract":
        return parts[0] - parts[1]
    raise ValueError(f"{node.get_friendly_name()} is no constant")


def quantisers(model: ov.Model) -> list[Any]:
    """The FakeQuantize nodes of activations."""
    return [op for op in model.get_ops() if op.get_type_name() == "FakeQuantize"]


def readers(op: Any) -> list[str]:
    """The names of the nodes that read an output of `op`."""
    inputs = [i for output in op.outputs() for i in output.get_target_inputs()]
    return [i.get_node().get_friendly_name() for i in inputs]


def part_of(name: str, part: str) -> bool:
    """Whether a node belongs to a part such as 6 or 23.cv3.0.1 of the network."""
    return re.search(rf"model\.{re.escape(part)}[./]", name) is not None
