"""Small files for these tests: videos with chosen time stamps, photos with EXIF, packets."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from patrolvision.sources.fixes import TelemetryLog
from patrolvision.sources.klv import UAS_KEY
from patrolvision.types import Camera, Lens, Mount, Sigma, TelemetrySample

START = datetime(2026, 5, 4, 0, 0, tzinfo=UTC)
METRES_PER_DEGREE = 111_319.49  # at the equator


def make_video(
    path: Path,
    times_s: Sequence[float],
    *,
    size_wh: tuple[int, int] = (64, 48),
    created_at: datetime | None = START,
    klv: Sequence[tuple[float, bytes]] = (),
    is_noisy: bool = False,
) -> Path:
    """A video with frames at just these times; the upper left quarter is white, the rest grey.

    A noisy one is noise instead, new in each frame, so that every frame fills many bytes.
    """
    width, height = size_wh
    with av.open(str(path), "w") as container:
        if created_at is not None:
            container.metadata["creation_time"] = created_at.isoformat()
        stream = container.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        data = container.add_data_stream("klv") if klv else None
        picture = np.full((height, width, 3), 90, np.uint8)
        picture[: height // 2, : width // 2] = 255
        rng = np.random.default_rng(1)
        for time_s in times_s:
            if is_noisy:
                picture = rng.integers(0, 255, (height, width, 3), np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = round(time_s * 1000), Fraction(1, 1000)
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
        for time_s, body in klv:
            packet = av.Packet(body)
            packet.stream, packet.time_base = data, Fraction(1, 1000)
            packet.pts = packet.dts = round(time_s * 1000)
            container.mux(packet)
    return path


def make_audio_only(path: Path) -> Path:
    """A file with sound and no picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts = 8000, 0
        for packet in [*stream.encode(frame), *stream.encode()]:
            container.mux(packet)
    return path


def turn_quarter_clockwise(path: Path) -> Path:
    """Writes a display matrix into an mp4's track header, as a phone held upright does."""
    data = bytearray(path.read_bytes())
    at = data.find(b"tkhd") + 4 + 40  # version, times, id, duration, layer … come first
    one, whole = 1 << 16, 1 << 30
    data[at : at + 36] = struct.pack(">9i", 0, one, 0, -one, 0, 0, 0, 0, whole)
    path.write_bytes(data)
    return path


def uas_packet(items: Sequence[tuple[int, bytes]]) -> bytes:
    """A MISB ST 0601 local set with a valid checksum."""
    body = b"".join(bytes((tag, len(value))) + value for tag, value in items)
    length = len(body) + 4
    head = UAS_KEY + (bytes((length,)) if length < 128 else bytes((0x81, length)))
    packet = head + body + bytes((1, 2))
    total = sum(octet << (8 if i % 2 == 0 else 0) for i, octet in enumerate(packet)) & 0xFFFF
    return packet + total.to_bytes(2, "big")


def uas_fix(at: datetime, lat_deg: float, lon_deg: float) -> bytes:
    """A packet with time, a platform heading 90°, and a camera 30° below and 10° right of it."""
    micros = round((at - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))
    return uas_packet(
        [
            (2, micros.to_bytes(8, "big")),
            (5, round(90 / 360 * 65535).to_bytes(2, "big")),
            (13, round(lat_deg / 180 * (2**32 - 2)).to_bytes(4, "big", signed=True)),
            (14, round(lon_deg / 360 * (2**32 - 2)).to_bytes(4, "big", signed=True)),
            (16, round(60 / 180 * 65535).to_bytes(2, "big")),
            (18, round(10 / 360 * (2**32 - 1)).to_bytes(4, "big")),
            (19, round(-30 / 360 * (2**32 - 2)).to_bytes(4, "big", signed=True)),
        ]
    )


def gpmf_item(key: str, kind: str, size: int, value: bytes) -> bytes:
    """One key of GPMF, padded to four bytes."""
    count = len(value) // size
    head = key.encode() + (kind.encode() if kind else b"\0") + bytes((size,))
    return head + count.to_bytes(2, "big") + value + b"\0" * (-len(value) % 4)


def gpmf_nest(key: str, value: bytes) -> bytes:
    """A GPMF level."""
    return key.encode() + b"\0\x01" + len(value).to_bytes(2, "big") + value


def car(*, platform: str = "car", size_wh: tuple[int, int] = (64, 48), **mount: object) -> Camera:
    """A camera with plain numbers."""
    width, height = size_wh
    lens = Lens(width, height, 50.0, 50.0, width / 2, height / 2)
    sigma = Sigma(position_m=2.0, heading_deg=1.0, pitch_deg=0.5, roll_deg=0.5)
    return Camera("front", platform, lens, Mount(**mount), sigma)  # type: ignore[arg-type]


def log_of(
    samples: Sequence[TelemetrySample], video_times_s: Sequence[float] | None = None
) -> TelemetryLog:
    """A log of samples as a parser would have made it."""
    tied = None if video_times_s is None else tuple(video_times_s)
    return TelemetryLog("made", "made", tuple(samples), tied, True)


def sample(
    time_s: float, east_m: float = 0.0, north_m: float = 0.0, **values: float
) -> TelemetrySample:
    """A fix near the equator, so many metres from (0.0, 10.0)."""
    return TelemetrySample(
        at=START + timedelta(seconds=time_s),
        lat_deg=north_m / 110_574.3,
        lon_deg=10.0 + east_m / METRES_PER_DEGREE,
        **values,
    )


def make_jpeg(
    path: Path, size_wh: tuple[int, int] = (64, 48), exif: bytes = b"", xmp: str = ""
) -> Path:
    """A JPEG whose upper left quarter is white, with an EXIF block and an XMP packet."""
    width, height = size_wh
    picture = np.full((height, width, 3), 90, np.uint8)
    picture[: height // 2, : width // 2] = 255
    _, encoded = cv2.imencode(".jpg", picture)
    path.write_bytes(with_segments(encoded.tobytes(), exif, xmp))
    return path


def with_segments(body: bytes, exif: bytes = b"", xmp: str = "") -> bytes:
    """A JPEG with an EXIF block and an XMP packet put behind its first marker."""
    segments = b""
    if exif:
        segments += b"\xff\xe1" + struct.pack(">H", len(exif) + 8) + b"Exif\0\0" + exif
    if xmp:
        packet = b"http://ns.adobe.com/xap/1.0/\0" + xmp.encode()
        segments += b"\xff\xe1" + struct.pack(">H", len(packet) + 2) + packet
    return body[:2] + segments + body[2:]


def make_exif(
    *,
    orientation: int = 1,
    taken: str | None = None,
    offset: str | None = None,
    lat_lon: tuple[float, float] | None = None,
    focal_35mm: int | None = None,
) -> bytes:
    """A TIFF block of EXIF: orientation, time with offset, place, 35 mm focal length."""
    root: list[tuple[int, int, bytes]] = [(0x0112, 3, struct.pack("<H", orientation))]
    exif: list[tuple[int, int, bytes]] = []
    gps: list[tuple[int, int, bytes]] = []
    if taken:
        exif.append((0x9003, 2, taken.encode() + b"\0"))
    if offset:
        exif.append((0x9011, 2, offset.encode() + b"\0"))
    if focal_35mm:
        exif.append((0xA405, 3, struct.pack("<H", focal_35mm)))
    if lat_lon:
        for tag, value, letters in ((1, lat_lon[0], "NS"), (3, lat_lon[1], "EW")):
            gps.append((tag, 2, letters[value < 0].encode() + b"\0"))
            gps.append((tag + 1, 5, _dms(abs(value))))
    return _tiff(root, exif, gps)


def _dms(degrees: float) -> bytes:
    whole, rest = int(degrees), (degrees % 1) * 60
    parts = [(whole, 1), (int(rest), 1), (round((rest % 1) * 60 * 10000), 10000)]
    return b"".join(struct.pack("<II", *part) for part in parts)


def _tiff(
    root: list[tuple[int, int, bytes]],
    exif: list[tuple[int, int, bytes]],
    gps: list[tuple[int, int, bytes]],
) -> bytes:
    sizes = {2: 1, 3: 2, 4: 4, 5: 8}

    def ifd(entries: list[tuple[int, int, bytes]], at: int) -> bytes:
        table, extra = b"", b""
        data_at = at + 2 + 12 * len(entries) + 4
        for tag, kind, value in sorted(entries):
            count = len(value) // sizes[kind]
            cell = value.ljust(4, b"\0")
            if len(value) > 4:
                cell = struct.pack("<I", data_at + len(extra))
                extra += value + b"\0" * (len(value) % 2)
            table += struct.pack("<HHI", tag, kind, count) + cell
        return struct.pack("<H", len(entries)) + table + b"\0\0\0\0" + extra

    exif_at = 8 + 2 + 12 * (len(root) + 2) + 4
    exif_ifd = ifd(exif, exif_at)
    gps_at = exif_at + len(exif_ifd)
    pointers = [(0x8769, 4, struct.pack("<I", exif_at)), (0x8825, 4, struct.pack("<I", gps_at))]
    return b"II*\0\x08\0\0\0" + ifd([*root, *pointers], 8) + exif_ifd + ifd(gps, gps_at)
