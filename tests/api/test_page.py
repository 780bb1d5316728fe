"""The page's files: served by name from memory, under a policy that lets nothing inline run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from patrolvision import wiring
from patrolvision.api.app import create_app
from patrolvision.api.citizens import CITIZEN
from patrolvision.api.routes.page import Asset, own_files, policy, worker_of
from patrolvision.config import OfficeSettings
from patrolvision.store.sql_store import SqlStore
from patrolvision.tickets.office import AUTOMATIC


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    opened = wiring.store(f"sqlite:///{tmp_path / 'patrol.db'}")
    yield opened
    opened.close()


@pytest.fixture
def client(store: SqlStore) -> TestClient:
    return TestClient(create_app(store))


def _text(name: str) -> str:
    return own_files()[name].content.decode()


def test_the_page_and_every_file_it_names_are_served(client: TestClient) -> None:
    page = client.get("/")
    named = re.findall(r'(?:href|src)="(/web/[^"]+)"', page.text)
    assert page.status_code == 200
    assert len(named) > 8
    assert [client.get(name).status_code for name in named] == [200] * len(named)


def test_every_module_that_is_imported_exists() -> None:
    files = own_files()
    for name, asset in files.items():
        if not name.endswith(".js"):
            continue
        folder = Path("/web") / Path(name).parent
        for wanted in re.findall(r'(?:from|import)\s*\(?"(\.[^"]+)"', asset.content.decode()):
            found = (folder / wanted).as_posix()
            parts: list[str] = []
            for part in found.split("/")[2:]:
                if part == "..":
                    parts.pop()
                elif part != ".":
                    parts.append(part)
            assert "/".join(parts) in files, f"{name} imports {wanted}"


def test_nothing_inline_may_run_and_nothing_elsewhere_is_asked(client: TestClient) -> None:
    page = client.get("/")
    rules = page.headers["Content-Security-Policy"]
    assert "script-src 'self';" in rules
    assert "unsafe" not in rules
    assert not re.search(r"<script(?![^>]*src=)|\son\w+=|style=", page.text)


def test_no_module_makes_markup_out_of_words() -> None:
    for name, asset in own_files().items():
        if name.endswith(".js"):
            assert not re.search(
                r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(",
                asset.content.decode(),
            ), name


def test_maplibre_comes_from_its_package(client: TestClient) -> None:
    script = client.get("/web/vendor/maplibre-gl.js")
    assert script.status_code == 200
    assert "maplibre" in script.text[:200].lower()
    assert script.headers["Content-Encoding"] == "gzip"


def test_what_has_not_changed_is_not_sent_again(client: TestClient) -> None:
    first = client.get("/web/css/tokens.css")
    again = client.get("/web/css/tokens.css", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    assert again.content == b""


@pytest.mark.parametrize(
    "name", ["../app.py", "..%2fapp.py", "%2e%2e/%2e%2e/app.py", "js/none.js", "", "/etc/passwd"]
)
def test_a_name_that_is_not_a_file_of_the_page_is_not_found(client: TestClient, name: str) -> None:
    assert client.get(f"/web/{name}").status_code == 404


def test_tiles_from_elsewhere_are_let_through_by_name_only(store: SqlStore) -> None:
    url = "https://tiles.example.org/{z}/{x}/{y}.png"
    client = TestClient(create_app(store, OfficeSettings(tiles_url=url)))
    assert client.get("/web/settings.json").json()["tiles"]["url"] == url
    assert "img-src 'self' data: blob: https://tiles.example.org;" in policy(url)
    assert "example" not in policy(None)


def test_both_languages_have_the_same_phrases() -> None:
    chinese = json.loads(_text("i18n/zh.json"))
    english = json.loads(_text("i18n/en.json"))
    assert chinese.keys() == english.keys()
    blanks = {k: set(re.findall(r"\{\w+\}", v)) for k, v in english.items()}
    assert blanks == {k: set(re.findall(r"\{\w+\}", v)) for k, v in chinese.items()}
    assert [english[k] for k in ("state.reported",)] and chinese["state.reported"] == "受理"


@pytest.mark.parametrize("actor", [CITIZEN, AUTOMATIC])
def test_who_acted_without_an_account_has_a_name_in_both_languages(actor: str) -> None:
    for name in ("en", "zh"):
        assert f"actor.{actor}" in json.loads(_text(f"i18n/{name}.json"))
    assert "tOr(`actor.${event.actor}`" in _text("js/drawer.js")


def test_every_phrase_that_is_asked_for_is_known() -> None:
    known = json.loads(_text("i18n/en.json"))
    for name, asset in own_files().items():
        if name.endswith(".js"):
            for key in re.findall(r'\bt\("([\w.]+)"', asset.content.decode()):
                assert key in known, f"{name} asks for {key}"


def test_the_service_worker_keeps_every_file_of_the_page_and_is_another_when_one_changes(
    client: TestClient,
) -> None:
    answer = client.get("/sw.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    first, second, *_ = answer.text.splitlines()
    files = json.loads(first.removeprefix("const FILES = ").removesuffix(";"))
    assert {"/", "/web/js/main.js", "/web/i18n/zh.json", "/web/css/tokens.css"} <= set(files)
    assert all(client.get(address).status_code == 200 for address in files)
    assert not any(address.startswith("/api") for address in files), "no data of the office"
    changed = own_files() | {"js/main.js": Asset(b"another", "text/javascript")}
    assert worker_of(changed).content.splitlines()[1] != second.encode()
    assert "worker-src 'self' blob:" in client.get("/").headers["content-security-policy"]
