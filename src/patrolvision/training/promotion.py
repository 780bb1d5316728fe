"""Which release is in use: models/production.json, changed whole, with its history inside."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from patrolvision.errors import ModelError
from patrolvision.training.files import copy_whole, write_json

POINTER = "production.json"


def production(models_dir: Path) -> dict[str, Any]:
    """The pointer: name, version, and history, the oldest change first."""
    path = models_dir / POINTER
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise ModelError(f"{path}: is not JSON ({error})") from error
    if not isinstance(value, dict) or not {"name", "version"} <= set(value):
        raise ModelError(f"{path}: expected an object with name and version")
    return value


def installed(folder: Path, card: Mapping[str, Any], models_dir: Path) -> Path:
    """The release's folder below models_dir, copied there if it lies elsewhere.

    Its card is copied last: a folder without one is no release. ModelError if another release of
    that name and version is there already.
    """
    target = models_dir / str(card["name"]) / str(card["version"])
    if target.resolve() == folder.resolve():
        return target
    if (target / "card.json").is_file():
        there = json.loads((target / "card.json").read_text(encoding="utf-8"))
        if there.get("files") != card.get("files"):
            raise ModelError(f"{target}: holds another release of that name and version already")
        return target
    for name in [*card["files"], "card.md", "card.json"]:
        if (folder / name).is_file():
            copy_whole(folder / name, target / name)
    return target


def put_in_use(
    models_dir: Path, name: str, version: str, at: datetime, why: Mapping[str, Any]
) -> dict[str, Any]:
    """Point production.json at a release, and keep what was there in its history."""
    now = production(models_dir)
    step = {"action": "promote", "from": _id(now), "to": f"{name}@{version}"}
    return _write(models_dir, now, name, version, {**step, "at": at.isoformat(), **why})


def roll_back(models_dir: Path, at: datetime) -> dict[str, Any]:
    """Point production.json at the release that was in use before; ModelError if there was none.

    A second roll-back goes one further back, not forth again.
    """
    now = production(models_dir)
    before = _before(now)
    if before is None:
        raise ModelError(f"{models_dir / POINTER}: there is no earlier release to go back to")
    name, _, version = before.partition("@")
    if not (models_dir / name / version / "card.json").is_file():
        raise ModelError(f"{models_dir}: the earlier release {before} is not there any more")
    step = {"action": "rollback", "from": _id(now), "to": before, "at": at.isoformat()}
    return _write(models_dir, now, name, version, step)


def _before(pointer: Mapping[str, Any]) -> str | None:
    """What was in use before the promotions that have not been rolled back."""
    stack: list[str] = []
    for step in pointer.get("history", []):
        if step["action"] == "promote":
            stack.append(str(step["from"]))
        elif stack:
            stack.pop()
    return stack[-1] if stack else None


def _write(
    models_dir: Path, now: Mapping[str, Any], name: str, version: str, step: Mapping[str, Any]
) -> dict[str, Any]:
    history = [*now.get("history", []), dict(step)]
    value = {**now, "name": name, "version": version, "history": history}
    write_json(models_dir / POINTER, value)
    return value


def _id(pointer: Mapping[str, Any]) -> str:
    return f"{pointer['name']}@{pointer['version']}"
