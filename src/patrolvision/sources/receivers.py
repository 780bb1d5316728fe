"""A vehicle's receiver at an address: gpsd, or NMEA 0183 over TCP or UDP.

Its thread connects anew for as long as nobody stops it, and never waits for ever.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from urllib.parse import urlsplit

from patrolvision.errors import TelemetryError
from patrolvision.sources import gpsd, nmea
from patrolvision.sources.fixes import RawFix
from patrolvision.sources.live_fixes import LiveFixes
from patrolvision.sources.sessions import Backoff

log = logging.getLogger(__name__)

SCHEMES = ("gpsd", "nmea+tcp", "nmea+udp")
CONNECT_S, POLL_S = 5.0, 0.5
DEAD_S = 30.0  # a connection that tells nothing for so long is given up
_LONGEST_LINE = 65_536  # gpsd's SKY reports are some kilobytes

Hear = Callable[[str], list[RawFix]]


def check_address(url: str) -> None:
    """TelemetryError, with what is expected, for an address that names no receiver."""
    try:
        parts = urlsplit(url)
        port = parts.port or (gpsd.PORT if parts.scheme == "gpsd" else None)
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in SCHEMES or not parts.hostname or port is None:
        raise TelemetryError(
            f"{url}: expected gpsd://HOST, nmea+tcp://HOST:PORT or nmea+udp://HOST:PORT "
            "(the address to listen on)"
        )


class Receiver:
    """Listens to a receiver in a thread of its own and passes its fixes on."""

    def __init__(self, url: str, fixes: LiveFixes, stop: threading.Event) -> None:
        check_address(url)
        parts = urlsplit(url)
        self.url, self._scheme = url, parts.scheme
        self._host, self._port = parts.hostname or "", parts.port or gpsd.PORT
        self._fixes, self._stop = fixes, stop
        self._backoff = Backoff()
        self._thread = threading.Thread(target=self._run, name=f"receiver {url}", daemon=True)

    def start(self) -> None:
        """Begin to listen; ends by itself once stop is set."""
        self._thread.start()

    def join(self, timeout_s: float) -> None:
        """Wait for the end of the thread, which follows stop within a second."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        failures, told = 0, ""
        while not self._stop.is_set():
            began_s = time.monotonic()
            try:
                self._listen()
                problem = "the other side ended the connection"
            except OSError as error:
                problem = error.strerror or str(error)
            except Exception as error:  # the door of a thread: nobody above could hear it
                log.exception("%s: listening failed", self.url)
                problem = str(error)
            if self._stop.is_set():
                return
            failures = 1 if time.monotonic() - began_s > DEAD_S else failures + 1
            if problem != told:
                log.warning("%s: %s; trying again", self.url, problem)
                told = problem
            self._stop.wait(self._backoff.pause_s(failures))

    def _listen(self) -> None:
        hear: Hear = (
            gpsd.PlayingReports() if self._scheme == "gpsd" else nmea.PlayingSentences()
        ).fixes
        with closing(self._connected()) as connection:
            connection.settimeout(POLL_S)
            for line in self._lines(connection):
                self._fixes.take(hear(line))

    def _connected(self) -> socket.socket:
        if self._scheme == "nmea+udp":
            listening = socket.socket(
                socket.AF_INET6 if ":" in self._host else socket.AF_INET, socket.SOCK_DGRAM
            )
            try:
                listening.bind((self._host, self._port))
            except OSError:
                listening.close()
                raise
            return listening
        connection = socket.create_connection((self._host, self._port), timeout=CONNECT_S)
        if self._scheme == "gpsd":
            connection.sendall(gpsd.WATCH)
        return connection

    def _lines(self, connection: socket.socket) -> Iterator[str]:
        """Lines as they come, until the other side ends or somebody stops."""
        rest, heard_s = b"", time.monotonic()
        is_datagrams = self._scheme == "nmea+udp"
        while not self._stop.is_set():
            try:
                data = connection.recv(_LONGEST_LINE)
            except TimeoutError:
                if not is_datagrams and time.monotonic() - heard_s > DEAD_S:
                    raise OSError(f"nothing was heard for {DEAD_S:.0f} s") from None
                continue
            if not data and not is_datagrams:
                return
            heard_s = time.monotonic()
            *lines, rest = (rest + data).split(b"\n")
            if is_datagrams or len(rest) > _LONGEST_LINE:
                lines, rest = [*lines, rest], b""
            for line in lines:
                if line.strip():
                    yield line.decode("ascii", errors="replace")
