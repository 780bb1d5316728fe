"""DJI's dialects: each one's place, heights and angles, checked against the text itself."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from patrolvision.errors import TelemetryError
from patrolvision.sources.telemetry import read_telemetry

SHANGHAI = ZoneInfo("Asia/Shanghai")


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "clip.SRT"
    path.write_text(text, encoding="utf-8")
    return path


def block(number: int, seconds: int, *lines: str) -> str:
    time = f"00:00:{seconds:02d},000 --> 00:00:{seconds + 1:02d},000"
    return "\n".join([str(number), time, *lines, "", ""])


def test_relative_and_absolute_height_in_one_bracket_are_told_apart(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        block(
            1,
            0,
            "2026-05-04 08:20:10.250",
            "[latitude: 22.84] [longitude: 113.23] [rel_alt: 24.6 abs_alt: 30.6] "
            "[gb_yaw: -113.2 gb_pitch: -44.8 gb_roll: 0.5]",
        ),
    )
    first = read_telemetry(path, timezone=SHANGHAI).samples[0]
    assert (first.lat_deg, first.lon_deg) == (22.84, 113.23)
    assert (first.alt_takeoff_m, first.alt_msl_m, first.height_m) == (24.6, 30.6, None)
    assert first.gimbal_heading_deg == pytest.approx(246.8)
    assert (first.gimbal_pitch_deg, first.gimbal_roll_deg) == (-44.8, 0.5)
    assert first.at == datetime(2026, 5, 4, 0, 20, 10, 250000, tzinfo=UTC)


def test_the_misspelt_longtitude_and_a_bare_altitude_are_read(tmp_path: Path) -> None:
    text = "2020-04-02 15:19:58,720,764\n[fnum : 280] [latitude : 31.45] [longtitude : 74.4] "
    first = read_telemetry(written(tmp_path, block(1, 0, text + "[altitude: 213.98]"))).samples[0]
    assert (first.lat_deg, first.lon_deg, first.alt_msl_m) == (31.45, 74.4, 213.98)
    assert first.alt_takeoff_m is None  # nothing says above what: never a height
    assert first.at.microsecond == 720764


@pytest.mark.parametrize(
    ("gps", "why"),
    [
        ("GPS(149.0251,-20.2533,16) BAROMETER:1.9", "lon, lat, satellites"),
        ("GPS(-20.2533,149.0251,0.0M) BAROMETER:1.9M", "Matrice 300: lat, lon, height in M"),
        ("GPS(149.0251,-20.2533,0.0M) BAROMETER:1.9M", "a height in M, yet 149 is no latitude"),
        ("GPS(-20.2533,149.0251,16) BAROMETER:1.9", "satellites, yet 149 is no latitude"),
        ("GPS (149.0251, -20.2533, 16), D 2.0m, H 1.9m, H.S 0.00m/s", "Phantom 4"),
        ("GPS(149.0251,-20.2533,16) Hb:1.9 Hs:1.2", "old: barometer and ultrasound"),
    ],
)
def test_the_order_of_a_bare_pair_is_the_one_that_can_be_true(
    tmp_path: Path, gps: str, why: str
) -> None:
    text = block(1, 0, "2022.06.21 16:06:17", gps) + block(2, 1, "2022.06.21 16:06:18", gps)
    first = read_telemetry(written(tmp_path, text)).samples[0]
    assert (first.lat_deg, first.lon_deg) == (-20.2533, 149.0251), why
    assert first.alt_takeoff_m == 1.9


def test_flight_and_gimbal_angles_are_told_apart(tmp_path: Path) -> None:
    line = (
        "F/5.6, SS 400, ISO 100, EV 0, GPS (-58.85, -34.24, 15), HOME (-58.8, -34.2, -57.98m), "
        "D 698.70m, H 85.80m, H.S 2.88m/s, V.S 0.00m/s, F.PRY (2.7°, -7.0°, 110.1°), "
        "G.PRY (-24.4°, 0.1°, 110.4°)"
    )
    log = read_telemetry(written(tmp_path, block(1, 0, line)))
    first = log.samples[0]
    assert (first.pitch_deg, first.roll_deg, first.heading_deg) == (2.7, -7.0, 110.1)
    gimbal = (first.gimbal_pitch_deg, first.gimbal_roll_deg, first.gimbal_heading_deg)
    assert gimbal == (-24.4, 0.1, 110.4)
    assert (first.alt_takeoff_m, first.speed_mps) == (85.8, 2.88)
    assert not log.has_absolute_time
    assert log.video_times_s == (0.0,)


def test_blocks_without_arrows_follow_the_clock_from_the_first(tmp_path: Path) -> None:
    text = "\n\n".join(
        f"{n}\n2017.08.05 14:11:{50 + n},393,525\n[latitude : -20.25] [longtitude : 149.02]"
        for n in (1, 2, 3)
    )
    assert read_telemetry(written(tmp_path, text)).video_times_s == (0.0, 1.0, 2.0)


def test_a_block_cut_inside_a_number_is_dropped_and_counted(tmp_path: Path) -> None:
    whole = "2020-08-12 08:55:21,745,078\n[latitude : -34.86995] [longtitude : -57.823395]"
    text = block(1, 0, whole) + block(2, 1, whole)[:-8]
    log = read_telemetry(written(tmp_path, text))
    assert len(log.samples) == 1
    assert log.problems == {"without position": 1}


@pytest.mark.parametrize(
    ("lat", "lon", "reason"),
    [
        ("0.0", "0.0", "(0, 0): 1"),
        ("95.0", "10.0", "out of range: 1"),
        ("nan", "1", "not a number"),
    ],
)
def test_an_impossible_place_alone_in_a_file_is_named(
    tmp_path: Path, lat: str, lon: str, reason: str
) -> None:
    path = written(
        tmp_path, block(1, 0, "2026-05-04 08:00:00", f"[latitude: {lat}] [longitude: {lon}]")
    )
    with pytest.raises(TelemetryError, match=r"clip\.SRT: none of 1 .*latitude") as error:
        read_telemetry(path)
    assert reason in str(error.value)


@pytest.mark.parametrize(
    "content", [b"", b"1\n", b"not telemetry at all\n\x00\xff", "плохой файл 😀\n".encode() * 9]
)
def test_a_file_without_telemetry_is_refused_in_one_sentence(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "odd.SRT"
    path.write_bytes(content)
    with pytest.raises(TelemetryError, match=r"^odd\.SRT: .*DJI SRT, GPX"):
        read_telemetry(path)


def test_camera_settings_without_any_place_ask_for_the_flight_log(shared: Path) -> None:
    with pytest.raises(TelemetryError, match="flight log"):
        read_telemetry(shared / "footage/dji_srt/mavic_air.SRT")


REAL = {
    "MAVIC3_first60kB.SRT": 207,
    "air2s.srt": 17,
    "broken_incomplete.SRT": 19,
    "broken_incomplete2.SRT": 4,
    "m2zoom_first60kB.SRT": 203,
    "matrice_300.srt": 381,
    "mavic_2_style.SRT": 463,
    "mavic_2pro_new_first60kB.SRT": 218,
    "mavic_air2.srt": 25,
    "mavic_mini.SRT": 117,
    "mavic_pro.SRT": 468,
    "mavic_pro_buggy.SRT": 530,
    "mix_p4rtk_mavic2pro.srt": 12,
    "old_format.SRT": 468,
    "p4_rtk.SRT": 55,
    "p4p_sample.SRT": 5,
}


def places_by_regex(text: str, lat_first: bool) -> list[tuple[float, float]]:
    """Every complete position of a file, found without the parser under test."""
    keyed = re.findall(r"latitude ?: ?(-?[\d.]+)\][^\n]*?longt?itude ?: ?(-?[\d.]+)\]", text)
    bare = re.findall(r"GPS ?\((-?[\d.]+), ?(-?[\d.]+), ?[\d.M]+\)", text)
    swapped = [(float(a), float(b)) if lat_first else (float(b), float(a)) for a, b in bare]
    return swapped + [(float(a), float(b)) for a, b in keyed]


@pytest.mark.parametrize(("name", "count"), REAL.items())
def test_every_real_file_gives_the_places_that_stand_in_it(
    shared: Path, name: str, count: int
) -> None:
    path = shared / "footage/dji_srt" / name
    log = read_telemetry(path)
    text = path.read_text(encoding="utf-8-sig")
    expected = places_by_regex(text, lat_first=name.startswith("matrice"))
    assert len(log.samples) == count
    assert len(expected) == count + log.problems.get("time repeated", 0)
    got = [(s.lat_deg, s.lon_deg) for s in log.samples]
    assert set(got) <= set(expected)
    if len(expected) == count:
        assert got == expected
    assert log.video_times_s is not None
    assert all(b > a for a, b in zip(log.video_times_s, log.video_times_s[1:], strict=False))


@pytest.mark.parametrize("name", ["broken_empty.SRT", "broken_empty2.SRT"])
def test_empty_real_files_are_refused_by_name(shared: Path, name: str) -> None:
    with pytest.raises(TelemetryError, match=f"^{name}: "):
        read_telemetry(shared / "footage/dji_srt" / name)


def test_undated_blocks_of_a_mixed_real_file_are_dated_from_its_dated_ones(shared: Path) -> None:
    log = read_telemetry(shared / "footage/dji_srt/mix_p4rtk_mavic2pro.srt")
    assert log.has_absolute_time
    assert log.video_times_s is not None
    first_dated = datetime(2020, 10, 7, 12, 0, 10, 123182, tzinfo=UTC)
    assert log.samples[6].at == first_dated
    step_s = log.video_times_s[6] - log.video_times_s[0]
    assert abs(log.samples[0].at - (first_dated - timedelta(seconds=step_s))) < timedelta(
        seconds=1e-3
    )
