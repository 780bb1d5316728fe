"""A release's card: written after a training, and what it must say before a model may be used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from patrolvision.training.evaluation import EvalReport

FEW_BOXES = 30  # fewer say little of a class
NEEDED = ("name", "version", "classes", "input", "thresholds", "nms_iou", "files", "licence",
          "parent", "created", "hyper_parameters", "trained_on", "metrics", "limits")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Made:
    """What a training run says of its result, beside the parent's card."""

    name: str
    version: str
    classes: tuple[str, ...]
    thresholds: Mapping[str, float]
    parent: Mapping[str, Any]
    files: Mapping[str, Mapping[str, Any]]
    trained_on: Sequence[Mapping[str, Any]]
    hyper_parameters: Mapping[str, Any]
    report: Mapping[str, Any]  # evaluation.as_json of the validation part
    created: str


def card_of(made: Made) -> dict[str, Any]:
    """The card of a fine-tuned release, with the limits that its figures show."""
    parent = made.parent
    return {
        "name": made.name,
        "version": made.version,
        "status": "candidate",
        "task": "detect",
        "classes": list(made.classes),
        "input": parent.get("input", {"width": 640, "height": 640}),
        "output": "raw",
        "thresholds": dict(made.thresholds),
        "nms_iou": parent.get("nms_iou", 0.6),
        "files": dict(made.files),
        "trained_on": list(made.trained_on),
        "hyper_parameters": dict(made.hyper_parameters),
        "metrics": {"validation": brief(made.report)},
        "limits": limits_of(made),
        "created": made.created,
        "licence": parent.get("licence", "AGPL-3.0"),
        "parent": f"{parent.get('name', '?')}@{parent.get('version', '?')}",
        "parent_trained_on": parent.get("trained_on", []),
        "suits": parent.get("suits", []),
    }


def brief(report: Mapping[str, Any]) -> dict[str, Any]:
    """Of a report what a card keeps: per class AP50 with its interval, and the shipped point."""
    keep = ("threshold", "pictures", "boxes", "ap50", "ap50_95", "precision", "recall", "by_source")
    rows = {
        name: {key: row[key] for key in keep if key in row}
        for name, row in report["classes"].items()
    }
    return {"data": report["data"], "part": report["part"], "classes": rows}


def limits_of(made: Made) -> list[str]:
    """Sentences on what the figures do not show."""
    rows = made.report["classes"]
    few = [name for name in made.classes if 0 < rows.get(name, {}).get("boxes", 0) < FEW_BOXES]
    none = [name for name in made.classes if not rows.get(name, {}).get("boxes", 0)]
    limits = ["judged on the validation part of its own sources, not on a source of another origin"]
    if few:
        limits.append(f"fewer than {FEW_BOXES} validation boxes: {', '.join(few)}")
    if none:
        limits.append(f"no validation box at all, so nothing is known: {', '.join(none)}")
    return limits


def described(path: Path, runtime: str) -> dict[str, Any]:
    """A file's entry in the card."""
    content = path.read_bytes()
    digest = sha256(content).hexdigest()
    return {"sha256": digest, "bytes": len(content), "runtime": runtime}


def thresholds_of(
    classes: Sequence[str], report: EvalReport, before: Mapping[str, float], default: float = 0.35
) -> dict[str, float]:
    """The calibrated threshold of each class; where too little was there to judge, the parent's."""
    rows = {row.name: row for row in report.classes}
    found: dict[str, float] = {}
    for name in classes:
        row = rows.get(name)
        enough = row is not None and row.boxes >= FEW_BOXES
        proposed = row.calibration.proposed if row is not None and enough else None
        found[name] = proposed if proposed is not None else before.get(name, default)
    return found


def gaps(card: Mapping[str, Any], folder: Path) -> list[str]:
    """Everything a card lacks before its model may be used, a sentence each; none: complete."""
    found = [f"the card has no {name}" for name in NEEDED if not _says(card, name, folder)]
    classes = [str(name) for name in card.get("classes", [])]
    thresholds = card.get("thresholds", {})
    found += [f"class {name} has no threshold" for name in classes if name not in thresholds]
    measured = set(_measured(card.get("metrics", {})))
    unjudged = set(_words(card.get("limits", [])))
    found += [
        f"class {name} has no AP50 in the metrics, and the limits do not say that it was not judged"
        for name in classes
        if name not in measured and name not in unjudged
    ]
    found += _terms(card.get("trained_on", []))
    found += _files(card.get("files", {}), folder)
    return found


def _says(card: Mapping[str, Any], name: str, folder: Path) -> bool:
    if card.get(name):
        return True
    page = folder / "card.md"
    if name != "limits" or not page.is_file():
        return False
    return "limits" in page.read_text(encoding="utf-8").lower()


def _terms(sources: Any) -> Iterator[str]:
    for source in sources if isinstance(sources, list) else []:
        if not isinstance(source, Mapping):
            continue
        name = source.get("name", "?")
        if not str(source.get("licence", "")).strip():
            yield f"source {name} of the training data names no licence"
        if source.get("released") is False:
            yield f"source {name} of the training data may not be in a released model"


def _files(files: Mapping[str, Any], folder: Path) -> Iterator[str]:
    runtimes = {about.get("runtime") for about in files.values()}
    if "openvino" not in runtimes:
        yield "there are no OpenVINO weights, which the default engine needs"
    if "torch" not in runtimes:
        yield "there is no checkpoint, which the next training needs"
    for name, about in files.items():
        path = folder / name
        if not path.is_file():
            yield f"its file {name} is missing"
        elif sha256(path.read_bytes()).hexdigest() != about.get("sha256"):
            yield f"its file {name} is not the one the card describes"


def _measured(value: Any) -> Iterator[str]:
    """Names of classes for which an ap50 stands anywhere in the metrics."""
    if isinstance(value, Mapping):
        if "ap50" in value and isinstance(value.get("class"), str):
            yield value["class"]
        for key, inner in value.items():
            if isinstance(inner, Mapping) and _is_figure(inner.get("ap50")):
                yield str(key)
            yield from _measured(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _measured(inner)


def _is_figure(value: Any) -> bool:
    if isinstance(value, Mapping):
        return value.get("value") is not None
    return isinstance(value, int | float)


def _words(value: Any) -> Iterator[str]:
    texts = value if isinstance(value, list) else [value]
    for text in texts:
        yield from str(text).replace(",", " ").replace(":", " ").replace(";", " ").split()


def page_of(card: Mapping[str, Any]) -> str:
    """The card as a page for people."""
    validation = card["metrics"]["validation"]
    lines = [
        f"# {card['name']} {card['version']}",
        "",
        f"Fine-tuned from {card['parent']}. Licence {card['licence']}. Classes, in order: "
        f"{', '.join(card['classes'])}.",
        "",
        "## Figures",
        f"Part `{validation['part']}` of {validation['data']}; brackets are 95 % intervals.",
        "",
        "| class | pictures | boxes | AP50 | threshold | precision | recall |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [_row(name, row) for name, row in validation["classes"].items()]
    lines += ["", "## Data", "| source | licence | pictures |", "|---|---|---|"]
    lines += [
        f"| {s['name']} | {s.get('licence', '')} | {s.get('pictures', '')} |"
        for s in card["trained_on"]
    ]
    settings = ", ".join(f"{k} {v}" for k, v in card["hyper_parameters"].items())
    lines += ["", "## Training", settings, "", "## Limits"]
    return "\n".join([*lines, *(f"- {limit}" for limit in card["limits"]), ""])


def _row(name: str, row: Mapping[str, Any]) -> str:
    cells = [name, row["pictures"], row["boxes"], _told(row["ap50"]), row["threshold"]]
    cells += [_told(row["precision"]), _told(row["recall"])]
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _told(estimate: Mapping[str, Any]) -> str:
    value, low, high = estimate["value"], estimate["low"], estimate["high"]
    if value is None:
        return "–"
    return f"{value:.2f}" if low is None else f"{value:.2f} ({low:.2f}–{high:.2f})"
