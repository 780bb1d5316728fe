"""Door 3, the judging of a detector: labelled pictures in, figures and a page out."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from patrolvision import wiring
from patrolvision.config import Settings, checked
from patrolvision.deliver import check_writable, write_whole
from patrolvision.errors import EXIT_OK, EXIT_SOME_ITEMS_FAILED, CallError, ConfigError
from patrolvision.listing import print_table

if TYPE_CHECKING:
    from patrolvision.ports import Detector
    from patrolvision.training.evaluation import ClassReport, EvalReport
    from patrolvision.training.evaluation_data import DataFile
    from patrolvision.training.evaluation_figures import Estimate
    from patrolvision.training.labels import LabelledPicture
    from patrolvision.types import Detections, Image

BATCH = 8
LINE_EVERY_S = 10.0


@dataclass(slots=True)
class _Judged:
    """What was read and found so far; a picture that cannot be judged is in failed, with why."""

    pictures: list[LabelledPicture] = field(default_factory=list)
    things: list[Any] = field(default_factory=list)
    found: list[Detections] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def main(args: argparse.Namespace) -> int:
    """`patrolvision evaluate`: a table, report.json and report.html; bad pictures are named."""
    from patrolvision.training.evaluation import as_json, evaluate
    from patrolvision.training.evaluation_data import read_data

    if args.rounds < 1:
        raise ConfigError(f"--rounds: must be at least 1, got {args.rounds}")
    settings = _settings(args)
    release = wiring.release(settings)
    data = read_data(args.data, args.part, release.classes)
    if args.out is not None:
        check_writable(args.out)
    judged = _looked(data, settings)
    if not judged.pictures:
        raise CallError(f"{args.data}: none of its {len(data.files)} pictures could be judged")
    report = evaluate(
        judged.pictures,
        judged.found,
        release.classes,
        release.thresholds,
        model=release.id,
        data=args.data.name,
        part=args.part,
        things=judged.things,
        rounds=args.rounds,
    )
    summary = {**as_json(report), "failed": judged.failed}
    if args.out is not None:
        _write(args.out, report, judged, summary)
    _print(report)
    if args.json:
        sys.stdout.write(json.dumps(summary, ensure_ascii=False) + "\n")
    return EXIT_SOME_ITEMS_FAILED if judged.failed else EXIT_OK


def _settings(args: argparse.Namespace) -> Settings:
    names = ("model", "engine", "precision", "input_px", "tiling")
    values = {name: getattr(args, name) for name in names}
    if args.models_dir is not None:
        values["models_dir"] = args.models_dir
    return checked(Settings, values, where="the command line")


def _looked(data: DataFile, settings: Settings) -> _Judged:
    """Every picture of the part read and shown to the detector."""
    from patrolvision.training.evaluation import FLOOR
    from patrolvision.training.evaluation_data import look

    detector = wiring.detector(settings, conf=FLOOR)
    detector = wiring.tiled(detector) if settings.tiling == "on" else detector
    judged, waiting = _Judged(), list[Any]()
    spoken = time.monotonic()
    for number, path in enumerate(data.files, 1):
        seen = look(data, path)
        if isinstance(seen, list):
            judged.failed[str(path)] = "; ".join(str(problem) for problem in seen)
            sys.stderr.writelines(f"patrolvision: {problem}\n" for problem in seen)
        else:
            image, picture, things = seen
            judged.pictures.append(picture)
            judged.things.append(things)
            waiting.append(image)
        if len(waiting) == BATCH or number == len(data.files):
            _detect(detector, waiting, judged)
        if time.monotonic() - spoken > LINE_EVERY_S:
            spoken = time.monotonic()
            sys.stderr.write(f"{number} of {len(data.files)} pictures\n")
    detector.close()
    return judged


def _detect(detector: Detector, waiting: list[Image], judged: _Judged) -> None:
    judged.found += detector.detect(waiting)
    waiting.clear()


def _write(out: Path, report: EvalReport, judged: _Judged, summary: dict[str, Any]) -> None:
    from patrolvision.training.evaluation_page import page

    write_whole(out / "report.json", json.dumps(summary, ensure_ascii=False, indent=1) + "\n")
    write_whole(out / "report.html", page(report, judged.pictures, judged.failed))
    sys.stderr.write(f"{out / 'report.html'}\n")


def _print(report: EvalReport) -> None:
    """A row per class on standard output."""
    columns = ("class", "boxes", "AP50", "AP50-95", "at", "precision", "recall", "false/1,000")
    rows = [dict(zip(columns, _row(row), strict=True)) for row in report.classes]
    print_table(rows, columns, f"{report.model} on {report.data}: {report.pictures} pictures")


def _row(row: ClassReport) -> tuple[str, ...]:
    return (
        row.name,
        str(row.boxes),
        _told(row.ap50),
        _told(row.ap50_95),
        f"{row.threshold:.2f}",
        _told(row.precision),
        _told(row.recall),
        _told(row.false_alarms.per_1000, 0),
    )


def _told(estimate: Estimate, digits: int = 2) -> str:
    if estimate.value is None:
        return "–"
    text = f"{estimate.value:.{digits}f}"
    if estimate.low is None or estimate.high is None:
        return text
    return f"{text} ({estimate.low:.{digits}f}–{estimate.high:.{digits}f})"
