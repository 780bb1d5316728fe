"""Videos: times as they are presented, pictures upright, every frame accounted for."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import av
import numpy as np
import pytest

from patrolvision.errors import MediaError
from patrolvision.ports import FrameSource
from patrolvision.sources.video import VideoSource, probe
from patrolvision.types import Frame, Pose

from .making import START, make_audio_only, make_video, turn_quarter_clockwise

UNEVEN = [0.0, 0.1, 0.15, 0.4, 1.0, 1.001, 2.5]


def opened(
    path: Path, analysis_fps: float | None = None, reason: str = "no telemetry"
) -> VideoSource:
    def no_pose(at: datetime, time_s: float) -> Pose | str:
        return reason

    return VideoSource(
        path, stream_id="car1", pose_at=no_pose, started_at=START, analysis_fps=analysis_fps
    )


def seconds(frames: list[Frame]) -> list[float]:
    return [(frame.captured_at - START).total_seconds() for frame in frames]


def test_uneven_frames_keep_their_own_presentation_times(tmp_path: Path) -> None:
    source = opened(make_video(tmp_path / "a.mp4", UNEVEN))
    frames = list(source.frames())
    assert seconds(frames) == pytest.approx(UNEVEN, abs=1e-3)  # the clip counts milliseconds
    assert [frame.index for frame in frames] == list(range(len(UNEVEN)))
    assert frames[0].image.shape == (48, 64, 3)
    assert source.counts().read == source.counts().analysed == len(UNEVEN)
    assert source.counts().pose_problems == {"no telemetry": len(UNEVEN)}


def test_a_stream_that_starts_late_counts_from_its_first_frame(tmp_path: Path) -> None:
    source = opened(
        make_video(tmp_path / "a.ts", [5.0, 5.1, 5.3, *(6 + k / 10 for k in range(40))])
    )
    got = seconds(list(source.frames()))
    assert got[:4] == pytest.approx([0.0, 0.1, 0.3, 1.0], abs=1e-3)


@pytest.mark.parametrize(
    ("rate", "fps", "expected"),
    [(30.0, 5.0, 50), (29.97, 5.0, 50), (25.0, 7.0, 70), (10.0, 30.0, 100)],
)
def test_thinning_goes_by_time_and_counts_what_it_leaves_out(
    tmp_path: Path, rate: float, fps: float, expected: int
) -> None:
    n = round(10 * rate)
    source = opened(make_video(tmp_path / "a.mp4", [k / rate for k in range(n)]), fps)
    frames = list(source.frames())
    assert abs(len(frames) - expected) <= 1  # ten seconds, give or take the frame at its end
    steps = np.diff(seconds(frames))
    assert steps.max() < 1 / min(fps, rate) + 1 / rate + 0.002
    counts = source.counts()
    assert counts.read == n == counts.analysed + counts.skipped.get("rate", 0)


def test_a_picture_filmed_upright_on_a_turned_phone_is_upright(tmp_path: Path) -> None:
    path = turn_quarter_clockwise(make_video(tmp_path / "a.mp4", [0.0, 0.1]))
    source = opened(path)
    assert source.size_wh == (48, 64)
    image = next(source.frames()).image
    source.close()
    assert image.shape == (64, 48, 3)
    # The white quarter was stored at the upper left; turned clockwise it is at the upper right.
    assert image[8, 40].mean() > 200 > image[8, 8].mean()
    assert image[56, 40].mean() < 200


def test_damaged_packets_are_counted_while_the_rest_goes_on(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", [k / 10 for k in range(60)], is_noisy=True)
    with av.open(str(path)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    data = bytearray(path.read_bytes())
    for at, size in packets[20:25]:
        data[at : at + size] = bytes(size)
    path.write_bytes(data)
    source = opened(path)
    frames = list(source.frames())
    counts = source.counts()
    assert counts.read == 60
    assert counts.skipped == {"undecodable": 5}
    assert len(frames) == counts.analysed == 55
    assert seconds(frames)[-1] == pytest.approx(5.9, abs=1e-3)


def test_a_video_whose_end_is_missing_says_how_many_frames_are(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", [k / 10 for k in range(60)], is_noisy=True)
    with av.open(str(path), options={}) as container:
        last = [(p.pos, p.size) for p in container.demux(video=0) if p.size][30]
    data = path.read_bytes()
    moov_at = data.find(b"moov") - 4
    path.write_bytes(data[: last[0]] + b"\0" * (moov_at - last[0]) + data[moov_at:])
    source = opened(path)
    frames = list(source.frames())
    assert len(frames) == 30
    assert source.counts().read == 60


def test_a_transport_stream_cut_in_the_middle_gives_what_it_has(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.ts", [k / 10 for k in range(60)])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    source = opened(path)
    assert 0 < len(list(source.frames())) < 60


def test_bad_files_are_refused_in_one_sentence_that_names_them(tmp_path: Path) -> None:
    whole = make_video(tmp_path / "whole.mp4", [k / 10 for k in range(20)]).read_bytes()
    cases = {
        "empty.mp4": (b"", "the file is empty"),
        "cut.mp4": (whole[: whole.find(b"moov") - 4], "not a readable video"),
        "text.mp4": (b"this is no video\n" * 50, "not a readable video"),
    }
    for name, (content, message) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(MediaError, match=rf"^{name}: {message}"):
            probe(tmp_path / name)
    with pytest.raises(MediaError, match=r"^sound\.mp4: has no video stream .found: audio"):
        probe(make_audio_only(tmp_path / "sound.mp4"))
    with pytest.raises(MediaError, match=r"^gone\.mp4: no such file"):
        probe(tmp_path / "gone.mp4")


def test_a_video_that_vanishes_before_it_is_played_says_so(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", [0.0, 0.1])
    source = opened(path)
    path.unlink()
    with pytest.raises(MediaError, match=r"^a\.mp4: no such file"):
        list(source.frames())


def test_closing_in_the_middle_stops_the_decoder_and_keeps_the_counts(tmp_path: Path) -> None:
    source = opened(make_video(tmp_path / "a.mp4", [k / 30 for k in range(300)]))
    frames = source.frames()
    next(frames)
    source.close()
    source.close()
    assert not any(t.name == "decode a.mp4" for t in threading.enumerate())
    assert list(frames) == []
    assert source.counts().read == 1


def test_playing_again_starts_over(tmp_path: Path) -> None:
    source: FrameSource = opened(make_video(tmp_path / "a.mp4", UNEVEN))
    first, second = list(source.frames()), list(source.frames())
    assert [f.captured_at for f in first] == [f.captured_at for f in second]
    assert source.counts().read == len(UNEVEN)


def test_the_header_tells_when_recording_began_unless_its_clock_was_never_set(
    tmp_path: Path,
) -> None:
    assert probe(make_video(tmp_path / "a.mp4", [0.0, 0.1])).created_at == START
    unset = make_video(tmp_path / "b.mp4", [0.0, 0.1], created_at=None)
    assert probe(unset).created_at is None


@pytest.mark.parametrize(
    ("name", "frames", "rate"),
    [
        ("gopro_gpmf/karma.mp4", 362, 30000 / 1001),
        ("dashcam/udacity_solidWhiteRight.mp4", 221, 25.0),
    ],
)
def test_real_clips_are_decoded_to_the_last_frame(
    shared: Path, name: str, frames: int, rate: float
) -> None:
    source = opened(shared / "footage" / name, analysis_fps=4.0)
    got = seconds(list(source.frames()))
    counts = source.counts()
    assert counts.read == frames
    assert Counter(counts.skipped) == {"rate": frames - len(got)}
    assert all(abs(t * rate - round(t * rate)) < 0.02 for t in got)
    assert timedelta(seconds=got[-1]) < timedelta(seconds=source.duration_s or 0.0)
