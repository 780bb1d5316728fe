"""Fixtures every test may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from helpers.databases import PG_VARIABLE, empty_schema, private_cluster

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


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server."""
    url = os.environ.get(PG_VARIABLE)
    if not url:
        pytest.skip(f"PostgreSQL: set {PG_VARIABLE} to a database's URL, or to 'private'")
    pytest.importorskip("psycopg", reason="pip install 'patrolvision[postgres]'")
    if url == "private":
        with private_cluster() as url:
            yield url
    else:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each engine."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'patrol.db'}"
        return
    with empty_schema(request.getfixturevalue("postgres_url")) as address:
        yield address
