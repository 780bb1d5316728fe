"""A detector that says nothing of some classes: those not to be looked for from this vehicle."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from patrolvision.ports import Detector
from patrolvision.types import Detections, Image, ModelRelease


class WithoutClasses:
    """A Detector over another one, without the boxes of the classes named."""

    def __init__(self, inner: Detector, class_names: Collection[str]) -> None:
        self._inner = inner
        kept = [name not in class_names for name in inner.release.classes]
        self._is_kept = np.array(kept, np.bool_)

    @property
    def release(self) -> ModelRelease:
        """The inner detector's."""
        return self._inner.release

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """The inner detector's boxes of the other classes, in its order."""
        return [found.select(self._is_kept[found.class_id]) for found in self._inner.detect(images)]

    def close(self) -> None:
        """Release the inner detector."""
        self._inner.close()
