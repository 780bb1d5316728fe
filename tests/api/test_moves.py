"""A ticket through all seven steps over HTTP, and every gate on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from helpers.office_people import START, Clock, fresh_store, hire, key, signed_in
from patrolvision.api.app import create_app
from patrolvision.config import OfficeSettings
from patrolvision.pipeline import Judged, settle
from patrolvision.store.sql_store import SqlStore
from patrolvision.types import Finding, GeoPoint, Image, Look, Observation

AT = START - timedelta(hours=2)
RING = ((22.839, 113.229), (22.839, 113.231), (22.841, 113.231), (22.841, 113.229))


def finding(name: str, mission: str = "m1", hours: float = 0.0, **more: Any) -> Finding:
    at = AT + timedelta(hours=hours)
    place = GeoPoint(22.84, 113.23, np.eye(2) * 0.5)
    seen = Observation(
        name, mission, "car1", "litter", at, at, place, 0.9, frames=12, model_release="m@1"
    )
    given = {"category": "litter", "kind": "enforce", "score": 0.9, **more}
    return Finding(f"f-{name}", observation=seen, **given)


def see(store: SqlStore, *found: Finding, looks: tuple[Look, ...] = ()) -> None:
    judged = Judged(tuple(f.observation for f in found), found, looks)
    with store.transaction() as transaction:
        settle(transaction, judged)


def look(hours: float) -> Look:
    at = AT + timedelta(hours=hours)
    end = at + timedelta(minutes=1)
    return Look(f"k{hours}", f"m{hours}", at, end, frozenset({"litter"}), RING, 0.99)


def grey(image: Image) -> Image:
    """Hides everything: what is stored must have gone through here."""
    return np.full_like(image, 77)


def jpeg(width: int = 320, height: int = 240) -> bytes:
    image = np.random.default_rng(1).integers(0, 255, (height, width, 3), np.uint8)
    return cv2.imencode(".jpg", image)[1].tobytes()


@dataclass
class Town:
    """An office with one ticket and people of every role."""

    app: FastAPI
    store: SqlStore
    clock: Clock
    media: Path

    def __post_init__(self) -> None:
        for name, role in (("vera", "viewer"), ("rita", "reviewer"), ("ron", "reviewer"),
                           ("dora", "dispatcher"), ("ada", "admin")):  # fmt: skip
            hire(self.store, name, role)
        hire(self.store, "carl", "crew", crew="crew-1")
        hire(self.store, "zoe", "crew", crew="crew-9")
        self.people = {
            name: signed_in(self.app, self.store, name, hours=99.0)
            for name in ("vera", "rita", "ron", "dora", "ada", "carl", "zoe")
        }

    @property
    def ticket(self) -> Any:
        return next(t for t in self.store.tickets() if t.parent is None)

    def move(self, who: str, action: str, *, headers: Any = None, **body: Any) -> Any:
        self.clock.go(minutes=1)
        return self.people[who].post(
            f"/api/v1/tickets/{self.ticket.id}/moves",
            json={"action": action, **body},
            headers=headers,
        )

    def picture(
        self, who: str, content: bytes | None = None, name: str = "a.jpg", **form: Any
    ) -> Any:
        self.clock.go(minutes=1)
        file = {"file": (name, jpeg() if content is None else content, "image/jpeg")}
        path = f"/api/v1/tickets/{self.ticket.id}/pictures"
        return self.people[who].post(path, files=file, data=form)

    def until_feedback(self) -> None:
        assert self.move("dora", "file").status_code == 200
        assert self.move("dora", "dispatch", assignee="crew-1").status_code == 200
        assert self.move("carl", "take").status_code == 200
        assert self.picture("carl").status_code == 201
        assert self.move("carl", "report_back", note="clean").status_code == 200


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    opened = fresh_store(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def town(store: SqlStore, tmp_path: Path) -> Town:
    see(store, finding("a"))
    clock = Clock()
    return Town(
        create_app(store, OfficeSettings(idle_hours=99), hide=grey, clock=clock),
        store,
        clock,
        tmp_path,
    )


def test_a_ticket_goes_through_all_seven_steps(town: Town) -> None:
    town.until_feedback()
    assert town.move("rita", "verify").status_code == 200
    closed = town.move("rita", "close").json()
    assert closed["state"] == "closed"
    assert closed["number"] == "20260504-00001"
    assert [(e["action"], e["actor"]) for e in closed["history"]] == [
        ("raise", "patrolvision"), ("file", "dora"), ("dispatch", "dora"), ("take", "carl"),
        ("attach", "carl"), ("report_back", "carl"), ("verify", "rita"), ("close", "rita"),
    ]  # fmt: skip
    assert [p["kind"] for p in closed["pictures"]] == ["after"]
    told = [m for m in town.store.messages() if m.topic.startswith("ticket.")]
    assert [m.id for m in told] == [f"{town.ticket.id}:{k}" for k in range(8)]
    assert [m.topic for m in told] == ["ticket.raised"] + ["ticket.moved"] * 7
    assert told[-1].payload["event"]["action"] == "close"


def test_the_moves_offered_say_what_stands_in_the_way(town: Town) -> None:
    path = f"/api/v1/tickets/{town.ticket.id}/moves"
    offered = {m["action"]: m for m in town.people["dora"].get(path).json()}
    assert offered["file"]["allowed"]
    assert (offered["file"]["to_state"], offered["file"]["label_zh"]) == ("filed", "立案")
    assert offered["reject"]["needs"] == ["cause"]
    assert offered["confirm"]["why_not"] == "confirm is for reviewer"
    assert not any(m["allowed"] for m in town.people["vera"].get(path).json())
    assert "propose" not in offered


ILLEGAL: list[tuple[str, str, dict[str, Any], int]] = [
    ("vera", "file", {}, 403),
    ("carl", "file", {}, 403),
    ("rita", "file", {}, 403),
    ("dora", "close", {}, 409),
    ("dora", "dispatch", {"assignee": "x"}, 409),
    ("dora", "reject", {}, 422),
    ("dora", "reject", {"cause": "because"}, 422),
    ("dora", "reject", {"cause": "lamp"}, 422),
    ("dora", "merge", {"into": "t-none"}, 409),
    ("dora", "split", {"parts": 1}, 422),
    ("dora", "split", {}, 422),
    ("dora", "urge", {}, 422),
    ("dora", "propose", {}, 403),
    ("dora", "attach", {}, 422),
    ("dora", "explode", {}, 422),
    ("dora", "file", {"note": "a\x00b"}, 422),
    ("dora", "file", {"state": "closed"}, 422),
]


def test_an_illegal_move_is_refused_and_leaves_no_trace(town: Town) -> None:
    before = town.store.digest()
    for who, action, body, status in ILLEGAL:
        answer = town.move(who, action, **body)
        assert answer.status_code == status, (who, action, body)
        assert answer.headers["content-type"] == "application/problem+json"
        assert town.store.digest() == before, (who, action, body)


def test_nobody_who_has_not_signed_in_moves_anything(town: Town) -> None:
    path = f"/api/v1/tickets/{town.ticket.id}/moves"
    assert TestClient(town.app).post(path, json={"action": "file"}).status_code == 401
    device = {"Authorization": f"Bearer {key(town.store, 'observations:write')}"}
    assert (
        TestClient(town.app, headers=device).post(path, json={"action": "file"}).status_code == 403
    )
    token = town.people["dora"].cookies["pv_session"]
    bare = TestClient(town.app, cookies={"pv_session": token})
    assert bare.post(path, json={"action": "file"}).status_code == 403, "no CSRF token"


def test_no_verifying_without_an_after_picture_and_not_by_who_took_it(town: Town) -> None:
    town.move("dora", "file")
    town.move("dora", "dispatch", assignee="crew-1")
    town.move("carl", "take")
    town.picture("carl", kind="before")
    town.move("carl", "report_back")
    refused = town.move("rita", "verify")
    assert refused.status_code == 409
    assert "after-picture" in refused.json()["detail"]
    assert town.picture("ron").status_code == 201
    assert (
        town.move("ron", "verify")
        .json()["detail"]
        .endswith("nobody checks what he reported himself")
    )
    assert town.move("rita", "verify").status_code == 200


def test_another_crew_s_ticket_is_not_moved(town: Town) -> None:
    town.move("dora", "file")
    town.move("dora", "dispatch", assignee="crew-1")
    assert town.move("zoe", "take").status_code == 409
    assert town.picture("zoe").status_code == 403
    assert town.move("carl", "take").status_code == 200


def test_somebody_of_another_area_moves_nothing(town: Town) -> None:
    hire(town.store, "fay", "dispatcher", "440605")
    fay = signed_in(town.app, town.store, "fay")
    path = f"/api/v1/tickets/{town.ticket.id}"
    assert fay.post(f"{path}/moves", json={"action": "file"}).status_code == 403
    assert (
        fay.post(f"{path}/verdict", json={"verdict": "false", "cause": "leaves"}).status_code == 403
    )
    assert town.ticket.version == 1


def test_of_a_ticket_elsewhere_nobody_learns_how_it_stands(town: Town) -> None:
    hire(town.store, "fay", "dispatcher", "440605")
    fay = signed_in(town.app, town.store, "fay")
    path = f"/api/v1/tickets/{town.ticket.id}"
    close, stale = {"action": "close"}, {"If-Match": '"7"'}
    answers = [
        fay.post(f"{path}/moves", json=close),
        fay.post(f"{path}/moves", json={"action": "urge", "note": "x"}, headers=stale),
        fay.post(f"{path}/verdict", json={"verdict": "false", "cause": "no such cause"}),
    ]
    assert [a.status_code for a in answers] == [403] * 3
    assert {a.json()["detail"] for a in answers} == {"fay works in 440605, not there"}


def test_another_picture_under_the_same_key_is_not_lost(town: Town) -> None:
    town.until_feedback()
    path = f"/api/v1/tickets/{town.ticket.id}/pictures"
    one = jpeg()
    other = one[:-4] + bytes([one[-4] ^ 0x40]) + one[-3:]  # as long, under the same name
    sent = [
        town.people["rita"].post(
            path, files={"file": ("a.jpg", content, "image/jpeg")}, headers={"Idempotency-Key": "k"}
        )
        for content in (one, one, other)
    ]
    assert [answer.status_code for answer in sent] == [201, 201, 422]
    assert sent[0].json() == sent[1].json()


@pytest.mark.parametrize(
    "at", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2026-05-04T09:00:00Z"]
)
def test_a_picture_was_not_taken_in_another_age(town: Town, at: str) -> None:
    assert town.picture("dora", at=at).status_code == 422
    assert town.ticket.version == 1


def test_a_call_sent_twice_is_done_once(town: Town) -> None:
    same = {"Idempotency-Key": "k-1"}
    first = town.move("dora", "urge", note="hurry", headers=same)
    again = town.move("dora", "urge", note="hurry", headers=same)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json()["urged"] == 1
    assert town.move("dora", "urge", note="other", headers=same).status_code == 422
    assert town.move("rita", "urge", note="hurry", headers=same).json()["urged"] == 2


def test_a_move_on_a_version_that_is_gone_is_a_conflict(town: Town) -> None:
    stale = {"If-Match": '"1"'}
    assert town.move("dora", "file", headers=stale).status_code == 200
    assert town.move("dora", "urge", note="x", headers=stale).status_code == 409
    assert town.move("dora", "urge", note="x", headers={"If-Match": "x"}).status_code == 400


def test_splitting_and_merging_keep_every_part_findable(town: Town) -> None:
    assert town.move("dora", "split", parts=3).status_code == 200
    parts = sorted(t.id for t in town.store.tickets() if t.parent is not None)
    assert parts == [f"{town.ticket.id}-2", f"{town.ticket.id}-3"]
    dora = town.people["dora"]
    merged = dora.post(
        f"/api/v1/tickets/{parts[0]}/moves", json={"action": "merge", "into": parts[1]}
    ).json()
    assert (merged["state"], merged["merged_into"]) == ("rejected", parts[1])
    into = dora.get(f"/api/v1/tickets/{parts[1]}").json()
    assert into["history"][-1]["data"] == {"from": parts[0]}
    assert dora.post(f"/api/v1/tickets/{parts[1]}/moves", json={"action": "file"}).json()["number"]


def test_a_later_look_that_sees_nothing_proposes_and_allows_verification(town: Town) -> None:
    town.move("dora", "file")
    town.move("dora", "dispatch", assignee="crew-1")
    assert town.move("rita", "verify").status_code == 409
    see(town.store, looks=(look(3.0), look(4.0), look(5.0)))
    [proposed] = [e for e in town.ticket.history if e.action == "propose"]
    assert proposed.data["kind"] == "verify"
    digest = town.store.digest()
    see(town.store, looks=(look(3.0), look(4.0), look(5.0)))
    assert town.store.digest() == digest, "settled again, nothing is proposed twice"
    shown = town.people["rita"].get(f"/api/v1/tickets/{town.ticket.id}").json()
    assert shown["proposal"]["kind"] == "verify"
    town.clock.go(hours=6)
    assert town.move("rita", "verify").status_code == 200
    assert town.move("rita", "close").status_code == 200


def test_what_a_later_pass_still_sees_goes_back_to_the_crew(town: Town) -> None:
    town.until_feedback()
    see(town.store, finding("b", "m2", hours=1.0))
    assert town.ticket.state == "feedback", "seen before the crew reported back"
    see(town.store, finding("c", "m3", hours=8.0))
    assert town.ticket.state == "handling"
    assert town.ticket.history[-1].action == "send_back"
    before = town.store.digest()
    see(town.store, finding("c", "m3", hours=8.0))
    assert town.store.digest() == before
    town.clock.go(hours=10)
    town.move("carl", "report_back")
    assert town.move("rita", "verify").status_code == 409, "the old picture proves nothing now"


def test_a_closed_ticket_whose_hazard_is_seen_again_is_opened_again(town: Town) -> None:
    town.until_feedback()
    town.move("rita", "verify")
    town.move("rita", "close")
    see(town.store, finding("z", "m9", hours=30.0))
    assert (town.ticket.state, town.ticket.assignee) == ("filed", None)
    assert town.ticket.number == "20260504-00001"


def test_a_word_on_a_ticket_and_on_a_doubtful_incident_is_kept(town: Town) -> None:
    far = GeoPoint(22.85, 113.24, np.eye(2))
    doubt = finding("d", kind="review", score=0.4)
    doubt = Finding(doubt.id, "litter", "review", _moved(doubt.observation, far), score=0.4)
    see(town.store, doubt)
    rita = town.people["rita"]
    queue = rita.get("/api/v1/queue").json()
    assert [item.get("ticket_id") for item in queue] == [town.ticket.id, None]
    doubtful = queue[1]["incident_id"]
    word = {"verdict": "confirmed"}
    made = rita.post(f"/api/v1/tickets/{doubtful}/verdict", json=word).json()
    assert (made["state"], made["version"]) == ("reported", 2)
    assert rita.post(f"/api/v1/tickets/{doubtful}/verdict", json=word).status_code == 409
    false = {"verdict": "false", "cause": "leaves"}
    assert (
        rita.post(
            f"/api/v1/tickets/{town.ticket.id}/verdict", json={"verdict": "false"}
        ).status_code
        == 422
    )
    assert (
        rita.post(f"/api/v1/tickets/{town.ticket.id}/verdict", json=false).json()["state"]
        == "rejected"
    )
    assert rita.get("/api/v1/queue").json() == []
    said = rita.get("/api/v1/verdicts").json()
    assert sorted((v["verdict"], v["cause"]) for v in said) == [
        ("confirmed", None),
        ("false", "leaves"),
    ]
    assert {tuple(v["model_releases"]) for v in said} == {("m@1",)}
    first = rita.get("/api/v1/verdicts?limit=1")
    assert 'rel="next"' in first.headers["link"]
    following = first.headers["link"].split(">")[0].lstrip("<")
    assert [v["id"] for v in rita.get(following).json()] == [said[1]["id"]]
    assert rita.post("/api/v1/tickets/none/verdict", json=word).status_code == 404


def _moved(seen: Observation, place: GeoPoint) -> Observation:
    return Observation(
        seen.id, seen.mission_id, seen.stream_id, seen.class_name, seen.first_seen,
        seen.last_seen, place, seen.confidence, seen.frames, model_release="m@1",
    )  # fmt: skip


def test_a_number_waits_for_a_person_s_word_where_the_category_asks(
    store: SqlStore, tmp_path: Path
) -> None:
    see(store, finding("p", category="illegal_parking", kind="enforce"))
    clock = Clock()
    town = Town(create_app(store, clock=clock), store, clock, tmp_path)
    assert town.move("dora", "file").status_code == 409
    assert town.ticket.number is None
    assert town.move("rita", "confirm").status_code == 200
    assert town.move("dora", "file").json()["number"]


def test_causes_come_by_category_in_two_languages(town: Town) -> None:
    causes = town.people["vera"].get("/api/v1/causes").json()
    assert {"*", "litter", "illegal_parking", "open_fire"} == {c["category"] for c in causes}
    assert all(c["label_en"] and c["label_zh"] and c["source"] for c in causes)
