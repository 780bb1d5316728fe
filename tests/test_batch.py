"""Which missions a call names, what a run leaves behind, and that photos run like videos."""

from __future__ import annotations

import argparse
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.command_line import in_process
from helpers.street_clip import Street, short_street
from patrolvision import batch, missions
from patrolvision.cli import build_parser
from patrolvision.errors import ConfigError
from sources.making import make_exif, make_jpeg


@pytest.fixture(scope="module")
def street(sample_media: Path, tmp_path_factory: pytest.TempPathFactory) -> Street:
    return short_street(sample_media, tmp_path_factory.mktemp("street"))


def call(*arguments: object) -> argparse.Namespace:
    return build_parser().parse_args(["run", *map(str, arguments)])


def test_a_recording_keeps_its_fingerprint_wherever_it_lies(street: Street, tmp_path: Path) -> None:
    copy = Path(shutil.copy(street.clip, tmp_path / "other_name.mp4"))
    assert missions.fingerprint(copy) == missions.fingerprint(street.clip)


@pytest.mark.parametrize("position", [0, -1], ids=["first byte", "last byte"])
def test_a_changed_recording_has_another_fingerprint(
    position: int, street: Street, tmp_path: Path
) -> None:
    body = bytearray(street.clip.read_bytes())
    body[position] ^= 1
    (tmp_path / "changed.mp4").write_bytes(body)
    assert missions.fingerprint(tmp_path / "changed.mp4") != missions.fingerprint(street.clip)


def test_a_folder_of_photos_changes_its_fingerprint_with_its_names(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"one")
    before = missions.fingerprint(tmp_path)
    (tmp_path / "a.jpg").rename(tmp_path / "b.jpg")
    assert missions.fingerprint(tmp_path) != before


def test_a_clip_that_is_named_twice_is_one_mission(street: Street) -> None:
    failed: dict[str, str] = {}
    (mission,) = batch.missions_of(call(street.clip, street.clip, street.folder), failed)
    assert mission.media == str(street.clip)
    assert mission.id.startswith("drive-")
    assert failed == {}


def test_media_that_are_not_there_are_set_aside_by_name(street: Street, tmp_path: Path) -> None:
    failed: dict[str, str] = {}
    gone = tmp_path / "gone.mp4"
    missions = batch.missions_of(call(gone, street.clip), failed)
    assert [m.media for m in missions] == [str(street.clip)]
    assert list(failed) == [str(gone)]
    assert "gone.mp4" in failed[str(gone)]


def test_a_mission_file_takes_zones_and_grids_from_the_call_where_it_names_none(
    street: Street, tmp_path: Path
) -> None:
    file = tmp_path / "missions.toml"
    file.write_text(
        f'[[mission]]\nid = "own"\nmedia = "{street.clip}"\nzones = "own.geojson"\n'
        f'[[mission]]\nid = "none"\nmedia = "{street.clip}"\n'
    )
    missions = batch.missions_of(call(file, "--zones", "given.geojson"), {})
    zones = {m.id: m.zones for m in missions}
    assert zones == {"own": tmp_path / "own.geojson", "none": Path("given.geojson")}


def test_zero_analysed_frames_a_second_means_every_frame(tmp_path: Path) -> None:
    settings = batch.settings_of(call("a.mp4", "--analysis-fps", "0", "--out", tmp_path))
    assert settings.analysis_fps is None
    assert settings.database_url == f"sqlite:///{tmp_path / 'patrol.db'}"
    with pytest.raises(ConfigError, match="analysis_fps"):
        batch.settings_of(call("a.mp4", "--analysis-fps", "nan"))


def test_a_mission_becomes_a_result_even_when_its_media_is_broken(
    street: Street, tmp_path: Path
) -> None:
    """What a worker process hands back: an error is a value, and the times are real."""
    (mission,) = batch.missions_of(call(street.clip), {})
    (tmp_path / "empty.mp4").touch()
    settings = batch.settings_of(call(street.clip, "--out", tmp_path / "out"))
    result = missions.run_mission(settings, replace(mission, media=str(tmp_path / "empty.mp4")))
    assert result.error is not None
    assert "empty.mp4" in result.error
    assert result.counts is None
    assert result.wall_s > 0.0


def test_an_output_folder_is_left_without_scraps(street: Street, tmp_path: Path) -> None:
    """No .part file, no probe: what stands there is whole."""
    arguments = call(street.clip, *street.options, "--analysis-fps", "1", "--out", tmp_path)
    (mission,) = batch.missions_of(arguments, {})
    done = batch.run(batch.settings_of(arguments), [mission], {})
    names = {path.name for path in tmp_path.iterdir()}
    assert {"tickets.geojson", "report.html", "patrol.db", done["missions"][0]["clip"]} <= names
    assert not [name for name in names if name.startswith(".")]


def test_a_photo_that_cannot_be_read_fails_by_name_and_the_others_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And one without a date, which comes last, does not turn the clock of the progress back."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for name, taken in (("a", "2026:05:04 08:00:00"), ("b", "2026:05:04 08:00:09"), ("c", None)):
        make_jpeg(photos / f"{name}.jpg", exif=make_exif(taken=taken, lat_lon=(22.84, 113.23)))
    (photos / "empty.jpg").touch()
    done = in_process(capsys, "run", photos, "--out", tmp_path / "out", "--json")
    assert done.rc == 3
    (failed,) = done.summary["failed"]
    assert failed["item"].endswith("empty.jpg")
    assert [failed["error"] in line for line in done.complaints] == [True]
    (mission,) = done.summary["missions"]
    assert mission["frames"]["analysed"] == 3
    assert not any("empty.jpg" in note for note in mission["notes"])
    assert ": -" not in done.err
