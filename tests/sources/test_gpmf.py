"""GPMF: hand-made payloads, and real GoPro streams against the conversions kept beside them."""

from __future__ import annotations

import csv
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from patrolvision.errors import TelemetryError
from patrolvision.sources import gpmf
from patrolvision.sources.telemetry import read_inside, read_telemetry

from .making import gpmf_item, gpmf_nest

SCALE = gpmf_item("SCAL", "l", 4, struct.pack(">5i", 10_000_000, 10_000_000, 1000, 1000, 100))


def five(*rows: tuple[int, ...]) -> bytes:
    return gpmf_item("GPS5", "l", 20, b"".join(struct.pack(">5i", *row) for row in rows))


def payload(fix: int, dop: int, clock: str, gps: bytes) -> bytes:
    head = gpmf_item("GPSF", "L", 4, struct.pack(">I", fix))
    head += gpmf_item("GPSU", "U", 16, clock.encode())
    head += gpmf_item("GPSP", "S", 2, struct.pack(">H", dop))
    device = gpmf_item("DVID", "L", 4, b"\0\0\0\1")
    return gpmf_nest("DEVC", device + gpmf_nest("STRM", head + SCALE + gps))


def test_gps5_is_scaled_dated_and_given_its_dop(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    rows = five(
        (331_264_969, -1_173_273_542, -20_184, 167, 19), (331_264_970, -1_173_273_541, 0, 0, 0)
    )
    path.write_bytes(payload(3, 150, "170417173103.000", rows))
    log = read_telemetry(path)
    first, second = log.samples
    assert (first.lat_deg, first.lon_deg) == (33.1264969, -117.3273542)
    assert (first.alt_msl_m, first.speed_mps, first.sigma_position_m) == (-20.184, 0.167, 3.0)
    assert first.at == datetime(2017, 4, 17, 17, 31, 3, tzinfo=UTC)
    assert second.at - first.at == timedelta(seconds=1.001 / 2)
    assert log.video_times_s is None


def test_samples_without_a_fix_or_with_a_poor_one_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    row = five((331_264_969, -1_173_273_542, 0, 0, 0))
    good = payload(3, 150, "170417173105.000", row)
    path.write_bytes(
        payload(0, 9999, "170417173103.000", row) + payload(3, 9999, "170417173104.000", row) + good
    )
    log = read_telemetry(path)
    assert len(log.samples) == 1
    assert log.problems == {"no fix": 1, "poor fix": 1}


def test_gps9_carries_its_own_clock_and_fix(tmp_path: Path) -> None:
    scale = struct.pack(">9i", 10_000_000, 10_000_000, 1000, 1000, 100, 1, 1000, 100, 1)
    strm = gpmf_item("TYPE", "c", 1, b"lllllllSS") + gpmf_item("SCAL", "l", 4, scale)
    seconds = 8 * 3600 * 1000
    rows = [
        (228_400_000, 1_132_300_000, 9000, 5500, 550, 9620, seconds, 120, fix) for fix in (3, 0)
    ]
    values = b"".join(struct.pack(">7i2H", *row) for row in rows)
    path = tmp_path / "nine.bin"
    path.write_bytes(
        gpmf_nest("DEVC", gpmf_nest("STRM", strm + gpmf_item("GPS9", "?", 32, values)))
    )
    log = read_telemetry(path)
    assert log.problems == {"no fix": 1}
    only = log.samples[0]
    assert (only.lat_deg, only.lon_deg, only.alt_msl_m, only.speed_mps) == (22.84, 113.23, 9.0, 5.5)
    assert only.at == datetime(2000, 1, 1, 8, tzinfo=UTC) + timedelta(days=9620)


def test_a_stream_cut_anywhere_never_breaks_the_walker(tmp_path: Path) -> None:
    whole = payload(3, 150, "170417173103.000", five((331_264_969, -1_173_273_542, 0, 0, 0)))
    for length in range(len(whole)):
        cut = whole[:length]
        assert sum(1 for _ in gpmf.walk(cut)) == 0
        assert gpmf.parse_raw(cut).fixes == ()


def reference(path: Path) -> list[tuple[float, float]]:
    with path.open() as file:
        return [(float(r["latitude"]), float(r["longitude"])) for r in csv.DictReader(file)]


@pytest.mark.parametrize("name", ["hero05", "fusion"])
def test_real_streams_agree_with_their_reference_conversion(shared: Path, name: str) -> None:
    folder = shared / "footage/gopro_gpx"
    log, known = read_telemetry(folder / f"{name}.bin"), read_telemetry(folder / f"{name}.csv")
    got = [(round(s.lat_deg, 7), round(s.lon_deg, 7)) for s in log.samples]
    assert got == reference(folder / f"{name}.csv")
    for ours, theirs in zip(log.samples, known.samples, strict=True):
        # The reference spreads 18 samples over exactly a second; GPSU's own steps differ by 0.1 s.
        assert abs((ours.at - theirs.at).total_seconds()) < 0.15
        assert ours.speed_mps == theirs.speed_mps


def test_a_real_stream_that_loses_its_fix_keeps_only_what_can_be_trusted(shared: Path) -> None:
    folder = shared / "footage/gopro_gpx"
    log = read_telemetry(folder / "hero06.bin")
    known = reference(folder / "hero06.csv")
    got = [(round(s.lat_deg, 7), round(s.lon_deg, 7)) for s in log.samples]
    assert set(got) <= set(known)
    assert len(got) + sum(log.problems.values()) == len(known)


@pytest.mark.parametrize("name", ["gopro_gpmf/karma.mp4", "gopro_gpx/karma.bin"])
def test_the_karma_drones_own_keys_give_the_reference_track(shared: Path, name: str) -> None:
    log = read_telemetry(shared / "footage" / name)
    known = read_telemetry(shared / "footage/gopro_gpx/karma.gpx")
    ours = {(round(s.lat_deg, 7), round(s.lon_deg, 7)): s for s in log.samples}
    for point in known.samples:
        mine = ours[(round(point.lat_deg, 7), round(point.lon_deg, 7))]
        # The reference dates a whole payload by its start; a payload lasts a second.
        assert abs((mine.at - point.at).total_seconds()) < 1.0
        assert mine.alt_msl_m == pytest.approx(point.alt_msl_m)
    assert all(s.alt_takeoff_m is not None and 1.5 < s.alt_takeoff_m < 10 for s in log.samples)
    assert all(s.heading_deg is not None and 325 < s.heading_deg < 335 for s in log.samples)


def test_a_track_inside_a_real_mp4_is_tied_to_its_video(shared: Path) -> None:
    log = read_inside(shared / "footage/gopro_gpmf/max-heromode.mp4")
    assert log is not None
    assert log.video_times_s is not None
    assert len(log.samples) == 191
    assert log.video_times_s[0] == 0.0
    assert log.video_times_s[-1] == pytest.approx(10.5, abs=0.1)
    assert (log.samples[0].lat_deg, log.samples[0].lon_deg) == pytest.approx(
        (33.1268, -117.3273), abs=1e-4
    )
    steps = [b - a for a, b in zip(log.video_times_s, log.video_times_s[1:], strict=False)]
    assert min(steps) > 1 / 25 and max(steps) < 1 / 12  # about 18 Hz


@pytest.mark.parametrize("name", ["hero6.raw", "hero6+ble.raw"])
def test_real_payloads_without_a_fix_say_so(shared: Path, name: str) -> None:
    with pytest.raises(TelemetryError, match=r"hero6.*no fix: \d+"):
        read_telemetry(shared / "footage/gopro_gpmf" / name)


@pytest.mark.parametrize(
    ("name", "count"), [("hero5.raw", 18), ("Fusion.raw", 19), ("karma.raw", 4)]
)
def test_single_real_payloads_are_read(shared: Path, name: str, count: int) -> None:
    log = read_telemetry(shared / "footage/gopro_gpmf" / name)
    assert len(log.samples) == count
    assert all(abs(s.lat_deg - 33.126) < 0.001 for s in log.samples)


def test_a_real_video_without_telemetry_has_none(shared: Path) -> None:
    path = shared / "footage/dashcam/udacity_test_video.mp4"
    assert read_inside(path) is None
    with pytest.raises(TelemetryError, match=r"udacity_test_video\.mp4: no telemetry found"):
        read_telemetry(path)
