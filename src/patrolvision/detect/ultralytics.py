"""The second engine: Ultralytics' networks on torch, on a CPU or a GPU.

Optional, and imported only when asked for. It shares letterbox and decoding with the default
engine, so that both differ by their arithmetic only. Nothing is downloaded, synchronised or
reported.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patrolvision.detect import letterbox
from patrolvision.detect.checkpoint import read_checkpoint, torch_module
from patrolvision.detect.decode import decode, layout_of, thresholds_of
from patrolvision.detect.letterbox import Letterbox
from patrolvision.detect.release import weights_file
from patrolvision.errors import ModelError
from patrolvision.types import Detections, Image, ModelRelease

MAX_BATCH = 16


class UltralyticsDetector:
    """A Detector on torch; may be shared by threads, whose calls then take turns.

    conf: one threshold for all classes instead of the release's. device: as torch names it, "cpu"
    or "cuda:0". num_threads: of torch, for the whole process; None leaves it. The arithmetic is
    float32. Raises ModelError if torch or ultralytics is not installed or the weights cannot be
    read.
    """

    def __init__(
        self,
        release: ModelRelease,
        *,
        conf: float | None = None,
        device: str = "cpu",
        num_threads: int | None = None,
    ) -> None:
        self._release = release
        self._thresholds = thresholds_of(release, conf)
        self._torch = torch_module()
        if num_threads is not None:
            self._torch.set_num_threads(num_threads)
        self._device = device
        self._network = self._load(weights_file(release, "torch"))
        self._lock = threading.Lock()

    @property
    def release(self) -> ModelRelease:
        """Which weights these are."""
        return self._release

    @property
    def precision(self) -> str:
        """The arithmetic used."""
        return "f32"

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """One Detections per picture (H, W, 3) uint8 BGR, in the order given."""
        limit = self._release.input_width, self._release.input_height
        plans = [letterbox.plan(image.shape[1], image.shape[0], *limit) for image in images]
        found: list[Detections] = []
        with self._lock:
            for start, stop in _runs_of_one_shape(plans):
                batch = _batch(images[start:stop], plans[start:stop])
                for output, box in zip(self._infer(batch), plans[start:stop], strict=True):
                    layout_of(output.shape, len(self._thresholds))
                    found.append(decode(output, self._thresholds, self._release.nms_iou, box))
        return found

    def close(self) -> None:
        """Release the network."""
        self._network = None

    def _load(self, path: Path) -> Any:
        network = read_checkpoint(path)
        if network.names is None or len(network.names) != len(self._release.classes):
            raise ModelError(
                f"{path}: expected {len(self._release.classes)} classes, got {network.names}"
            )
        try:
            network = network.float().fuse(verbose=False).eval().to(self._device)
        except (RuntimeError, AssertionError) as error:
            raise ModelError(f"torch cannot use the device {self._device!r}: {error}") from error
        network.model[-1].end2end = self._release.card.get("output") == "end2end"
        return network

    def _infer(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        with self._torch.inference_mode():
            output = self._network(self._torch.from_numpy(batch).to(self._device))
        first = output[0] if isinstance(output, tuple | list) else output
        result: NDArray[np.float32] = first.float().cpu().numpy()
        return result


def _runs_of_one_shape(plans: Sequence[Letterbox]) -> list[tuple[int, int]]:
    """(start, stop) of neighbours with one input shape, at most MAX_BATCH each."""
    runs: list[tuple[int, int]] = []
    for index, box in enumerate(plans):
        start = runs[-1][0] if runs else -1
        if runs and box.input_shape == plans[start].input_shape and index - start < MAX_BATCH:
            runs[-1] = (start, index + 1)
        else:
            runs.append((index, index + 1))
    return runs


def _batch(images: Sequence[Image], plans: Sequence[Letterbox]) -> NDArray[np.float32]:
    """The network's input (N, 3, H, W), RGB in [0, 1]."""
    canvas = np.empty((len(images), *plans[0].input_shape, 3), np.uint8)
    for image, box, target in zip(images, plans, canvas, strict=True):
        letterbox.paint(image, box, target)
    planes = canvas[..., ::-1].transpose(0, 3, 1, 2)
    return np.ascontiguousarray(planes, np.float32) / np.float32(255)
