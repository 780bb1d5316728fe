"""Signing in: who gets a session, who does not learn why not, and what a session cannot do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from helpers.office_people import (
    CHEAP_LOG2,
    PASSWORD,
    START,
    Clock,
    fresh_store,
    hire,
    key,
    signed_in,
)
from patrolvision.api import credentials
from patrolvision.api.app import create_app
from patrolvision.store.accounts import SqlAccounts
from patrolvision.store.audit import SqlAudit
from patrolvision.store.sql_store import SqlStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    opened = fresh_store(tmp_path)
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "COST_LOG2", CHEAP_LOG2)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(store: SqlStore, clock: Clock) -> FastAPI:
    return create_app(store, clock=clock)


@pytest.fixture
def staffed(app: FastAPI, store: SqlStore) -> FastAPI:
    hire(store, "ada", "admin")
    hire(store, "rita", "reviewer", "440605")
    return app


def sign_in(client: TestClient, name: str = "rita", password: str = PASSWORD) -> int:
    answer = client.post("/api/v1/session", json={"name": name, "password": password})
    return answer.status_code


def test_a_session_knows_who_signed_in_and_ends_when_he_leaves(staffed: FastAPI) -> None:
    client = TestClient(staffed)
    assert client.get("/api/v1/session").status_code == 401
    answer = client.post("/api/v1/session", json={"name": " RITA ", "password": PASSWORD})
    assert answer.json()["areas"] == ["440605"]
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/" in cookie
    assert client.get("/api/v1/session").json()["name"] == "rita"
    token = client.cookies["pv_session"]
    csrf = {"X-CSRF-Token": answer.json()["csrf"]}
    assert client.delete("/api/v1/session").status_code == 403
    assert client.delete("/api/v1/session", headers=csrf).status_code == 204
    old = TestClient(staffed, cookies={"pv_session": token})
    assert old.get("/api/v1/session").status_code == 401


def test_the_cookie_is_for_https_alone_where_there_is_https(staffed: FastAPI) -> None:
    client = TestClient(staffed, base_url="https://testserver")
    answer = client.post("/api/v1/session", json={"name": "rita", "password": PASSWORD})
    assert "secure" in answer.headers["set-cookie"].lower()


def test_a_wrong_name_and_a_wrong_password_are_told_apart_by_nobody(staffed: FastAPI) -> None:
    client = TestClient(staffed)
    asked = [("rita", "wrong password"), ("nobody", PASSWORD), ("not a name!", PASSWORD)]
    answers = [client.post("/api/v1/session", json={"name": n, "password": p}) for n, p in asked]
    assert {a.status_code for a in answers} == {401}
    assert len({a.json()["detail"] for a in answers}) == 1


def test_an_unknown_name_costs_as_many_hashes_as_a_known_one(
    staffed: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    scrypt = credentials._scrypt

    def counted(password: str, *how: object) -> bytes:
        hashed.append(password)
        return scrypt(password, *how)  # type: ignore[arg-type]

    monkeypatch.setattr(credentials, "_scrypt", counted)
    client = TestClient(staffed)
    sign_in(client, "rita", "wrong password 1")
    sign_in(client, "nobody", "wrong password 2")
    assert hashed == ["wrong password 1", "wrong password 2"]


def test_signing_in_gives_a_new_token_and_ends_the_one_that_was_brought(
    staffed: FastAPI, store: SqlStore
) -> None:
    fixed = "a" * 43
    client = TestClient(staffed, cookies={"pv_session": fixed})
    assert sign_in(client) == 200
    assert (
        TestClient(staffed, cookies={"pv_session": fixed}).get("/api/v1/session").status_code == 401
    )
    first = client.cookies.get("pv_session", domain="testserver.local") or ""
    again = client.post("/api/v1/session", json={"name": "rita", "password": PASSWORD})
    assert again.status_code == 200
    assert store.counts()["sessions"] == 1
    assert first not in again.headers["set-cookie"]


def test_guessing_is_stopped_and_starts_anew_after_a_while(staffed: FastAPI, clock: Clock) -> None:
    client = TestClient(staffed)
    assert [sign_in(client, "rita", f"guess number {k}") for k in range(6)] == [401] * 5 + [429]
    locked = client.post("/api/v1/session", json={"name": "rita", "password": PASSWORD})
    assert locked.status_code == 429
    assert int(locked.headers["retry-after"]) > 0
    other = TestClient(staffed, client=("192.0.2.9", 1))
    assert sign_in(other) == 200, "an attacker elsewhere does not lock her out"
    clock.go(minutes=16)
    assert sign_in(client) == 200


def test_one_address_may_not_try_many_names(staffed: FastAPI) -> None:
    client = TestClient(staffed, client=("192.0.2.9", 1))
    bad = {"name": "not a name!", "password": "x"}
    tried = [sign_in(client, f"n{k}", "x") for k in range(31)]
    assert tried[-1] == 429
    assert client.post("/api/v1/session", json=bad).status_code == 401


def test_a_shift_that_signs_in_behind_one_address_is_let_in(
    staffed: FastAPI, store: SqlStore
) -> None:
    names = [f"n{k}" for k in range(40)]
    for name in names:
        hire(store, name, "viewer")
    assert {sign_in(TestClient(staffed), name) for name in names} == {200}
    client = TestClient(staffed)
    assert [sign_in(client, name, "wrong") for name in names[:31]] == [401] * 30 + [429]


def test_a_session_ends_with_time_and_with_idleness(
    staffed: FastAPI, store: SqlStore, clock: Clock
) -> None:
    client = signed_in(staffed, store, "rita")
    for _ in range(11):
        clock.go(minutes=65)
        assert client.get("/api/v1/session").status_code == 200
    clock.go(minutes=65)
    assert client.get("/api/v1/session").status_code == 401, "twelve hours are over"
    clock.now = START
    idle = signed_in(staffed, store, "rita")
    clock.go(minutes=121)
    assert idle.get("/api/v1/session").status_code == 401


def test_a_copy_of_the_database_opens_nothing(
    staffed: FastAPI, store: SqlStore, tmp_path: Path
) -> None:
    client = TestClient(staffed)
    sign_in(client)
    secret = key(store, "read")
    store.close()
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for token in (client.cookies["pv_session"], secret.rpartition("_")[2], PASSWORD):
        assert token.encode() not in content


def test_the_first_start_s_link_makes_one_admin_once(app: FastAPI, store: SqlStore) -> None:
    accounts = SqlAccounts(store.engine)
    assert accounts.expect_setup(credentials.sha256("the-token"))
    client = TestClient(app)
    body = {"token": "the-token", "name": "Ada", "password": PASSWORD}
    assert client.post("/api/v1/setup", json={**body, "token": "guess"}).status_code == 403
    assert client.post("/api/v1/setup", json={**body, "password": "short"}).status_code == 422
    assert client.post("/api/v1/setup", json=body).status_code == 201
    assert client.post("/api/v1/setup", json={**body, "name": "eve"}).status_code == 403
    assert [a.role for a in accounts.all()] == ["admin"]
    assert not accounts.expect_setup("another")


def test_reading_is_open_here_until_somebody_has_an_account(app: FastAPI, store: SqlStore) -> None:
    client = TestClient(app)
    assert client.get("/api/v1/tickets").status_code == 200
    hire(store, "rita", "reviewer")
    assert client.get("/api/v1/tickets").status_code == 401
    assert signed_in(app, store, "rita").get("/api/v1/tickets").status_code == 200


@pytest.mark.parametrize(
    ("base", "headers", "address"),
    [
        ("http://evil.example", {}, "testclient"),
        ("http://testserver", {"X-Forwarded-For": "127.0.0.1"}, "testclient"),
        ("http://testserver", {}, "192.0.2.7"),
    ],
)
def test_open_reading_is_for_this_computer_and_its_own_name(
    app: FastAPI, base: str, headers: dict[str, str], address: str
) -> None:
    client = TestClient(app, base_url=base, headers=headers, client=(address, 1))
    assert client.get("/api/v1/tickets").status_code == 403


def test_a_key_reads_what_its_scope_says_and_ends_when_revoked(
    staffed: FastAPI, store: SqlStore
) -> None:
    whole = key(store, "read")
    client = TestClient(staffed, headers={"Authorization": f"Bearer {whole}"})
    assert client.get("/api/v1/tickets").status_code == 200
    assert client.get("/api/v1/accounts").status_code == 403
    SqlAccounts(store.engine).revoke_key(whole.split("_")[1], START)
    assert client.get("/api/v1/tickets").status_code == 401
    device = key(store, "observations:write")
    asked = TestClient(staffed).get(
        "/api/v1/tickets", headers={"Authorization": f"Bearer {device}"}
    )
    assert asked.status_code == 403


@pytest.mark.parametrize("text", ["pvk_", "x", "pvk_000000000000_" + "a" * 43, "é", "a b"])
def test_what_is_no_key_is_refused_as_such(staffed: FastAPI, text: str) -> None:
    header = [(b"Authorization", b"Bearer " + text.encode())]
    assert TestClient(staffed).get("/api/v1/tickets", headers=header).status_code == 401


def test_only_an_admin_handles_accounts_and_keys(staffed: FastAPI, store: SqlStore) -> None:
    rita, ada = signed_in(staffed, store, "rita"), signed_in(staffed, store, "ada")
    new = {"name": "cruz", "password": PASSWORD, "role": "crew", "crew": "crew-1"}
    assert rita.post("/api/v1/accounts", json=new).status_code == 403
    assert ada.post("/api/v1/accounts", json=new).status_code == 201
    assert ada.post("/api/v1/accounts", json=new).status_code == 409
    assert [a["name"] for a in ada.get("/api/v1/accounts").json()] == ["ada", "cruz", "rita"]
    made = ada.post("/api/v1/keys", json={"name": "car 7", "scopes": ["observations:write"]})
    assert made.json()["key"].startswith("pvk_")
    assert "key" not in ada.get("/api/v1/keys").json()[0]
    assert rita.get("/api/v1/keys").status_code == 403
    assert ada.post("/api/v1/keys", json={"name": "nothing"}).status_code == 422
    assert ada.post("/api/v1/keys", json={"name": "r", "role": "reviewer"}).status_code == 422
    assert ada.delete(f"/api/v1/keys/{made.json()['id']}").status_code == 204
    assert ada.delete(f"/api/v1/keys/{made.json()['id']}").status_code == 404
    actions = [line.action for _, line in SqlAudit(store.engine).lines()]
    assert actions == ["key_revoked", "key_added", "account_added"]


def test_a_change_of_role_or_password_ends_the_sessions_of_the_account(
    staffed: FastAPI, store: SqlStore
) -> None:
    rita, ada = signed_in(staffed, store, "rita"), signed_in(staffed, store, "ada")
    assert ada.patch("/api/v1/accounts/rita", json={"role": "viewer"}).status_code == 200
    assert rita.get("/api/v1/session").status_code == 401
    rita = signed_in(staffed, store, "rita")
    assert rita.patch("/api/v1/accounts/rita", json={"role": "admin"}).status_code == 403
    assert rita.patch("/api/v1/accounts/ada", json={"password": PASSWORD}).status_code == 403
    assert (
        rita.patch("/api/v1/accounts/rita", json={"password": "another long one"}).status_code
        == 200
    )
    assert sign_in(TestClient(staffed), "rita", "another long one") == 200
    assert ada.patch("/api/v1/accounts/rita", json={"disabled": True}).status_code == 200
    assert sign_in(TestClient(staffed), "rita", "another long one") == 401
    assert ada.patch("/api/v1/accounts/ada", json={"disabled": True}).status_code == 409
    assert ada.patch("/api/v1/accounts/nemo", json={"role": "crew"}).status_code == 404


def test_a_page_elsewhere_may_not_write_with_somebody_s_cookie(
    staffed: FastAPI, store: SqlStore
) -> None:
    ada = signed_in(staffed, store, "ada")
    new = {"name": "eve", "password": PASSWORD, "role": "admin"}
    for header in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert ada.post("/api/v1/accounts", json=new, headers=header).status_code == 403
    forged = ada.post("/api/v1/accounts", json=new, headers={"X-CSRF-Token": "guess"})
    assert forged.status_code == 403


def test_every_answer_tells_browsers_not_to_guess_or_frame(app: FastAPI) -> None:
    for path in ("/api/v1/tickets", "/nowhere"):
        headers = TestClient(app).get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "accounts"), ("POST", "keys"), ("PUT", "zones"), ("PUT", "grids"),
        ("POST", "crews"), ("POST", "reports/day/2026-05-04/revisions"),
    ],
)  # fmt: skip
def test_what_concerns_the_whole_city_is_not_for_somebody_of_one_area(
    app: FastAPI, store: SqlStore, method: str, path: str
) -> None:
    hire(store, "fay", "admin", "440605")
    fay = signed_in(app, store, "fay")
    answer = fay.request(method, f"/api/v1/{path}", json={})
    assert answer.status_code == 403
    assert "citywide" in answer.json()["detail"]


def test_an_admin_of_one_area_does_not_make_himself_one_of_the_city(
    app: FastAPI, store: SqlStore
) -> None:
    hire(store, "fay", "admin", "440605")
    hire(store, "ada", "admin")
    fay = signed_in(app, store, "fay")
    for name, change in (("fay", {"areas": []}), ("ada", {"password": "taken over 1"})):
        assert fay.patch(f"/api/v1/accounts/{name}", json=change).status_code == 403
    own = fay.patch("/api/v1/accounts/fay", json={"password": "a longer one 2"})
    assert own.json()["areas"] == ["440605"]
