"""GPX, CSV and NMEA: synthetic files of each habit, and the real ones against their own text."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pynmea2
import pytest

from patrolvision.errors import TelemetryError
from patrolvision.sources.telemetry import is_telemetry, log_to_gpx, read_telemetry

GPX = """<?xml version="1.0"?>
<gpx version="1.1" xmlns="http://www.topografix.com/GPX/1/1"
 xmlns:x="http://www.garmin.com/xmlschemas/TrackPointExtension/v2"><trk><trkseg>{}</trkseg></trk></gpx>"""
POINT = '<trkpt lat="22.84" lon="113.23"><ele>7.5</ele><time>{}</time>{}</trkpt>'


def written(tmp_path: Path, name: str, text: str) -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_gpx_gives_place_time_elevation_and_extensions(tmp_path: Path) -> None:
    more = "<extensions><x:TrackPointExtension><x:speed>5.5</x:speed><x:course>359</x:course>"
    more += "</x:TrackPointExtension></extensions>"
    point = POINT.format("2026-05-04T08:00:00.250+08:00", more)
    first = read_telemetry(written(tmp_path, "a.xml", GPX.format(point))).samples[0]
    assert first.at == datetime(2026, 5, 4, 0, 0, 0, 250000, tzinfo=UTC)
    assert (first.lat_deg, first.lon_deg, first.alt_msl_m) == (22.84, 113.23, 7.5)
    assert (first.speed_mps, first.course_deg, first.height_m) == (5.5, 359.0, None)


def test_gpx_points_without_a_time_are_counted_and_alone_refused(tmp_path: Path) -> None:
    timeless = '<trkpt lat="1" lon="2"></trkpt>'
    both = GPX.format(POINT.format("2026-05-04T08:00:00Z", "") + timeless)
    assert read_telemetry(written(tmp_path, "a.gpx", both)).problems == {"without time": 1}
    with pytest.raises(TelemetryError, match=r"^b\.gpx: .*trkpt.*without time: 1"):
        read_telemetry(written(tmp_path, "b.gpx", GPX.format(timeless)))


def test_broken_gpx_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path = written(tmp_path, "cut.gpx", GPX.format(POINT.format("2026-05-04T08:00:00Z", ""))[:-40])
    with pytest.raises(TelemetryError, match=r"^cut\.gpx: not a readable GPX file"):
        read_telemetry(path)


@pytest.mark.parametrize("lost", [1, 7, 20, 33, 60, 100])
def test_what_a_recorder_wrote_before_its_power_was_cut_is_kept(tmp_path: Path, lost: int) -> None:
    points = [POINT.format(f"2026-05-04T08:00:0{k}Z", "") for k in range(4)]
    whole = GPX.format("".join(points))
    cut = read_telemetry(written(tmp_path, "cut.gpx", whole[:-lost]))
    kept = whole[:-lost].count("</trkpt>")
    assert len(cut.samples) == kept >= 2
    assert cut.problems == {"cut off at the end": 1}
    assert cut.samples == read_telemetry(written(tmp_path, "a.gpx", whole)).samples[:kept]


def test_gpx_written_here_reads_back_the_same(tmp_path: Path) -> None:
    table = (
        "time,lat_deg,lon_deg,alt_msl_m,speed_mps,course_deg,heading_deg,gimbal_pitch_deg\n"
        "2026-05-04T00:00:00.5Z,22.840001,113.230001,8.01,5.75,247.9,250.0,-45.0\n"
        "2026-05-04T00:00:01.5Z,22.840002,113.230002,8.02,5.75,247.9,,\n"
    )
    log = read_telemetry(written(tmp_path, "a.csv", table))
    again = read_telemetry(written(tmp_path, "b.gpx", log_to_gpx(log)))
    assert again.samples == log.samples


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("time,lat_deg,lon_deg", "2026-05-04T08:00:00+08:00,1.5,2.5"),
        ("Timestamp;Latitude;Longitude", "2026-05-04 00:00:00Z;1.5;2.5"),
        ("lon\tlat\tt", "2.5\t1.5\t1777852800"),
        ("t,lat,lon", "1777852800000,1.5,2.5"),
        ("datetime(utc),latitude,longitude", "2026-05-04 00:00:00,1.5,2.5"),
        ("time;lat;lon", "2026-05-04 00:00:00Z;1,5;2,5"),
    ],
)
def test_csv_columns_are_found_by_name_and_times_by_their_look(
    tmp_path: Path, header: str, row: str
) -> None:
    first = read_telemetry(written(tmp_path, "a.csv", f"{header}\n{row}\n")).samples[0]
    assert (first.lat_deg, first.lon_deg) == (1.5, 2.5)
    assert first.at == datetime(2026, 5, 4, tzinfo=UTC)


def test_a_csv_unit_that_is_not_ours_leaves_its_column_alone(tmp_path: Path) -> None:
    table = "t,lat,lon,Speed (m/s),Compass Heading (degrees)\n0,1,2,5,90\n"
    (sample,) = read_telemetry(written(tmp_path, "a.csv", table)).samples
    assert (sample.speed_mps, sample.heading_deg) == (5.0, 90.0)
    (sample,) = read_telemetry(written(tmp_path, "b.csv", table.replace("m/s", "mph"))).samples
    assert sample.speed_mps is None


def test_csv_seconds_too_small_for_a_clock_are_seconds_of_video(tmp_path: Path) -> None:
    log = read_telemetry(written(tmp_path, "a.csv", "t,lat,lon\n0.0,1,2\n0.5,1,2.1\n"))
    assert log.video_times_s == (0.0, 0.5)
    assert not log.has_absolute_time


def test_csv_times_without_an_offset_are_in_the_callers_zone(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "time,lat,lon\n2026-05-04 08:00:00,1,2\n")
    log = read_telemetry(path, timezone=ZoneInfo("Asia/Shanghai"))
    assert log.samples[0].at == datetime(2026, 5, 4, tzinfo=UTC)


def test_csv_without_a_needed_column_names_file_line_and_column(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "time,lat,height\n1,2,3\n")
    with pytest.raises(TelemetryError, match=r"^a\.csv: line 1: no column lon_deg"):
        read_telemetry(path)
    path = written(tmp_path, "b.csv", "time,speed_mps,heading\n1,2,3\n")
    with pytest.raises(TelemetryError, match=r"^b\.csv: line 1: no column lat_deg"):
        read_telemetry(path)


def test_csv_cells_that_are_no_numbers_cost_their_line_and_name_it(tmp_path: Path) -> None:
    good = "2026-05-04T00:00:00Z,1,2\n"
    path = written(tmp_path, "a.csv", f"time,lat,lon\n{good}soon,1,2\n2026-05-04T00:00:02Z,x,2\n")
    assert read_telemetry(path).problems == {
        "unreadable time (first in line 3)": 1,
        "unreadable lat_deg (first in line 4)": 1,
    }


def sentence(body: str) -> str:
    return str(pynmea2.parse(f"${body}*{pynmea2.NMEASentence.checksum(body):02X}"))


def nmea(*bodies: str) -> str:
    return "".join(f"{sentence(body)}\r\n" for body in bodies)


RMC = "GPRMC,{time},A,2250.4000,N,11313.8000,E,010.0,359.5,040526,,,A"
GGA = "GPGGA,{time},2250.4000,N,11313.8000,E,1,08,1.2,15.5,M,-4.0,M,,"


def test_nmea_sentences_of_one_instant_are_one_sample(tmp_path: Path) -> None:
    text = nmea(
        RMC.format(time="000000.00"),
        GGA.format(time="000000.00"),
        "HEHDT,274.5,T",
        GGA.format(time="000001.00"),
    )
    log = read_telemetry(written(tmp_path, "track.log", text))
    first, second = log.samples
    assert first.lat_deg == pytest.approx(22 + 50.4 / 60)
    assert first.lon_deg == pytest.approx(113 + 13.8 / 60)
    assert first.speed_mps == pytest.approx(10 * 1852 / 3600)
    assert (first.course_deg, first.heading_deg, first.alt_msl_m) == (359.5, 274.5, 15.5)
    assert first.sigma_position_m == pytest.approx(3.0)
    assert second.at == datetime(2026, 5, 4, 0, 0, 1, tzinfo=UTC)


def test_nmea_past_midnight_goes_on_into_the_next_day(tmp_path: Path) -> None:
    text = nmea(RMC.format(time="235959.00"), GGA.format(time="000000.00"))
    log = read_telemetry(written(tmp_path, "a.nmea", text))
    assert [s.at.day for s in log.samples] == [4, 5]


def test_nmea_with_a_wrong_checksum_or_without_a_fix_is_counted(tmp_path: Path) -> None:
    wrong = sentence(GGA.format(time="000001.00"))[:-2] + "00\r\n"
    void = nmea("GPRMC,000002.00,V,,,,,,,040526,,,N")
    text = nmea(RMC.format(time="000000.00")) + wrong + void
    log = read_telemetry(written(tmp_path, "a.nmea", text))
    assert len(log.samples) == 1
    assert log.problems == {"bad checksum": 1, "no fix": 1}


def test_nmea_without_any_date_says_what_is_missing(tmp_path: Path) -> None:
    path = written(tmp_path, "a.nmea", nmea(GGA.format(time="000000.00")))
    with pytest.raises(TelemetryError, match=r"^a\.nmea: no RMC or ZDA"):
        read_telemetry(path)


def test_notes_and_labels_are_not_taken_for_telemetry(tmp_path: Path) -> None:
    assert not is_telemetry(written(tmp_path, "a.txt", "0 0.5 0.5 0.1 0.1\n"))
    assert not is_telemetry(written(tmp_path, "b.txt", "a note, latitude unknown\n"))
    assert is_telemetry(written(tmp_path, "c.txt", nmea(RMC.format(time="000000.00"))))


@pytest.mark.parametrize("name", ["karma", "hero05", "hero06", "fusion"])
@pytest.mark.parametrize("suffix", ["gpx", "csv"])
def test_real_tracks_give_every_place_that_stands_in_them(
    shared: Path, name: str, suffix: str
) -> None:
    path = shared / "footage/gopro_gpx" / f"{name}.{suffix}"
    text = path.read_text()
    pattern = r'lat="([-\d.]+)" lon="([-\d.]+)"' if suffix == "gpx" else r'^"([-\d.]+)","([-\d.]+)"'
    expected = [(float(a), float(b)) for a, b in re.findall(pattern, text, re.MULTILINE)]
    log = read_telemetry(path)
    assert [(s.lat_deg, s.lon_deg) for s in log.samples] == expected
    assert log.problems == {}


def test_a_real_track_from_a_web_tool_is_read(shared: Path) -> None:
    path = shared / "footage/geotag_misc/sf_30km_h.gpx"
    log = read_telemetry(path)
    assert len(log.samples) == path.read_text().count("<trkpt")
    speed_mps = 1000 * 30 / 3600
    length_s = (log.span[1] - log.span[0]).total_seconds()
    assert 50 * speed_mps < length_s * speed_mps < 2000


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", 'time,"lat\rlon",lat,lon\n2026-05-04T00:00:00Z,1,2,3\n'),
        ("b.csv", "t,lat,lon\n-1e300,1,2\n"),
        ("c.csv", 't,lat,lon\n0,1,2\n"' + "x" * 200_000 + '",1,2\n'),
        ("d.srt", "1\n999:00:00,000 --> 0\n9999-12-31 23:59:59\nGPS(1.0,2.0,3)\n"),
        (
            "e.nmea",
            "$GPRMC,notime,A,2250.4,N,11313.8,E,1,2,baddate,,,A\n$GPGGA,000000,,,,,,,,,,,,,\n",
        ),
    ],
)
def test_damage_found_by_mutating_real_files_is_refused_in_one_sentence(
    tmp_path: Path, name: str, text: str
) -> None:
    with pytest.raises(TelemetryError, match=rf"^{name}: [^\n]+$"):
        read_telemetry(written(tmp_path, name, text))
