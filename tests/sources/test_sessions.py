"""A live stream as sessions: newest frame wins, losses are survived, stops are prompt."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from helpers.rtsp import SilentServer, free_port
from patrolvision.errors import MediaError
from patrolvision.ports import FrameSource
from patrolvision.sources.opening import open_recording
from patrolvision.sources.sessions import Backoff, Session, Stream
from patrolvision.sources.stream import open_stream
from patrolvision.types import Frame, FrameCounts, Mission

from .making import START, make_video


class Quick:
    """A FrameSource of n frames at step_s, which may break at its end."""

    def __init__(self, n: int, *, step_s: float = 0.002, breaks: bool = False) -> None:
        self._n, self._step_s, self._breaks = n, step_s, breaks
        self._given = 0
        self.is_closed = False

    @property
    def duration_s(self) -> float | None:
        return None

    @property
    def size_wh(self) -> tuple[int, int]:
        return 2, 2

    def frames(self) -> Iterator[Frame]:
        for k in range(self._n):
            time.sleep(self._step_s)
            self._given += 1
            yield Frame("s", k, START + timedelta(seconds=k), np.zeros((2, 2, 3), np.uint8))
        if self._breaks:
            raise MediaError("the cable was pulled")

    def counts(self) -> FrameCounts:
        return FrameCounts(self._given, self._given, {})

    def close(self) -> None:
        self.is_closed = True


def test_a_slow_analysis_gets_the_newest_frame_and_the_others_are_counted() -> None:
    source = Quick(100)
    session = Session(source, "m", threading.Event())
    seen = []
    for frame in session.frames():
        time.sleep(0.02)
        session.done(frame)
        seen.append(frame.index)
    counts = session.counts()
    assert seen == sorted(seen)
    assert seen[-1] == 99  # the newest of all is never the one that is dropped
    assert counts.read == 100
    assert counts.analysed == len(seen) < 60
    assert counts.skipped == {"superseded": 100 - len(seen)}
    assert source.is_closed


def test_counts_add_up_at_any_moment() -> None:
    session = Session(Quick(60), "m", threading.Event())
    for frame in session.frames():
        session.counts()  # FrameCounts refuses to be born if they do not
        time.sleep(0.004)
        session.done(frame)
    assert session.counts().read == 60


def test_a_stop_in_the_middle_ends_a_session_at_once() -> None:
    stop = threading.Event()
    session = Session(Quick(10_000), "m", stop)
    for frame in session.frames():
        session.done(frame)
        if frame.index > 5:
            stop.set()
            stopped_s = time.monotonic()
    assert time.monotonic() - stopped_s < 0.5
    assert session.counts().read < 1000


def test_a_network_stream_is_connected_anew_after_every_end_and_every_break() -> None:
    stop = threading.Event()
    opened: list[Quick] = []

    def open_source() -> FrameSource:
        if len(opened) == 1:
            opened.append(Quick(0))
            raise MediaError("the other side is down")
        opened.append(Quick(3, breaks=len(opened) == 0))
        return opened[-1]

    stream = Stream("s", open_source, stop, is_network=True, backoff=Backoff(0.01, 0.02))
    problems, missions = [], []
    for session in stream.sessions():
        for frame in session.frames():
            session.done(frame)
        problems.append(session.problem)
        missions.append(session.mission_id)
        if len(problems) == 3:
            stop.set()
    assert problems == ["the cable was pulled", None, None]
    assert len(set(missions)) == 3
    assert len(opened) == 4


def test_an_address_that_is_long_unreachable_costs_no_threads() -> None:
    stop = threading.Event()
    address = f"rtsp://127.0.0.1:{free_port()}/x"
    tries = 0

    def open_source() -> FrameSource:
        nonlocal tries
        tries += 1
        if tries == 40:
            stop.set()
        return open_stream(address, stream_id="s", pose_at=lambda at, s: "none")

    before = threading.active_count()
    stream = Stream("s", open_source, stop, is_network=True, backoff=Backoff(0.001, 0.002))
    assert list(stream.sessions()) == []
    assert stream.failures >= 39
    assert "cannot be opened" in str(stream.problem)
    time.sleep(0.2)
    assert threading.active_count() <= before


def test_a_stop_does_not_wait_for_an_address_that_says_nothing() -> None:
    silent, stop = SilentServer(), threading.Event()
    address = f"rtsp://127.0.0.1:{silent.port}/x"
    open_source = partial(
        open_stream, address, stream_id="s", pose_at=lambda at, s: "none", stall_s=4.0
    )
    threading.Timer(0.3, stop.set).start()
    began_s = time.monotonic()
    assert list(Stream("s", open_source, stop, is_network=True).sessions()) == []
    assert time.monotonic() - began_s < 1.5
    silent.close()


def test_a_file_is_played_at_its_own_pace_and_ends(tmp_path: Path) -> None:
    clip = make_video(tmp_path / "a.mp4", [k / 10 for k in range(11)])
    mission = Mission("m", str(clip), "s", started_at=START)
    stream = Stream("s", partial(open_recording, mission), threading.Event(), is_network=False)
    began_s = time.monotonic()
    sessions = []
    for session in stream.sessions():
        for frame in session.frames():
            session.done(frame)
        sessions.append(session)
    assert time.monotonic() - began_s >= 1.0
    assert [session.mission_id for session in sessions] == ["s-20260504T000000Z-0"]
    assert sessions[0].counts().read == 11


@given(failures=st.integers(1, 10_000), least_s=st.floats(0.01, 5), factor=st.floats(1, 1000))
def test_pauses_grow_to_their_limit_and_stay_there(
    failures: int, least_s: float, factor: float
) -> None:
    backoff = Backoff(least_s, least_s * factor)
    assert backoff.pause_s(1) == least_s
    assert least_s <= backoff.pause_s(failures) <= backoff.pause_s(failures + 1) <= backoff.most_s
