"""Photos: place and angles from EXIF and XMP, upright, in order of time; a bad one is named."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path

import exifread
import pytest

from patrolvision.errors import ConfigError, MediaError
from patrolvision.sources.camera_media import camera_from_media
from patrolvision.sources.photos import PhotoFolderSource
from patrolvision.sources.picture import read_picture
from patrolvision.types import Pose

from .making import car, make_exif, make_jpeg

DJI = """<x:xmpmeta><rdf:Description drone-dji:RelativeAltitude="+30.50"
 drone-dji:AbsoluteAltitude="+80.1" drone-dji:GimbalYawDegree="-113.20"
 drone-dji:GimbalPitchDegree="-45.00" drone-dji:GimbalRollDegree="+0.00"
 drone-dji:FlightYawDegree="-100.0"/></x:xmpmeta>"""


def drone_photo(path: Path, taken: str = "2026:05:04 08:00:00", focal: int | None = 24) -> Path:
    exif = make_exif(taken=taken, offset="+08:00", lat_lon=(22.84, -113.23), focal_35mm=focal)
    return make_jpeg(path, exif=exif, xmp=DJI)


def folder(path: Path, **options: object) -> PhotoFolderSource:
    return PhotoFolderSource(path, stream_id="drone1", **options)  # type: ignore[arg-type]


def test_a_drones_photo_has_the_pose_that_its_xmp_tells(tmp_path: Path) -> None:
    drone_photo(tmp_path / "a.jpg")
    frame = next(folder(tmp_path, camera=car(platform="drone")).frames())
    assert isinstance(frame.pose, Pose)
    assert frame.captured_at == datetime(2026, 5, 4, tzinfo=UTC)
    place = (frame.pose.lat_deg, frame.pose.lon_deg)
    assert place == pytest.approx((22.84, -113.23), abs=1e-4 / 3600)  # seconds with four decimals
    assert frame.pose.heading_deg == pytest.approx(246.8)
    assert (frame.pose.pitch_deg, frame.pose.height_m) == (-45.0, 30.5)


def test_photos_come_in_order_of_time_and_not_of_name(tmp_path: Path) -> None:
    drone_photo(tmp_path / "a.jpg", "2026:05:04 08:00:09")
    drone_photo(tmp_path / "b.jpg", "2026:05:04 08:00:01")
    make_jpeg(tmp_path / "0.jpg")
    source = folder(tmp_path)
    assert [Path(f.media).name for f in source.frames()] == ["b.jpg", "a.jpg", "0.jpg"]
    assert source.duration_s == 8.0


@pytest.mark.parametrize(
    ("orientation", "size_wh", "white"),
    [
        (1, (64, 48), (8, 8)),
        (3, (64, 48), (40, 56)),
        (6, (48, 64), (8, 40)),
        (8, (48, 64), (56, 8)),
    ],
)
def test_exif_rotation_is_applied(
    tmp_path: Path, orientation: int, size_wh: tuple[int, int], white: tuple[int, int]
) -> None:
    path = make_jpeg(tmp_path / "a.jpg", exif=make_exif(orientation=orientation))
    image = read_picture(path)
    assert (image.shape[1], image.shape[0]) == size_wh == folder(path).size_wh
    assert image[white].mean() > 200
    assert image[image.shape[0] - 1 - white[0], image.shape[1] - 1 - white[1]].mean() < 200


def test_bad_photos_are_skipped_counted_and_named(tmp_path: Path) -> None:
    drone_photo(tmp_path / "a.jpg")
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("no picture")
    cut = drone_photo(tmp_path / "cut.jpg")
    cut.write_bytes(cut.read_bytes()[:-200])
    source = folder(tmp_path, camera=car(platform="drone"))
    assert len(list(source.frames())) == 1
    counts = source.counts()
    assert (counts.read, counts.analysed, counts.skipped) == (4, 1, {"undecodable": 3})
    assert sorted(problem.split(":")[0] for problem in source.problems) == [
        "cut.jpg",
        "empty.jpg",
        "text.jpg",
    ]
    assert {Path(path).name for path in source.unreadable} == {"cut.jpg", "empty.jpg", "text.jpg"}


def test_photos_without_a_place_are_analysed_without_a_pose(tmp_path: Path) -> None:
    make_jpeg(tmp_path / "a.jpg", exif=make_exif(taken="2026:05:04 08:00:00"))
    source = folder(tmp_path, camera=car())
    assert [frame.pose for frame in source.frames()] == [None]
    assert source.counts().pose_problems == {"no telemetry": 1}


def test_a_place_at_zero_is_no_place(tmp_path: Path) -> None:
    exif = make_exif(taken="2026:05:04 08:00:00", lat_lon=(0.0, 0.0))
    source = folder(make_jpeg(tmp_path / "a.jpg", exif=exif), camera=car())
    list(source.frames())
    assert source.counts().pose_problems == {"no usable fix": 1}
    assert "a.jpg" in source.problems[0]
    assert "(0, 0)" in source.problems[0]


def test_a_photo_of_another_size_than_the_cameras_has_no_pose(tmp_path: Path) -> None:
    source = folder(drone_photo(tmp_path / "a.jpg"), camera=car(platform="drone", size_wh=(99, 48)))
    list(source.frames())
    assert source.counts().pose_problems == {"not the camera's picture shape": 1}
    drone_photo(tmp_path / "b.jpg", taken="2026:05:04 08:00:01", focal=48)
    mixed = folder(tmp_path)
    list(mixed.frames())
    assert mixed.counts().pose_problems == {"another lens or picture size": 1}


def test_the_lens_comes_from_the_35_mm_focal_length_or_is_refused(tmp_path: Path) -> None:
    camera = camera_from_media(drone_photo(tmp_path / "a.jpg", focal=24))
    assert camera.platform == "drone"
    assert camera.lens.fx == pytest.approx(24 / math.hypot(36, 24) * math.hypot(64, 48))
    assert folder(tmp_path / "a.jpg").camera == camera
    with pytest.raises(ConfigError, match=r"^b\.jpg: tells no focal length"):
        camera_from_media(drone_photo(tmp_path / "b.jpg", focal=None))


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="holds no pictures"):
        folder(tmp_path)
    (tmp_path / "a.jpg").write_bytes(b"")
    with pytest.raises(MediaError, match=r"a\.jpg: the file is empty"):
        folder(tmp_path)


def test_a_real_photo_cut_in_the_middle_is_not_taken_for_whole(
    shared: Path, tmp_path: Path
) -> None:
    whole = (shared / "footage/geotag_misc/DSC00001.jpg").read_bytes()
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MediaError, match=r"^cut\.jpg: the picture is cut off"):
        read_picture(cut)


def test_real_photos_lie_where_their_exif_says(shared: Path) -> None:
    source = folder(shared / "footage/geotag_misc", camera=car(size_wh=(1600, 900)))
    frames = list(source.frames())
    assert [Path(frame.media).name for frame in frames] == ["DSC00001.jpg", "DSC00497.jpg"]
    for frame in frames:
        with Path(frame.media).open("rb") as file:
            tags = exifread.process_file(file, details=False)
        lat = sum(float(v) / 60**i for i, v in enumerate(tags["GPS GPSLatitude"].values))
        lon = sum(float(v) / 60**i for i, v in enumerate(tags["GPS GPSLongitude"].values))
        assert isinstance(frame.pose, Pose)
        assert (frame.pose.lat_deg, frame.pose.lon_deg) == pytest.approx((lat, -lon), abs=1e-9)
        assert frame.pose.course_deg == pytest.approx(float(tags["GPS GPSTrack"].values[0]))
        assert frame.captured_at.utcoffset() is not None
    assert frames[0].captured_at < frames[1].captured_at
