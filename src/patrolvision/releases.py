"""Door 3's last step: `patrolvision models …`: compare, promote or refuse, roll back."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from patrolvision import wiring
from patrolvision.config import Settings, checked
from patrolvision.errors import EXIT_CALL_IS_WRONG, EXIT_OK, ConfigError
from patrolvision.listing import print_table
from patrolvision.retrain import found_on
from patrolvision.training import cards, gate, promotion
from patrolvision.training.evaluation import FLOOR
from patrolvision.training.evaluation_data import look, read_data
from patrolvision.training.labels import LabelledPicture
from patrolvision.training.written import read_dataset, read_written
from patrolvision.types import ModelRelease


@dataclass(frozen=True, slots=True, eq=False)
class _Frozen:
    """The frozen pictures and what they are called."""

    pictures: list[LabelledPicture]
    name: str


def compare(args: argparse.Namespace) -> int:
    """`models compare A B`: per class, the difference of AP50 with its interval."""
    settings = _settings(args)
    one, other = (wiring.release_in(path, settings) for path in (args.one, args.other))
    frozen = _frozen(args, [*one.classes, *other.classes])
    rows = _changes(one, other, frozen, settings, args)
    _show(args, rows, one, other, frozen, {})
    return EXIT_OK


def promote(args: argparse.Namespace) -> int:
    """`models promote B`: put in use if no class is worse; else the reasons, and exit code 2."""
    settings = _settings(args)
    now = wiring.release(settings)
    candidate = wiring.release_in(args.candidate, settings)
    frozen = _frozen(args, [*now.classes, *candidate.classes])
    if candidate.id == now.id and candidate.folder.resolve() == now.folder.resolve():
        raise ConfigError(f"{candidate.id} is in use already")
    rows = _changes(now, candidate, frozen, settings, args)
    lost = [name for name in now.classes if name not in candidate.classes]
    why_not = gate.refusals(rows, lost, cards.gaps(candidate.card, candidate.folder))
    verdict = {"promoted": not why_not, "reasons": why_not, "unjudged": gate.unjudged(rows)}
    if not why_not:
        promotion.installed(candidate.folder, candidate.card, settings.models_dir)
        why = {"data": frozen.name, "classes": gate.as_json(rows)}
        at = datetime.now(UTC)
        promotion.put_in_use(settings.models_dir, candidate.name, candidate.version, at, why)
    _show(args, rows, now, candidate, frozen, verdict)
    for reason in why_not:
        sys.stderr.write(f"patrolvision: {candidate.id} is refused: {reason}\n")
    return EXIT_CALL_IS_WRONG if why_not else EXIT_OK


def rollback(args: argparse.Namespace) -> int:
    """`models rollback`: the release that was in use before is in use again."""
    settings = _settings(args)
    value = promotion.roll_back(settings.models_dir, datetime.now(UTC))
    step = value["history"][-1]
    if args.json:
        sys.stdout.write(json.dumps({"production": step["to"], "was": step["from"]}) + "\n")
    else:
        sys.stdout.write(f"{step['to']} is in use again, {step['from']} is not\n")
    return EXIT_OK


def list_releases(args: argparse.Namespace) -> int:
    """`models list`: every release, and which is in use."""
    settings = _settings(args)
    used = promotion.production(settings.models_dir)
    rows = []
    for id in wiring.releases(settings):
        card = wiring.release_in(Path(id), settings).card
        is_used = id == f"{used['name']}@{used['version']}"
        rows.append(
            {
                "release": id,
                "in use": "yes" if is_used else "",
                "parent": card.get("parent", ""),
                "created": card.get("created", ""),
                "classes": len(card.get("classes", [])),
            }
        )
    if args.json:
        sys.stdout.write(json.dumps({"releases": rows, "history": used.get("history", [])}) + "\n")
        return EXIT_OK
    print_table(rows, ("release", "in use", "parent", "created", "classes"), "releases")
    return EXIT_OK


def show(args: argparse.Namespace) -> int:
    """`models show M`: the card, and what it lacks before it may be promoted."""
    chosen = wiring.release_in(args.model, _settings(args))
    missing = cards.gaps(chosen.card, chosen.folder)
    if args.json:
        sys.stdout.write(json.dumps({**chosen.card, "gaps": missing}, ensure_ascii=False) + "\n")
        return EXIT_OK
    page = chosen.folder / "card.md"
    card = page.read_text(encoding="utf-8") if page.is_file() else json.dumps(chosen.card, indent=1)
    sys.stdout.write(card.rstrip() + "\n")
    for gap in missing:
        sys.stdout.write(f"missing: {gap}\n")
    return EXIT_OK


def _changes(
    one: ModelRelease,
    other: ModelRelease,
    frozen: _Frozen,
    settings: Settings,
    args: argparse.Namespace,
) -> list[gate.ClassChange]:
    seen = [_seen(release, frozen.pictures, settings) for release in (one, other)]
    return gate.changes(frozen.pictures, *seen, rounds=args.rounds, seed=args.seed)


def _seen(
    release: ModelRelease, pictures: Sequence[LabelledPicture], settings: Settings
) -> gate.Seen:
    detector = wiring.detector_of(release, settings, conf=FLOOR)
    try:
        return gate.Seen(release.classes, found_on(pictures, detector))
    finally:
        detector.close()


def _frozen(args: argparse.Namespace, classes: Sequence[str]) -> _Frozen:
    """The pictures of a part of data sets: folders of `dataset build`, or DATA.yaml files."""
    pictures: list[LabelledPicture] = []
    names = []
    for path in args.data:
        if path.is_file():
            pictures += _of_file(path, args.part, classes)
            names.append(path.name)
        else:
            pictures += read_dataset(path, args.part)
            facts = read_written(path)[0]
            names.append(f"{facts['name']}-{facts['version']}")
    return _Frozen(pictures, f"{', '.join(names)} {args.part}")


def _of_file(path: Path, part: str, classes: Sequence[str]) -> list[LabelledPicture]:
    """The pictures of a DATA.yaml; ConfigError names one that cannot be judged."""
    data = read_data(path, part, classes)
    pictures = []
    for file in data.files:
        seen = look(data, file)
        if isinstance(seen, list):
            raise ConfigError(str(seen[0]))
        pictures.append(seen[1])
    return pictures


def _settings(args: argparse.Namespace) -> Settings:
    values: dict[str, Any] = {"engine": getattr(args, "engine", "auto")}
    values["precision"] = getattr(args, "precision", "auto")
    if args.models_dir is not None:
        values["models_dir"] = args.models_dir
    return checked(Settings, values, where="the command line")


def _show(
    args: argparse.Namespace,
    rows: Sequence[gate.ClassChange],
    one: ModelRelease,
    other: ModelRelease,
    frozen: _Frozen,
    verdict: dict[str, Any],
) -> None:
    if args.json:
        about = {"before": one.id, "after": other.id, "data": frozen.name}
        value = {**about, "classes": gate.as_json(rows), **verdict}
        sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
        return
    header, *body = gate.table(rows, one.id, other.id)
    columns = (*header[:-1], "verdict")
    told = [dict(zip(columns, row, strict=True)) for row in body]
    print_table(told, columns, f"AP50 on {len(frozen.pictures)} pictures of {frozen.name}")
    if verdict.get("promoted"):
        sys.stdout.write(f"{other.id} is in use now\n")
    if unjudged := gate.unjudged(rows):
        sys.stdout.write(
            f"not judged, since the pictures show none or too few: {', '.join(unjudged)}\n"
        )
