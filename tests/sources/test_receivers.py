"""Receivers at addresses: gpsd and NMEA 0183, on sockets of this machine."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from helpers.receivers import Speaking, gga, nmea, rmc
from helpers.rtsp import free_port
from patrolvision.errors import TelemetryError
from patrolvision.sources.gpsd import WATCH, PlayingReports
from patrolvision.sources.live_fixes import LiveFixes
from patrolvision.sources.nmea import PlayingSentences, parse
from patrolvision.sources.receivers import Receiver, check_address
from patrolvision.types import Pose

from .making import START, car


def sentences(second: int, kinds: Sequence[str] = ("GGA", "RMC")) -> list[str]:
    """What a receiver that drives north at 19.4 knots says in one second."""
    at = START + timedelta(seconds=second)
    lat_deg, lon_deg = 48.0 + second * 10.0 / 1852.0 / 60.0, 11.0 + 40.0 / 60.0
    said = {
        "GGA": gga(at, lat_deg, lon_deg),
        "RMC": rmc(at, lat_deg, lon_deg, 10.0, 0.0),
        "HDT": nmea("HDT", "1.5", "T"),
    }
    return [said[kind] for kind in kinds]


def tpv(second: int, **more: object) -> str:
    """gpsd's report of the same drive."""
    at = START + timedelta(seconds=second)
    report = {
        "class": "TPV", "mode": 3, "time": f"{at:%Y-%m-%dT%H:%M:%S.000Z}",
        "lat": 48.0 + second * 10.0 / 1852.0 / 60.0, "lon": 11.0 + 40.0 / 60.0,
        "speed": 10.0, "track": 0.0, "epx": 3.0, "epy": 4.0, "altMSL": 520.0,
    }  # fmt: skip
    return json.dumps(report | more)


@pytest.mark.parametrize(
    "kinds", [("GGA", "RMC"), ("RMC", "GGA"), ("RMC",), ("RMC", "GGA", "HDT")], ids="-".join
)
def test_sentences_as_they_come_make_the_fixes_of_the_log(kinds: tuple[str, ...]) -> None:
    lines = [line for second in range(8) for line in sentences(second, kinds)]
    playing = PlayingSentences()
    at_line = [playing.fixes(line) for line in lines]
    logged = parse(Path("log"), "\n".join(lines)).fixes
    found = [fix for fixes in at_line for fix in fixes]
    assert found == list(logged[: len(found)]) and len(found) >= len(logged) - 1
    # From the third second on, a fix is told with the last sentence of its own second.
    for second in range(2, 8):
        told = at_line[second * len(kinds) + len(kinds) - 1]
        assert [fix.at for fix in told] == [START + timedelta(seconds=second)]


def test_noise_between_sentences_is_ignored_and_a_broken_one_costs_itself_only() -> None:
    playing = PlayingSentences()
    lines = [line for second in range(6) for line in sentences(second)]
    lines[5] = lines[5][:-1] + "0"
    lines = ["$GPGSV,1,1,00*79", "\x00\xff?", *lines, "$GPRMC,,V,,,,,,,,,,N*53"]
    found = [fix for line in lines for fix in playing.fixes(line)]
    assert len(found) >= 5 and all(fix.problem is None for fix in found)


def test_reports_of_gpsd_become_fixes() -> None:
    playing = PlayingReports()
    assert playing.fixes('{"class":"VERSION","release":"3.25"}') == []
    assert playing.fixes("no json") == playing.fixes("[1]") == []
    (fix,) = playing.fixes(tpv(3))
    assert (fix.at, fix.problem) == (START + timedelta(seconds=3), None)
    assert fix.values["speed_mps"] == 10.0 and fix.values["sigma_position_m"] == 4.0
    assert fix.values["heading_deg"] is None
    assert playing.fixes('{"class":"ATT","heading":12.5}') == []
    assert playing.fixes(tpv(4))[0].values["heading_deg"] == 12.5
    (lost,) = playing.fixes(tpv(5, mode=1, lat=True, speed="fast", time="?"))
    assert (lost.problem, lost.at, lost.lat_deg) == ("no fix", None, None)
    assert lost.values["speed_mps"] is None


@pytest.mark.parametrize(
    "url",
    ["nmea+tcp://10.0.0.1", "gpsd://", "nmea+udp://:99999", "http://x:1", "nmea+tcp://h:p", "x"],
)
def test_an_address_that_names_no_receiver_is_refused(url: str) -> None:
    with pytest.raises(TelemetryError, match="expected gpsd://HOST"):
        check_address(url)


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def eventually(fact: Callable[[], bool], within_s: float = 10.0) -> None:
    until = time.monotonic() + within_s
    while not fact():
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.02)


def knows(fixes: LiveFixes, second: float) -> bool:
    return isinstance(fixes.pose_at(START + timedelta(seconds=second), 0.0), Pose)


@pytest.mark.parametrize("scheme", ["gpsd", "nmea+tcp"])
def test_a_receiver_that_hangs_up_is_called_again(scheme: str, stop: threading.Event) -> None:
    def said(call: int) -> list[str]:
        seconds = range(5 * call, 5 * call + 5)
        if scheme == "gpsd":
            return ['{"class":"VERSION"}', *map(tpv, seconds)]
        return [line for second in seconds for line in sentences(second)]

    server = Speaking(said)
    fixes = LiveFixes("gps", car(), clock=None)
    receiver = Receiver(f"{scheme}://127.0.0.1:{server.port}", fixes, stop)
    receiver.start()
    eventually(lambda: knows(fixes, 3.5))
    eventually(lambda: knows(fixes, 8.5))  # of the second connection
    stop.set()
    receiver.join(5.0)
    server.close()
    assert server.heard[0] == (WATCH if scheme == "gpsd" else b"")


def test_sentences_in_datagrams_are_heard(stop: threading.Event) -> None:
    port = free_port()
    fixes = LiveFixes("gps", car(), clock=None)
    Receiver(f"nmea+udp://127.0.0.1:{port}", fixes, stop).start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
        second = 0

        def send() -> bool:
            nonlocal second
            sending.sendto("\r\n".join(sentences(second)).encode(), ("127.0.0.1", port))
            second += 1
            return second > 8 and knows(fixes, second - 3.5)

        eventually(send)
    pose = fixes.pose_at(START + timedelta(seconds=second - 3.5), 0.0)
    assert isinstance(pose, Pose)
    assert pose.lat_deg == pytest.approx(48.0 + (second - 3.5) * 10.0 / 1852.0 / 60.0, abs=1e-6)


def test_nobody_at_the_address_is_told_once_and_tried_again(
    stop: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    fixes = LiveFixes("gps", car(), clock=None)
    with caplog.at_level(logging.WARNING):
        Receiver(f"nmea+tcp://127.0.0.1:{port}", fixes, stop).start()
        time.sleep(1.8)  # tries at 0, 0.5 and 1.5 s
    told = [r.message for r in caplog.records]
    assert len(told) == 1 and "trying again" in told[0] and str(port) in told[0]
    assert fixes.is_ready(START, 0.0)  # no picture waits for it
