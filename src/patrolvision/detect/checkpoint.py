"""Checkpoints of ultralytics: reading them, and torch made ready for it, offline."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

from patrolvision.errors import ModelError


def class_names_of_checkpoint(path: Path) -> dict[int, str]:
    """The classes a .pt file knows, by index; needs torch."""
    torch_module()
    return {int(index): str(name) for index, name in read_checkpoint(path).names.items()}


def torch_module() -> Any:
    """The module torch, with ultralytics ready to be imported offline."""
    os.environ.setdefault("YOLO_OFFLINE", "true")
    os.environ.setdefault("YOLO_AUTOINSTALL", "false")
    os.environ.setdefault("YOLO_VERBOSE", "false")
    try:
        import torch

        from patrolvision.detect._torchvision_stand_in import put_in_place_if_needed

        put_in_place_if_needed()
        from ultralytics.utils import SETTINGS
    except ImportError as error:
        raise ModelError(
            f"the torch engine needs packages that are not installed ({error.name}): "
            "run `make torch`, or use the default engine"
        ) from error
    dict.update(SETTINGS, {"sync": False})  # in memory: nothing is written to the user's settings
    return torch


def read_checkpoint(path: Path) -> Any:
    """The network of a .pt file; ModelError if ultralytics cannot read it."""
    from ultralytics import YOLO

    try:
        return YOLO(path, task="detect").model
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, pickle.PickleError) as error:
        raise ModelError(f"{path} is not a checkpoint ultralytics reads: {error}") from error
