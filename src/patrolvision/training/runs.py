"""A training run as plain files: run.json (what it is), log.jsonl (how it went).

Another tracker, such as MLflow, hears the same; it is asked for by name and never needed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from patrolvision.errors import ConfigError
from patrolvision.training.files import append_line, write_json

RUN, LOG = "run.json", "log.jsonl"


class Tracker(Protocol):
    """Who hears of a run; called in order, more than once for a run that goes on."""

    def begin(self, about: Mapping[str, Any]) -> None:
        """The run starts or goes on, with these settings."""

    def note(self, step: int, figures: Mapping[str, float]) -> None:
        """Figures at a step."""

    def end(self, result: Mapping[str, Any]) -> None:
        """The run is over."""


class FileTracker:
    """run.json and log.jsonl in a folder; lines beyond the step a run goes on from are dropped."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin(self, about: Mapping[str, Any]) -> None:
        """Write run.json; a run that goes on must be the same one."""
        before = read_run(self._folder)
        if before is not None:
            refuse_other(before, about, self._folder)
        write_json(self._folder / RUN, {**(before or {}), **about, "state": "running"})

    def resume_at(self, step: int) -> None:
        """Forget what was noted after the step."""
        path = self._folder / LOG
        if not path.is_file():
            return
        kept = [line for line in _lines(path) if line.get("step", 0) <= step]
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in kept)
        path.write_text(text, encoding="utf-8")

    def note(self, step: int, figures: Mapping[str, float]) -> None:
        """Add a line to log.jsonl."""
        append_line(self._folder / LOG, {"step": step, **figures})

    def end(self, result: Mapping[str, Any]) -> None:
        """Complete run.json."""
        run = read_run(self._folder) or {}
        write_json(self._folder / RUN, {**run, **result, "state": "done"})


def read_run(folder: Path) -> dict[str, Any] | None:
    """The run.json of a folder; None if there is none; ConfigError if it is garbled."""
    path = folder / RUN
    if not path.is_file():
        return None
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: expected a JSON object")
    return value


def refuse_other(before: Mapping[str, Any], now: Mapping[str, Any], folder: Path) -> None:
    """Raise ConfigError if the folder holds another run than the one asked for."""
    for name in ("parent", "data", "replay", "settings", "classes"):
        if name in before and before[name] != now.get(name):
            raise ConfigError(
                f"{folder / RUN}: {name} is {before[name]!r} there, but {now.get(name)!r} was "
                "asked for: go on with the same call, or give another --out"
            )


def _lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a log; a last one that a crash cut off is dropped."""
    lines = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            break
    return lines
