"""Door 3's first half: `patrolvision dataset …`, from manifests and reviews to data sets."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from patrolvision import wiring
from patrolvision.config import Settings, checked
from patrolvision.errors import EXIT_CALL_IS_WRONG, EXIT_OK, EXIT_SOME_ITEMS_FAILED, ConfigError
from patrolvision.training import building, dataset, tasks
from patrolvision.training.files import copy_whole, write_whole
from patrolvision.training.pictures import decoded, picture_files
from patrolvision.training.problems import Problem

SPEAK_EVERY_S = 5.0
TASKS_AT_ONCE = 8


def check(args: argparse.Namespace) -> int:
    """`dataset check`: every fault with its file and line; 0 if there is none."""
    made = _draft(args.manifest)
    _report(args, {"manifest": str(args.manifest), "pictures": len(made.items)}, made.problems)
    if any(problem.is_fatal for problem in made.problems):
        return EXIT_CALL_IS_WRONG
    return EXIT_SOME_ITEMS_FAILED if made.problems else EXIT_OK


def build(args: argparse.Namespace) -> int:
    """`dataset build`: the data set in a folder named by its content; bad items are left out."""
    made = _draft(args.manifest)
    building.refuse_fatal(made)
    folder = building.write_dataset(made, args.out, with_coco=args.coco)
    found = {"dataset": str(folder), "version": made.version, "pictures": len(made.items)}
    _report(args, found, made.problems)
    return EXIT_SOME_ITEMS_FAILED if made.problems else EXIT_OK


def split(args: argparse.Namespace) -> int:
    """`dataset split`: which picture would go where, one JSON line each."""
    made = _draft(args.manifest)
    building.refuse_fatal(made)
    for item in made.items:
        picture = item.picture
        line = {"part": item.part, "source": picture.source, "group": picture.group}
        sys.stdout.write(json.dumps({**line, "file": str(picture.path)}) + "\n")
    return EXIT_OK


def stats(args: argparse.Namespace) -> int:
    """`dataset stats`: counts by part, source and class, look-alikes, checksums."""
    made = _draft(args.manifest)
    pairs = dataset.look_alike_pairs(made)
    if args.json:
        value = {**building.summary(made), "look_alike_pairs": len(pairs)}
        sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
        return EXIT_OK
    for part, rows in dataset.counts(made.items).items():
        for source, row in rows.items():
            counted = ", ".join(f"{name} {count}" for name, count in row.items())
            sys.stdout.write(f"{part:6}{source:32}{counted}\n")
    for source, checksum in made.checksums.items():
        sys.stdout.write(f'{source:32}checksum = "{checksum}"\n')
    sys.stdout.write(f"{len(pairs)} pairs of pictures look alike\n")
    return EXIT_OK


def export_tasks(args: argparse.Namespace) -> int:
    """`dataset export-tasks`: pictures and the model's boxes for CVAT or Label Studio."""
    values = {"model": args.model, "engine": args.engine}
    if args.models_dir is not None:
        values["models_dir"] = args.models_dir
    settings = checked(Settings, values, where="the command line")
    files = [
        f for path in args.pictures for f in (picture_files(path) if path.is_dir() else [path])
    ]
    if not files:
        raise ConfigError("there is no picture in what was given")
    detector = wiring.detector(settings, conf=args.conf)
    try:
        made, problems = _seen(files, args.out, detector)
    finally:
        detector.close()
    release = detector.release
    if args.format == "cvat":
        written = {
            "annotations.xml": tasks.cvat_xml(made, release.classes),
            "labels.json": tasks.cvat_labels(release.classes),
        }
    else:
        written = {
            "tasks.json": tasks.label_studio_json(made, release.classes, release.id),
            "config.xml": tasks.label_studio_config(release.classes),
        }
    for name, text in written.items():
        write_whole(args.out / name, text.encode())
    boxes = sum(len(task.detections) for task in made)
    _report(args, {"tasks": len(made), "boxes": boxes, "out": str(args.out)}, problems)
    return EXIT_SOME_ITEMS_FAILED if problems else EXIT_OK


def _seen(
    files: Sequence[Path], out: Path, detector: Any
) -> tuple[list[tasks.Task], list[Problem]]:
    """A task per readable picture, which is copied beside the tasks under a name of its own."""
    made: list[tasks.Task] = []
    problems: list[Problem] = []
    for number, path in enumerate(files):
        image = decoded(path.read_bytes()) if path.is_file() else None
        if image is None:
            problems.append(Problem(path, None, "is not a picture that can be decoded"))
            continue
        name = f"images/{number:05}_{path.stem}{path.suffix.lower()}"
        copy_whole(path, out / name)
        size_wh = (int(image.shape[1]), int(image.shape[0]))
        made.append(tasks.Task(name, size_wh, detector.detect([image])[0]))
    return made, problems


def _draft(manifest: Path) -> dataset.DatasetDraft:
    spoken = time.monotonic()

    def progress(what: str, done: int, total: int) -> None:
        nonlocal spoken
        if time.monotonic() - spoken > SPEAK_EVERY_S:
            spoken = time.monotonic()
            sys.stderr.write(f"{what}: {done} of {total} pictures read\n")

    return dataset.draft(manifest, progress)


def _report(args: argparse.Namespace, found: dict[str, Any], problems: Sequence[Problem]) -> None:
    for problem in problems:
        sys.stderr.write(f"patrolvision: {problem}\n")
    failed = [str(problem) for problem in problems]
    if args.json:
        sys.stdout.write(json.dumps({**found, "failed": failed}, ensure_ascii=False) + "\n")
        return
    told = ", ".join(f"{name} {value}" for name, value in found.items())
    sys.stdout.write(f"{told}; {len(failed)} faults\n")
