"""Files that are there whole or not at all; a full disk says so and leaves what was there."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from patrolvision.errors import OutputError


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that others see only when it is complete and on the disk.

    Raises OutputError that names the path and, where the disk is full, says so.
    """
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".part-")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise OutputError(f"{path}: {_reason(path, error)}") from error


def write_json(path: Path, value: Any) -> None:
    """Write a JSON value, whole or not at all."""
    text = json.dumps(value, ensure_ascii=False, indent=1) + "\n"
    write_whole(path, text.encode())


def append_line(path: Path, value: Any) -> None:
    """Add one JSON line."""
    try:
        with path.open("ab") as file:
            file.write(json.dumps(value, ensure_ascii=False).encode() + b"\n")
    except OSError as error:
        raise OutputError(f"{path}: {_reason(path, error)}") from error


def copy_whole(source: Path, target: Path) -> None:
    """The file under another name: linked where that is possible, else copied."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        shutil.copyfile(source, target)
    except OSError as error:
        target.unlink(missing_ok=True)
        raise OutputError(f"{target}: {_reason(target, error)}") from error


def _reason(path: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free_mb = shutil.disk_usage(path.parent).free / 1e6
        return f"the disk is full ({free_mb:.1f} MB are free): make room and run the same again"
    return f"cannot be written ({error.strerror})"
