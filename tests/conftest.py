"""Fixtures every test may use."""

from __future__ import annotations

from pathlib import Path

import pytest

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
