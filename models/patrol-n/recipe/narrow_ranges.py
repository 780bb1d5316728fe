"""Each activation's range in an eight-bit network set to the one with the least squared error.

    python narrow_ranges.py --model patrol-n.xml --eight-bits INT8.xml --data OUT --out NARROW.xml

The calibration of NNCF takes one rule for all: the mean of the pictures' greatest values cuts what
is large in few pictures only (a channel that answers to fire), the greatest of all wastes levels.
Here the picture keeps 0..1, a range per channel keeps its extremes, and every other range becomes
the share of its extremes that rounds and cuts least, over values drawn from training pictures.
"""

import argparse
from collections import defaultdict
from pathlib import Path
from typing import Any

import eight_bits
import numpy as np
import openvino as ov
import openvino.opset13 as opset

DRAWN = 8000  # values of an activation from each picture
SHARES = np.linspace(0.25, 1, 16)
Array = np.ndarray


def aligned(low: Array, high: Array) -> tuple[Array, Array]:
    """The range widened to hold zero exactly on one of its 256 levels."""
    low, high = np.minimum(low, 0), np.maximum(high, 1e-3)
    step = (high - low) / 255
    zero = np.round(-low / step)
    return (-zero * step).astype(np.float32), ((255 - zero) * step).astype(np.float32)


def best_range(values: Array, low: float, high: float) -> tuple[Array, Array]:
    """The share of low..high with the least squared error; SiLU's small low end is not cut."""
    best: tuple[float, Any] = (np.inf, None)
    for share in SHARES:
        ends = aligned(np.array(low if low > -1 else low * share), np.array(high * share))
        step = (ends[1] - ends[0]) / 255
        rounded = np.clip(np.round((values - ends[0]) / step), 0, 255) * step + ends[0]
        best = min(best, (float(np.mean((rounded - values) ** 2)), ends), key=lambda one: one[0])
    return best[1]


def put(op: Any, low: Array, high: Array) -> None:
    """Give the quantiser this range, in and out."""
    shape = op.input_value(1).get_node().data.shape
    for index, end in ((1, low), (2, high), (3, low), (4, high)):
        constant = opset.constant(np.asarray(end, np.float32).reshape(shape))
        op.input(index).replace_source_output(constant.output(0))


def observed(
    model: ov.Model, sources: list[tuple[str, int]], inputs: list[Array]
) -> dict[tuple[str, int], tuple[Array, Array, Array]]:
    """By node and output: values drawn, and the least and greatest of each channel."""
    nodes = {op.get_friendly_name(): op for op in model.get_ops()}
    results = [opset.result(nodes[name].output(index)) for name, index in sources]
    probe = ov.Model(results, model.get_parameters(), "probe")
    compiled = ov.Core().compile_model(probe, "CPU", eight_bits.ONE_THREAD)
    rng = np.random.default_rng(0)
    drawn, low, high = defaultdict(list), defaultdict(list), defaultdict(list)
    for batch in inputs:
        found = compiled(batch)
        for index, source in enumerate(sources):
            values = np.asarray(found[index])
            axes = (0, 2, 3) if values.ndim == 4 else tuple(range(values.ndim))
            flat = values.ravel()
            drawn[source].append(flat[rng.integers(0, flat.size, DRAWN)])
            low[source].append(values.min(axes))
            high[source].append(values.max(axes))
    return {
        s: (np.concatenate(drawn[s]), np.min(low[s], axis=0), np.max(high[s], axis=0))
        for s in sources
    }


def narrow(quantised: ov.Model, model: ov.Model, inputs: list[Array]) -> None:
    """Set every range. Quantisers that share one now (what is joined later) share the new one."""
    picture = model.get_parameters()[0].get_friendly_name()
    shared: dict[Any, list[tuple[Any, tuple[str, int]]]] = defaultdict(list)
    for op in eight_bits.quantisers(quantised):
        origin = op.input_value(0)
        source = (origin.get_node().get_friendly_name(), origin.get_index())
        ends = [np.asarray(op.input_value(i).get_node().data) for i in (1, 2)]
        single = ends[0].size == 1 and source[0] != picture
        key = (float(ends[0]), float(ends[1])) if single else op.get_friendly_name()
        shared[key].append((op, source))
    sources = sorted({source for members in shared.values() for _, source in members})
    seen = observed(model, sources, inputs)
    for members in shared.values():
        if members[0][1][0] == picture:
            ends = aligned(np.array(0.0), np.array(1.0))
        elif members[0][0].input_value(1).get_node().data.size > 1:
            ends = aligned(*seen[members[0][1]][1:])
        else:
            known = [seen[source] for _, source in members]
            ends = best_range(
                np.concatenate([values for values, _, _ in known]),
                min(float(low.min()) for _, low, _ in known),
                max(float(high.max()) for _, _, high in known),
            )
        for op, _ in members:
            put(op, *ends)


def main(argv: list[str] | None = None) -> int:
    """Narrow and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    for key in ("model", "eight-bits", "data", "out"):
        parser.add_argument(f"--{key}", type=Path, required=True)
    parser.add_argument("--listing", default="train.txt")
    parser.add_argument("--count", type=int, default=40)
    args = parser.parse_args(argv)
    core = ov.Core()
    quantised = core.read_model(args.eight_bits)
    inputs = eight_bits.batches(args.data / args.listing, args.count, seed=11)
    narrow(quantised, core.read_model(args.model), inputs)
    ov.save_model(quantised, args.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
