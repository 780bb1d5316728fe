"""The annotated clip keeps the footage's own times, and no more pictures than the eye needs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import numpy as np
import pytest

from patrolvision.evidence.annotated import MOST_FPS, AnnotatedClip
from patrolvision.types import Detections, Frame

AT = datetime(2026, 5, 4, tzinfo=UTC)


def times_of_clip(path: Path, fps: float, seconds: float) -> list[float]:
    image = np.full((64, 96, 3), 120, np.uint8)
    with AnnotatedClip(path, (96, 64), ("litter",)) as clip:
        for k in range(round(seconds * fps)):
            frame = Frame("s", k, AT + timedelta(seconds=k / fps), image)
            clip.add(frame, Detections.none())
    with av.open(str(path)) as container:
        return [float(f.time) for f in container.decode(video=0)]


@pytest.mark.parametrize("fps", [2.0, 5.0, 12.5])
def test_few_pictures_a_second_are_all_kept_at_their_times(tmp_path: Path, fps: float) -> None:
    times = times_of_clip(tmp_path / "a.mp4", fps, 2.0)
    assert times == pytest.approx([k / fps for k in range(round(2.0 * fps))], abs=0.002)


def test_many_pictures_a_second_are_thinned_and_keep_their_times(tmp_path: Path) -> None:
    times = times_of_clip(tmp_path / "a.mp4", 30.0, 2.0)
    assert len(times) <= 2.0 * MOST_FPS + 1
    assert all(abs(t * 30 - round(t * 30)) < 0.05 for t in times)
    assert times[-1] > 1.8
