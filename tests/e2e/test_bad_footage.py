"""Bad footage and telemetry: each is named in one sentence, and the rest of a batch goes on."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from helpers.command_line import Done, assert_refused, patrolvision
from helpers.street_clip import Street
from patrolvision.store.sql_store import open_store
from sources.making import make_audio_only


def truncated(clip: Path, target: Path) -> Path:
    """The first half of the file: the index, which comes last, is lost."""
    body = clip.read_bytes()
    target.write_bytes(body[: len(body) // 2])
    return target


def gpx(path: Path, points: list[tuple[float, float]], start: str = "2026-05-04T00:00:0") -> Path:
    """A track of one fix per second."""
    fixes = "".join(
        f'<trkpt lat="{lat}" lon="{lon}"><ele>5</ele><time>{start}{second}Z</time></trkpt>'
        for second, (lat, lon) in enumerate(points)
    )
    path.write_text(f'<gpx version="1.1" creator="t"><trk><trkseg>{fixes}</trkseg></trk></gpx>')
    return path


@pytest.fixture(scope="module")
def batch(street: Street, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """One call over every kind of broken file, with one good clip in their middle."""
    folder = tmp_path_factory.mktemp("batch")
    (folder / "empty.mp4").touch()
    truncated(street.clip, folder / "cut.mp4")
    make_audio_only(folder / "sound.mp4")
    (folder / "letter.mp4").write_text("Dear city,\nthis is no video.\n" * 50)
    media = [folder / f"{name}.mp4" for name in ("empty", "cut")]
    media += [street.clip]
    media += [folder / f"{name}.mp4" for name in ("sound", "letter", "nowhere")]
    done = patrolvision("run", *media, *street.options, "--out", folder / "out", "--json")
    return folder, done


WRONG = {
    "empty.mp4": "empty",
    "cut.mp4": "cut off",
    "sound.mp4": "no video stream",
    "letter.mp4": "not a readable video",
    "nowhere.mp4": "no such file",
}


def test_a_batch_with_broken_files_ends_with_exit_3_and_no_traceback(
    batch: tuple[Path, Done],
) -> None:
    done = batch[1]
    assert done.rc == 3
    assert "Traceback" not in done.err


@pytest.mark.parametrize("name", WRONG)
def test_each_broken_file_is_named_with_its_fault_in_one_sentence(
    batch: tuple[Path, Done], name: str
) -> None:
    told = [line for line in batch[1].complaints if name in line]
    assert len(told) == 1, batch[1].err
    assert WRONG[name] in told[0]
    listed = [f["error"] for f in batch[1].summary["failed"] if name in f["error"]]
    assert len(listed) == 1
    assert told[0] == f"patrolvision: {listed[0]}"


def test_the_good_clip_among_broken_ones_gives_what_it_gives_alone(
    batch: tuple[Path, Done], first_run: tuple[Path, Done]
) -> None:
    folder, done = batch
    alone = first_run[1].summary
    assert len(done.summary["failed"]) == len(WRONG)
    assert done.summary["ticket_list"] == alone["ticket_list"]
    assert done.summary["observations"] == alone["observations"] > 0
    store = open_store(f"sqlite:///{folder / 'out' / 'patrol.db'}", create=False)
    with store.transaction() as transaction:
        good = [m["mission_id"] for m in done.summary["missions"] if "error" not in m]
        assert [transaction.mission(m) is not None for m in good] == [True]
    store.close()
    page = (folder / "out" / "report.html").read_text(encoding="utf-8")
    assert "empty.mp4" in page
    assert "cut.mp4" in page


def run_with(street: Street, out: Path, *options: object, telemetry: Path | None = None) -> Done:
    given = [] if telemetry is None else ["--telemetry", telemetry]
    return patrolvision("run", street.clip, *street.options, *given, *options, "--out", out)


def test_telemetry_of_another_day_is_refused_with_both_spans(
    street: Street, tmp_path: Path
) -> None:
    other = gpx(tmp_path / "other.gpx", [(22.84, 113.23)] * 9, start="2024-01-01T00:00:0")
    assert_refused(run_with(street, tmp_path / "out", telemetry=other), 3,
            "other.gpx", "2024-01-01", street.clip.name, "share no instant")  # fmt: skip


def test_footage_said_to_be_of_another_day_is_refused(street: Street, tmp_path: Path) -> None:
    later = street.started_at + timedelta(days=3)
    done = run_with(street, tmp_path / "out", "--started-at", later.isoformat())
    assert_refused(done, 3, street.telemetry.name, "share no instant")


GARBAGE = {
    "garbage.srt": ("1\n00:00:00,000 --> 00:00:01,000\nhello there\n\n" * 5, "garbage.srt"),
    "noise.srt": ("\x00\x01\x02 nothing of the kind \x7f" * 40, "noise.srt"),
    "empty.srt": ("", "empty"),
    "broken.gpx": ("<gpx><trk><trkseg><trkpt lat='22.8'", "broken.gpx"),
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_telemetry_is_refused_by_the_name_of_its_file(
    street: Street, tmp_path: Path, name: str
) -> None:
    text, fragment = GARBAGE[name]
    (tmp_path / name).write_text(text)
    assert_refused(patrolvision("telemetry", tmp_path / name), 3, name, fragment)


def test_a_run_with_garbage_telemetry_refuses_it_too(street: Street, tmp_path: Path) -> None:
    (tmp_path / "garbage.srt").write_text(GARBAGE["garbage.srt"][0])
    assert_refused(
        run_with(street, tmp_path / "out", telemetry=tmp_path / "garbage.srt"), 3, "garbage.srt"
    )


@pytest.mark.parametrize(
    ("points", "field"),
    [
        ([(91.5, 113.23)] * 9, "lat/lon"),
        ([(22.84, 191.0)] * 9, "lat/lon"),
        ([(0, 0)] * 9, "(0, 0)"),
    ],
    ids=["a latitude beyond the pole", "a longitude beyond the date line", "no fix: (0, 0)"],
)
def test_places_that_cannot_be_are_refused_by_file_and_field(
    tmp_path: Path, points: list[tuple[float, float]], field: str
) -> None:
    file = gpx(tmp_path / "wild.gpx", points)
    assert_refused(patrolvision("telemetry", file), 3, "wild.gpx", field)


def test_a_few_impossible_fixes_are_left_out_and_counted(tmp_path: Path) -> None:
    file = gpx(tmp_path / "mixed.gpx", [(22.84, 113.23), (0, 0), (22.84001, 113.23), (95, 113.23)])
    done = patrolvision("telemetry", file)
    assert done.rc == 0
    assert len(done.out.splitlines()) == 2
    assert "mixed.gpx: 2 samples, gpx (left out: " in done.err.lower()


def test_a_file_that_is_not_there_is_named(street: Street, tmp_path: Path) -> None:
    assert_refused(patrolvision("telemetry", tmp_path / "gone.srt"), 3, "gone.srt", "No such file")
    gone = tmp_path / "gone.gpx"
    assert_refused(run_with(street, tmp_path / "out", telemetry=gone), 3, "gone.gpx")


def test_a_folder_without_recordings_is_named(tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    done = patrolvision("run", tmp_path / "nothing", "--out", tmp_path / "out")
    assert_refused(done, 3, "nothing", "neither videos nor pictures")


def test_a_folder_with_side_cars_runs_every_clip_in_it(street: Street, tmp_path: Path) -> None:
    folder = tmp_path / "card"
    folder.mkdir()
    for number in (2, 10):
        shutil.copy(street.clip, folder / f"clip{number}.mp4")
        shutil.copy(street.telemetry, folder / f"clip{number}{street.telemetry.suffix}")
    done = patrolvision("run", folder, *street.options, "--analysis-fps", "1",
                        "--out", tmp_path / "out", "--json", "--no-clip")  # fmt: skip
    assert done.rc == 0, done.err
    names = [Path(m["media"]).name for m in done.summary["missions"]]
    assert names == ["clip2.mp4", "clip10.mp4"]
    assert all(m["frames"]["without_pose"] == 0 for m in done.summary["missions"])
