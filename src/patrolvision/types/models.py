"""Detectors as they may be used, and missions that are over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from patrolvision.types.names import check_aware


@dataclass(frozen=True, slots=True)
class ModelRelease:
    """A detector as it may be used: its weights, classes, thresholds and provenance."""

    name: str
    version: str
    folder: Path
    classes: tuple[str, ...]
    input_width: int
    input_height: int
    thresholds: Mapping[str, float]
    nms_iou: float
    card: Mapping[str, Any]

    @property
    def id(self) -> str:
        """name@version: what every observation carries."""
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, slots=True)
class MissionRecord:
    """A mission that is over: its presence with the same digest means there is nothing left to do.

    digest is over everything that shaped the result (media, telemetry, settings, model); counts are
    what the summary says about it.
    """

    id: str
    digest: str
    state: Literal["done", "failed"]
    counts: Mapping[str, int]
    finished_at: datetime

    def __post_init__(self) -> None:
        check_aware(self.finished_at, "finished_at")
