"""A short real clip, and one run of it that several tests look at."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from helpers.command_line import Done, patrolvision
from helpers.street_clip import Street, short_street


@pytest.fixture(scope="session")
def street(sample_media: Path, tmp_path_factory: pytest.TempPathFactory) -> Street:
    """The project's own street, cut short."""
    return short_street(sample_media, tmp_path_factory.mktemp("street"))


@pytest.fixture(scope="session")
def first_run(street: Street, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """The output folder and the answer of one undisturbed run; only to be looked at."""
    out = tmp_path_factory.mktemp("first") / "out"
    done = patrolvision("run", street.clip, *street.options, "--out", out, "--json")
    assert done.rc == 0, done.err
    return out, done


@pytest.fixture
def after_first_run(first_run: tuple[Path, Done], tmp_path: Path) -> Path:
    """A copy of that run's output folder, to be changed at will."""
    return Path(shutil.copytree(first_run[0], tmp_path / "out"))
