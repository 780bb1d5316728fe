"""What every recorded FrameSource promises, whatever it is made of."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from patrolvision.ports import FrameSource
from patrolvision.sources.opening import open_recording
from patrolvision.types import Mission

from .making import START, car, make_exif, make_jpeg, make_video, uas_fix


def video_without_telemetry(folder: Path) -> Path:
    return make_video(folder / "a.mp4", [k / 10 for k in range(20)])


def video_with_telemetry_inside(folder: Path) -> Path:
    times = [k / 10 for k in range(20)]
    packets = [(t, uas_fix(START + timedelta(seconds=t), 22.84, 113.23)) for t in times]
    return make_video(folder / "a.ts", times, klv=packets)


def folder_of_photos(folder: Path) -> Path:
    for k in range(3):
        exif = make_exif(taken=f"2026:05:04 08:00:0{k}", lat_lon=(22.84, 113.23))
        make_jpeg(folder / f"{k}.jpg", exif=exif)
    (folder / "bad.jpg").write_bytes(b"no picture")
    return folder


@pytest.fixture(params=[video_without_telemetry, video_with_telemetry_inside, folder_of_photos])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> FrameSource:
    media = request.param(tmp_path)
    return open_recording(Mission("m", str(media), "s"), car(), analysis_fps=5.0)


def test_frames_come_in_order_of_time_and_of_index(source: FrameSource) -> None:
    frames = list(source.frames())
    assert frames
    assert all(a.captured_at < b.captured_at for a, b in pairwise(frames))
    assert all(a.index < b.index for a, b in pairwise(frames))
    assert all((f.image.shape[1], f.image.shape[0]) == source.size_wh for f in frames)
    assert all(f.image.flags["C_CONTIGUOUS"] for f in frames)


def test_counts_balance_before_during_and_after(source: FrameSource) -> None:
    assert source.counts().read == 0
    frames = source.frames()
    next(frames)
    assert source.counts().analysed == 1
    delivered = 1 + sum(1 for _ in frames)
    counts = source.counts()
    assert counts.analysed == delivered
    assert counts.without_pose == sum(counts.pose_problems.values())


def test_closing_twice_is_no_error_and_playing_again_gives_the_same(source: FrameSource) -> None:
    first = [(f.index, f.captured_at, f.pose) for f in source.frames()]
    source.close()
    source.close()
    assert [(f.index, f.captured_at, f.pose) for f in source.frames()] == first
    source.close()
