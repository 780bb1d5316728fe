"""One live connection: its times, its limits, its secrets."""

from __future__ import annotations

import math
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from helpers.receivers import Speaking, rmc
from helpers.rtsp import RtspServer, SilentServer, free_port
from patrolvision.errors import MediaError
from patrolvision.sources.live_fixes import LiveFixes
from patrolvision.sources.receivers import Receiver
from patrolvision.sources.stream import MOST_WAIT_S, open_stream, without_secrets
from patrolvision.types import Pose

from .making import START, car, make_video, uas_fix

FPS = 20
FRAMES = 50


def no_pose(at: datetime, time_s: float) -> Pose | str:
    return "no telemetry"


def make_clip(path: Path, *, b_frames: int) -> Path:
    """FRAMES pictures at FPS, noise that changes, as a camera (or, with B-frames, a studio) has."""
    rng = np.random.default_rng(3)
    with av.open(str(path), "w") as container:
        options = {"bf": str(b_frames), "preset": "ultrafast", "b-adapt": "0", "g": "100"}
        stream = container.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(FRAMES):
            picture = rng.integers(0, 255, (48, 64, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtspServer]:
    folder = tmp_path_factory.mktemp("served")
    make_clip(folder / "camera.mp4", b_frames=0)
    make_clip(folder / "studio.mp4", b_frames=2)
    server = RtspServer(folder)
    server.start()
    yield server
    server.kill()


def times_and_indexes(server: RtspServer, name: str) -> tuple[list[float], list[int], int]:
    source = open_stream(server.url(name), stream_id="s", pose_at=no_pose, started_at=START)
    frames = list(source.frames())
    source.close()
    counts = source.counts()
    assert counts.analysed == len(frames)
    times = [(frame.captured_at - START).total_seconds() for frame in frames]
    return times, [frame.index for frame in frames], counts.read


def repeated(read: int) -> int:
    """How many pictures the server sent twice, as it does under load; their time is refused."""
    again = read - FRAMES
    assert 0 <= again <= FRAMES // 4  # how many is the server's affair: 4 of 50 were seen
    return again


def test_every_picture_of_a_served_clip_has_its_own_time(server: RtspServer) -> None:
    times, indexes, read = times_and_indexes(server, "camera.mp4")
    again = repeated(read)
    assert len(times) >= FRAMES - 1  # FFmpeg gives the first one no time where RTP starts at zero
    late = np.array(times) - np.array(indexes) / FPS  # RTP counts 1/90000 s
    assert -again / FPS - 0.002 <= late.min() <= late.max() <= 0.002
    np.testing.assert_allclose(np.diff(times), 1 / FPS, atol=0.002)


def test_time_stamps_in_the_order_of_decoding_are_put_in_order(server: RtspServer) -> None:
    times, indexes, read = times_and_indexes(server, "studio.mp4")
    repeated(read)
    assert (
        len(times) >= FRAMES - 3
    )  # one without a time, and what showed a deeper disorder than usual
    assert all(a < b for a, b in pairwise(times))
    late = np.array(times[6:]) - np.array(indexes[6:]) / FPS
    assert np.abs(late).max() <= 3 / FPS + 0.002  # a group of two B-frames spans three intervals


def test_only_as_many_frames_as_asked_for_are_delivered(server: RtspServer) -> None:
    source = open_stream(
        server.url("camera.mp4"), stream_id="s", pose_at=no_pose, started_at=START, analysis_fps=5.0
    )
    frames = list(source.frames())
    source.close()
    counts = source.counts()
    assert FRAMES / FPS * 5 - 1 <= len(frames) <= FRAMES / FPS * 5 + 1
    repeated(counts.read)
    assert counts.read == counts.analysed + sum(counts.skipped.values())
    assert counts.pose_problems == {"no telemetry": len(frames)}


def test_a_picture_of_another_shape_than_the_camera_s_has_no_pose(server: RtspServer) -> None:
    source = open_stream(
        server.url("camera.mp4"), stream_id="s", pose_at=no_pose, lens_wh=(160, 90)
    )
    next(source.frames())
    source.close()
    assert source.counts().pose_problems == {"not the camera's picture shape": 1}


def test_a_server_that_falls_silent_is_noticed(server: RtspServer) -> None:
    silent = RtspServer(server._folder)
    silent.start()
    try:
        source = open_stream(silent.url("camera.mp4"), stream_id="s", pose_at=no_pose, stall_s=1.0)
        with pytest.raises(MediaError, match=r"no answer in time|no good picture"):
            for frame in source.frames():
                if frame.index == 5:
                    silent.pause()
                    paused_s = time.monotonic()
        assert time.monotonic() - paused_s < 3.0  # the limit, what was on its way, and slack
        source.close()
    finally:
        silent.kill()


def test_an_address_that_takes_the_connection_and_says_nothing_is_given_up() -> None:
    silent = SilentServer()
    try:
        began_s = time.monotonic()
        with pytest.raises(MediaError, match="no answer in time"):
            open_stream(
                f"rtsp://127.0.0.1:{silent.port}/x", stream_id="s", pose_at=no_pose, stall_s=0.5
            )
        assert time.monotonic() - began_s < 3.0
    finally:
        silent.close()


def test_no_message_tells_a_password() -> None:
    url = f"rtsp://me:secret@127.0.0.1:{free_port()}/cam?token=hidden"
    with pytest.raises(MediaError, match=r"127\.0\.0\.1") as raised:
        open_stream(url, stream_id="s", pose_at=no_pose)
    assert "secret" not in str(raised.value)
    assert "hidden" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://u:p@host:554/live", "rtsp://host:554/live"),
        ("rtsp://u:p%40q@host/live?a=b@c", "rtsp://host/live"),
        ("clips/a@b.mp4", "clips/a@b.mp4"),
    ],
)
def test_an_address_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert without_secrets(url) == shown


class ServedOnce:
    """A TCP server that sends a file's bytes to the first who connects."""

    def __init__(self, path: Path) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"tcp://127.0.0.1:{self._listening.getsockname()[1]}"
        self._data = path.read_bytes()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        connection, _ = self._listening.accept()
        with connection, suppress(OSError):
            connection.sendall(self._data)
        self._listening.close()


def test_metadata_inside_a_stream_gives_its_pictures_their_poses(tmp_path: Path) -> None:
    times = [k / 10 for k in range(60)]
    told = [
        (0.2 * k, uas_fix(START + timedelta(seconds=0.2 * k), 48.0 + 1e-5 * k, 11.0))
        for k in range(28)
    ]
    clip = make_video(tmp_path / "drone.ts", times, klv=told)
    live = LiveFixes("drone", car())
    served = ServedOnce(clip)
    source = open_stream(served.url, stream_id="s", pose_at=live.pose_at, live=live)
    frames = list(source.frames())
    source.close()
    counts = source.counts()
    assert counts.read == counts.analysed + sum(counts.skipped.values())
    assert [f.index for f in frames] == sorted({f.index for f in frames})
    assert counts.pose_problems.keys() <= {"no telemetry", "before telemetry", "after telemetry"}
    placed = [f for f in frames if f.pose is not None]
    assert len(placed) >= 50
    for frame in placed:
        at_s = (frame.captured_at - frames[0].captured_at).total_seconds()
        assert frame.pose is not None
        assert frame.pose.lat_deg == pytest.approx(48.0 + 5e-5 * frame.index / 10, abs=2e-7), at_s


def test_a_receiver_that_talks_beside_a_stream_gives_its_pictures_their_poses(
    server: RtspServer,
) -> None:
    began, stop = datetime.now(UTC), threading.Event()

    def north_m(at: datetime) -> float:
        """How far a car has driven that turns the speed up and down, as on a road."""
        gone_s = (at - began).total_seconds()
        return 10.0 * gone_s - 4.0 * math.cos(gone_s)

    def driving(call: int) -> Iterator[str]:
        while not stop.wait(0.25):
            now = datetime.now(UTC)
            lat_deg = 31.2 + north_m(now) / 110_870.0
            yield rmc(now, lat_deg, 121.4, 10.0 + 4.0 * math.sin((now - began).total_seconds()), 0)

    receiver = Speaking(driving)
    live = LiveFixes("gps", car())
    Receiver(f"nmea+tcp://127.0.0.1:{receiver.port}", live, stop).start()
    time.sleep(1.5)
    source = open_stream(
        server.url("camera.mp4"), stream_id="s", pose_at=live.pose_at, live=live, clock=live.now
    )
    frames, came = [], []
    for frame in source.frames():
        frames.append(frame)
        came.append(datetime.now(UTC))
    source.close()
    stop.set()
    receiver.close()
    late_s = [(now - f.captured_at).total_seconds() for now, f in zip(came, frames, strict=True)]
    assert max(late_s) < MOST_WAIT_S + 1.0 and min(late_s) >= 0.0
    placed = [f for f in frames if f.pose is not None]
    assert len(placed) >= 0.8 * len(frames), source.counts()
    for frame in placed:
        assert frame.pose is not None
        off_m = (frame.pose.lat_deg - 31.2) * 110_870.0 - north_m(frame.captured_at)
        assert abs(off_m) < 0.3  # a receiver's second cut into quarters
