"""The network under training: its head kept, a new class grown on it, an alien one refused.

Ultralytics' own trainer would rebuild the class branch for the number of classes, at another width,
and begin it anew; here its rows are copied by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from patrolvision.errors import ModelError

NEW_BIAS_DROP = 2.0  # a new class begins e^2 times rarer than the mean of the known ones


def names_of(network: Any) -> tuple[str, ...]:
    """The network's classes in the order of its outputs."""
    return tuple(str(network.names[index]) for index in sorted(network.names))


def refuse_alien(network: Any, origin: str) -> None:
    """Raise ModelError unless the network is a detector whose head this package can train."""
    layers = getattr(network, "model", None)
    head: Any = layers[-1] if layers is not None and len(layers) else None
    missing = [
        name for name in ("cv2", "cv3", "stride", "reg_max", "nc") if not hasattr(head, name)
    ]
    if missing:
        found = type(head).__name__ if head is not None else type(network).__name__
        raise ModelError(
            f"{origin}: is a checkpoint of another architecture: expected ultralytics' Detect "
            f"head, found {found} without {', '.join(missing)}"
        )
    if any(not hasattr(level[-1], "in_channels") for level in head.cv3):
        raise ModelError(f"{origin}: is a checkpoint of another architecture: unknown class branch")
    if len(network.names) != head.nc:
        raise ModelError(f"{origin}: has {len(network.names)} names for {head.nc} classes")


def with_classes(network: Any, classes: Sequence[str]) -> Any:
    """The network, in place, with one output per class of `classes`, in that order.

    Rows of known names are copied; a new one begins as the mean row, rarer. The second, NMS-free
    head of stock networks goes: it doubles what is to be trained.
    """
    import torch

    head = network.model[-1]
    known = {name: index for index, name in enumerate(names_of(network))}
    if getattr(head, "one2one_cv3", None) is not None:
        head.one2one_cv2 = head.one2one_cv3 = None
        head.end2end = False
    if tuple(known) == tuple(classes):
        return network
    for level in head.cv3:
        old = level[-1]
        new = torch.nn.Conv2d(old.in_channels, len(classes), 1)
        with torch.no_grad():
            for row, name in enumerate(classes):
                index = known.get(name)
                weight = old.weight.mean(0) if index is None else old.weight[index]
                bias = old.bias.mean() - NEW_BIAS_DROP if index is None else old.bias[index]
                new.weight[row], new.bias[row] = weight, bias
        level[-1] = new
    head.nc, head.no = len(classes), len(classes) + 4 * head.reg_max
    network.nc = len(classes)
    network.yaml = {**network.yaml, "nc": len(classes)}
    network.names = dict(enumerate(classes))
    return network
