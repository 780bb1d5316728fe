"""Frames a second of decoding and detection: ours against `YOLO(...).predict(stream=True)`.

    python benchmarks/inference.py --video V --weights W.pt --model DIR [--frames N] [--rounds N]

Theirs is as shipped. Both read the same file and use the same weights (--weights for ultralytics,
--model for ours: a release's folder, a name, or a bare .xml), and take turns in one run, so that a
machine shared with others slows both alike: the figure to quote is the ratio of each pair. Needs
ultralytics (`make torch`); without --weights only ours is measured. Prints a table on standard
error and one JSON object on standard output.
"""

from __future__ import annotations

import argparse
import json
import queue
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np

from patrolvision.detect.openvino import OpenVinoDetector
from patrolvision.detect.release import load_release
from patrolvision.types import Image

BATCH = 8
MODELS = Path(__file__).resolve().parents[1] / "models"


def pictures(video: Path, limit: int) -> Iterator[Image]:
    """The first pictures of a video, BGR."""
    with av.open(str(video)) as container:
        container.streams.video[0].thread_type = "AUTO"
        for index, frame in enumerate(container.decode(video=0)):
            if index == limit:
                return
            yield np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)


def batches_ahead(source: Iterator[Image]) -> Iterator[list[Image]]:
    """Batches that another thread decodes while the last one is being looked at."""
    ready: queue.Queue[list[Image] | None] = queue.Queue(maxsize=2)

    def fill() -> None:
        batch: list[Image] = []
        for image in source:
            batch.append(image)
            if len(batch) == BATCH:
                ready.put(batch)
                batch = []
        if batch:
            ready.put(batch)
        ready.put(None)

    threading.Thread(target=fill, daemon=True).start()
    while (batch := ready.get()) is not None:
        yield batch


def run_ours(detector: OpenVinoDetector, video: Path, limit: int) -> tuple[float, int, int]:
    """Seconds, frames and boxes."""
    start, frames, boxes = time.perf_counter(), 0, 0
    for batch in batches_ahead(pictures(video, limit)):
        frames += len(batch)
        boxes += sum(map(len, detector.detect(batch)))
    return time.perf_counter() - start, frames, boxes


def run_theirs(model: Any, video: Path, limit: int, conf: float) -> tuple[float, int, int]:
    """Seconds, frames and boxes of ultralytics as shipped."""
    start, frames, boxes = time.perf_counter(), 0, 0
    for result in model.predict(str(video), stream=True, verbose=False, conf=conf):
        frames += 1
        boxes += len(result.boxes)
        if frames == limit:
            break
    return time.perf_counter() - start, frames, boxes


def yolo(weights: Path) -> Any:
    """The model of ultralytics; the torch engine's set-up makes it work offline."""
    from patrolvision.detect.ultralytics import class_names_of_checkpoint

    class_names_of_checkpoint(weights)
    from ultralytics import YOLO

    return YOLO(weights)


def main(argv: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--video", type=Path, required=True)
    parser.add_argument("--model", help="default: the one in production")
    parser.add_argument("--weights", type=Path, help="a .pt for ultralytics")
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--conf", type=float, default=0.25)
    parser.add_argument("--precision", choices=("auto", "f32", "bf16"), default="auto")
    args = parser.parse_args(argv)
    release = load_release(args.model, MODELS)
    detector = OpenVinoDetector(release, conf=args.conf, precision=args.precision)
    model = yolo(args.weights) if args.weights else None
    run_ours(detector, args.video, BATCH)  # warm both up
    if model is not None:
        run_theirs(model, args.video, 2, args.conf)
    rows = []
    for _ in range(args.rounds):
        seconds, frames, boxes = run_ours(detector, args.video, args.frames)
        row = {"ours_fps": round(frames / seconds, 1), "frames": frames, "ours_boxes": boxes}
        if model is not None:
            seconds, frames, boxes = run_theirs(model, args.video, args.frames, args.conf)
            row |= {"theirs_fps": round(frames / seconds, 1), "theirs_boxes": boxes}
            row["ratio"] = round(row["ours_fps"] / row["theirs_fps"], 2)
        rows.append(row)
        print("  ".join(f"{key} {value}" for key, value in row.items()), file=sys.stderr)
    report: dict[str, Any] = {"precision": detector.precision, "rounds": rows}
    if model is not None:
        report["ratio_median"] = statistics.median(row["ratio"] for row in rows)
    print(json.dumps(report))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
