"""How well a detector finds what was drawn: AP50 per class and source, false alarms, thresholds.

    python evaluate.py --model patrol-n.xml --data OUT --manifest dataset.toml [--json FILE]

A model is an OpenVINO IR or an ultralytics checkpoint; its output may be raw ([1, 4 + classes, N],
needs NMS) or end2end ([1, N, 6]). Only classes that a source judges are counted there: what nobody
drew is no false alarm.
"""

import argparse
import json
import sys
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Net = Callable[[Array], Array]  # (1, 3, H, W) in 0..1, RGB -> raw or end2end output
FLOOR = 0.01  # confidences below are not kept


@dataclass(frozen=True)
class Scored:
    """Predictions of one class over a set of pictures, matched to what was drawn."""

    confidence: NDArray[np.float64]
    is_hit: NDArray[np.bool_]
    drawn: int
    pictures: int


def load(path: Path, precision: str = "") -> tuple[Net, list[str] | None]:
    """The network, and its class names where the file holds them."""
    if path.suffix == ".xml":
        import openvino as ov

        config = {"INFERENCE_PRECISION_HINT": precision} if precision else {}
        compiled = ov.Core().compile_model(str(path), "CPU", config)
        return lambda batch: np.asarray(compiled(batch)[0]), None
    import quiet_ultralytics  # noqa: F401  must come before ultralytics
    import torch
    from ultralytics import YOLO

    model = YOLO(path).model.float().eval()
    model.model[-1].end2end = False

    def infer(batch: Array) -> Array:
        with torch.inference_mode():
            return np.asarray(model(torch.from_numpy(batch))[0].numpy())

    return infer, list(model.names.values())


def read_image(path: Path) -> NDArray[np.uint8]:
    """The picture, BGR."""
    image = cv2.imread(str(path))
    if image is None:
        raise ValueError(f"expected a picture, found none that can be read: {path}")
    return image.astype(np.uint8)


def letterbox(image: NDArray[np.uint8], long_side: int) -> tuple[Array, float, tuple[int, int]]:
    """A network input (1, 3, H, W; multiples of 32), the scale, and the padding left and above."""
    height, width = image.shape[:2]
    scale = long_side / max(height, width)
    inner_w, inner_h = round(width * scale), round(height * scale)
    pad_w, pad_h = -inner_w % 32, -inner_h % 32
    left, top = pad_w // 2, pad_h // 2
    small = cv2.resize(image, (inner_w, inner_h), interpolation=cv2.INTER_LINEAR)
    full = cv2.copyMakeBorder(
        small, top, pad_h - top, left, pad_w - left, cv2.BORDER_CONSTANT, value=(114, 114, 114)
    )
    chw = np.ascontiguousarray(full[None, :, :, ::-1].transpose(0, 3, 1, 2), dtype=np.float32)
    return (chw / 255).astype(np.float32), scale, (left, top)


def iou_of(one: Array, other: Array) -> Array:
    """IoU (N, M) of boxes (N, 4) and (M, 4), xyxy."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    inter = np.clip(high - low, 0, None).prod(axis=2)
    areas = [(b[:, 2:] - b[:, :2]).prod(axis=1) for b in (one, other)]
    result: Array = inter / np.maximum(areas[0][:, None] + areas[1][None] - inter, 1e-9)
    return result


def decode(output: Array, nms_iou: float, limit: int = 300) -> Array:
    """Rows (N, 6): xyxy, confidence, class, best first; raw outputs go through NMS by class."""
    rows = output[0]
    if rows.shape[1] == 6 and rows.shape[0] > rows.shape[1]:
        return np.asarray(rows[rows[:, 4] > FLOOR])
    rows = rows.T
    place, kind = np.nonzero(rows[:, 4:] > FLOOR)
    score, centre, half = rows[place, 4 + kind], rows[place, :2], rows[place, 2:4] / 2
    boxes = np.hstack([centre - half, centre + half])
    order = np.argsort(-score)[:3000]
    kept = cv2.dnn.NMSBoxesBatched(
        [[x1, y1, x2 - x1, y2 - y1] for x1, y1, x2, y2 in boxes[order].tolist()],
        score[order].tolist(),
        kind[order].tolist(),
        FLOOR,
        nms_iou,
    )
    best = order[np.array(kept, dtype=int)][:limit]
    return np.hstack([boxes[best], score[best, None], kind[best, None]]).astype(np.float32)


def detect(net: Net, image: NDArray[np.uint8], long_side: int, nms_iou: float) -> Array:
    """Rows (N, 6) in pixels of the picture."""
    batch, scale, (left, top) = letterbox(image, long_side)
    rows = decode(net(batch), nms_iou).copy()
    rows[:, :4] = (rows[:, :4] - [left, top, left, top]) / scale
    return rows


def read_drawn(path: Path, size_wh: tuple[int, int]) -> Array:
    """Rows (N, 5): class and xyxy in pixels."""
    rows = []
    for line in path.read_text().splitlines():
        kind, x, y, w, h = (float(value) for value in line.split())
        rows.append([kind, x - w / 2, y - h / 2, x + w / 2, y + h / 2])
    scale = np.array([1, *size_wh, *size_wh], dtype=np.float32)
    return np.array(rows, dtype=np.float32).reshape(-1, 5) * scale


def match(found: Array, drawn: Array, min_iou: float = 0.5) -> NDArray[np.bool_]:
    """Which of the found boxes (best first) hit a drawn box that no better one hit."""
    hit = np.zeros(len(found), dtype=bool)
    free = np.ones(len(drawn), dtype=bool)
    iou = iou_of(found[:, :4], drawn[:, 1:]) if len(drawn) else np.zeros((len(found), 0))
    for index in range(len(found)):
        candidates = np.where(free, iou[index], 0)
        if len(candidates) and candidates.max() >= min_iou:
            hit[index], free[candidates.argmax()] = True, False
    return hit


def average_precision(scored: Scored) -> float:
    """Area under the precision-recall curve, 101 points (as COCO has it)."""
    order = np.argsort(-scored.confidence, kind="stable")
    hits = np.cumsum(scored.is_hit[order])
    recall = hits / max(scored.drawn, 1)
    precision = hits / np.arange(1, len(hits) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(recall, np.linspace(0, 1, 101))
    return float(np.append(precision, 0.0)[np.minimum(places, len(precision))].mean())


def at(scored: Scored, threshold: float) -> dict[str, float]:
    """Precision, recall and false alarms per 1,000 pictures at a threshold."""
    over = scored.confidence >= threshold
    hits = int(scored.is_hit[over].sum())
    return {
        "precision": round(hits / max(int(over.sum()), 1), 3),
        "recall": round(hits / max(scored.drawn, 1), 3),
        "false_per_1000": round(1000 * (int(over.sum()) - hits) / max(scored.pictures, 1), 1),
    }


def best_f1(scored: Scored) -> tuple[float, float]:
    """The threshold with the best F1, and that F1."""
    grid = np.arange(0.05, 0.95, 0.01)
    scores = []
    for threshold in grid:
        figures = at(scored, threshold)
        p, r = figures["precision"], figures["recall"]
        scores.append(2 * p * r / max(p + r, 1e-9))
    return round(float(grid[int(np.argmax(scores))]), 2), round(float(max(scores)), 3)


def collect(
    found: dict[str, Array],
    drawn: dict[str, Array],
    names: Iterable[str],
    kind: int,
    min_iou: float = 0.5,
) -> Scored:
    """All predictions of one class on the pictures `names`."""
    confidences, hits, count, pictures = [], [], 0, 0
    for name in names:
        mine = found[name][found[name][:, 5] == kind]
        wanted = drawn[name][drawn[name][:, 0] == kind]
        mine = mine[np.argsort(-mine[:, 4], kind="stable")]
        confidences.append(mine[:, 4])
        hits.append(match(mine, wanted, min_iou))
        count, pictures = count + len(wanted), pictures + 1
    return Scored(np.concatenate(confidences).astype(float), np.concatenate(hits), count, pictures)


def by_picture(
    found: dict[str, Array], drawn: dict[str, Array], names: list[str], kind: int, threshold: float
) -> dict[str, int]:
    """Pictures that have the class and those among them with any box of it; the same without it."""
    has = {name: bool((drawn[name][:, 0] == kind).any()) for name in names}
    said = {
        name: bool(((found[name][:, 5] == kind) & (found[name][:, 4] >= threshold)).any())
        for name in names
    }
    return {
        "with": sum(has.values()),
        "with_and_found": sum(has[name] and said[name] for name in names),
        "without": sum(not value for value in has.values()),
        "without_but_found": sum(not has[name] and said[name] for name in names),
    }


def find_all(
    net: Net, images: Iterable[Path], long_side: int, nms_iou: float, class_of: dict[int, int]
) -> tuple[dict[str, Array], dict[str, tuple[int, int]]]:
    """Detections and sizes by picture, classes mapped by `class_of` (others dropped)."""
    found, sizes = {}, {}
    for path in images:
        image = read_image(path)
        rows = detect(net, image, long_side, nms_iou)
        rows = rows[np.isin(rows[:, 5], list(class_of))]
        rows[:, 5] = [class_of[int(kind)] for kind in rows[:, 5]]
        found[path.stem], sizes[path.stem] = rows, (image.shape[1], image.shape[0])
    return found, sizes


def figures(
    found: dict[str, Array],
    drawn: dict[str, Array],
    manifest: dict[str, Any],
    thresholds: dict[str, float],
) -> list[dict[str, Any]]:
    """One row per judged class and source."""
    classes: list[str] = manifest["classes"]
    rows = []
    for source in manifest["source"]:
        names = [name for name in found if name.split("__")[0] == source["name"]]
        for judged in source["judged"] if names else []:
            kind = classes.index(judged)
            scored = collect(found, drawn, names, kind)
            if not scored.drawn:
                continue
            threshold, f1 = best_f1(scored)
            row = {
                "class": judged,
                "source": source["name"],
                "pictures": scored.pictures,
                "boxes": scored.drawn,
                "ap50": round(average_precision(scored), 3),
                "ap30": round(average_precision(collect(found, drawn, names, kind, 0.3)), 3),
                "best_f1": f1,
                "best_f1_at": threshold,
            }
            if judged in thresholds:
                row["at_threshold"] = at(scored, thresholds[judged])
                row["by_picture"] = by_picture(found, drawn, names, kind, thresholds[judged])
            rows.append(row)
    return rows


def false_alarms(
    found: dict[str, Array],
    drawn: dict[str, Array],
    manifest: dict[str, Any],
    steps: tuple[float, ...],
) -> list[dict[str, Any]]:
    """Litter, fire and smoke per 1,000 pictures of sources that have none, by threshold."""
    classes: list[str] = manifest["classes"]
    rows = []
    for judged in ("litter", "fire", "smoke"):
        kind = classes.index(judged)
        for source in manifest["source"]:
            names = [n for n in found if n.split("__")[0] == source["name"]]
            names = [n for n in names if not (drawn[n][:, 0] == kind).any()]
            if judged in source["judged"] or not names:
                continue
            scored = collect(found, drawn, names, kind)
            rows.append(
                {
                    "class": judged,
                    "source": source["name"],
                    "pictures": scored.pictures,
                    "per_1000_at": {str(t): at(scored, t)["false_per_1000"] for t in steps},
                }
            )
    return rows


def main(argv: list[str] | None = None) -> int:
    """Evaluate and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--names", help="the model's classes, where its file does not hold them")
    parser.add_argument("--labels", default="drawn", help="folder of the labels to be judged by")
    parser.add_argument("--imgsz", type=int, default=640)
    parser.add_argument("--nms-iou", type=float, default=0.6)
    parser.add_argument("--precision", default="", help="OpenVINO's inference precision, e.g. f32")
    parser.add_argument("--thresholds", type=json.loads, default={})
    parser.add_argument("--json", type=Path)
    args = parser.parse_args(argv)
    manifest = tomllib.loads(args.manifest.read_text())
    classes: list[str] = manifest["classes"]
    net, names = load(args.model, args.precision)
    names = args.names.split(",") if args.names else names or classes
    class_of = {i: classes.index(name) for i, name in enumerate(names) if name in classes}
    images = [args.data / line for line in (args.data / "val.txt").read_text().split()]
    found, sizes = find_all(net, images, args.imgsz, args.nms_iou, class_of)
    drawn = {n: read_drawn(args.data / args.labels / f"{n}.txt", sizes[n]) for n in found}
    report = {
        "imgsz": args.imgsz,
        "figures": figures(found, drawn, manifest, args.thresholds),
        "false_alarms": false_alarms(
            found, drawn, manifest, (0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6)
        ),
    }
    for row in report["figures"] + report["false_alarms"]:
        sys.stderr.write(f"{row}\n")
    if args.json:
        args.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
