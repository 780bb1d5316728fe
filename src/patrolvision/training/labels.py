"""One picture with what somebody says is on it: what every data set is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class LabelledPicture:
    """A picture and its boxes.

    xyxy (N, 4) is in pixels of the picture after its EXIF rotation, of which size_wh is the width
    and height; class_names has N entries. labelled names the classes of which every thing on the
    picture has a box: of these alone does a missing box mean that nothing is there, and only these
    may be judged or taught as absent. difficult (N,) marks boxes that are neither to be found nor
    wrong if found. group is the place, mission or video that the picture belongs to, "" if it
    stands alone; hardness in [0, 1] says how much is to be learnt from it; repeat, how often it
    comes in an epoch of training.
    """

    path: Path
    xyxy: Boxes
    class_names: tuple[str, ...]
    labelled: frozenset[str]
    size_wh: tuple[int, int]
    difficult: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    source: str = ""
    group: str = ""
    hardness: float = 0.0
    repeat: float = 1.0

    def __post_init__(self) -> None:
        count = len(self.class_names)
        if self.xyxy.shape != (count, 4):
            raise ValueError(f"{self.path}: xyxy must be ({count}, 4), got {self.xyxy.shape}")
        if len(self.difficult) == 0:
            object.__setattr__(self, "difficult", np.zeros(count, np.bool_))
        if self.difficult.shape != (count,):
            raise ValueError(f"{self.path}: difficult must be ({count},)")
        if not 0.0 <= self.hardness <= 1.0:
            raise ValueError(f"{self.path}: hardness must lie in [0, 1], got {self.hardness}")

    def boxes_of(self, class_name: str) -> Boxes:
        """The boxes (M, 4) of one class, the difficult ones included."""
        return self.xyxy[np.array([name == class_name for name in self.class_names], np.bool_)]
