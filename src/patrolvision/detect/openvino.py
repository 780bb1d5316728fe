"""The default engine: OpenVINO on a CPU.

One compiled network per input shape (a fixed shape is faster than a dynamic one), kept for the next
picture of the same size. Colour order, layout and scale are part of the compiled graph. A batch is
spread over as many requests as there are streams, so that all cores work while the next picture is
being resized.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino.preprocess import ColorFormat, PrePostProcessor

from patrolvision.detect import letterbox
from patrolvision.detect.decode import decode, layout_of, thresholds_of
from patrolvision.detect.letterbox import Letterbox
from patrolvision.detect.release import Runtime, weights_file
from patrolvision.errors import ModelError
from patrolvision.types import Detections, Image, ModelRelease

Precision = Literal["auto", "f32", "bf16", "int8"]
EIGHT_BITS: Runtime = "openvino-int8"  # a release's second network, where it has one

SHAPES_KEPT = 8
REQUESTS_PER_STREAM = 1


class OpenVinoDetector:
    """A Detector on OpenVINO; may be shared by threads, whose calls then take turns.

    conf: one threshold for all classes instead of the release's. precision: auto takes what
    OpenVINO finds fastest here (bf16 where the processor has it); int8 the release's network with
    layers in eight bits, the others in float32. num_threads: None uses every core. Boxes are the
    same in every run with the same settings. Raises ModelError for a model that cannot be opened.
    """

    def __init__(
        self,
        release: ModelRelease,
        *,
        conf: float | None = None,
        precision: Precision = "auto",
        num_threads: int | None = None,
    ) -> None:
        self._release = release
        self._thresholds = thresholds_of(release, conf)
        self._config = _config(precision, num_threads)
        self._core = ov.Core()
        self._model = _read(self._core, release, precision)
        self._fixed_hw = _fixed_shape(self._model, release)
        self._engines: OrderedDict[tuple[int, int], _Engine] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def release(self) -> ModelRelease:
        """Which weights these are."""
        return self._release

    @property
    def precision(self) -> str:
        """The arithmetic really used: f32, bf16 or f16."""
        with self._lock:
            engine = self._engine(self._plan(self._release.input_width, self._release.input_height))
        return str(engine.compiled.get_property("INFERENCE_PRECISION_HINT").to_string())

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """One Detections per picture (H, W, 3) uint8 BGR, in the order given."""
        found: list[Detections] = []
        running: deque[tuple[_Engine, int, Letterbox]] = deque()
        with self._lock:
            for image in images:
                box = self._plan(image.shape[1], image.shape[0])
                engine = self._engine(box)
                while running and (running[0][0] is not engine or len(running) == engine.slots):
                    found.append(self._finish(*running.popleft()))
                running.append((engine, engine.start(image, box), box))
            while running:
                found.append(self._finish(*running.popleft()))
        return found

    def close(self) -> None:
        """Release the compiled networks."""
        with self._lock:
            self._engines.clear()

    def _plan(self, width: int, height: int) -> Letterbox:
        if self._fixed_hw is not None:
            return letterbox.plan(width, height, self._fixed_hw[1], self._fixed_hw[0], True)
        return letterbox.plan(width, height, self._release.input_width, self._release.input_height)

    def _finish(self, engine: _Engine, slot: int, box: Letterbox) -> Detections:
        return decode(engine.wait(slot), self._thresholds, self._release.nms_iou, box)

    def _engine(self, box: Letterbox) -> _Engine:
        engine = self._engines.get(box.input_shape)
        if engine is None:
            engine = _Engine(self._core, self._model, box.input_shape, self._config, self._release)
            self._engines[box.input_shape] = engine
            if len(self._engines) > SHAPES_KEPT:
                self._engines.popitem(last=False)
        self._engines.move_to_end(box.input_shape)
        return engine


class _Engine:
    """The network compiled for one input shape, with its requests used in turn."""

    def __init__(
        self,
        core: Any,
        model: Any,
        shape: tuple[int, int],
        config: dict[str, Any],
        release: ModelRelease,
    ) -> None:
        try:
            self.compiled = core.compile_model(_with_preprocessing(model, shape), "CPU", config)
            streams = int(self.compiled.get_property("NUM_STREAMS"))
        except RuntimeError as error:
            raise ModelError(
                f"model {release.id} does not compile for OpenVINO: {_first_line(error)}"
            ) from error
        layout_of(list(self.compiled.output(0).shape)[1:], len(release.classes))
        self.slots = max(1, streams) * REQUESTS_PER_STREAM
        self._requests = [self.compiled.create_infer_request() for _ in range(self.slots)]
        self._next = 0

    def start(self, image: Image, box: Letterbox) -> int:
        """Begin the next request with this picture; its number."""
        slot, self._next = self._next, (self._next + 1) % self.slots
        letterbox.paint(image, box, self._requests[slot].get_input_tensor().data[0])
        self._requests[slot].start_async()
        return slot

    def wait(self, slot: int) -> NDArray[np.float32]:
        """The output of one picture; valid until the request is started again."""
        self._requests[slot].wait()
        output: NDArray[np.float32] = self._requests[slot].get_output_tensor(0).data[0]
        return output


def _config(precision: Precision, num_threads: int | None) -> dict[str, Any]:
    config: dict[str, Any] = {"PERFORMANCE_HINT": "THROUGHPUT"}
    if precision not in ("auto", "f32", "bf16", "int8"):
        raise ModelError(f"precision must be auto, f32, bf16 or int8, got {precision!r}")
    if precision != "auto":
        config["INFERENCE_PRECISION_HINT"] = "f32" if precision == "int8" else precision
    if num_threads is not None:
        if num_threads < 1:
            raise ModelError(f"num_threads must be at least 1, got {num_threads}")
        config["INFERENCE_NUM_THREADS"] = num_threads
    return config


def _read(core: Any, release: ModelRelease, precision: Precision) -> Any:
    path = weights_file(release, EIGHT_BITS if precision == "int8" else "openvino")
    try:
        return core.read_model(path)
    except RuntimeError as error:
        raise ModelError(f"{path} is not a model OpenVINO reads: {_first_line(error)}") from error


def _fixed_shape(model: Any, release: ModelRelease) -> tuple[int, int] | None:
    """(rows, columns) if the network takes only one input size, else None."""
    shape = model.input(0).partial_shape
    if len(shape) != 4:
        raise ModelError(f"model {release.id}: expected an input (N, C, H, W), got {shape}")
    if shape[2].is_dynamic or shape[3].is_dynamic:
        return None
    return shape[2].get_length(), shape[3].get_length()


def _with_preprocessing(model: Any, shape: tuple[int, int]) -> Any:
    """A copy of the network that takes (1, H, W, 3) uint8 BGR."""
    copy = model.clone()
    copy.reshape([1, 3, *shape])
    steps = PrePostProcessor(copy)
    steps.input().tensor().set_element_type(ov.Type.u8).set_layout(
        ov.Layout("NHWC")
    ).set_color_format(ColorFormat.BGR)
    steps.input().model().set_layout(ov.Layout("NCHW"))
    steps.input().preprocess().convert_element_type(ov.Type.f32).convert_color(
        ColorFormat.RGB
    ).scale(255.0)
    return steps.build()


def _first_line(error: RuntimeError) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else "unknown reason"
