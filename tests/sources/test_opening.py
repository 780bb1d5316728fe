"""Opening a recording: which telemetry is taken, when it began, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from patrolvision.errors import ConfigError, MediaError, TelemetryError
from patrolvision.sources.opening import list_media, open_recording
from patrolvision.sources.photos import PhotoFolderSource
from patrolvision.sources.video import VideoSource
from patrolvision.types import Camera, Lens, Mission

from .making import START, car, make_jpeg, make_video, uas_fix

TIMES = [k / 10 for k in range(31)]


def csv(path: Path, hours: float = 0.0, column: str = "time") -> Path:
    rows = [f"{column},lat,lon,heading\n"]
    for k in range(7):
        at = START + timedelta(hours=hours, seconds=k / 2)
        rows.append(
            f"{at.isoformat() if column == 'time' else k / 2},22.84,{113.23 + k / 1e5},90\n"
        )
    path.write_text("".join(rows))
    return path


def mission(media: Path, **options: object) -> Mission:
    return Mission("m1", str(media), "car1", **options)  # type: ignore[arg-type]


def played(source: object) -> VideoSource:
    assert isinstance(source, VideoSource)
    list(source.frames())
    return source


def test_a_side_car_of_the_same_stem_is_found_and_every_frame_has_a_pose(tmp_path: Path) -> None:
    make_video(tmp_path / "a.mp4", TIMES)
    csv(tmp_path / "a.csv")
    (tmp_path / "a.txt").write_text("a note\n")
    source = played(open_recording(mission(tmp_path / "a.mp4"), car(), analysis_fps=5.0))
    counts = source.counts()
    assert (counts.read, counts.analysed, counts.without_pose) == (31, 16, 0)
    assert source.telemetry_log is not None
    assert source.started_at == START


def test_the_missions_telemetry_wins_over_the_side_car(tmp_path: Path) -> None:
    make_video(tmp_path / "a.mp4", TIMES)
    csv(tmp_path / "a.csv", hours=5)
    given = mission(tmp_path / "a.mp4", telemetry=csv(tmp_path / "b.csv"))
    assert played(open_recording(given, car())).counts().without_pose == 0


def test_telemetry_inside_the_video_is_used_when_there_is_no_other(tmp_path: Path) -> None:
    packets = [(t, uas_fix(START + timedelta(hours=1, seconds=t), 22.84, 113.23)) for t in TIMES]
    path = make_video(tmp_path / "a.ts", TIMES, klv=packets)
    source = open_recording(mission(path))
    assert isinstance(source, VideoSource)
    assert source.started_at == START + timedelta(hours=1)
    assert source.camera is not None  # by the metadata's field of view
    assert source.camera.lens.fx == pytest.approx(32 / 0.57735, rel=1e-3)


def test_without_telemetry_or_camera_frames_come_without_pose_and_say_why(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", TIMES)
    assert played(open_recording(mission(path), car())).counts().pose_problems == {
        "no telemetry": 31
    }
    csv(tmp_path / "a.csv")
    assert played(open_recording(mission(path))).counts().pose_problems == {"no camera": 31}


def test_frames_beyond_the_telemetry_are_counted_by_reason(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", [k / 10 for k in range(51)])
    csv(tmp_path / "a.csv")
    early = mission(path, started_at=START - timedelta(seconds=1))
    problems = played(open_recording(early, car())).counts().pose_problems
    assert problems == {"before telemetry": 10, "after telemetry": 10}


def test_telemetry_of_another_hour_is_refused_with_both_names_and_spans(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", TIMES)
    other = mission(path, telemetry=csv(tmp_path / "b.csv", hours=8))
    with pytest.raises(
        TelemetryError, match=r"b\.csv: covers .*T08:00:00.*a\.mp4 covers .*T00:00:00"
    ):
        open_recording(other, car())
    shifted = replace(other, clock_offset_s=8 * 3600.0)
    assert played(open_recording(shifted, car())).counts().without_pose == 0


def test_a_clock_log_for_a_video_without_a_start_asks_for_it(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", TIMES, created_at=None)
    csv(tmp_path / "a.csv")
    with pytest.raises(TelemetryError, match=r"a\.csv: .*a\.mp4 .*started_at"):
        open_recording(mission(path), car())
    source = played(open_recording(mission(path, started_at=START), car()))
    assert source.counts().without_pose == 0


def test_seconds_of_video_need_no_clock_at_all(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", TIMES, created_at=None)
    csv(tmp_path / "a.csv", column="t")
    source = played(open_recording(mission(path), car()))
    assert (source.started_at, source.counts().without_pose) == (None, 0)


def test_what_stands_in_for_what_nothing_told_is_said(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", TIMES, created_at=None)
    (tmp_path / "a.csv").write_text(
        "t,lat,lon,heading,rel_alt\n0,22.84,113.23,90,40\n3,22.84,113.2301,90,40\n"
    )
    notes = played(open_recording(mission(path), car(platform="drone", pitch_deg=-40.0))).problems
    assert [note for note in notes if "1970" in note and "--started-at" in note]
    assert [note for note in notes if "mount.pitch_deg of -40" in note]
    assert not [note for note in notes if "mount.height_m" in note]
    dated = mission(path, started_at=START)
    assert played(open_recording(dated, car())).problems == []
    silent = (tmp_path / "a.csv").read_text().replace("rel_alt", "abs_alt")
    (tmp_path / "a.csv").write_text(silent)
    (note,) = played(
        open_recording(dated, car(platform="drone", height_m=40.0, pitch_deg=-40.0))
    ).problems[1:]
    assert "mount.height_m of 40" in note


def test_a_local_time_is_taken_in_the_missions_zone(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", TIMES, created_at=None)
    block = "1\n00:00:0{0},000 --> 00:00:0{0},999\n2026-05-04 08:00:0{0}.000\n"
    block += "[latitude: 22.84] [longitude: 113.23]\n\n"
    (tmp_path / "a.SRT").write_text("".join(block.format(k) for k in range(4)))
    source = open_recording(mission(path, telemetry_timezone="Asia/Shanghai"), car())
    assert isinstance(source, VideoSource)
    assert source.started_at == START
    with pytest.raises(
        ConfigError, match="telemetry_timezone: expected an IANA name, found 'Mars'"
    ):
        open_recording(mission(path, telemetry_timezone="Mars"), car())


def test_a_camera_fits_pictures_of_its_own_shape_only(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", TIMES)
    csv(tmp_path / "a.csv")
    source = open_recording(mission(path), car(size_wh=(128, 96)))
    assert isinstance(source, VideoSource)
    assert source.camera is not None
    assert (source.camera.lens.width, source.camera.lens.fx) == (64, 25.0)
    with pytest.raises(
        MediaError, match=r"a\.mp4: its pictures are 64x48, but camera 'front' .*96x96"
    ):
        open_recording(mission(path), car(size_wh=(96, 96)))


def test_what_the_telemetry_lost_is_told(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", TIMES)
    table = csv(tmp_path / "a.csv")
    table.write_text(table.read_text() + f"{START.isoformat()},0,0,90\n")
    source = played(open_recording(mission(path), car()))
    assert source.problems == ["a.mp4: 1 telemetry records left out ((0, 0))"]


def test_wrong_calls_are_refused(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", TIMES)
    with pytest.raises(ConfigError, match="analysis_fps"):
        open_recording(mission(path), analysis_fps=0.0)
    with pytest.raises(ConfigError, match="mission m1: started_at: expected an offset"):
        open_recording(mission(path, started_at=START.replace(tzinfo=None)))
    with pytest.raises(MediaError, match="no such file or folder"):
        open_recording(mission(tmp_path / "gone.mp4"))
    with pytest.raises(TelemetryError, match=r"^gone\.srt: cannot be read"):
        open_recording(mission(path, telemetry=tmp_path / "gone.srt"))


def test_folders_are_expanded_to_recordings_in_natural_order(tmp_path: Path) -> None:
    for name in ("DJI_10.MP4", "DJI_2.mp4", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    album = tmp_path / "album"
    album.mkdir()
    make_jpeg(album / "a.jpg")
    names = [path.name for path in list_media([tmp_path, tmp_path / "DJI_2.mp4"])]
    assert names == ["album", "DJI_2.mp4", "DJI_10.MP4"]
    with pytest.raises(MediaError, match="no such file or folder"):
        list_media([tmp_path / "gone"])
    (tmp_path / "void").mkdir()
    with pytest.raises(MediaError, match="holds neither videos nor pictures"):
        list_media([tmp_path / "void"])


def test_a_folder_or_a_photo_opens_as_photos(tmp_path: Path) -> None:
    photo = make_jpeg(tmp_path / "a.jpg")
    assert isinstance(open_recording(mission(photo)), PhotoFolderSource)
    assert isinstance(open_recording(mission(tmp_path)), PhotoFolderSource)


def lens(camera: Camera, width: int, height: int) -> Camera:
    return replace(
        camera, lens=Lens(width, height, width * 0.7, width * 0.7, width / 2, height / 2)
    )


@pytest.mark.parametrize(
    ("name", "size_wh", "platform", "read"),
    [
        ("karma.mp4", (854, 480), "drone", 362),
        ("max-heromode.mp4", (848, 480), "car", 315),
    ],
)
def test_real_clips_with_telemetry_inside_give_poses_on_their_own_track(
    shared: Path, name: str, size_wh: tuple[int, int], platform: str, read: int
) -> None:
    camera = lens(car(platform=platform), *size_wh)
    source = open_recording(mission(shared / "footage/gopro_gpmf" / name), camera, analysis_fps=5.0)
    assert isinstance(source, VideoSource)
    poses = [frame.pose for frame in source.frames()]
    counts = source.counts()
    assert counts.read == read == counts.analysed + counts.skipped["rate"]
    assert counts.without_pose == poses.count(None) <= 4
    assert source.telemetry_log is not None
    lats = [sample.lat_deg for sample in source.telemetry_log.samples]
    lons = [sample.lon_deg for sample in source.telemetry_log.samples]
    for pose in poses:
        if pose is not None:
            assert min(lats) <= pose.lat_deg <= max(lats)
            assert min(lons) <= pose.lon_deg <= max(lons)
