"""Pictures with first boxes as tasks for people: CVAT's XML 1.1 and Label Studio's JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from patrolvision.types import Detections

CVAT_COLOURS = ("#e6194b", "#f58231", "#9a6324", "#3cb44b", "#4363d8", "#911eb4", "#42d4f4")


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """One picture to be labelled and what a model saw on it; file is as the tool shall find it."""

    file: str
    size_wh: tuple[int, int]
    detections: Detections


def cvat_xml(tasks: Sequence[Task], classes: Sequence[str]) -> str:
    """Annotations in "CVAT for images 1.1": upload the pictures as a task, then these to it."""
    root = ElementTree.Element("annotations")
    ElementTree.SubElement(root, "version").text = "1.1"
    for number, task in enumerate(tasks):
        width, height = task.size_wh
        image = ElementTree.SubElement(
            root, "image", id=str(number), name=task.file, width=str(width), height=str(height)
        )
        for label, box, _ in _boxes(task, classes):
            edges = dict(zip(("xtl", "ytl", "xbr", "ybr"), map(_px, box), strict=True))
            about = {"label": label, "occluded": "0", "source": "auto", "z_order": "0"}
            ElementTree.SubElement(image, "box", {**about, **edges})
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, "unicode") + "\n"


def cvat_labels(classes: Sequence[str]) -> str:
    """The labels of a new CVAT task, for the "Raw" tab of its constructor."""
    labels = [
        {"name": name, "color": CVAT_COLOURS[k % len(CVAT_COLOURS)], "attributes": []}
        for k, name in enumerate(classes)
    ]
    return json.dumps(labels, indent=1) + "\n"


def label_studio_json(tasks: Sequence[Task], classes: Sequence[str], release_id: str) -> str:
    """Tasks with predictions; file is below the folder that Label Studio serves locally."""
    values = [
        {
            "data": {"image": f"/data/local-files/?d={task.file}"},
            "predictions": [
                {
                    "model_version": release_id,
                    "score": round(max((c for *_, c in _boxes(task, classes)), default=0.0), 4),
                    "result": [
                        _rectangle(k, label, box, confidence, task.size_wh)
                        for k, (label, box, confidence) in enumerate(_boxes(task, classes))
                    ],
                }
            ],
        }
        for task in tasks
    ]
    return json.dumps(values, ensure_ascii=False, indent=1) + "\n"


def label_studio_config(classes: Sequence[str]) -> str:
    """The labelling interface that the predictions refer to."""
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Image", name="image", value="$image")
    rectangles = ElementTree.SubElement(view, "RectangleLabels", name="label", toName="image")
    for name in classes:
        ElementTree.SubElement(rectangles, "Label", value=name)
    ElementTree.indent(view)
    return ElementTree.tostring(view, "unicode") + "\n"


def _rectangle(
    number: int, label: str, box: Sequence[float], confidence: float, size_wh: tuple[int, int]
) -> dict[str, Any]:
    """One box in per cent of the picture, as Label Studio counts."""
    width, height = size_wh
    x1, y1, x2, y2 = box
    return {
        "id": f"b{number}",
        "type": "rectanglelabels",
        "from_name": "label",
        "to_name": "image",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "score": round(confidence, 4),
        "value": {
            "x": round(100 * x1 / width, 4),
            "y": round(100 * y1 / height, 4),
            "width": round(100 * (x2 - x1) / width, 4),
            "height": round(100 * (y2 - y1) / height, 4),
            "rotation": 0,
            "rectanglelabels": [label],
        },
    }


def _boxes(task: Task, classes: Sequence[str]) -> list[tuple[str, list[float], float]]:
    seen = task.detections
    return [
        (classes[int(kind)], [float(v) for v in box], float(confidence))
        for box, confidence, kind in zip(seen.xyxy, seen.confidence, seen.class_id, strict=True)
    ]


def _px(value: float) -> str:
    return f"{value:.2f}"
