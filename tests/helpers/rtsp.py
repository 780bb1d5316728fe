"""An RTSP server on loopback for tests, and sockets that misbehave as servers do."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

STARTS_WITHIN_S = 20.0


def free_port() -> int:
    """A loopback port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RtspServer:
    """Publishes a folder's clips, each paced by its own clock; may be killed and started again."""

    def __init__(self, folder: Path) -> None:
        found = shutil.which("rtsp-server", path=str(Path(sys.executable).parent))
        if found is None:
            pytest.skip("needs the development package aio-rtsp-toolkit (command rtsp-server)")
        self._command, self._folder = found, folder
        self.port, self._control_port = free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, name: str) -> str:
        """Where a clip of the folder is played, once per connection."""
        return f"rtsp://127.0.0.1:{self.port}/{name}?play_count=1"

    def start(self) -> None:
        """Start in a process group of its own, and wait until it listens."""
        self._process = subprocess.Popen(
            [self._command, "--dir", str(self._folder), "--host", "127.0.0.1",
             "--port", str(self.port), "--control-port", str(self._control_port)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        until = time.monotonic() + STARTS_WITHIN_S
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        self.kill()
        pytest.fail("the RTSP server did not start")

    def pause(self) -> None:
        """Fall silent and keep every connection: a stall."""
        self._send(signal.SIGSTOP)

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        if self._process is not None:
            self._send(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _send(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, number)


class SilentServer:
    """Takes every connection and never says a word."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._taken: list[socket.socket] = []
        self._thread = threading.Thread(target=self._take, daemon=True)
        self._thread.start()

    def _take(self) -> None:
        while True:
            try:
                self._taken.append(self._socket.accept()[0])
            except OSError:
                return

    def close(self) -> None:
        """Hang up on everybody."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()
        for taken in self._taken:
            taken.close()
