"""The retraining door: data sets, training, evaluation, releases."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from patrolvision.cli.doors import door


def add_training(commands: Any) -> None:
    """dataset, train, models, evaluate."""
    _add_dataset(commands)
    _add_train(commands)
    _add_models(commands)
    _add_evaluate(commands)


def _add_dataset(commands: Any) -> None:
    parser = commands.add_parser("dataset", help="labelled pictures: check, part, build, export")
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")

    def step(name: str, text: str) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = steps.add_parser(name, help=text)
        added.set_defaults(door=door("curate", name.replace("-", "_")))
        return added

    for name, text in (
        ("check", "every fault of a manifest's sources, with file and line"),
        ("build", "a data set in a folder named by its content"),
        ("split", "which picture would go where, a JSON line each"),
        ("stats", "counts by part, source and class; checksums"),
    ):
        one = step(name, text)
        one.add_argument("manifest", type=Path, metavar="MANIFEST.toml")
        if name == "build":
            one.add_argument("--out", type=Path, required=True, metavar="DIR")
            one.add_argument("--coco", action="store_true", help="COCO JSON beside the YOLO labels")
        if name != "split":
            one.add_argument("--json", action="store_true")

    said = step("from-reviews", "verdicts on tickets as labelled pictures, the hardest first")
    said.add_argument("--db", metavar="URL", help="the office's store")
    said.add_argument("--evidence", type=Path, metavar="DIR", help="default: beside the database")
    said.add_argument("--missed", type=Path, metavar="FILE.jsonl", help="things nobody detected")
    said.add_argument("--out", type=Path, required=True, metavar="DIR")
    said.add_argument("--limit", type=int, metavar="N", help="only the N hardest")
    said.add_argument("--licence", default="the city's own pictures", metavar="TEXT")
    said.add_argument("--internal", action="store_true", help="not for models given away")
    said.add_argument("--model", metavar="NAME|PATH", help="default: the production model")
    said.add_argument("--models-dir", type=Path, help=argparse.SUPPRESS)
    said.add_argument("--json", action="store_true")

    export = step("export-tasks", "pictures with the model's boxes, for CVAT or Label Studio")
    export.add_argument("pictures", nargs="+", type=Path, help="pictures or folders of pictures")
    export.add_argument("--format", choices=("cvat", "label-studio"), default="cvat")
    export.add_argument("--out", type=Path, required=True, metavar="DIR")
    export.add_argument("--model", metavar="NAME|PATH", help="default: the production model")
    export.add_argument("--models-dir", type=Path, help=argparse.SUPPRESS)
    export.add_argument("--engine", choices=("auto", "openvino", "ultralytics"), default="auto")
    export.add_argument("--conf", type=float, metavar="P", help="instead of the card's thresholds")
    export.add_argument("--json", action="store_true")


def _add_train(commands: Any) -> None:
    train = commands.add_parser("train", help="a data set in, a candidate release out")
    data = train.add_mutually_exclusive_group(required=True)
    data.add_argument("--data", type=Path, metavar="DIR", help="made by `dataset build`")
    data.add_argument("--manifest", type=Path, metavar="MANIFEST.toml", help="built first")
    train.add_argument("--from", dest="parent", metavar="NAME|PATH", help="default: in production")
    train.add_argument("--out", type=Path, required=True, metavar="DIR", help="the run's folder")
    train.add_argument(
        "--replay", type=Path, action="append", default=[], metavar="DIR", help="old data sets"
    )
    train.add_argument("--replay-share", type=float, metavar="P", help="of each batch (0.5)")
    for name, kind in (
        ("steps", int), ("batch", int), ("imgsz", int), ("lr", float), ("freeze", int),
        ("blend", float), ("parent-weight", float), ("seed", int), ("threads", int),
        ("save-every", int), ("device", str),
    ):  # fmt: skip
        train.add_argument(f"--{name}", type=kind)
    train.add_argument("--name", help="of the release (default: its parent's)")
    train.add_argument("--version", help="of the release (default: derived from what made it)")
    train.add_argument("--track", choices=("files", "mlflow"), default="files")
    train.add_argument("--models-dir", type=Path, help=argparse.SUPPRESS)
    train.add_argument("--json", action="store_true")
    train.set_defaults(door=door("retrain"))


def _add_models(commands: Any) -> None:
    parser = commands.add_parser("models", help="compare, promote and roll back detectors")
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")

    def step(name: str, text: str, what: str) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = steps.add_parser(name, help=text)
        added.add_argument("--models-dir", type=Path, help=argparse.SUPPRESS)
        added.add_argument("--json", action="store_true")
        added.set_defaults(door=door("releases", what))
        return added

    step("list", "every release, and which is in use", "list_releases")
    show = step("show", "a release's card, and what it lacks", "show")
    show.add_argument("model", type=Path, metavar="NAME|PATH")
    step("rollback", "use again what was in use before", "rollback")
    comparing = step("compare", "AP50 per class with paired intervals", "compare")
    comparing.add_argument("one", type=Path, metavar="A")
    comparing.add_argument("other", type=Path, metavar="B")
    promoting = step("promote", "use a release, unless a class is worse", "promote")
    promoting.add_argument("candidate", type=Path, metavar="NAME|PATH")
    for gated in (comparing, promoting):
        gated.add_argument(
            "--data", type=Path, action="append", required=True, metavar="DIR|DATA.yaml"
        )
        gated.add_argument("--part", default="test", help="of the data set (default test)")
        gated.add_argument("--rounds", type=int, default=1000, help="of the bootstrap")
        gated.add_argument("--seed", type=int, default=0)
        gated.add_argument("--engine", choices=("auto", "openvino", "ultralytics"), default="auto")
        gated.add_argument("--precision", choices=("auto", "f32", "bf16", "int8"), default="auto")


def _add_evaluate(commands: Any) -> None:
    judge = commands.add_parser("evaluate", help="how well a model finds what was labelled")
    judge.add_argument("--model", metavar="NAME|PATH", help="default: the production model")
    judge.add_argument("--data", type=Path, required=True, metavar="DATA.yaml")
    judge.add_argument("--part", choices=("train", "val", "test"), default="val")
    judge.add_argument("--out", type=Path, metavar="DIR", help="write report.json and report.html")
    judge.add_argument("--models-dir", type=Path, help=argparse.SUPPRESS)
    judge.add_argument("--engine", choices=("auto", "openvino", "ultralytics"), default="auto")
    judge.add_argument("--precision", choices=("auto", "f32", "bf16", "int8"), default="auto")
    judge.add_argument("--input-px", type=int, metavar="N", help="default: the model card's")
    judge.add_argument("--tiling", choices=("on", "off"), default="off")
    judge.add_argument(
        "--rounds", type=int, default=300, metavar="N", help="of the bootstrap (default 300)"
    )
    judge.add_argument("--json", action="store_true", help="the report as one JSON object")
    judge.set_defaults(door=door("evaluating"))
