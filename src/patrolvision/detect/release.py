"""A model's name or path -> its ModelRelease, with the hashes of its files checked.

A release is a folder models/<name>/<version>/ with a card.json; models/production.json names the
one that is used when nobody asks for another. A bare weights file (.xml, .onnx, .pt) may be used
too: its version is the start of its own hash, so that an observation still says what saw it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from patrolvision.detect.class_names import class_names_in
from patrolvision.detect.decode import same_thresholds
from patrolvision.errors import ModelError
from patrolvision.types import ModelRelease

Runtime = Literal["openvino", "openvino-int8", "torch"]

BARE_RUNTIMES: Mapping[str, Runtime] = {".xml": "openvino", ".onnx": "openvino", ".pt": "torch"}
BARE_THRESHOLD = 0.25
BARE_INPUT = 640
NMS_IOU = 0.7  # ultralytics' default


def load_release(wanted: str | Path | None, models_dir: Path) -> ModelRelease:
    """The release that NAME, NAME@VERSION, a release's folder or a bare weights file means.

    None: the one that models_dir/production.json names. Raises ModelError that says what exists.
    """
    if wanted is None:
        return _from_card(_production_folder(models_dir))
    name, _, version = str(wanted).partition("@")
    versions = _versions(models_dir, name) if re.fullmatch(r"[\w.-]+", name) else []
    if versions and (not version or version in versions):
        return _from_card(models_dir / name / (version or _preferred(models_dir, name, versions)))
    path = Path(wanted)
    if (path / "card.json").is_file():
        return _from_card(path)
    if path.is_file():
        return _from_bare_file(path)
    raise ModelError(
        f"model {str(wanted)!r} is neither a release nor a weights file; "
        f"there is {', '.join(known_releases(models_dir)) or f'no release in {models_dir}'}"
    )


def known_releases(models_dir: Path) -> list[str]:
    """name@version of every release in models_dir, in order."""
    cards = models_dir.glob("*/*/card.json") if models_dir.is_dir() else []
    return sorted(f"{card.parent.parent.name}@{card.parent.name}" for card in cards)


def weights_file(release: ModelRelease, runtime: Runtime) -> Path:
    """The release's file to open with this runtime; raises ModelError if it has none or lost it."""
    mains = {".pt"} if runtime == "torch" else {".xml", ".onnx"}
    for name, about in release.card["files"].items():
        if about.get("runtime") == runtime and Path(name).suffix in mains:
            path: Path = release.folder / name
            if not path.is_file():
                raise ModelError(f"model {release.id}: its file {path} is missing")
            return path
    raise ModelError(
        f"model {release.id} has no weights for {runtime}, only for "
        f"{', '.join(sorted({about['runtime'] for about in release.card['files'].values()}))}"
    )


def _versions(models_dir: Path, name: str) -> list[str]:
    return sorted((c.parent.name for c in models_dir.glob(f"{name}/*/card.json")), key=_rank)


def _rank(version: str) -> tuple[tuple[int, str], ...]:
    """Sorts 0.10.0 after 0.9.0."""
    return tuple((int(part or -1), word) for part, word in re.findall(r"(\d*)([^\d.]*)", version))


def _preferred(models_dir: Path, name: str, versions: list[str]) -> str:
    """The version in production if it is of this model, else the newest."""
    pointer = models_dir / "production.json"
    if pointer.is_file():
        chosen = _read_json(pointer)
        if chosen.get("name") == name and chosen.get("version") in versions:
            return str(chosen["version"])
    return versions[-1]


def _production_folder(models_dir: Path) -> Path:
    pointer = models_dir / "production.json"
    if not pointer.is_file():
        raise ModelError(f"{pointer} is missing: it names the model to use when none is asked for")
    chosen = _read_json(pointer)
    folder = models_dir / str(chosen.get("name", "")) / str(chosen.get("version", ""))
    if not (folder / "card.json").is_file():
        raise ModelError(
            f"{pointer} names {chosen.get('name')}@{chosen.get('version')}, which is not there; "
            f"there is {', '.join(known_releases(models_dir)) or 'no release'}"
        )
    return folder


def _from_card(folder: Path) -> ModelRelease:
    path = folder / "card.json"
    card = _read_json(path)
    try:
        classes = tuple(str(name) for name in card["classes"])
        release = ModelRelease(
            name=str(card["name"]),
            version=str(card["version"]),
            folder=folder,
            classes=classes,
            input_width=int(card["input"]["width"]),
            input_height=int(card["input"]["height"]),
            thresholds={name: float(card["thresholds"][name]) for name in classes},
            nms_iou=float(card["nms_iou"]),
            card=card,
        )
        expected = {name: str(about["sha256"]) for name, about in card["files"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"{path}: the card lacks or garbles {error}") from error
    for name, sha256 in expected.items():
        _check_hash(folder / name, sha256)
    return release


def _check_hash(path: Path, sha256: str) -> None:
    """Refuse an altered file; a missing one is refused only when it is needed."""
    if path.is_file() and _sha256(path, path.stat().st_mtime_ns) != sha256:
        raise ModelError(f"{path} is not the file its card describes: the sha256 differs")


def _from_bare_file(path: Path) -> ModelRelease:
    if path.suffix not in BARE_RUNTIMES:
        raise ModelError(f"{path}: weights end in {', '.join(BARE_RUNTIMES)}, not {path.suffix!r}")
    classes = class_names_in(path)
    weights = path.with_suffix(".bin") if path.suffix == ".xml" else path
    if not weights.is_file():
        raise ModelError(f"{path}: the weights beside it, {weights.name}, are missing")
    files = {path.name: {"runtime": BARE_RUNTIMES[path.suffix]}}
    return ModelRelease(
        name=path.stem,
        version=_sha256(weights, weights.stat().st_mtime_ns)[:12],
        folder=path.parent,
        classes=classes,
        input_width=BARE_INPUT,
        input_height=BARE_INPUT,
        thresholds=same_thresholds(classes, BARE_THRESHOLD),
        nms_iou=NMS_IOU,
        card={"files": files},
    )


@lru_cache(maxsize=64)
def _sha256(path: Path, _mtime_ns: int) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(value, dict):
        raise ModelError(f"{path}: expected a JSON object, got {type(value).__name__}")
    return value
