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
from patrolvision.config import OfficeSettings, Settings, checked
from patrolvision.errors import EXIT_CALL_IS_WRONG, EXIT_OK, EXIT_SOME_ITEMS_FAILED, ConfigError
from patrolvision.training import building, dataset, review_set, reviews, tasks
from patrolvision.training.files import copy_whole, write_whole
from patrolvision.training.pictures import decoded, picture_files
from patrolvision.training.problems import Problem
from patrolvision.types import ModelRelease

SPEAK_EVERY_S = 5.0


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
    values = {**_model_values(args), "engine": args.engine}
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


def from_reviews(args: argparse.Namespace) -> int:
    """`dataset from-reviews`: verdicts on tickets as labelled pictures, the hardest first."""
    settings = checked(Settings, _model_values(args), where="the command line")
    release = wiring.release(settings)
    examples, unused = _judged_examples(args, release) if args.db else ([], [])
    examples += review_set.missed_of(args.missed) if args.missed is not None else []
    if not (args.db or args.missed):
        raise ConfigError("give --db, --missed, or both: there is nothing to learn from")
    new = [e.class_name for e in reviews.hardest_first(examples)]
    classes = tuple(dict.fromkeys([*release.classes, *new]))
    written, problems = review_set.write_review_set(
        args.out,
        examples,
        classes,
        licence=args.licence,
        released=not args.internal,
        limit=args.limit,
    )
    for one in unused:
        sys.stderr.write(f"{one.ticket_id}: not used: {one.why}\n")
    manifest = args.out / review_set.MANIFEST
    found = {"pictures": written, "unused": len(unused), "manifest": str(manifest)}
    _report(args, found, problems)
    return EXIT_SOME_ITEMS_FAILED if problems else EXIT_OK


def _judged_examples(
    args: argparse.Namespace, release: ModelRelease
) -> tuple[list[reviews.Example], list[reviews.Unused]]:
    """The examples in a store; pictures lie below --evidence, by default beside the database."""
    store = wiring.store(args.db, create=False)
    try:
        incidents = {incident.id: incident for incident in store.incidents()}
        kept = reviews.reviews_of_verdicts(wiring.verdicts(store))
        said = reviews.last_words([*reviews.reviews_of(store.tickets()), *kept])
        wanted = {o for r in said if r.incident_id in incidents
                  for o in incidents[r.incident_id].observation_ids}  # fmt: skip
        observations = {o.id: o for o in store.observations() if o.id in wanted}
    finally:
        store.close()
    root = args.evidence
    if root is None:
        if not args.db.startswith("sqlite:///"):
            raise ConfigError("--evidence: name the folder that the pictures' paths start from")
        root = Path(args.db.removeprefix("sqlite:///")).parent
    causes = wiring.causes(OfficeSettings())
    declined = {(cause.category, cause.code) for cause in causes if not cause.false_alarm}
    return reviews.examples_of(said, incidents, observations, release.thresholds, root, declined)


def _model_values(args: argparse.Namespace) -> dict[str, Any]:
    values: dict[str, Any] = {"model": args.model}
    return values if args.models_dir is None else {**values, "models_dir": args.models_dir}


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
