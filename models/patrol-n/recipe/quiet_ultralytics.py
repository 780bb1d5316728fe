"""Ultralytics without network access and without a working torchvision.

Ultralytics imports torchvision in its predictor, validator and exporter, though it only needs
`ops.nms`, for which it has its own torch version. There is no CPU build of torchvision for every
torch; where the real one does not load, a stand-in takes its place. Import this module before
anything from ultralytics.
"""

import os
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

os.environ.setdefault("YOLO_OFFLINE", "true")
os.environ.setdefault("YOLO_AUTOINSTALL", "false")
os.environ.setdefault("WANDB_MODE", "disabled")


def _torchvision_loads() -> bool:
    try:
        import torchvision.ops
    except (ImportError, RuntimeError):  # RuntimeError: "operator torchvision::nms does not exist"
        return False
    return hasattr(torchvision.ops, "nms")


def _stand_in() -> ModuleType:
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    vision, ops = ModuleType("torchvision"), ModuleType("torchvision.ops")
    vision.__version__ = "0.0.0"  # type: ignore[attr-defined]
    for module in (vision, ops):
        module.__spec__ = ModuleSpec(module.__name__, loader=None, is_package=True)
        module.__path__ = []
    vision.ops = ops  # type: ignore[attr-defined]
    sys.modules |= {"torchvision": vision, "torchvision.ops": ops}
    return ops


def prepare() -> None:
    """Make `import ultralytics` safe: no downloads, no settings sync, an `nms` that works."""
    ops = None if _torchvision_loads() else _stand_in()
    from ultralytics.utils import SETTINGS
    from ultralytics.utils.nms import TorchNMS

    if ops is not None:
        ops.nms = TorchNMS.nms  # type: ignore[attr-defined]
    # dict's own update: in memory only, nothing is written to the user's settings
    dict.update(SETTINGS, {"sync": False})


prepare()
