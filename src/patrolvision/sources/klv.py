"""MISB ST 0601 metadata: raw packets, or the data stream of a transport stream.

Own decoding instead of klvdata, which neither verifies the checksum nor says which tag was wrong;
the tests hold it against klvdata. Tags and ranges: MISB ST 0601, as in klvdata's source.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import av
import av.error

from patrolvision.errors import TelemetryError
from patrolvision.geo.attitude import camera_angles
from patrolvision.sources.fixes import EPOCH, RawFix, RawLog, later

FORMAT = "misb-st-0601"
UAS_KEY = bytes.fromhex("060e2b34020b01010e01030101000000")
_CHECKSUM, _TIME = 1, 2
_LONGEST_PACKET = 1024
_CAMERA_ANGLES = ("gimbal_heading_deg", "gimbal_pitch_deg", "gimbal_roll_deg")


@dataclass(frozen=True, slots=True)
class _Range:
    """A whole number of `size` bytes laid over [low, high] (MISB ST 0601, section on mapping)."""

    size: int
    low: float
    high: float
    signed: bool = False

    def value(self, octets: bytes) -> float | None:
        """The number; None for the reserved "out of range" (-2^(n-1)) or a wrong length."""
        if len(octets) != self.size:
            return None
        number = int.from_bytes(octets, "big", signed=self.signed)
        steps: int = 1 << 8 * self.size
        if not self.signed:
            return self.low + number * (self.high - self.low) / (steps - 1)
        if number == -steps // 2:
            return None
        return number * (self.high - self.low) / (steps - 2)


_TAGS: Mapping[int, tuple[str, _Range]] = {
    5: ("heading_deg", _Range(2, 0, 360)),
    6: ("pitch_deg", _Range(2, -20, 20, signed=True)),
    7: ("roll_deg", _Range(2, -50, 50, signed=True)),
    13: ("lat_deg", _Range(4, -90, 90, signed=True)),
    14: ("lon_deg", _Range(4, -180, 180, signed=True)),
    15: ("alt_msl_m", _Range(2, -900, 19000)),
    16: ("hfov_deg", _Range(2, 0, 180)),
    17: ("vfov_deg", _Range(2, 0, 180)),
    18: ("sensor_azimuth_deg", _Range(4, 0, 360)),
    19: ("sensor_elevation_deg", _Range(4, -180, 180, signed=True)),
    20: ("sensor_roll_deg", _Range(4, 0, 360)),
    56: ("speed_mps", _Range(1, 0, 255)),
    64: ("magnetic_heading_deg", _Range(2, 0, 360)),
    75: ("alt_ellipsoid_m", _Range(2, -900, 19000)),
    90: ("full_pitch_deg", _Range(4, -90, 90, signed=True)),
    91: ("full_roll_deg", _Range(4, -90, 90, signed=True)),
}


@dataclass(frozen=True, slots=True)
class _Packet:
    items: Mapping[int, bytes]
    video_time_s: float | None
    checksum_holds: bool


def looks_like_packets(data: bytes) -> bool:
    """Whether a UAS local set begins near the beginning: a capture may begin inside a packet."""
    is_near = 0 <= data.find(UAS_KEY) < _LONGEST_PACKET
    return is_near and not looks_like_transport_stream(data)


def looks_like_transport_stream(data: bytes) -> bool:
    """Whether sync bytes stand every 188 (or, in m2ts, 192) bytes."""
    return any(
        len(data) > start + 2 * size and all(data[start + i * size] == 0x47 for i in range(3))
        for start, size in ((0, 188), (4, 192))
    )


def parse_packets(data: bytes) -> RawLog:
    """Every local set in the bytes; not tied to a video."""
    problems: Counter[str] = Counter()
    return _log(list(_packets(data, None, problems)), problems)


class PlayingPackets:
    """The local sets of a stream while it plays.

    Packets whose checksum fails are dropped from the first on whose holds.
    """

    def __init__(self) -> None:
        self._any_holds = False

    def fixes(self, data: bytes, video_time_s: float | None) -> list[RawFix]:
        """The fixes of one packet of the stream, tied to the video by its time."""
        found = []
        for packet in _packets(data, video_time_s, Counter()):
            self._any_holds = self._any_holds or packet.checksum_holds
            if packet.checksum_holds or not self._any_holds:
                found.append(_fix(packet.items, packet.video_time_s))
        return found


def parse_transport_stream(path: Path) -> RawLog | None:
    """The local sets of the file's data streams, tied by packet times; None without any."""
    problems: Counter[str] = Counter()
    packets: list[_Packet] = []
    try:
        with av.open(str(path)) as container:
            streams = [s for s in container.streams if s.type == "data"]
            origin_s = _video_origin_s(container)
            for packet in container.demux(streams) if streams else ():
                if packet.size:
                    at_s = None if packet.pts is None else float(packet.pts * packet.time_base)
                    tied_s = None if at_s is None else at_s - origin_s
                    packets += _packets(bytes(packet), tied_s, problems)
    except (av.error.FFmpegError, OSError, LookupError) as error:
        raise TelemetryError(f"{path.name}: the data stream cannot be read ({error})") from error
    return _log(packets, problems) if packets or problems else None


def _log(packets: list[_Packet], problems: Counter[str]) -> RawLog:
    """Packets whose checksum fails are dropped, unless it fails for all: then the encoder is wrong.

    (So it is in the standard's own printed example.) That is counted, so that it can be seen.
    """
    any_holds = any(packet.checksum_holds for packet in packets)
    fixes = []
    for packet in packets:
        if not packet.checksum_holds:
            problems["bad checksum" if any_holds else "kept without a valid checksum"] += 1
        if packet.checksum_holds or not any_holds:
            fixes.append(_fix(packet.items, packet.video_time_s))
    name = "tags 13 and 14 (sensor latitude, longitude)"
    return RawLog(FORMAT, tuple(fixes), name, dict(problems))


def _video_origin_s(container: Any) -> float:
    for stream in container.streams.video:
        if stream.start_time is not None and stream.time_base is not None:
            return float(stream.start_time * stream.time_base)
    return 0.0


def _packets(data: bytes, video_time_s: float | None, problems: Counter[str]) -> Iterator[_Packet]:
    at = data.find(UAS_KEY)
    while at >= 0:
        body_at = at + len(UAS_KEY)
        length, start = _ber_length(data, body_at)
        end = start + length
        if length < 0 or end > len(data):
            problems["cut packet"] += 1
            end = body_at
        else:
            items = dict(_items(data[start:end]))
            yield _Packet(items, video_time_s, _checksum_holds(data[at:end]))
        at = data.find(UAS_KEY, end)


def _ber_length(data: bytes, at: int) -> tuple[int, int]:
    """(length, index of the first byte after it) in BER short or long form; -1 where it is cut."""
    if at >= len(data):
        return -1, at
    first = data[at]
    if first < 0x80:
        return first, at + 1
    count = first & 0x7F
    if count == 0 or count > 4 or at + 1 + count > len(data):
        return -1, at + 1
    return int.from_bytes(data[at + 1 : at + 1 + count], "big"), at + 1 + count


def _items(body: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(body):
        tag = 0
        while at < len(body):  # BER-OID: seven bits per byte, the last without the high bit
            octet = body[at]
            at += 1
            tag = tag << 7 | octet & 0x7F
            if octet < 0x80:
                break
        length, at = _ber_length(body, at)
        if length < 0 or at + length > len(body):
            return
        yield tag, body[at : at + length]
        at += length


def _checksum_holds(packet: bytes) -> bool:
    """The 16-bit sum over the packet up to the checksum's value, which is its last two bytes."""
    if packet[-4:-2] != bytes((_CHECKSUM, 2)):
        return False
    body = packet[:-2]
    total = sum(body[0::2]) * 256 + sum(body[1::2])
    return total & 0xFFFF == int.from_bytes(packet[-2:], "big")


def _fix(items: Mapping[int, bytes], video_time_s: float | None) -> RawFix:
    read = {name: scale.value(items[tag]) for tag, (name, scale) in _TAGS.items() if tag in items}
    pitch = read.get("full_pitch_deg", read.get("pitch_deg"))
    roll = read.get("full_roll_deg", read.get("roll_deg"))
    values: dict[str, float | None] = {
        name: read.get(name) for name in ("heading_deg", "alt_msl_m", "hfov_deg", "speed_mps")
    }
    values["pitch_deg"], values["roll_deg"] = pitch, roll
    values.update(_camera_angles(read, pitch, roll))
    lat, lon = read.get("lat_deg"), read.get("lon_deg")
    return RawFix(lat, lon, _instant(items.get(_TIME)), video_time_s, values)


def _instant(octets: bytes | None) -> datetime | None:
    if octets is None or len(octets) != 8:
        return None
    return later(EPOCH, int.from_bytes(octets, "big") / 1e6)


def _camera_angles(
    read: Mapping[str, float | None], pitch: float | None, roll: float | None
) -> dict[str, float | None]:
    """The camera's absolute angles: its azimuth, elevation and roll turned by the platform's."""
    heading = read.get("heading_deg")
    azimuth, elevation = read.get("sensor_azimuth_deg"), read.get("sensor_elevation_deg")
    if heading is None or azimuth is None or elevation is None:
        return {}
    sensor_roll = read.get("sensor_roll_deg") or 0.0
    angles = camera_angles(heading, pitch or 0.0, roll or 0.0, azimuth, elevation, sensor_roll)
    return dict(zip(_CAMERA_ANGLES, angles, strict=True))
