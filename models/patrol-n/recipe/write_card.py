"""Export report, evaluation, counts and training log -> card.json of a release.

python write_card.py --manifest dataset.toml --export export.json --out card.json
                     --thresholds '{"litter": 0.4, …}' [--metrics eval.json …]
                     [--counts counts.json] [--log STAGE1.jsonl …] [--created DATE] [--status WORD]
                     [--report validation=report.json …] [--limits limits.txt] [--version 0.2.0]

--report takes what `patrolvision evaluate --out` wrote; of it the card keeps the figures, not the
curves. limits.txt has a limit a line.
"""

import argparse
import json
import tomllib
from pathlib import Path
from typing import Any

OUTPUT_LAYOUT = (
    "[batch, 4 + classes, anchors]: centre x, centre y, width, height in input pixels; scores 0..1"
)


def trained_on(manifest: dict[str, Any], counts: dict[str, Any]) -> list[dict[str, Any]]:
    """Sources with licence and counts, those for tests only marked as such."""
    rows = []
    for source in manifest["source"]:
        row = {key: source[key] for key in ("name", "origin", "licence")}
        for part in ("train", "val"):
            row[part] = counts.get("drawn", {}).get(part, {}).get(source["name"], {"pictures": 0})
        rows.append(row)
    return rows


KEPT = (
    "threshold",
    "pictures",
    "boxes",
    "ap50",
    "ap50_95",
    "precision",
    "recall",
    "by_size",
    "by_source",
    "false_alarms",
    "false_alarms_by_source",
    "incidents",
)


def figures_of(report: dict[str, Any]) -> dict[str, Any]:
    """The figures of an evaluation report that a card keeps."""
    classes = {
        name: {key: row[key] for key in KEPT if row.get(key)}
        for name, row in report["classes"].items()
    }
    return {
        "model": report["model"],
        "pictures": report["pictures"],
        "sources": report["sources"],
        "rounds": report["rounds"],
        "classes": classes,
    }


def main(argv: list[str] | None = None) -> int:
    """Write the card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--export", type=Path, required=True)
    parser.add_argument("--thresholds", type=json.loads, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--metrics", type=Path, nargs="*", default=[])
    parser.add_argument("--report", nargs="*", default=[], help="name=report.json")
    parser.add_argument("--limits", type=Path)
    parser.add_argument("--parent", default="yolo26n COCO (AGPL-3.0)")
    parser.add_argument("--counts", type=Path)
    parser.add_argument("--log", type=Path, nargs="*", default=[], help="one per stage")
    parser.add_argument("--created", default="")
    parser.add_argument("--name", default="patrol-n")
    parser.add_argument("--version", default="0.1.0")
    parser.add_argument("--status", default="released")
    args = parser.parse_args(argv)
    manifest = tomllib.loads(args.manifest.read_text())
    exported = json.loads(args.export.read_text())
    counts = json.loads(args.counts.read_text()) if args.counts else {}
    stages = [json.loads(path.read_text().splitlines()[-1]) for path in args.log]
    card = {
        "name": args.name,
        "version": args.version,
        "status": args.status,
        "task": "detect",
        "classes": manifest["classes"],
        "input": {
            "width": 640,
            "height": 640,
            "letterbox": True,
            "colour": "RGB",
            "scale": 255,
            "pad_value": 114,
            "dynamic": ["batch", "height", "width"],
            "multiple_of": 32,
        },
        "output": exported["output"],
        "output_layout": OUTPUT_LAYOUT,
        "stride": 32,
        "thresholds": args.thresholds,
        "nms_iou": 0.6,
        "files": exported["files"],
        "export_difference": exported.get("export_difference", []),
        "trained_on": trained_on(manifest, counts),
        "teacher": {**manifest["teacher"], "boxes": counts.get("teacher_boxes", {})},
        "hyper_parameters": {"stages": stages},
        "metrics": {
            **{path.stem: json.loads(path.read_text()) for path in args.metrics},
            **{
                name: figures_of(json.loads(Path(file).read_text()))
                for name, _, file in (text.partition("=") for text in args.report)
            },
        },
        "limits": args.limits.read_text().splitlines() if args.limits else [],
        "created": args.created,
        "licence": "AGPL-3.0",
        "parent": args.parent,
        "suits": ["car", "drone"],
    }
    args.out.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
