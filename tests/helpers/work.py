"""Work that executors are given: importable, so that another process finds it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from patrolvision.errors import StoreError


def tripled(item: int) -> int:
    return 3 * item


def refused(item: int) -> int:
    if item == 2:
        raise StoreError("the store is full")
    return item


def dead(item: int) -> int:
    os._exit(9)


def marked(folder: Path, item: int) -> int:
    """Writes from when to when it was under way."""
    began = time.monotonic()
    time.sleep(0.3)
    (folder / str(item)).write_text(f"{began} {time.monotonic()}")
    return item
