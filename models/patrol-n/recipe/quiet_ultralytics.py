"""Ultralytics without network access and without a working torchvision.

Ultralytics imports torchvision in its predictor, validator and exporter, though it only needs
`ops.nms`, for which it has its own torch version. There is no CPU build of torchvision for every
torch; where the real one does not load, or is not installed at all, the program's stand-in takes
its place. Import this module before anything from ultralytics. Needs the program
(`pip install -e .`).
"""

import os

from patrolvision.detect._torchvision_stand_in import put_in_place_if_needed

os.environ.setdefault("YOLO_OFFLINE", "true")
os.environ.setdefault("YOLO_AUTOINSTALL", "false")
os.environ.setdefault("WANDB_MODE", "disabled")


def prepare() -> None:
    """Make `import ultralytics` safe: no downloads, no settings sync, an `nms` that works."""
    put_in_place_if_needed()
    from ultralytics.utils import SETTINGS

    # dict's own update: in memory only, nothing is written to the user's settings
    dict.update(SETTINGS, {"sync": False})


prepare()
