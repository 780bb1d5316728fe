"""What a run leaves on the disk: its state, to go on from, and weights, to be used.

Both are made in memory and then written whole, so that a kill or a full disk leaves the last good
one in place.
"""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from patrolvision.errors import ModelError, OutputError
from patrolvision.training.files import write_whole
from patrolvision.training.trainer import Learner

STATE = "state.pt"


def save_state(path: Path, learner: Learner, about: Mapping[str, Any]) -> None:
    """Write everything a run needs to go on; OutputError names the step it can go on from."""
    import torch

    content = io.BytesIO()
    torch.save(
        {
            "step": learner.step,
            "network": learner.network.state_dict(),
            "average": learner.average.state_dict(),
            "optimiser": learner.optimiser.state_dict(),
            "about": dict(about),
        },
        content,
    )
    try:
        write_whole(path, content.getvalue())
    except OutputError as error:
        kept = f"the run can go on from step {step_of(path)}" if path.is_file() else "none is kept"
        raise OutputError(f"step {learner.step} could not be saved: {error}; {kept}") from error


def load_state(path: Path, learner: Learner, about: Mapping[str, Any]) -> None:
    """Put a saved state into a fresh learner; ModelError if it is of another run or garbled."""
    state = _read(path)
    if state["about"] != dict(about):
        raise ModelError(
            f"{path}: is the state of another run: give another --out, or the same settings"
        )
    try:
        learner.network.load_state_dict(state["network"])
        learner.average.load_state_dict(state["average"])
        learner.optimiser.load_state_dict(state["optimiser"])
    except (RuntimeError, ValueError, KeyError) as error:
        raise ModelError(f"{path}: does not fit the network: {error}") from error
    learner.step = int(state["step"])


def step_of(path: Path) -> int:
    """The step of a saved state."""
    return int(_read(path)["step"])


def save_weights(path: Path, network: Any) -> None:
    """Write a network as a checkpoint ultralytics reads: half precision, nothing else in it."""
    import torch

    model = copy.deepcopy(network).half().eval().to("cpu")
    for name in ("criterion", "pt_path", "yaml_file"):
        if hasattr(model, name):
            delattr(model, name)
    model.args = {"task": "detect", "imgsz": 640}
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    content = io.BytesIO()
    torch.save({"model": model, "license": "AGPL-3.0", "train_args": {"task": "detect"}}, content)
    write_whole(path, content.getvalue())


def _read(path: Path) -> dict[str, Any]:
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise ModelError(f"{path}: cannot be read as the state of a run ({error})") from error
    if not isinstance(state, dict) or not {
        "step",
        "network",
        "average",
        "optimiser",
        "about",
    } <= set(state):
        raise ModelError(f"{path}: is not the state of a run")
    return state
