"""`patrolvision reports` as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from helpers.command_line import in_process
from helpers.office_days import FIRST_DAY, HOUR, fill, incident_at, new_ticket, save
from patrolvision.store import open_store


@pytest.fixture
def url(tmp_path: Path) -> str:
    address = f"sqlite:///{tmp_path / 'p.db'}"
    store = open_store(address)
    fill(store, days=2, a_day=8)
    store.close()
    return address


def test_a_day_is_written_in_four_files_the_same_twice(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = []
    for out in (tmp_path / "a", tmp_path / "b"):
        done = in_process(
            capsys, "reports", "day", "2026-05-04", "--db", url, "--out", out,
            "--timezone", "Asia/Shanghai", "--json",
        )  # fmt: skip
        assert done.rc == 0, done.err
        assert (done.summary["found"], done.summary["first"]) == (8, "2026-05-04")
        found.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert sorted(found[0]) == [
        f"report-day-2026-05-04.{e}" for e in ("csv", "html", "json", "xlsx")
    ]
    assert found[0] == found[1]
    assert json.loads(found[0]["report-day-2026-05-04.json"])["timezone"] == "Asia/Shanghai"


def test_what_is_learnt_later_is_told_and_makes_a_revision_only_when_asked_for(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ("reports", "day", "2026-05-04", "--db", url, "--out", tmp_path, "--format", "json",
            "--timezone", "Asia/Shanghai", "--json")  # fmt: skip
    assert in_process(capsys, *call).summary["found"] == 8
    store = open_store(url)
    one, late = incident_at("i-late", FIRST_DAY + 9 * HOUR, 5.0, 5.0)
    save(store, [one], [late], [new_ticket(late)])
    store.close()
    again = in_process(capsys, *call)
    assert again.summary["found"] == 8
    assert "--anew" in again.complaints[0]
    assert in_process(capsys, *call, "--preview").summary["found"] == 9
    assert in_process(capsys, *call).summary["found"] == 8
    anew = in_process(capsys, *call, "--anew")
    assert (anew.summary["found"], anew.complaints) == (9, [])
    assert in_process(capsys, *call).summary["found"] == 9


def test_an_office_file_brings_its_own_clock_and_tables(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scoring = tmp_path / "scoring.csv"
    head = "rule,applies_to,measure,worst,best,points,name_en,name_zh,source\n"
    scoring.write_text(head + "found,*,open_at_end,100,0,10,Open,未结,ours\n", encoding="utf-8")
    office = tmp_path / "office.toml"
    office.write_text('timezone = "Asia/Shanghai"\n[tables]\nscoring = "scoring.csv"\n')
    call = ("reports", "day", "2026-05-04", "--db", url, "--out", tmp_path, "--office", office)
    done = in_process(capsys, *call, "--format", "json")
    assert done.rc == 0, done.err
    report = json.loads((tmp_path / "report-day-2026-05-04.json").read_text(encoding="utf-8"))
    assert report["rows"][0]["score"] == 100.0 - report["rows"][0]["open_at_end"]
    scoring.write_text(head + "found,*,open_at_end,many,0,10,Open,未结,ours\n", encoding="utf-8")
    done = in_process(capsys, *call)
    assert done.rc == 2
    assert "scoring.csv: row 2, column worst: expected a number from 0, found 'many'" in done.err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("day", "4.5.2026"), "DATE must be a date such as 2026-05-04"),
        (("day", "2999-01-01"), "has not begun yet"),
        (("day", "2026-05-04", "--timezone", "Mars"), "not an IANA time zone"),
        (("day", "2026-05-04", "--office", "/nowhere.toml"), "cannot be read"),
    ],
)
def test_a_wrong_call_is_answered_in_one_sentence(
    url: str, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], complaint: str
) -> None:
    done = in_process(capsys, "reports", *arguments, "--db", url)
    assert done.rc == 2
    assert complaint in done.complaints[0]
