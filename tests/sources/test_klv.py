"""MISB ST 0601: our tags against klvdata's, checksums, and a transport stream made here."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import klvdata
import pytest

from patrolvision.errors import TelemetryError
from patrolvision.sources.klv import UAS_KEY, parse_packets
from patrolvision.sources.telemetry import read_inside, read_telemetry

from .making import START, make_video, uas_fix

TIMES = [k / 10 for k in range(20)]


def test_a_packet_gives_place_time_and_the_cameras_absolute_angles(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(uas_fix(START, 22.84, 113.23))
    only = read_telemetry(path).samples[0]
    step_deg = 180 / 2**31  # a whole number of 4 bytes laid over the circle
    assert only.lat_deg == pytest.approx(22.84, abs=step_deg)
    assert only.lon_deg == pytest.approx(113.23, abs=step_deg)
    assert only.at == START
    assert only.hfov_deg == pytest.approx(60.0, abs=180 / 65535)
    assert only.gimbal_heading_deg == pytest.approx(100.0, abs=360 / 65535)
    assert only.gimbal_pitch_deg == pytest.approx(-30.0, abs=1e-6)


def test_a_damaged_packet_among_good_ones_is_dropped(tmp_path: Path) -> None:
    good = uas_fix(START, 22.84, 113.23)
    later = uas_fix(START + timedelta(seconds=1), 22.84, 113.23)
    damaged = bytearray(uas_fix(START + timedelta(seconds=2), 22.84, 113.23))
    damaged[40] ^= 0x40
    path = tmp_path / "a.bin"
    path.write_bytes(good + bytes(damaged) + later + good[:50])
    log = read_telemetry(path)
    assert len(log.samples) == 2
    assert log.problems == {"bad checksum": 1, "cut packet": 1}


def test_a_transport_stream_ties_its_packets_to_the_video(tmp_path: Path) -> None:
    packets = [(t, uas_fix(START + timedelta(seconds=t), 22.84 + t / 1e4, 113.23)) for t in TIMES]
    path = make_video(tmp_path / "a.ts", TIMES, klv=packets)
    log = read_inside(path)
    assert log is not None
    assert log.video_times_s == pytest.approx(TIMES, abs=0.002)
    assert [s.at for s in log.samples] == [START + timedelta(seconds=t) for t in TIMES]


def test_a_transport_stream_without_a_data_stream_has_no_telemetry(tmp_path: Path) -> None:
    assert read_inside(make_video(tmp_path / "a.ts", TIMES)) is None


def test_every_prefix_of_a_packet_is_survived() -> None:
    whole = uas_fix(START, 22.84, 113.23)
    for length in range(len(whole)):
        assert parse_packets(whole[:length]).fixes == ()


def test_a_capture_may_begin_inside_a_packet(tmp_path: Path) -> None:
    whole = [uas_fix(START + timedelta(seconds=t), 22.84, 113.23) for t in range(4)]
    path = tmp_path / "capture.bin"
    path.write_bytes(whole[0][40:] + b"".join(whole[1:]))
    assert len(read_telemetry(path).samples) == 3


def test_an_empty_local_set_has_no_place(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(UAS_KEY + b"\0")
    with pytest.raises(TelemetryError, match=r"a\.bin: none of .*tags 13 and 14"):
        read_telemetry(path)


@pytest.mark.parametrize(
    "name", ["DynamicConstantMISMMSPacketData.bin", "DynamicOnlyMISMMSPacketData.bin"]
)
def test_real_packets_agree_with_klvdata(shared: Path, name: str) -> None:
    path = shared / "footage/klv" / name
    data = path.read_bytes()
    if not data.startswith(UAS_KEY):
        pytest.skip(f"{name} is not a KLV packet here; fetch it again from paretech/klvdata")
    known = next(iter(klvdata.StreamParser(data))).MetadataList()
    only = read_telemetry(path).samples[0]
    pairs = ((13, only.lat_deg), (14, only.lon_deg), (15, only.alt_msl_m), (5, only.heading_deg))
    for tag, value in (*pairs, (6, only.pitch_deg), (7, only.roll_deg)):
        if tag in known:
            assert value == pytest.approx(float(known[tag][3]), abs=1e-6)
