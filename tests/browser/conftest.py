"""A real browser (Debian's Chromium, without a window) and an office of its own for every test."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from helpers.desk_office import SETUP_TOKEN, DeskOffice
from helpers.office_people import CHEAP_LOG2, hire
from patrolvision.api import credentials
from patrolvision.api.app import create_app
from patrolvision.store.accounts import SqlAccounts
from patrolvision.store.sql_store import open_store

WAIT_MS = 30_000
ARGUMENTS = (
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--no-sandbox",
    "--disable-dev-shm-usage",
)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A headless browser."""
    playwright_api = pytest.importorskip(
        "playwright.sync_api", reason="browser tests: pip install 'patrolvision[dev]'"
    )
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("browser tests: apt-get install chromium")
    with playwright_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        yield browser
        browser.close()


def _listening() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    return listener


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DeskOffice]:
    """An office with three tickets and the token of a set-up link."""
    monkeypatch.setattr(credentials, "COST_LOG2", CHEAP_LOG2)
    store = open_store(f"sqlite:///{tmp_path / 'patrol.db'}")
    made = DeskOffice(store, tmp_path)
    for category in ("litter", "illegal_parking", "open_fire"):
        made.find(category, category)
    SqlAccounts(store.engine).expect_setup(credentials.sha256(SETUP_TOKEN))
    listener = _listening()
    app = create_app(store, media=tmp_path, hide=lambda image: image)
    config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    made.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    yield made
    server.should_exit = True
    thread.join(10)
    listener.close()
    store.close()


@pytest.fixture
def open_page(chromium: Any, office: DeskOffice) -> Iterator[Callable[..., Any]]:
    """A function that opens the page in a browser of its own and notes what goes wrong there.

    where is what follows the address; without a graphics card the map is the plain one.
    """
    contexts = []

    def opened(where: str = "", **options: Any) -> Any:
        options = {"locale": "en-GB", "viewport": {"width": 1280, "height": 800}, **options}
        context = chromium.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("pageerror", lambda error: office.problems.append(str(error)))
        page.on(
            "response",
            lambda a: office.problems.append(f"{a.status} {a.url}") if a.status >= 400 else None,
        )
        page.on(
            "console",
            lambda line: office.problems.append(line.text) if line.type == "error" else None,
        )
        page.goto(f"{office.url}/{where}")
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture
def staff(office: DeskOffice) -> DeskOffice:
    """The office with an admin, a reviewer and a crew."""
    hire(office.store, "ada", "admin")
    hire(office.store, "rita", "reviewer")
    hire(office.store, "carl", "crew", crew="crew-1")
    return office
