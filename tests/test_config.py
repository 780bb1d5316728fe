"""Settings and files of settings: checked where they come in, impossible pairs refused."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from patrolvision.config import (
    Settings,
    checked,
    default_models_dir,
    default_sample_dir,
    load_missions,
    load_watch,
)
from patrolvision.errors import ConfigError


def test_settings_are_frozen_and_refuse_what_they_do_not_know() -> None:
    with pytest.raises(ConfigError, match=r"^here: colour: "):
        checked(Settings, {"colour": "red"}, where="here")


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"analysis_fps": 0}, "analysis_fps"),
        ({"analysis_fps": "fast"}, "analysis_fps"),
        ({"batch_size": 0}, "batch_size"),
        ({"workers": 0}, "workers"),
        ({"engine": "tensorflow"}, "engine"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"timezone": "../etc/passwd"}, "timezone"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_its_field(
    values: dict[str, object], field: str
) -> None:
    with pytest.raises(ConfigError, match=rf"^here: {field}: "):
        checked(Settings, values, where="here")


def test_ray_with_a_file_for_a_database_is_refused_with_the_ways_out() -> None:
    with pytest.raises(ConfigError, match=r"postgresql.*--executor processes"):
        checked(Settings, {"executor": "ray"}, where="here")


def test_the_database_lies_in_the_output_folder_unless_it_is_named(tmp_path: Path) -> None:
    assert Settings(out=tmp_path).database_url == f"sqlite:///{tmp_path / 'patrol.db'}"
    assert Settings(db="sqlite:///x.db").database_url == "sqlite:///x.db"


def test_folders_come_from_the_environment_where_it_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATROLVISION_MODELS", str(tmp_path / "m"))
    monkeypatch.setenv("PATROLVISION_SAMPLES", str(tmp_path / "s"))
    assert default_models_dir() == tmp_path / "m"
    assert default_sample_dir() == tmp_path / "s"


def test_a_mission_file_means_paths_beside_itself(tmp_path: Path) -> None:
    file = tmp_path / "missions.toml"
    file.write_text(
        '[[mission]]\nid = "a"\nmedia = "a.mp4"\ntelemetry = "t/a.gpx"\n'
        "started_at = 2026-05-04T08:00:00+08:00\nclock_offset_s = -1.5\n"
    )
    (mission,) = load_missions(file)
    assert mission.media == str(tmp_path / "a.mp4")
    assert mission.telemetry == tmp_path / "t" / "a.gpx"
    assert mission.stream_id == "a"
    assert mission.started_at == datetime(2026, 5, 4, tzinfo=UTC)
    assert mission.clock_offset_s == -1.5


def test_the_projects_own_mission_file_names_files_that_are_there(sample_media: Path) -> None:
    for mission in load_missions(sample_media / "missions.toml"):
        files = (mission.telemetry, mission.camera, mission.zones, mission.grids)
        assert all(path is not None and path.is_file() for path in files), mission.id


def test_a_watch_file_means_paths_beside_itself_and_leaves_addresses_alone(tmp_path: Path) -> None:
    file = tmp_path / "watch.toml"
    file.write_text(
        '[settings]\nzones = "z.geojson"\n[[source]]\nid = "a"\nurl = "a.mp4"\n'
        'camera = "c.toml"\n[[source]]\nid = "b"\nurl = "rtsp://127.0.0.1/b"\n'
    )
    watch = load_watch(file)
    assert [source.url for source in watch.source] == [
        str(tmp_path / "a.mp4"),
        "rtsp://127.0.0.1/b",
    ]
    assert watch.source[0].camera == tmp_path / "c.toml"
    assert watch.settings.zones == tmp_path / "z.geojson"


@pytest.mark.parametrize(
    ("text", "fragment"),
    [("", "source"), ('[[source]]\nid = "a"\n', "source.0.url"), ("[settings]\nx = 1", "x")],
)
def test_a_watch_file_is_refused_by_name_and_field(
    text: str, fragment: str, tmp_path: Path
) -> None:
    file = tmp_path / "watch.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"watch\.toml") as refusal:
        load_watch(file)
    assert fragment in str(refusal.value)
