"""A stand-in for torchvision, used only where the real one does not load.

Ultralytics imports torchvision to find its `ops.nms`, and asks for its version. Not every build of
torch has a torchvision that fits it (CPU builds often have none), and one that does not fit fails
at import with `operator torchvision::nms does not exist`. Our own decoding needs no torchvision at
all, so an empty module with ultralytics' own suppression in it is enough.
"""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Iterable
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

VERSION = "0.0.0"


def put_in_place_if_needed() -> bool:
    """Make `import torchvision` succeed; True if it is the stand-in that answers now.

    To be called before ultralytics is imported; it imports torch.
    """
    if _real_one_loads():
        return False
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    vision, ops = _module("torchvision"), _module("torchvision.ops")
    vision.__dict__.update(__version__=VERSION, ops=ops)
    sys.modules.update({"torchvision": vision, "torchvision.ops": ops})
    _answer_version_questions()
    from ultralytics.utils.nms import TorchNMS

    ops.__dict__["nms"] = TorchNMS.nms
    return True


def _real_one_loads() -> bool:
    try:
        import torchvision.ops
    except (ImportError, RuntimeError, AttributeError):  # RuntimeError: the operator is missing
        return False
    return hasattr(torchvision.ops, "nms")


def _module(name: str) -> ModuleType:
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, loader=None, is_package=True)
    module.__path__ = []
    return module


class _StandInDistribution(importlib.metadata.Distribution):
    def read_text(self, filename: str) -> str | None:
        if filename == "METADATA":
            return f"Metadata-Version: 2.1\nName: torchvision\nVersion: {VERSION}\n"
        return None

    def locate_file(self, path: Any) -> Any:
        raise FileNotFoundError(f"the torchvision stand-in has no files, asked for {path}")


class _StandInFinder(importlib.metadata.DistributionFinder):
    """Knows one distribution, torchvision; finds no modules."""

    def find_spec(self, *_: Any) -> None:
        return None

    def find_distributions(self, context: Any = None) -> Iterable[importlib.metadata.Distribution]:
        is_meant = context is None or context.name in (None, "torchvision")
        return [_StandInDistribution()] if is_meant else []


def _answer_version_questions() -> None:
    try:
        importlib.metadata.version("torchvision")
    except importlib.metadata.PackageNotFoundError:
        sys.meta_path.append(_StandInFinder())
