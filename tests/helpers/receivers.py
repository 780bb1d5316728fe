"""What vehicles' receivers say, and servers on loopback that say it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from datetime import datetime

KNOT_MPS = 1852.0 / 3600.0


def nmea(kind: str, *fields: str) -> str:
    """A sentence of a GPS receiver with its checksum."""
    body = f"GP{kind},{','.join(fields)}"
    total = 0
    for letter in body:
        total ^= ord(letter)
    return f"${body}*{total:02X}"


def rmc(at: datetime, lat_deg: float, lon_deg: float, speed_mps: float, course_deg: float) -> str:
    """Place, speed and course of one instant."""
    knots, course = f"{speed_mps / KNOT_MPS:.3f}", f"{course_deg:.2f}"
    time_of_day = f"{at:%H%M%S}.{at.microsecond // 1000:03d}"
    place = (*_angle(lat_deg, 2, "NS"), *_angle(lon_deg, 3, "EW"))
    return nmea("RMC", time_of_day, "A", *place, knots, course, f"{at:%d%m%y}", "", "", "A")


def gga(at: datetime, lat_deg: float, lon_deg: float, hdop: float = 0.8) -> str:
    """Place and quality of one instant."""
    time_of_day = f"{at:%H%M%S}.{at.microsecond // 1000:03d}"
    place = (*_angle(lat_deg, 2, "NS"), *_angle(lon_deg, 3, "EW"))
    return nmea("GGA", time_of_day, *place, "1", "09", f"{hdop}", "12.0", "M", "8.0", "M", "", "")


def _angle(deg: float, digits: int, letters: str) -> tuple[str, str]:
    whole, minutes = divmod(abs(deg) * 60.0, 60.0)
    return f"{int(whole):0{digits}d}{minutes:010.7f}", letters[deg < 0]


class Speaking:
    """A TCP server that tells whoever connects what a call of lines(number of the call) gives."""

    def __init__(self, lines: Callable[[int], Iterable[str]]) -> None:
        self.heard: list[bytes] = []
        self._lines, self._calls = lines, 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(0.05)
                try:
                    self.heard.append(connection.recv(1000))
                except TimeoutError:
                    self.heard.append(b"")
                self._tell(connection)
            self._calls += 1

    def _tell(self, connection: socket.socket) -> None:
        try:
            for line in self._lines(self._calls):
                connection.sendall(line.encode() + b"\r\n")
        except OSError:
            return  # whoever listened has gone

    def close(self) -> None:
        """Take no further call."""
        self._listening.close()
