"""GoPro's GPMF: key-length-value telemetry, raw or in the `gpmd` track of an mp4.

Layout (gopro/gpmf-parser): four letters, type, size of one item, big-endian count of items,
values padded to four bytes; type 0 nests. DEVC holds a device, STRM a sensor whose SCAL divides
its values. A payload covers about one second; its samples are spread evenly over it. In an mp4
the payload's own presentation time says when; a raw stream only has GPSU.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import av
import av.error

from patrolvision.errors import TelemetryError
from patrolvision.sources import gpmf_karma
from patrolvision.sources.fixes import RawFix, RawLog, later

FORMAT = "gpmf"
MAX_DOP = 10.0
_UERE_M = 2.0  # one sigma per unit of DOP, open sky
_PAYLOAD_S = 1.001
_DAY_0 = datetime(2000, 1, 1, tzinfo=UTC)
_CODES = {
    "b": "b", "B": "B", "s": "h", "S": "H", "l": "i", "L": "I",
    "f": "f", "d": "d", "j": "q", "J": "Q",
}  # fmt: skip

Row = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """One key of a GPMF level with its undecoded value."""

    key: str
    type: str  # "\0" nests
    size: int
    count: int
    value: bytes


@dataclass(frozen=True, slots=True)
class Payload:
    """What one packet holds; times in seconds of video, None for a raw stream."""

    data: bytes
    start_s: float | None
    duration_s: float


def looks_like_raw(data: bytes) -> bool:
    """Whether the bytes begin with a device."""
    return data[:4] == b"DEVC"


def walk(data: bytes) -> Iterator[Item]:
    """The items of one level; ends quietly at padding or where the data is cut."""
    at = 0
    while at + 8 <= len(data):
        key = data[at : at + 4]
        size, count = data[at + 5], int.from_bytes(data[at + 6 : at + 8], "big")
        end = at + 8 + size * count
        if not all(32 <= octet < 127 for octet in key) or end > len(data):
            return
        yield Item(key.decode("ascii"), chr(data[at + 4]), size, count, data[at + 8 : end])
        at = end + (-size * count) % 4


def streams(data: bytes) -> Iterator[list[Item]]:
    """The items of every STRM of every device."""
    for device in walk(data):
        if device.key == "DEVC":
            yield from (list(walk(item.value)) for item in walk(device.value) if item.key == "STRM")


def rows(items: Sequence[Item], key: str) -> list[Row]:
    """The scaled values of a sensor, one tuple per sample; [] where it has none."""
    by_key = {item.key: item for item in items}
    item = by_key.get(key)
    if item is None or not item.count:
        return []
    layout = _layout(item, by_key.get("TYPE"))
    if layout is None:
        return []
    scale = numbers(by_key["SCAL"]) if "SCAL" in by_key else ()
    divisors = scale if len(scale) > 1 else scale * len(layout)
    found = []
    for values in struct.iter_unpack(">" + layout, item.value):
        if divisors:
            values = tuple(v / d if d else v for v, d in zip(values, divisors, strict=False))
        found.append(tuple(float(value) for value in values))
    return found


def numbers(item: Item) -> Row:
    """The plain numbers of an item."""
    code = _CODES.get(item.type)
    width = struct.calcsize(">" + code) if code else 0
    if not code or not width or len(item.value) % width:
        return ()
    return tuple(float(v) for (v,) in struct.iter_unpack(">" + code, item.value))


def _layout(item: Item, kind: Item | None) -> str | None:
    if item.type == "?":
        letters = kind.value.rstrip(b"\0").decode("latin-1") if kind else ""
    else:
        width = struct.calcsize(">" + _CODES.get(item.type, "x"))
        letters = item.type * (item.size // width)
    layout = "".join(_CODES.get(letter, "?") for letter in letters)
    if not layout or "?" in layout or struct.calcsize(">" + layout) != item.size:
        return None
    return layout


def parse_raw(data: bytes) -> RawLog:
    """A bare GPMF stream, whose only clock is GPSU (or a Karma's SYST)."""
    return _parse([Payload(part, None, _PAYLOAD_S) for part in _split_payloads(data)])


def parse_mp4(path: Path) -> RawLog | None:
    """The gpmd track of a video, tied to the video's time; None where there is no such track."""
    try:
        payloads = list(_mp4_payloads(path))
    except (av.error.FFmpegError, OSError, LookupError) as error:
        raise TelemetryError(f"{path.name}: its GPMF track cannot be read ({error})") from error
    if not payloads:
        return None
    raw = _parse(payloads)
    return raw if raw.fixes else None


def _mp4_payloads(path: Path) -> Iterator[Payload]:
    with av.open(str(path)) as container:
        data_streams = [stream for stream in container.streams if stream.type == "data"]
        for packet in container.demux(data_streams) if data_streams else ():
            data = bytes(packet) if packet.size else b""
            if looks_like_raw(data) and packet.pts is not None:
                base = float(packet.time_base)
                yield Payload(data, packet.pts * base, (packet.duration or 0) * base or _PAYLOAD_S)


def _split_payloads(data: bytes) -> Iterator[bytes]:
    """Devices of one second together: a payload begins where the first device's id comes again."""
    part, first_id, at = b"", None, 0
    for item in walk(data):
        length = 8 + len(item.value) + (-len(item.value)) % 4
        device = data[at : at + length]
        at += length
        identity = next((i.value for i in walk(item.value) if i.key == "DVID"), b"")
        if first_id is None:
            first_id = identity
        elif identity == first_id and part:
            yield part
            part = b""
        part += device
    if part:
        yield part


def _parse(payloads: Sequence[Payload]) -> RawLog:
    problems: Counter[str] = Counter()
    fixes: list[RawFix] = []
    clocks: list[datetime | None] = []
    for payload in payloads:
        clock, found = _payload_fixes(payload)
        clocks.append(clock)
        fixes += found
    if not fixes:
        fixes = gpmf_karma.fixes([(p, list(streams(p.data))) for p in payloads], rows)
    elif payloads and payloads[0].start_s is not None:
        fixes = _on_one_clock(fixes, payloads, clocks)
    else:
        fixes = _spread_over_clock(fixes, payloads, clocks)
    return RawLog(FORMAT, tuple(fixes), "GPS5, GPS9 or GPRI latitude and longitude", problems)


def _payload_fixes(payload: Payload) -> tuple[datetime | None, list[RawFix]]:
    """(GPSU of the payload if it has a fix, its fixes); GPS9 is preferred, it knows more."""
    clock, found = None, []
    for items in streams(payload.data):
        nine, five = rows(items, "GPS9"), rows(items, "GPS5")
        if nine:
            return None, [_fix9(row, payload, i / len(nine)) for i, row in enumerate(nine)]
        if five:
            status = {item.key: item for item in items}
            problem, dop = _quality(status)
            clock = _gpsu(status.get("GPSU"))
            values_of = {"sigma_position_m": _UERE_M * dop if dop else None}
            found = [
                _fix5(row, payload, i / len(five), problem, values_of, clock)
                for i, row in enumerate(five)
            ]
    return clock, found


def _quality(status: dict[str, Item]) -> tuple[str | None, float | None]:
    fix = numbers(status["GPSF"]) if "GPSF" in status else ()
    dop = numbers(status["GPSP"]) if "GPSP" in status else ()
    if fix and fix[0] < 2:
        return "no fix", None
    if dop and dop[0] / 100.0 > MAX_DOP:
        return "poor fix", None
    return None, dop[0] / 100.0 if dop else None


def _fix5(
    row: Row,
    payload: Payload,
    share: float,
    problem: str | None,
    more: dict[str, float | None],
    clock: datetime | None,
) -> RawFix:
    if len(row) < 5:
        return RawFix(None, None, problem="unreadable GPS5")
    values = {"alt_msl_m": row[2], "speed_mps": row[3], **more}
    return RawFix(row[0], row[1], clock, _video_time(payload, share), values, problem)


def _fix9(row: Row, payload: Payload, share: float) -> RawFix:
    if len(row) < 9:
        return RawFix(None, None, problem="unreadable GPS9")
    lat, lon, alt, speed, _, days, seconds, dop, fix = row[:9]
    problem = "no fix" if fix < 2 else "poor fix" if dop > MAX_DOP else None
    at = later(_DAY_0, 86400.0 * days + seconds)
    values = {"alt_msl_m": alt, "speed_mps": speed, "sigma_position_m": _UERE_M * dop or None}
    return RawFix(lat, lon, at, _video_time(payload, share), values, problem)


def _video_time(payload: Payload, share: float) -> float | None:
    return None if payload.start_s is None else payload.start_s + share * payload.duration_s


def _gpsu(item: Item | None) -> datetime | None:
    try:
        text = item.value.decode("ascii").rstrip("\0 ") if item else ""
        return datetime.strptime(text, "%y%m%d%H%M%S.%f").replace(tzinfo=UTC)
    except ValueError:
        return None


def _on_one_clock(
    fixes: Sequence[RawFix], payloads: Sequence[Payload], clocks: Sequence[datetime | None]
) -> list[RawFix]:
    """Instants as video time plus one offset, the median over the payloads: GPSU jitters."""
    starts = [(clock, p.start_s or 0.0) for clock, p in zip(clocks, payloads, strict=True) if clock]
    if not starts:
        return list(fixes)
    zero = starts[0][0]
    offset_s = median((clock - zero).total_seconds() - start_s for clock, start_s in starts)
    return [
        replace(fix, at=zero + timedelta(seconds=offset_s + (fix.video_time_s or 0.0)))
        for fix in fixes
    ]


def _spread_over_clock(
    fixes: Sequence[RawFix], payloads: Sequence[Payload], clocks: Sequence[datetime | None]
) -> list[RawFix]:
    """Instants of a raw stream: evenly from one payload's GPSU to the next."""
    result: list[RawFix] = []
    at = 0
    for i, (payload, clock) in enumerate(zip(payloads, clocks, strict=True)):
        count = len(_payload_fixes(payload)[1])
        following = clocks[i + 1] if i + 1 < len(clocks) else None
        step_s = (following - clock).total_seconds() if following and clock else _PAYLOAD_S
        step_s = step_s if 0.5 < step_s < 1.5 else _PAYLOAD_S
        for k, fix in enumerate(fixes[at : at + count]):
            later = timedelta(seconds=step_s * k / count)
            result.append(replace(fix, at=fix.at + later) if fix.at and clock else fix)
        at += count
    return result
