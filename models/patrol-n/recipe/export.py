"""A trained checkpoint -> a release: stripped checkpoint, OpenVINO IR, and how equal they are.

python export.py --weights RUN/last.pt --out 0.1.0 --name patrol-n [--check PICTURES…]
"""

import argparse
import hashlib
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import evaluate
import numpy as np
import quiet_ultralytics  # noqa: F401  must come before ultralytics
import torch
from ultralytics import YOLO


def strip(weights: Path, target: Path) -> None:
    """Write the checkpoint with nothing in it but the model in half precision and its numbers."""
    model = YOLO(weights).model.half().eval()
    for name in ("pt_path", "yaml_file", "criterion", "args"):
        if hasattr(model, name):
            delattr(model, name)
    model.yaml.pop("yaml_file", None)
    model.args = {"task": "detect", "imgsz": 640}
    torch.save({"model": model, "license": "AGPL-3.0", "train_args": {"task": "detect"}}, target)


def to_openvino(checkpoint: Path, target: Path) -> None:
    """Write TARGET.xml and TARGET.bin: weights in float16, batch, height and width dynamic."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / f"{target.name}.pt"
        shutil.copyfile(checkpoint, copy)
        made = YOLO(copy).export(format="openvino", imgsz=640, dynamic=True, quantize=16)
        for suffix in (".xml", ".bin"):
            shutil.copyfile(Path(made) / f"{target.name}{suffix}", target.with_suffix(suffix))


def compare(
    checkpoint: Path, exported: Path, pictures: list[Path], precision: str
) -> dict[str, Any]:
    """Differences of raw boxes (pixels) and scores where either score is above 0.25."""
    nets = [evaluate.load(checkpoint)[0], evaluate.load(exported, precision)[0]]
    boxes, scores = [], []
    for path in pictures:
        batch, _, _ = evaluate.letterbox(evaluate.read_image(path), 640)
        one, other = (net(batch)[0] for net in nets)
        sure = np.maximum(one[4:].max(0), other[4:].max(0)) > 0.25
        boxes.append(np.abs(one[:4] - other[:4])[:, sure].ravel())
        scores.append(np.abs(one[4:] - other[4:])[:, sure].ravel())
    box, score = np.concatenate(boxes), np.concatenate(scores)
    return {
        "pictures": len(pictures),
        "precision": precision or "default",
        "box_px_max": round(float(box.max()), 3),
        "box_px_p99": round(float(np.percentile(box, 99)), 3),
        "score_max": round(float(score.max()), 4),
        "score_p99": round(float(np.percentile(score, 99)), 4),
    }


def describe(path: Path, runtime: str) -> dict[str, Any]:
    """A file's entry in the card."""
    content = path.read_bytes()
    return {
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "runtime": runtime,
    }


def main(argv: list[str] | None = None) -> int:
    """Export, compare, and print the card's entries."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--name", default="patrol-n")
    parser.add_argument("--check", type=Path, nargs="*", default=[])
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    target = args.out / args.name
    strip(args.weights, target.with_suffix(".pt"))
    to_openvino(target.with_suffix(".pt"), target)
    report: dict[str, Any] = {
        "output": "raw",
        "files": {
            target.with_suffix(suffix).name: describe(target.with_suffix(suffix), runtime)
            for suffix, runtime in ((".xml", "openvino"), (".bin", "openvino"), (".pt", "torch"))
        },
    }
    if args.check:
        report["export_difference"] = [
            compare(target.with_suffix(".pt"), target.with_suffix(".xml"), args.check, precision)
            for precision in ("f32", "")
        ]
    json.dump(report, sys.stdout, indent=1)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
