"""The annotated clip: every frame at its own instant, whole or not there."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from patrolvision.errors import OutputError
from patrolvision.evidence.clip import ClipWriter

TIMES_S = [0.0, 0.2, 0.4, 0.433, 1.9, 2.0]


def written(path: Path, size_wh: tuple[int, int] = (64, 48)) -> Path:
    with ClipWriter(path, size_wh) as clip:
        for k, at_s in enumerate(TIMES_S):
            clip.add(np.full((size_wh[1], size_wh[0], 3), 40 * k, np.uint8), at_s)
    return path


def test_frames_come_back_at_the_instants_they_were_given(tmp_path: Path) -> None:
    with av.open(str(written(tmp_path / "clip.mp4"))) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        frames = list(container.decode(video=0))
    assert [float(f.pts * f.time_base) for f in frames] == pytest.approx(TIMES_S, abs=0.0006)
    assert [f.format.name for f in frames] == ["yuv420p"] * len(TIMES_S)
    shades = [float(f.to_ndarray(format="bgr24").mean()) for f in frames]
    assert shades == pytest.approx([40 * k for k in range(6)], abs=4)


def test_the_index_stands_before_the_pictures(tmp_path: Path) -> None:
    content = written(tmp_path / "clip.mp4").read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")


@pytest.mark.parametrize(
    ("size_wh", "written_wh"),
    [((1920, 1080), (1280, 720)), ((641, 361), (640, 360)), ((3840, 2160), (1280, 720))],
)
def test_clips_are_at_most_1280_wide_and_even(
    tmp_path: Path, size_wh: tuple[int, int], written_wh: tuple[int, int]
) -> None:
    with ClipWriter(tmp_path / "clip.mp4", size_wh) as clip:
        clip.add(np.zeros((size_wh[1], size_wh[0], 3), np.uint8), 0.0)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == written_wh


def test_a_time_that_stands_still_is_moved_on_by_a_millisecond(tmp_path: Path) -> None:
    with ClipWriter(tmp_path / "clip.mp4", (64, 48)) as clip:
        for _ in range(3):
            clip.add(np.zeros((48, 64, 3), np.uint8), 1.0)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        times = [float(f.pts * f.time_base) for f in container.decode(video=0)]
    assert np.diff(times) == pytest.approx([0.001, 0.001], abs=1e-6)


def test_a_run_that_breaks_off_leaves_no_clip_and_no_scrap(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), ClipWriter(tmp_path / "clip.mp4", (64, 48)) as clip:
        clip.add(np.zeros((48, 64, 3), np.uint8), 0.0)
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_clip_without_frames_is_no_file(tmp_path: Path) -> None:
    with ClipWriter(tmp_path / "clip.mp4", (64, 48)):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"clip\.mp4"):
        ClipWriter(tmp_path / "file" / "clip.mp4", (64, 48))
