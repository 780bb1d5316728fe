"""The annotated clip of a mission: heads and plates hidden, boxes drawn, true times."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType

from patrolvision.evidence.clip import ClipWriter
from patrolvision.evidence.draw import annotate
from patrolvision.evidence.keeper import private
from patrolvision.types import Detections, Frame

MOST_FPS = 15.0  # smooth to the eye; more would cost as much as the detection


class AnnotatedClip:
    """A context that writes the frames it is given, at most MOST_FPS of them a second.

    See ClipWriter for errors and atomicity.
    """

    def __init__(self, path: Path, size_wh: tuple[int, int], class_names: Sequence[str]) -> None:
        self.name: str | None = path.name
        self._writer = ClipWriter(path, size_wh)
        self._names = tuple(class_names)
        self._started_at: datetime | None = None
        self._due_s = 0.0

    def add(self, frame: Frame, detections: Detections) -> None:
        """Append a frame with its tracked detections, at its own time after the first."""
        self._started_at = self._started_at or frame.captured_at
        at_s = (frame.captured_at - self._started_at).total_seconds()
        if 0.0 <= at_s < self._due_s - 1e-3:
            return
        self._due_s = max(self._due_s, at_s) + 1.0 / MOST_FPS
        hidden = private(frame.image, detections, self._names)
        if detections.track_id is not None:  # what only an unsure glance saw is hidden, not shown
            detections = detections.select(detections.track_id >= 0)
        self._writer.add(annotate(hidden, detections, self._names), at_s)

    def __enter__(self) -> AnnotatedClip:
        self._writer.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.__exit__(kind, error, trace)
