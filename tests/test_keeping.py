"""Pictures that were kept: proved unchanged, and let go when nothing wants them any more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete

from helpers.office_people import fresh_store
from patrolvision.cli import main
from patrolvision.errors import ConfigError
from patrolvision.evidence.pictures import keep_picture
from patrolvision.keeping import adopt, expire, overdue, path_of, proof
from patrolvision.pipeline import Judged, settle
from patrolvision.store.audit import SqlAudit
from patrolvision.store.engine import writing
from patrolvision.store.office_tables import evidence_log
from patrolvision.store.picture_owners import Claim, KeptPicture
from patrolvision.store.sql_store import SqlStore
from patrolvision.tickets import Act, done
from patrolvision.tickets.retention import kept_for, load_retention
from patrolvision.types import Finding, GeoPoint, Observation, PictureNote

AT = datetime(2026, 5, 4, tzinfo=UTC)
RULES = load_retention()


def kept(folder: Path, shade: int) -> str:
    return keep_picture(np.full((32, 48, 3), shade, np.uint8), folder / "evidence").sha256


def seen(store: SqlStore, folder: Path, name: str, kind: str, shade: int) -> str:
    """Settle a finding with one picture; the picture's hash."""
    sha256 = kept(folder, shade)
    place = GeoPoint(22.84, 113.23 + shade * 0.001, np.eye(2))
    thing = Observation(name, name, "car1", "litter", AT, AT, place, 0.9, 12)
    picture = {"sha256": sha256, "captured_at": AT.isoformat(), "view": "wide", "file": "x"}
    finding = Finding(f"f-{name}", "litter", kind, thing, 0.9, evidence={"pictures": [picture]})  # type: ignore[arg-type]
    with store.transaction() as transaction:
        settle(transaction, Judged((thing,), (finding,)))
    return sha256


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    opened = fresh_store(tmp_path)
    yield opened
    opened.close()


def test_what_is_as_it_was_is_proved_and_what_is_not_is_named(
    store: SqlStore, tmp_path: Path
) -> None:
    one, two = (seen(store, tmp_path, f"o{k}", "enforce", k) for k in (10, 20))
    whole = proof(store, tmp_path)
    assert (whole.holds, whole.kept, whole.lines) == (True, 2, 2)
    path_of(tmp_path, one).write_bytes(b"another picture")
    path_of(tmp_path, two).unlink()
    found = proof(store, tmp_path)
    assert (found.holds, found.altered, found.missing) == (False, (one,), (two,))


def test_the_command_says_what_was_changed(
    store: SqlStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = seen(store, tmp_path, "o1", "enforce", 10)
    url = f"sqlite:///{tmp_path / 'patrol.db'}"
    assert main(["evidence", "verify", "--db", url]) == 0
    path_of(tmp_path, one).write_bytes(b"another picture")
    assert main(["evidence", "verify", "--db", url]) == 3
    assert f"{one}: the picture was changed" in capsys.readouterr().out


def test_a_picture_goes_when_the_time_of_its_ticket_s_state_is_over(
    store: SqlStore, tmp_path: Path
) -> None:
    standing = seen(store, tmp_path, "o1", "enforce", 10)
    rejected = seen(store, tmp_path, "o2", "enforce", 20)
    doubtful = seen(store, tmp_path, "o3", "review", 30)
    ticket = next(t for t in store.tickets() if t.place.lon_deg == pytest.approx(113.25))
    with store.transaction() as transaction:
        act = Act("reject", "rita", AT + timedelta(days=5), "reviewer", cause="leaves")
        transaction.save_tickets([done(ticket, act)])
    assert expire(store, tmp_path, RULES, AT + timedelta(days=29)) == 0
    assert expire(store, tmp_path, RULES, AT + timedelta(days=31)) == 1
    assert not path_of(tmp_path, doubtful).exists()
    assert expire(store, tmp_path, RULES, AT + timedelta(days=36)) == 1
    assert not path_of(tmp_path, rejected).exists()
    assert path_of(tmp_path, standing).exists()
    assert proof(store, tmp_path).holds, "an expired picture is not a missing one"
    noted = [line.subject for _, line in SqlAudit(store.engine).lines()]
    assert noted == [rejected, doubtful]
    assert expire(store, tmp_path, RULES, AT + timedelta(days=36)) == 0


def test_a_picture_that_two_things_share_stays_as_long_as_one_wants_it(
    store: SqlStore, tmp_path: Path
) -> None:
    shared = seen(store, tmp_path, "o1", "enforce", 10)
    with store.transaction() as transaction:
        transaction.note_pictures([PictureNote(shared, "kept", AT, "gone", "test")])
    assert expire(store, tmp_path, RULES, AT + timedelta(days=100)) == 0
    assert path_of(tmp_path, shared).exists()


def test_a_picture_that_comes_again_is_kept_again(store: SqlStore, tmp_path: Path) -> None:
    shown = seen(store, tmp_path, "o1", "review", 10)
    expire(store, tmp_path, RULES, AT + timedelta(days=40))
    assert seen(store, tmp_path, "o1", "review", 10) == shown
    assert proof(store, tmp_path).kept == 1


@given(
    st.lists(
        st.tuples(st.sampled_from(["closed", "rejected", "filed", None]), st.integers(0, 400)),
        max_size=5,
    ),
    st.integers(0, 800),
)
def test_a_picture_is_never_older_than_its_longest_claim(
    wanted: list[tuple[str | None, int]], age: int
) -> None:
    now = AT + timedelta(days=age)
    found = [Claim("litter", state, AT + timedelta(days=day)) for state, day in wanted]
    picture = KeptPicture("ab", AT, ("s",))
    days = [day + kept_for(RULES, "litter", state or "no_ticket").days for state, day in wanted]
    is_over = max(days, default=30) < age
    assert list(overdue([picture], [found], RULES, now)) == ([picture] if is_over else [])


def test_a_retention_table_must_speak_of_every_state(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("category,state,days,source\n*,closed,10,x\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"r\.csv: row 2, column state: expected a row for \*"):
        load_retention({"retention": path})


def older_than_the_log(store: SqlStore, folder: Path) -> list[str]:
    """Pictures of two findings, as they were settled before migration 0003."""
    found = [seen(store, folder, f"o{k}", "review", k) for k in (10, 20)]
    with writing(store.engine) as connection:
        connection.execute(delete(evidence_log))
    return found


def test_pictures_older_than_the_log_are_named_and_then_taken_in(
    store: SqlStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = older_than_the_log(store, tmp_path)
    assert proof(store, tmp_path).unlogged == tuple(sorted((one, two)))
    assert expire(store, tmp_path, RULES, AT + timedelta(days=400)) == 0
    url = f"sqlite:///{tmp_path / 'patrol.db'}"
    assert main(["evidence", "verify", "--db", url]) == 0
    assert "2 pictures were kept before there was a log" in capsys.readouterr().out
    assert main(["evidence", "adopt", "--db", url]) == 0
    after = proof(store, tmp_path)
    assert (after.holds, after.kept, after.unlogged) == (True, 2, ())
    assert adopt(store, tmp_path) == (0, [])
    assert expire(store, tmp_path, RULES, AT + timedelta(days=31)) == 2
    assert not path_of(tmp_path, one).exists()
    assert proof(store, tmp_path).unlogged == (), "expired is not forgotten"


def test_an_older_picture_that_was_changed_is_left_out_and_named(
    store: SqlStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, _ = older_than_the_log(store, tmp_path)
    path_of(tmp_path, one).write_bytes(b"another picture")
    assert main(["evidence", "adopt", "--db", f"sqlite:///{tmp_path / 'patrol.db'}"]) == 3
    assert f"{one}: missing or changed" in capsys.readouterr().out
    assert proof(store, tmp_path).unlogged == (one,)
