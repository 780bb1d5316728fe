"""Wrong cameras, zones, grids, models, mission files: one sentence with file and field, exit 2."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from helpers.command_line import Done, assert_refused, in_process, patrolvision
from helpers.street_clip import Street
from helpers.street_lines import two_passes, write_lines

SQUARE = [[113.2, 22.8], [113.3, 22.8], [113.3, 22.9], [113.2, 22.9], [113.2, 22.8]]
BOW_TIE = [SQUARE[k] for k in (0, 2, 1, 3, 0)]
POLYGON = {"type": "Polygon", "coordinates": [SQUARE]}


def geojson(path: Path, geometry: Any, **properties: object) -> Path:
    feature = {"type": "Feature", "properties": properties, "geometry": geometry}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    return path


def run(capsys: pytest.CaptureFixture[str], street: Street, out: Path, *options: object) -> Done:
    return in_process(capsys, "run", street.clip, "--analysis-fps", "1", "--out", out, *options)


ZONES: dict[str, tuple[Any, dict[str, object], tuple[str, ...]]] = {
    "a point": ({"type": "Point", "coordinates": [113.2, 22.8]},
                {"zone_id": "z1", "rule": "no_stopping"}, ("'z1'", "geometry", "Polygon")),
    "a border that crosses itself": ({"type": "Polygon", "coordinates": [BOW_TIE]},
                {"zone_id": "z1", "rule": "no_stopping"}, ("geometry", "Self-intersection")),
    "hours nobody knows": (POLYGON, {"zone_id": "z1", "rule": "no_stopping", "hours": "whenever"},
                           ("'z1'", "hours", "whenever")),
    "a rule nobody knows": (POLYGON, {"zone_id": "z1", "rule": "no_fun"}, ("rule", "no_fun")),
    "no zone_id": (POLYGON, {"rule": "no_stopping"}, ("zone_id",)),
    "a line without width": ({"type": "LineString", "coordinates": SQUARE[:2]},
                             {"zone_id": "z1", "rule": "no_stopping"}, ("width_m",)),
    "latitude first": ({"type": "Polygon", "coordinates": [[c[::-1] for c in SQUARE]]},
                       {"zone_id": "z1", "rule": "no_stopping"}, ("geometry", "latitude")),
}  # fmt: skip


@pytest.mark.parametrize("fault", ZONES)
def test_a_zone_that_is_none_is_refused_by_file_zone_and_field(
    fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    geometry, properties, fragments = ZONES[fault]
    zones = geojson(tmp_path / "zones.geojson", geometry, **properties)
    lines = write_lines(tmp_path / "lines.jsonl", two_passes())
    done = in_process(capsys, "fuse", lines, "--zones", zones,
                      "--db", f"sqlite:///{tmp_path / 'a.db'}", "--json")  # fmt: skip
    assert_refused(done, 3, str(zones), *fragments)
    assert done.summary["read"] == 4, "the rest goes on"


def test_a_run_names_every_bad_zone_and_goes_on_with_the_good_ones(
    street: Street, first_run: tuple[Path, Done], tmp_path: Path
) -> None:
    """The street's own zones give the street's own tickets, whatever stands beside them."""
    document = json.loads(street.zones.read_text(encoding="utf-8"))
    document["features"] += [
        {"type": "Feature", "geometry": geometry, "properties": {**properties, "zone_id": f"b{k}"}}
        for k, (geometry, properties, _) in enumerate(ZONES.values())
        if "zone_id" in properties
    ] + [None, {"type": "Feature"}]
    zones = tmp_path / "zones.geojson"
    zones.write_text(json.dumps(document), encoding="utf-8")
    done = patrolvision("run", street.clip, *street.options, "--zones", zones, "--no-clip",
                        "--out", tmp_path / "out", "--json")  # fmt: skip
    assert done.rc == 3, done.err
    assert "Traceback" not in done.err
    assert len(done.complaints) == len(done.summary["failed"]) == len(ZONES) + 1
    assert all(str(zones) in complaint for complaint in done.complaints)
    assert done.summary["ticket_list"] == first_run[1].summary["ticket_list"]


@pytest.mark.parametrize(
    ("text", "fragment"),
    [("{not json", "not JSON"), ("[1, 2]", "FeatureCollection"), ("", "not JSON")],
)
def test_a_zones_file_that_is_no_geojson_is_refused(
    text: str, fragment: str, street: Street, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    zones = tmp_path / "zones.geojson"
    zones.write_text(text)
    assert_refused(run(capsys, street, tmp_path / "out", "--zones", zones), 2, str(zones), fragment)


GRIDS: dict[str, tuple[Any, dict[str, object], tuple[str, ...]]] = {
    "no code": (POLYGON, {"layer": "unit"}, ("feature 0", "code")),
    "no layer": (POLYGON, {"code": "A"}, ("feature 0", "layer")),
    "a road that is a square": (POLYGON, {"layer": "segment", "code": "S"}, ("LineString",)),
    "a border that crosses itself": ({"type": "Polygon", "coordinates": [BOW_TIE]},
                                     {"layer": "unit", "code": "A"}, ("feature 0", "geometry")),
}  # fmt: skip


@pytest.mark.parametrize("fault", GRIDS)
def test_grids_that_are_none_are_refused_by_file_feature_and_field(
    fault: str, street: Street, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    geometry, properties, fragments = GRIDS[fault]
    grids = geojson(tmp_path / "grids.geojson", geometry, **properties)
    assert_refused(
        run(capsys, street, tmp_path / "out", "--grids", grids), 2, str(grids), *fragments
    )


CAMERAS = {
    "no focal length": ("fx", "", "lens.fx"),
    "an unknown key": ("model =", 'colour = "red"\nmodel =', "lens.colour: unknown key"),
    "a width that is a word": ("width = ", 'width = "wide" #', "image.width"),
    "a height above the clouds": ("height_m =", "height_m = 1e9 #", "mount.height_m"),
    "no TOML": ("[lens]", "[lens", "not TOML"),
    "another platform": ('platform = "car"', 'platform = "boat"', "platform"),
}


@pytest.mark.parametrize("fault", CAMERAS)
def test_a_camera_file_is_refused_by_name_and_key(
    fault: str, street: Street, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new, fragment = CAMERAS[fault]
    lines = street.camera.read_text(encoding="utf-8").splitlines()
    changed = [line.replace(old, new) for line in lines if new or not line.startswith(old)]
    assert changed != lines
    camera = tmp_path / "bad.toml"
    camera.write_text("\n".join(changed))
    done = run(capsys, street, tmp_path / "out", "--camera", camera)
    assert_refused(done, 2, str(camera), fragment)


def test_a_camera_of_another_picture_size_is_refused_with_both_sizes(
    street: Street, tmp_path: Path
) -> None:
    camera = tmp_path / "other.toml"
    text = street.camera.read_text(encoding="utf-8")
    camera.write_text(text.replace("width = ", "width = 1").replace("cx = ", "#cx = "))
    done = patrolvision("run", street.clip, "--camera", camera, "--out", tmp_path / "out")
    assert_refused(done, 3, street.clip.name, "image.width")


def test_an_unknown_model_is_refused_with_those_there_are(
    street: Street, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = run(capsys, street, tmp_path / "out", "--model", "nobody")
    assert_refused(done, 2, "nobody", "patrol-n")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A copy of the production model's folder, to be damaged."""
    here = Path(__file__).resolve().parents[2] / "models"
    chosen = json.loads((here / "production.json").read_text())
    inside = Path(chosen["name"]) / chosen["version"]
    copied = shutil.copytree(
        here / inside, tmp_path / "models" / inside, ignore=shutil.ignore_patterns("*.pt")
    )
    shutil.copy(here / "production.json", tmp_path / "models")
    return Path(copied)


def test_damaged_weights_are_refused_by_their_hash(
    models: Path, street: Street, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = next(models.glob("*.bin"))
    body = bytearray(weights.read_bytes())
    body[len(body) // 2] ^= 1
    weights.write_bytes(body)
    done = run(capsys, street, tmp_path / "out", "--models-dir", tmp_path / "models")
    assert_refused(done, 2, str(weights), "sha256")


def test_lost_weights_are_named(
    models: Path, street: Street, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = next(models.glob("*.xml"))
    weights.unlink()
    done = run(capsys, street, tmp_path / "out", "--models-dir", tmp_path / "models",
               "--engine", "openvino")  # fmt: skip
    assert_refused(done, 2, str(weights), "missing")


MISSION_FILES = {
    "a typo": ('[[mission]]\nid = "a"\nmedia = "a.mp4"\ntelemtry = "a.gpx"\n', "telemtry"),
    "no media": ('[[mission]]\nid = "a"\n', "mission.0.media"),
    "no mission": ("", "mission"),
    "an id given twice": ('[[mission]]\nid = "a"\nmedia = "a.mp4"\n' * 2, "'a' is given twice"),
    "no TOML": ("[[mission", "not valid TOML"),
    "a start without offset": (
        '[[mission]]\nid = "a"\nmedia = "a.mp4"\nstarted_at = 2026-05-04T08:00:00\n', "started_at"
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", MISSION_FILES)
def test_a_mission_file_is_refused_by_name_and_key(
    fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, fragment = MISSION_FILES[fault]
    file = tmp_path / "missions.toml"
    file.write_text(text)
    done = in_process(capsys, "run", file, "--out", tmp_path / "out")
    assert_refused(done, 2, str(file), fragment)


@pytest.mark.parametrize(
    ("options", "fragment"),
    [
        (("--analysis-fps", "-1"), "analysis_fps"),
        (("--timezone", "Mars/Olympus"), "Mars/Olympus"),
        (("--workers", "0"), "workers"),
        (("--started-at", "yesterday"), "--started-at"),
        (("--started-at", "2026-05-04T08:00:00"), "offset"),
        (("--executor", "ray"), "--executor processes"),
        (("--zones", "nowhere.geojson"), "nowhere.geojson"),
        (("--grids", "nowhere.geojson"), "nowhere.geojson"),
        (("--camera", "nowhere.toml"), "nowhere.toml"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_name(
    options: tuple[str, ...], fragment: str, street: Street, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert_refused(run(capsys, street, tmp_path / "out", *options), 2, fragment)


def test_one_telemetry_file_for_two_clips_is_refused(
    street: Street, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Path(shutil.copy(street.clip, tmp_path / "other.mp4"))
    done = in_process(capsys, "run", street.clip, other, "--telemetry", street.telemetry,
                      "--out", tmp_path / "out")  # fmt: skip
    assert_refused(done, 2, "--telemetry", "mission file")
