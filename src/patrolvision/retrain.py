"""Door 3: a data set in; a candidate release with its card out. `patrolvision train`.

A run lives in its folder: run.json and log.jsonl say what it is and how it went, state.pt is what
it goes on from after a kill, release/ is what comes out. The same call again goes on, or says that
it is done.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from patrolvision import wiring
from patrolvision.config import Settings, checked
from patrolvision.deliver import check_writable
from patrolvision.errors import EXIT_OK, ConfigError
from patrolvision.training import building, cards, checkpoints, dataset, network, runs, trainer
from patrolvision.training.evaluation import FLOOR, EvalReport, as_json, evaluate
from patrolvision.training.files import write_json, write_whole
from patrolvision.training.labels import LabelledPicture
from patrolvision.training.pictures import decoded
from patrolvision.training.sampling import pool_of
from patrolvision.training.written import read_dataset, read_written
from patrolvision.types import Detections, ModelRelease

if TYPE_CHECKING:
    from patrolvision.ports import Detector

log = logging.getLogger(__name__)
RELEASE = "release"
SPEAK_EVERY_S = 10.0
BATCH = 8

OnStep = Callable[[int, Mapping[str, float]], None]


def main(args: argparse.Namespace) -> int:
    """`patrolvision train`: go on with the run in --out, or begin it."""
    settings = checked(Settings, _settings(args), where="the command line")
    shaped = _train_settings(args)
    check_writable(args.out)
    done = runs.read_run(args.out)
    folder = args.data if args.data is not None else _built(args.manifest, args.out)
    facts, _ = read_written(folder)
    parent = wiring.release(settings)
    classes = tuple(dict.fromkeys([*parent.classes, *facts["classes"]]))
    about = {
        "parent": parent.id,
        "data": f"{facts['name']}-{facts['version']}",
        "replay": [_version_of(path) for path in args.replay],
        "classes": list(classes),
        "settings": trainer.facts_of(shaped),
    }
    if done is not None and done.get("state") == "done":
        runs.refuse_other(done, about, args.out)
        return _answer(args, done)
    made = _candidate(args, parent, classes, about)
    trackers = _Trackers([runs.FileTracker(args.out), *_others(args)])
    trackers.begin({**about, "candidate": f"{made.name}@{made.version}"})
    average = _learnt(args, parent, classes, about, shaped, folder, trackers)
    card = _released(args, average, made, settings, folder, about)
    result = {"candidate": f"{made.name}@{made.version}", "release": str(args.out / RELEASE)}
    trackers.end({**result, "metrics": card["metrics"]})
    return _answer(args, {**about, **result})


def _learnt(
    args: argparse.Namespace,
    parent: ModelRelease,
    classes: Sequence[str],
    about: Mapping[str, Any],
    shaped: trainer.TrainSettings,
    folder: Path,
    trackers: _Trackers,
) -> Any:
    """The averaged network after the last step."""
    net = wiring.trainable(parent)
    network.refuse_alien(net, parent.id)
    if network.names_of(net) != parent.classes:
        raise ConfigError(f"{parent.id}: its checkpoint has other classes than its card")
    learner = trainer.begin(network.with_classes(net, classes), shaped)
    before = trainer.Parent(trainer.at_rest(learner.network), parent.classes)
    state = args.out / checkpoints.STATE
    if state.is_file():
        checkpoints.load_state(state, learner, about)
        sys.stderr.write(f"going on from step {learner.step} of {shaped.steps}\n")
    trackers.resume_at(learner.step)
    data = training_set(read_dataset(folder, "train"), _old(args.replay))
    if data.old is None:
        sys.stderr.write(
            "no --replay: what the new pictures do not show may be forgotten; the gate will tell\n"
        )
    with progress(shaped.steps, learner.step) as on_step:
        average = trainer.train(
            learner,
            classes,
            data,
            shaped,
            tracker=trackers,
            save=lambda now: checkpoints.save_state(state, now, about),
            parent=before,
            on_step=on_step,
        )
    return trainer.blended(average, before.network.state_dict(), shaped.blend)


def training_set(
    new: Sequence[LabelledPicture], old: Sequence[LabelledPicture]
) -> trainer.TrainingSet:
    """New and old pictures; how often each comes is its source's repeat, more if it is hard."""
    pools = []
    for start, pictures in ((0, new), (len(new), old)):
        hardness = [picture.hardness for picture in pictures]
        pools.append(pool_of(start, hardness, [picture.repeat for picture in pictures]))
    return trainer.TrainingSet((*new, *old), pools[0], pools[1] if old else None)


def _old(folders: Sequence[Path]) -> list[LabelledPicture]:
    return [picture for folder in folders for picture in read_dataset(folder, "train")]


def _released(
    args: argparse.Namespace,
    average: Any,
    made: ModelRelease,
    settings: Settings,
    folder: Path,
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """Write the candidate: weights for both engines, judged on the validation parts, and a card."""
    from patrolvision.training.openvino_export import to_openvino

    target = made.folder / made.name
    checkpoints.save_weights(target.with_suffix(".pt"), average)
    xml, weights = to_openvino(average, target)
    files = {
        path.name: cards.described(path, runtime)
        for path, runtime in (
            (xml, "openvino"), (weights, "openvino"), (target.with_suffix(".pt"), "torch"),
        )
    }  # fmt: skip
    shown = replace(made, card={**made.card, "files": files})
    report = _judged(shown, settings, [folder, *args.replay], str(about["data"]))
    card = cards.card_of(
        cards.Made(
            name=made.name,
            version=made.version,
            classes=made.classes,
            thresholds=cards.thresholds_of(made.classes, report, made.thresholds),
            parent=wiring.release(settings).card,
            files=files,
            trained_on=_sources([folder, *args.replay]),
            hyper_parameters={
                **about["settings"],
                "data": about["data"],
                "replay": about["replay"],
            },
            report=as_json(report),
            created=datetime.now(UTC).date().isoformat(),
        )
    )
    write_whole(made.folder / "card.md", cards.page_of(card).encode())
    write_json(made.folder / "card.json", card)
    return card


def _judged(
    made: ModelRelease, settings: Settings, folders: Sequence[Path], data: str
) -> EvalReport:
    pictures = [p for folder in folders for p in _validation(folder)]
    detector = wiring.detector_of(made, settings, conf=FLOOR)
    try:
        found = found_on(pictures, detector)
    finally:
        detector.close()
    thresholds = made.thresholds
    return evaluate(pictures, found, made.classes, thresholds, model=made.id, data=data, part="val")


def found_on(pictures: Sequence[LabelledPicture], detector: Detector) -> list[Detections]:
    """What the detector finds on each picture; ConfigError names one that cannot be read."""
    found: list[Detections] = []
    for start in range(0, len(pictures), BATCH):
        images = []
        for picture in pictures[start : start + BATCH]:
            image = decoded(picture.path.read_bytes()) if picture.path.is_file() else None
            if image is None:
                raise ConfigError(f"{picture.path}: is missing or is not a picture")
            images.append(image)
        found += detector.detect(images)
    return found


def _validation(folder: Path) -> list[LabelledPicture]:
    _, records = read_written(folder)
    has_any = any(record["part"] == "val" for record in records)
    return read_dataset(folder, "val") if has_any else []


def _sources(folders: Sequence[Path]) -> list[dict[str, Any]]:
    """What the card says of each source that was learnt from."""
    rows = []
    for folder in folders:
        facts, _ = read_written(folder)
        counts = facts.get("counts", {}).get("train", {})
        for source in facts["sources"]:
            row = counts.get(source["name"], {})
            if row:
                keep = {key: source.get(key) for key in ("name", "origin", "licence", "released")}
                rows.append({**keep, "data": f"{facts['name']}-{facts['version']}", **row})
    return rows


def _candidate(
    args: argparse.Namespace,
    parent: ModelRelease,
    classes: tuple[str, ...],
    about: Mapping[str, Any],
) -> ModelRelease:
    """The release that will come out; its version tells its parent, data and settings apart."""
    digest = sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:8]
    thresholds = {name: parent.thresholds.get(name, 0.35) for name in classes}
    return replace(
        parent,
        name=args.name or parent.name,
        version=args.version or f"{parent.version}-ft{digest}",
        folder=args.out / RELEASE,
        classes=classes,
        thresholds=thresholds,
    )


def _built(manifest: Path, out: Path) -> Path:
    made = dataset.draft(manifest)
    for problem in made.problems:
        sys.stderr.write(f"patrolvision: {problem}\n")
    return building.write_dataset(made, out / "data")


def _version_of(folder: Path) -> str:
    facts, _ = read_written(folder)
    return f"{facts['name']}-{facts['version']}"


def _settings(args: argparse.Namespace) -> dict[str, Any]:
    values = {"model": args.parent}
    return values if args.models_dir is None else {**values, "models_dir": args.models_dir}


def _train_settings(args: argparse.Namespace) -> trainer.TrainSettings:
    names = (
        "steps",
        "batch",
        "imgsz",
        "lr",
        "freeze",
        "seed",
        "threads",
        "device",
        "save_every",
        "blend",
        "parent_weight",
    )
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    if args.replay_share is not None:
        given["replay"] = args.replay_share
    return trainer.TrainSettings(**given)


def _answer(args: argparse.Namespace, run: Mapping[str, Any]) -> int:
    found = {"candidate": run["candidate"], "release": run["release"], "data": run["data"]}
    if args.json:
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        sys.stdout.write(f"{found['candidate']} is in {found['release']}\n")
    return EXIT_OK


class _Trackers:
    """Several trackers as one."""

    def __init__(self, trackers: Sequence[runs.Tracker]) -> None:
        self._trackers = list(trackers)

    def begin(self, about: Mapping[str, Any]) -> None:
        for tracker in self._trackers:
            tracker.begin(about)

    def resume_at(self, step: int) -> None:
        for tracker in self._trackers:
            if isinstance(tracker, runs.FileTracker):
                tracker.resume_at(step)

    def note(self, step: int, figures: Mapping[str, float]) -> None:
        for tracker in self._trackers:
            tracker.note(step, figures)

    def end(self, result: Mapping[str, Any]) -> None:
        for tracker in self._trackers:
            tracker.end(result)


def _others(args: argparse.Namespace) -> list[runs.Tracker]:
    if args.track != "mlflow":
        return []
    from patrolvision.training.mlflow import MlflowTracker

    return [MlflowTracker(args.out.name)]


@contextmanager
def progress(steps: int, first: int) -> Iterator[OnStep]:
    """A bar on a terminal, a line now and then in a log."""
    if not sys.stderr.isatty():
        yield _lines(steps, first)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bars(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bars:
        task = bars.add_task("training", total=steps, completed=first)

        def on_step(step: int, losses: Mapping[str, float]) -> None:
            bars.update(task, completed=step, description=f"training {_told(losses)}")

        yield on_step


def _lines(steps: int, first: int) -> OnStep:
    began = spoken = time.monotonic()

    def on_step(step: int, losses: Mapping[str, float]) -> None:
        nonlocal spoken
        now = time.monotonic()
        if now - spoken < SPEAK_EVERY_S and step != steps:
            return
        spoken = now
        rate = (now - began) / (step - first)
        left = f"{(steps - step) * rate:.0f} s left"
        sys.stderr.write(f"step {step} of {steps}, {_told(losses)}, {rate:.2f} s a step, {left}\n")

    return on_step


def _told(losses: Mapping[str, float]) -> str:
    return " ".join(f"{name.removesuffix('_loss')} {value:.2f}" for name, value in losses.items())
