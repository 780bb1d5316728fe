"""A trained network -> OpenVINO files for the default engine: weights in float16, free sizes."""

from __future__ import annotations

import copy
import logging
import warnings
from pathlib import Path
from typing import Any

from patrolvision.errors import OutputError

INPUT = 640


def to_openvino(network: Any, target: Path) -> tuple[Path, Path]:
    """Write target.xml and target.bin; the output is raw, (batch, 4 + classes, anchors).

    Batch, height and width are free; the sides are multiples of the network's largest stride.
    Raises OutputError if they cannot be written.
    """
    import openvino as ov
    import torch

    model = copy.deepcopy(network).float().eval().fuse(verbose=False)
    head = model.model[-1]
    head.export, head.dynamic, head.format, head.end2end = True, True, "openvino", False
    example = torch.zeros(1, 3, INPUT, INPUT)
    with torch.inference_mode():
        model(example)  # lays out the anchors once, as tracing needs it
    noisy = logging.getLogger("openvino")
    before = noisy.level
    noisy.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's own deprecations inside the converter
            converted = ov.convert_model(model, input=[-1, 3, -1, -1], example_input=example)
        xml = target.with_suffix(".xml")
        xml.parent.mkdir(parents=True, exist_ok=True)
        ov.save_model(converted, str(xml), compress_to_fp16=True)
    except (OSError, RuntimeError) as error:
        raise OutputError(
            f"{target}: could not be exported ({str(error).splitlines()[0]})"
        ) from error
    finally:
        noisy.setLevel(before)
    return xml, target.with_suffix(".bin")
