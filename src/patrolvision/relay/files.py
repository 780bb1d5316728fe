"""Writing a file whole or not at all: a reader, or a crash, never meets half of it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from patrolvision.errors import DeliveryError


def write_whole(path: Path, content: bytes) -> None:
    """Put the content under the path, on the disk before this returns; DeliveryError if it cannot.

    Written again with the same content it is the same file: the name is the idempotency key.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise DeliveryError(
            f"{path}: cannot be written ({error.strerror})", is_down=True
        ) from error
