"""The seven steps: who may do what when, held against a second table and random days of work."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from patrolvision.tickets.roles import ROLES
from patrolvision.tickets.workflow import (
    ACTIONS,
    TABLE,
    Act,
    Facts,
    MoveError,
    done,
    moves_from,
    parts_of,
    why_not,
)
from patrolvision.types import GeoPoint, GridCodes, Ticket, TicketEvent, TicketState

T0 = datetime(2026, 5, 4, 8, tzinfo=UTC)
STATES = get_args(TicketState)
PLACE = GeoPoint(22.84, 113.23, np.eye(2))
BORN = TicketEvent(T0, "reported", "patrolvision", action="raise")
NEW = Ticket("t-1", "i-1", "litter", "reported", "normal", PLACE, GridCodes("u1"), (BORN,))
OTHER = replace(NEW, id="t-2", incident_id="i-2")

# Written from the mission, not from the table under test: who may lead from where to where.
LEGAL = """
reported   file        filed       dispatcher
reported   confirm     reported    reviewer
reported   reject      rejected    reviewer dispatcher program
filed      reject      rejected    reviewer dispatcher program
dispatched reject      rejected    reviewer dispatcher program
reported   merge       rejected    reviewer dispatcher program
filed      merge       rejected    reviewer dispatcher program
dispatched merge       rejected    reviewer dispatcher program
filed      dispatch    dispatched  dispatcher
dispatched take        handling    dispatcher crew
handling   report_back feedback    dispatcher crew
feedback   verify      verified    reviewer
filed      verify      verified    reviewer
dispatched verify      verified    reviewer
handling   verify      verified    reviewer
feedback   send_back   handling    reviewer program
verified   send_back   handling    reviewer program
verified   close       closed      reviewer
closed     reopen      filed       reviewer dispatcher program
rejected   reopen      reported    reviewer dispatcher program
dispatched hand_over   dispatched  dispatcher crew
handling   hand_over   dispatched  dispatcher crew
reported   split       reported    reviewer dispatcher
filed      split       filed       reviewer dispatcher
dispatched split       dispatched  reviewer dispatcher
"""
EVERYWHERE = {
    "urge": "reviewer dispatcher", "attach": "reviewer dispatcher crew",
    "propose": "program", "absorb": "program", "hear": "program", "relocate": "program",
}  # fmt: skip


def legal() -> dict[tuple[str, str], tuple[str, set[str]]]:
    table = {}
    for line in LEGAL.strip().splitlines():
        state, action, to, *who = line.split()
        table[state, action] = (to, set(who))
    for state in ("reported", "filed", "dispatched", "handling", "feedback", "verified"):
        for action, names in EVERYWHERE.items():
            table[state, action] = (state, set(names.split()))
    for state in ("filed", "dispatched", "handling"):
        table[state, "escalate"] = (state, {"program"})
    return table


ORACLE = legal()


def given(action: str) -> dict[str, Any]:
    """What the action needs of the one who moves."""
    needs: dict[str, dict[str, Any]] = {
        "reject": {"cause": "shadow"}, "dispatch": {"assignee": "crew-1"},
        "hand_over": {"assignee": "crew-2", "note": "fire brigade's work"},
        "merge": {"into": "t-2"}, "split": {"parts": 2}, "send_back": {"note": "not clean"},
        "reopen": {"note": "it is back"}, "urge": {"note": "the mayor asks"},
        "escalate": {"data": {"level": 1}}, "attach": {"data": {"kind": "after"}},
    }  # fmt: skip
    return needs.get(action, {})


def step(ticket: Ticket, action: str, actor: str, role: str | None, **more: Any) -> Ticket:
    at = ticket.history[-1].at + timedelta(minutes=1)
    facts = more.pop("facts", Facts(into=OTHER, number="n-1"))
    return done(ticket, Act(action, actor, at, role, **{**given(action), **more}), facts)


def at_feedback() -> Ticket:
    ticket = step(NEW, "file", "dora", "dispatcher")
    ticket = step(ticket, "dispatch", "dora", "dispatcher")
    ticket = step(ticket, "take", "crew-1", "crew")
    ticket = step(ticket, "attach", "crew-1", "crew")
    return step(ticket, "report_back", "crew-1", "crew")


def test_the_seven_steps_lead_from_reported_to_closed() -> None:
    ticket = step(step(at_feedback(), "verify", "rita", "reviewer"), "close", "rita", "reviewer")
    assert [e.state for e in ticket.history if e.action != "attach"] == [
        "reported", "filed", "dispatched", "handling", "feedback", "verified", "closed",
    ]  # fmt: skip
    assert [e.actor for e in ticket.history[1:4]] == ["dora", "dora", "crew-1"]
    assert (ticket.number, ticket.assignee) == ("n-1", "crew-1")


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("action", ACTIONS)
def test_every_cell_of_the_table_is_as_the_mission_says(state: TicketState, action: str) -> None:
    rows = [m for m in TABLE if m.action == action and state in m.from_states]
    assert len(rows) == ((state, action) in ORACLE)
    for row in rows:
        to, who = ORACLE[state, action]
        assert (row.to_state or state) == to
        assert set(row.roles) | ({"program"} if row.is_automatic else set()) == who


def test_no_close_without_a_picture_of_the_place_as_it_was_left() -> None:
    bare = replace(at_feedback(), history=tuple(
        e for e in at_feedback().history if e.action != "attach"
    ))  # fmt: skip
    with pytest.raises(MoveError, match="after-picture or a later look"):
        step(bare, "verify", "rita", "reviewer")
    gone = Facts(removed_at=T0 + timedelta(days=1))
    verified = step(bare, "verify", "rita", "reviewer", facts=gone)
    with pytest.raises(MoveError, match="after-picture or a later look"):
        step(verified, "close", "rita", "reviewer")
    assert step(verified, "close", "rita", "reviewer", facts=gone).state == "closed"


def test_a_picture_from_before_the_crew_was_sent_back_proves_nothing() -> None:
    sent_back = step(at_feedback(), "send_back", "rita", "reviewer")
    again = step(sent_back, "report_back", "crew-1", "crew")
    with pytest.raises(MoveError, match="after-picture"):
        step(again, "verify", "rita", "reviewer")


def test_a_picture_of_the_place_as_it_was_found_proves_nothing() -> None:
    ticket = step(step(NEW, "file", "dora", "dispatcher"), "dispatch", "dora", "dispatcher")
    ticket = step(ticket, "take", "crew-1", "crew")
    ticket = step(ticket, "attach", "crew-1", "crew", data={"kind": "before"})
    ticket = step(ticket, "report_back", "crew-1", "crew")
    with pytest.raises(MoveError, match="after-picture"):
        step(ticket, "verify", "rita", "reviewer")


@pytest.mark.parametrize("role", ["reviewer", "admin"])
def test_nobody_checks_his_own_work_not_even_an_admin(role: str) -> None:
    ticket = step(NEW, "file", "dora", "dispatcher")
    ticket = step(ticket, "dispatch", "dora", "dispatcher")
    ticket = step(ticket, "take", "dora", "dispatcher")
    ticket = step(ticket, "report_back", "dora", "dispatcher")
    ticket = step(ticket, "attach", "crew-1", "admin")
    with pytest.raises(MoveError, match="nobody checks what he reported himself"):
        step(ticket, "verify", "dora", role)
    with pytest.raises(MoveError, match="nobody checks what he reported himself"):
        step(ticket, "verify", "crew-1", role)
    assert step(ticket, "verify", "rita", role).state == "verified"


def test_a_crew_moves_only_what_it_was_given() -> None:
    ticket = step(step(NEW, "file", "d", "dispatcher"), "dispatch", "d", "dispatcher")
    with pytest.raises(MoveError, match="given to crew-1, not to crew-9"):
        step(ticket, "take", "crew-9", "crew")
    assert step(ticket, "take", "li", "crew", crew="crew-1").state == "handling"


def test_a_number_waits_for_a_person_s_word_where_the_category_asks_for_it() -> None:
    asks = Facts(verify_first=True, number="n-1")
    with pytest.raises(MoveError, match="confirmed by a reviewer before it gets a number"):
        step(NEW, "file", "dora", "dispatcher", facts=asks)
    confirmed = step(NEW, "confirm", "rita", "reviewer")
    assert confirmed.number is None
    assert step(confirmed, "file", "dora", "dispatcher", facts=asks).number == "n-1"


@pytest.mark.parametrize("action", ["reject", "dispatch", "send_back", "merge", "split", "urge"])
def test_what_a_move_needs_must_be_given(action: str) -> None:
    state: TicketState = {"dispatch": "filed", "send_back": "feedback"}.get(action, "reported")  # type: ignore[assignment]
    ticket = replace(NEW, state=state)
    empty = dict.fromkeys(given(action), "") if action != "split" else {"parts": 1}
    with pytest.raises(MoveError) as refused:
        step(ticket, action, "a", "admin", **empty)
    assert refused.value.reason == "input"


def test_merging_needs_another_open_ticket_of_the_same_kind() -> None:
    for into in (None, NEW, replace(OTHER, category="open_fire"), replace(OTHER, state="closed")):
        with pytest.raises(MoveError):
            step(NEW, "merge", "dora", "dispatcher", facts=Facts(into=into))
    merged = step(NEW, "merge", "dora", "dispatcher")
    assert (merged.state, merged.merged_into) == ("rejected", "t-2")
    assert step(merged, "reopen", "dora", "dispatcher").merged_into is None


def test_a_split_makes_parts_that_begin_anew() -> None:
    act = Act("split", "dora", T0, "dispatcher", parts=3)
    parts = parts_of(NEW, act, known=["t-1-2"])
    assert [p.id for p in parts] == ["t-1-3", "t-1-4"]
    assert {(p.parent, p.state, p.number) for p in parts} == {("t-1", "reported", None)}


def test_time_does_not_run_backwards_in_a_history() -> None:
    with pytest.raises(MoveError, match="before its last move"):
        done(NEW, Act("file", "d", T0 - timedelta(seconds=1), "dispatcher"))
    with pytest.raises(MoveError, match="offset from UTC"):
        done(NEW, Act("file", "d", T0.replace(tzinfo=None), "dispatcher"))


class Office(RuleBasedStateMachine):
    """Random people try random things; a model kept beside says what must come of it."""

    @initialize(verify_first=st.booleans())
    def begin(self, verify_first: bool) -> None:
        self.ticket = NEW
        self.verify_first = verify_first
        self.gone: datetime | None = None
        self.state = "reported"
        self.assignee: str | None = None
        self.checked_by: set[str] = set()  # who reported this round
        self.shown = self.confirmed = False
        self.round_at: datetime | None = None
        self.lines = 1
        self.clock = T0

    @rule(hours=st.integers(-30, 30))
    def a_look_finds_it_gone(self, hours: int) -> None:
        self.gone = self.clock + timedelta(hours=hours)

    @rule()
    def it_is_seen_again(self) -> None:
        self.gone = None

    @rule(
        action=st.sampled_from(ACTIONS),
        role=st.sampled_from([None, *ROLES]),
        actor=st.sampled_from(["crew-1", "crew-2", "rita", "dora"]),
        gives=st.booleans() | st.just(True),
    )
    def somebody_tries(self, action: str, role: str | None, actor: str, gives: bool) -> None:
        self.attempt(action, role, actor, gives)

    @rule(
        pick=st.integers(0, 99),
        whose=st.integers(0, 99),
        actor=st.sampled_from(["crew-1", "crew-2", "rita", "dora"]),
        gives=st.booleans() | st.just(True),
    )
    def somebody_does_what_may_come_next(
        self, pick: int, whose: int, actor: str, gives: bool
    ) -> None:
        ahead = {"close", "dispatch", "file", "report_back", "take", "verify", "attach"}
        found = sorted(action for state, action in ORACLE if state == self.state)
        found += [action for action in found if action in ahead] * 3
        action = found[pick % len(found)]
        roles = sorted(ORACLE[self.state, action][1])
        role = roles[whose % len(roles)]
        self.attempt(action, None if role == "program" else role, actor, gives)

    def attempt(self, action: str, role: str | None, actor: str, gives: bool) -> None:
        self.clock += timedelta(minutes=7)
        what = given(action) if gives or action == "escalate" else {}
        if not gives and action == "attach":
            what = {"data": {"kind": "before"}}
        act = Act(action, actor, self.clock, role, **what)
        facts = Facts(self.verify_first, self.gone, OTHER, "n-1")
        before = self.ticket
        expected = self.expected(act)
        try:
            self.ticket = done(before, act, facts)
        except MoveError:
            assert not expected, f"{act} was refused in {self.state}"
            return
        assert expected, f"{act} was let through in {self.state}"
        self.follow(act)
        offered = [m for m in moves_from(before.state) if m.action == action]
        if role is not None:
            assert any(why_not(before, m, act, facts) is None for m in offered)

    def expected(self, act: Act) -> bool:
        if (self.state, act.action) not in ORACLE:
            return False
        _, who = ORACLE[self.state, act.action]
        if act.role is None:
            return "program" in who
        if act.role not in who and not (act.role == "admin" and who - {"program"}):
            return False
        if given(act.action) and act.action not in ("attach", "escalate"):
            missing = act.note == "" and act.cause is None and act.assignee is None
            if missing and act.into is None and act.parts is None:
                return False
        proved = self.gone is not None and (self.round_at is None or self.gone > self.round_at)
        if act.action in ("verify", "close"):
            if self.state in ("filed", "dispatched", "handling") and not proved:
                return False
            return (proved or self.shown) and act.actor not in self.checked_by
        own = ("take", "report_back", "hand_over", "attach")
        if act.role == "crew" and act.action in own and self.assignee != act.actor:
            return False
        if act.action == "hand_over" and act.assignee == self.assignee:
            return False
        if act.action == "confirm":
            return not self.confirmed
        return not (act.action == "file" and self.verify_first and not self.confirmed)

    def follow(self, act: Act) -> None:
        self.state = ORACLE[self.state, act.action][0]
        self.lines += 1
        if act.action in ("dispatch", "hand_over"):
            self.assignee = act.assignee
        if act.action == "confirm":
            self.confirmed = True
        if act.action == "attach" and act.data.get("kind") == "after":
            self.shown = True
            self.checked_by.add(act.actor)
        if act.action == "report_back":
            self.checked_by.add(act.actor)
        if act.action in ("send_back", "reopen"):
            self.shown = self.confirmed = False
            self.checked_by, self.round_at = set(), act.at
        if act.action == "reopen":
            self.assignee = None

    @invariant()
    def the_ticket_is_where_the_model_says_and_its_history_is_complete(self) -> None:
        if not hasattr(self, "ticket"):
            return
        assert (self.ticket.state, self.ticket.assignee) == (self.state, self.assignee)
        assert self.ticket.version == self.lines
        assert self.ticket.history[-1].state == self.state
        times = [event.at for event in self.ticket.history]
        assert times == sorted(times)
        states = ["reported"]
        for event in self.ticket.history[1:]:
            assert ORACLE[states[-1], event.action][0] == event.state
            states.append(event.state)
        if self.ticket.number is None:
            assert "filed" not in states


Office.TestCase.settings = settings(max_examples=150, stateful_step_count=50)
TestOffice = Office.TestCase
