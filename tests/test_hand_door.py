"""Merges and splits by hand on the command line: tickets follow, reruns keep them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from helpers.command_line import Done, in_process
from helpers.street_lines import LITTER, line, write_lines, write_zone
from patrolvision.store import open_store

CaptureFixture = pytest.CaptureFixture[str]


class Office:
    """One database that a test works on by commands."""

    def __init__(self, folder: Path, capsys: CaptureFixture, records: list[Any]) -> None:
        self.url, self._capsys = f"sqlite:///{folder / 'a.db'}", capsys
        self.file = write_lines(folder / "a.jsonl", records)
        self.zones = write_zone(folder / "z.geojson")
        self.fuse()

    def fuse(self) -> None:
        self.run("fuse", self.file, "--zones", self.zones, "--db", self.url)

    def run(self, *words: object) -> Done:
        return in_process(self._capsys, *words)

    def hand(self, *words: object) -> Done:
        return self.run("incidents", *words, "--db", self.url)

    def digest(self) -> str:
        store = open_store(self.url)
        try:
            return store.digest()
        finally:
            store.close()

    def listed(self, what: str) -> dict[str, dict[str, Any]]:
        """Records by the first of their observations, or by their incident."""
        done = self.run(what, "--db", self.url, "--format", "json")
        found = [json.loads(text) for text in done.out.splitlines()]
        if what == "tickets":
            return {record["incident_id"]: record for record in found}
        return {ids[0]: r for r in found if (ids := r["observation_ids"])}


@pytest.fixture
def office(tmp_path: Path, capsys: CaptureFixture) -> Office:
    records = [
        line("a1", "m1", "litter", "08:00"),
        line("a2", "m2", "litter", "09:00"),
        line("b1", "m1", "litter", "08:01", lat_deg=LITTER[0] + 0.0005),  # 55 m north
    ]
    return Office(tmp_path, capsys, records)


def test_a_merge_closes_the_ticket_that_is_one_too_many_and_a_rerun_keeps_it(
    office: Office,
) -> None:
    before = office.listed("incidents")
    a, b = before["a1"]["incident_id"], before["b1"]["incident_id"]
    done = office.hand("merge", a, b, "--note", "one heap")
    decision = json.loads(done.out)
    assert (done.rc, decision["incidents"], decision["kind"]) == (0, [a], "merge")
    assert office.listed("incidents")["a1"]["observation_ids"] == ["a1", "b1", "a2"]
    assert office.listed("tickets")[b]["state"] == "rejected"
    assert a in office.listed("tickets")[b]["history"][-1]["note"]
    merged = office.digest()
    office.fuse()
    assert office.digest() == merged
    assert office.hand("undo", decision["decision_id"]).rc == 0
    assert {k: v["incident_id"] for k, v in office.listed("incidents").items()} == {
        "a1": a,
        "b1": b,
    }
    assert office.listed("tickets")[b]["state"] == "reported"
    assert "undone_by" in office.hand("decisions").out


def test_a_split_gives_the_parted_off_a_ticket_of_its_own(office: Office) -> None:
    a = office.listed("incidents")["a1"]["incident_id"]
    done = office.hand("split", a, "--observations", "a2")
    parts = json.loads(done.out)["incidents"]
    assert done.rc == 0
    assert len(parts) == 2
    assert set(parts) <= set(office.listed("tickets"))
    office.fuse()
    assert set(office.listed("incidents")) == {"a1", "a2", "b1"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(("merge", "inc-1"), "expected merge INCIDENT INCIDENT", id="one name"),
        pytest.param(("merge", "x", "y"), "there is no incident x", id="unknown"),
        pytest.param(("split", "x"), "expected split INCIDENT --observations", id="no part"),
        pytest.param(("undo", "x"), "there is no decision x", id="unknown decision"),
        pytest.param(("unite", "x"), "expected one of merge, split", id="unknown act"),
    ],
)
def test_an_impossible_call_is_refused_in_a_sentence(
    office: Office, words: tuple[str, ...], said: str
) -> None:
    done = office.hand(*words)
    assert done.rc == 2
    assert said in done.err
