"""Outputs and databases that cannot be written are refused; what was there stays whole."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from helpers.command_line import Done, assert_refused, in_process, patrolvision
from helpers.street_clip import Street
from patrolvision.store.sql_store import open_store


@contextmanager
def tmpfs(folder: Path, size_kib: int) -> Iterator[Path]:
    """A small file system of its own; skips where this user may not mount one."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_kib}k", "none", str(folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if mounted.returncode != 0:
        pytest.skip("needs the right to mount a tmpfs (run as root): " + mounted.stderr.strip())
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def run(street: Street, out: Path, *options: object) -> Done:
    return patrolvision("run", street.clip, *street.options, "--out", out, *options)


def digest(path: Path) -> str:
    store = open_store(f"sqlite:///{path}", create=False)
    try:
        return store.digest()
    finally:
        store.close()


def test_an_output_folder_below_a_file_is_refused_by_name(
    street: Street, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "out"
    done = in_process(capsys, "run", street.clip, "--out", out)
    assert_refused(done, 2, str(out), "cannot be written")


def test_a_read_only_output_folder_is_refused_by_name(street: Street, tmp_path: Path) -> None:
    with tmpfs(tmp_path / "small", 1024) as folder:
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        assert_refused(run(street, folder), 2, str(folder), "Read-only file system")
        assert_refused(run(street, folder / "deeper"), 2, str(folder), "Read-only file system")


def test_a_full_disk_is_named_and_leaves_the_database_elsewhere_whole(
    street: Street, first_run: tuple[Path, Done], after_first_run: Path, tmp_path: Path
) -> None:
    """200 KiB hold the probe and the first pictures, not all that a run leaves."""
    database = after_first_run / "patrol.db"
    before = digest(database)
    with tmpfs(tmp_path / "small", 200) as out:
        done = run(street, out, "--db", f"sqlite:///{database}")
        assert_refused(done, 2, str(out), "No space left on device")
        assert not list(out.glob("*.mp4")), "half a clip must not stand there as if it were whole"
    assert digest(database) == before
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("size_kib", [16, 96, 224, 288])
def test_a_database_on_a_full_disk_is_left_as_it_was(
    street: Street, after_first_run: Path, tmp_path: Path, size_kib: int
) -> None:
    """Wherever the disk becomes full, the database afterwards is whole: all or nothing."""
    with tmpfs(tmp_path / "small", size_kib) as folder:
        url = f"sqlite:///{folder / 'patrol.db'}"
        done = run(street, tmp_path / "out", "--db", url, "--no-clip", "--no-pictures")
        if done.rc == 0:
            assert size_kib > 200
            return
        assert_refused(done, 2, "patrol.db", "full" if size_kib < 64 else "no room left")
        subprocess.run(["mount", "-o", "remount,size=4m", str(folder)], check=True)
        with closing(sqlite3.connect(folder / "patrol.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        store = open_store(url)
        assert store.counts()["observations"] == 0, "half a mission must not be kept"
        store.close()


@pytest.mark.parametrize("command", ["run", "fuse", "tickets"])
def test_a_file_that_is_no_database_is_refused_and_not_touched(
    command: str, street: Street, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "notes.db"
    file.write_text("Shopping list: flour, eggs. " * 100)
    before = file.read_bytes()
    (tmp_path / "none.jsonl").touch()
    what = {"run": ("run", street.clip, "--out", tmp_path / "out"),
            "fuse": ("fuse", tmp_path / "none.jsonl"), "tickets": ("tickets",)}  # fmt: skip
    done = in_process(capsys, *what[command], "--db", f"sqlite:///{file}")
    assert_refused(done, 2, str(file), "is not a database")
    assert file.read_bytes() == before


def test_a_database_in_a_folder_that_is_not_there_is_refused(
    street: Street, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path / 'nowhere' / 'patrol.db'}"
    done = in_process(capsys, "run", street.clip, "--out", tmp_path / "out", "--db", url)
    assert_refused(done, 2, "nowhere", "cannot be opened")
    assert_refused(
        in_process(capsys, "tickets", "--db", url), 2, "nowhere", "no such database file"
    )


@pytest.mark.parametrize("url", ["patrol.db", "mysql://city/patrol", "sqlite:/patrol.db", ""])
def test_an_address_that_is_no_database_url_is_refused(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert_refused(in_process(capsys, "incidents", "--db", url), 2, "sqlite:///")


def test_a_lost_password_is_never_printed(capsys: pytest.CaptureFixture[str]) -> None:
    done = in_process(
        capsys, "tickets", "--db", "postgresql+psycopg://city:hush@127.0.0.1:1/patrol"
    )
    sentence = assert_refused(done, 2, "postgresql+psycopg://city")
    assert "hush" not in sentence
