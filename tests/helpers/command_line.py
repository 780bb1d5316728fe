"""patrolvision as a user calls it: a process of its own, with its exit code and what it printed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from patrolvision.cli import main

COMMAND = (sys.executable, "-m", "patrolvision.cli")
SENTENCE = re.compile(r"^patrolvision: \S.*[^.\s]$")


@dataclass(frozen=True)
class Done:
    """A finished call."""

    rc: int
    out: str
    err: str

    @property
    def summary(self) -> dict[str, Any]:
        """The JSON object on the last line of standard output."""
        value = json.loads(self.out.splitlines()[-1])
        assert isinstance(value, dict)
        return value

    @property
    def complaints(self) -> list[str]:
        """What the call said was wrong, each a line."""
        return [line for line in self.err.splitlines() if line.startswith("patrolvision: ")]


def patrolvision(*arguments: object, cwd: Path | None = None, timeout_s: float = 150) -> Done:
    """One call, waited for."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env=os.environ | {"COLUMNS": "200"},
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def assert_refused(done: Done, rc: int, *fragments: str) -> str:
    """The one sentence with which a call was refused; it holds every fragment, and no traceback."""
    told = f"exit {done.rc}\n{done.err}"
    assert "Traceback" not in done.err, told
    assert done.rc == rc, told
    assert len(done.complaints) == 1, told
    sentence = done.complaints[0]
    assert SENTENCE.match(sentence), sentence
    missing = [fragment for fragment in fragments if fragment not in sentence]
    assert not missing, f"{missing} not in: {sentence}"
    return sentence


def in_process(capsys: pytest.CaptureFixture[str], *arguments: object) -> Done:
    """The same without a process: for calls that end before any work is done."""
    capsys.readouterr()
    try:
        rc = main([str(argument) for argument in arguments])
    except SystemExit as left:  # argparse's way of refusing a call
        rc = int(left.code or 0)
    printed = capsys.readouterr()
    return Done(rc, printed.out, printed.err)
