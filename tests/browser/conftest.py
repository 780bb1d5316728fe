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
from patrolvision.config import OfficeSettings
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


def _listening(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen()  # who comes before the server has started waits, instead of being refused
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
    served = _Served(made)
    made.go_down, made.come_back = served.stop, served.start
    served.start()
    yield made
    served.stop()
    store.close()


class _Served:
    """The office on a port that stays the same however often it is stopped and started."""

    def __init__(self, made: DeskOffice) -> None:
        self._made, self._port = made, 0

    def start(self, settings: OfficeSettings | None = None) -> None:
        """Listen, with these settings."""
        self._listener = _listening(self._port)
        self._port = self._listener.getsockname()[1]
        made = self._made
        made.url = f"http://127.0.0.1:{self._port}"
        app = create_app(made.store, settings, media=made.media, hide=lambda image: image)
        config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._listener],), daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Nobody can reach it any more."""
        self._server.should_exit = True
        self._thread.join(10)
        self._listener.close()


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
