"""Fixtures every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Machines are busy at times, so no example has a deadline. In CI the search is the same each time:
# a change is judged by what it changes, and new examples are looked for on the desk.
settings.register_profile("desk", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "desk")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real footage and labelled pictures beside the checkout, where there is one."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the development data folder ../shared/data beside the checkout")
    return folder


@pytest.fixture(scope="session")
def sample_media() -> Path:
    """The clips that the project itself has made."""
    return ROOT / "sample_media"
